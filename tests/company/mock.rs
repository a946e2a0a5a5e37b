//! A HighLevel that gives tokens: refresh tokens rotate and give the same pair again for 30 seconds by its own clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

pub(crate) const CLIENT: (&str, &str) = ("client-0", "the-client-secret");
pub(crate) const COMPANY: &str = "Company0";
/// Locations that the app is installed for.
pub(crate) const LOCATIONS: [&str; 2] = ["Location0", "Location1"];

const REUSE: Duration = Duration::from_secs(30);

/// Runs until the test ends.
#[derive(Clone)]
pub(crate) struct Mock(Arc<Shared>);

struct Shared {
    url: String,
    start: Instant,
    world: Mutex<World>,
    /// Requests to `/oauth/token`, and how many of them made a new pair.
    renewals: AtomicUsize,
    rotations: AtomicUsize,
    mints: AtomicUsize,
    moments: broadcast::Sender<Moment>,
}

/// What a test may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Asked,
    Rotated,
    Answered,
}

/// What is done in the place of the next usual answer.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Status, headers and body; nothing happens.
    Say(u16, &'static [(&'static str, &'static str)], String),
    /// It happens, and the answer never comes.
    Lose,
    /// It happens, and this is the answer.
    Garble(u16, &'static str),
    /// Members laid over the usual answer.
    With(Value),
}

/// Status and body.
type Refusal = (u16, Value);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[derive(Default)]
struct World {
    /// How far the clock was set forward.
    ahead: Duration,
    /// Refresh tokens, and when each was used for which answer.
    refresh: BTreeMap<String, Option<(Duration, Value)>>,
    companies: BTreeSet<String>,
    count: usize,
    expires_in: i64,
    longest_delay: Duration,
    scripts: VecDeque<Script>,
    requests: Vec<(HeaderMap, String)>,
}

impl Mock {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let world = World {
            expires_in: 86_399,
            ..World::default()
        };
        let mock = Self(Arc::new(Shared {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            start: Instant::now(),
            world: Mutex::new(world),
            renewals: AtomicUsize::new(0),
            rotations: AtomicUsize::new(0),
            mints: AtomicUsize::new(0),
            moments: broadcast::channel(64).0,
        }));
        let routes = Router::new()
            .route("/oauth/token", post(token))
            .route("/oauth/locationToken", post(location_token))
            .with_state(mock.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        mock
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// A pair as it is answered when the app is installed.
    pub(crate) fn install(&self) -> Value {
        self.world().pair()
    }

    /// Sets the clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        self.world().ahead += time;
    }

    pub(crate) fn next(&self, script: Script) {
        self.world().scripts.push_back(script);
    }

    /// Answers take up to this long.
    pub(crate) fn delay(&self, longest: Duration) {
        self.world().longest_delay = longest;
    }

    /// What later tokens are said to live, in seconds.
    pub(crate) fn lives(&self, seconds: i64) {
        self.world().expires_in = seconds;
    }

    /// HighLevel knows the company's token no longer.
    pub(crate) fn revoke(&self, token: &str) {
        self.world().companies.remove(token);
    }

    pub(crate) fn knows(&self, company_token: &str) -> bool {
        self.world().companies.contains(company_token)
    }

    /// Whether a pair can be had for the refresh token now.
    pub(crate) fn takes(&self, refresh: &str) -> bool {
        let now = self.now();
        match self.world().refresh.get(refresh) {
            Some(None) => true,
            Some(Some((used, _))) => now - *used <= REUSE,
            None => false,
        }
    }

    pub(crate) fn renewals(&self) -> usize {
        self.0.renewals.load(Ordering::SeqCst)
    }

    pub(crate) fn rotations(&self) -> usize {
        self.0.rotations.load(Ordering::SeqCst)
    }

    pub(crate) fn mints(&self) -> usize {
        self.0.mints.load(Ordering::SeqCst)
    }

    /// Headers and body of the last request.
    pub(crate) fn last(&self) -> (HeaderMap, String) {
        let last = self.world().requests.last().cloned();
        last.expect("a request")
    }

    pub(crate) fn moments(&self) -> broadcast::Receiver<Moment> {
        self.0.moments.subscribe()
    }

    fn now(&self) -> Duration {
        let ahead = self.world().ahead;
        self.0.start.elapsed() + ahead
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("no panic")
    }

    fn tell(&self, moment: Moment) {
        // Nobody may be listening.
        let _ = self.0.moments.send(moment);
    }

    /// Waits as long as the network and HighLevel do.
    async fn dawdle(&self) {
        let longest = self.world().longest_delay;
        if !longest.is_zero() {
            tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        }
    }

    /// What is answered when `usual` happened, or why it did not.
    async fn play(&self, usual: impl FnOnce() -> Result<Value, Refusal>) -> Response {
        let script = self.world().scripts.pop_front();
        if let Some(Script::Say(status, headers, body)) = script {
            return say(status, headers, body);
        }
        let mut answer = match usual() {
            Ok(answer) => answer,
            Err((status, body)) => return say(status, JSON, body.to_string()),
        };
        match script {
            Some(Script::Lose) => pending().await,
            Some(Script::Garble(status, body)) => return say(status, &[], body.to_owned()),
            Some(Script::With(Value::Object(members))) => {
                if let Value::Object(answer) = &mut answer {
                    answer.extend(members);
                }
            }
            _ => {}
        }
        say(200, JSON, answer.to_string())
    }
}

impl World {
    fn pair(&mut self) -> Value {
        self.count += 1;
        let access = format!("company.{}.access", self.count);
        let refresh = format!("refresh.{}.token", self.count);
        self.companies.insert(access.clone());
        self.refresh.insert(refresh.clone(), None);
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.expires_in,
            "refresh_token": refresh, "scope": "oauth.write", "userType": "Company",
            "companyId": COMPANY, "userId": "user-0",
        })
    }
}

/// In a task of its own: what was asked happens though the asker is gone.
async fn token(State(mock): State<Mock>, headers: HeaderMap, body: String) -> Response {
    let work = tokio::spawn(renew(mock, headers, body));
    work.await.expect("no panic")
}

async fn renew(mock: Mock, headers: HeaderMap, body: String) -> Response {
    mock.0.renewals.fetch_add(1, Ordering::SeqCst);
    mock.world().requests.push((headers, body.clone()));
    mock.tell(Moment::Asked);
    mock.dawdle().await;
    let now = mock.now();
    let form = form(&body);
    let told = |name: &str| form.get(name).map_or("", String::as_str);
    let usual = || {
        if (told("grant_type"), told("user_type")) != ("refresh_token", "Company") {
            return Err((
                422,
                json!({"message": ["grant_type or user_type is wrong"]}),
            ));
        }
        if (told("client_id"), told("client_secret")) != CLIENT {
            let what = "Invalid client credentials!";
            return Err((
                401,
                json!({"error": "UnAuthorized!", "error_description": what}),
            ));
        }
        let refresh = told("refresh_token").to_owned();
        let mut world = mock.world();
        match world.refresh.get(&refresh).cloned() {
            Some(Some((used, answer))) if now - used <= REUSE => Ok(answer),
            Some(None) => {
                let answer = world.pair();
                let used = Some((now, answer.clone()));
                world.refresh.insert(refresh, used);
                drop(world);
                mock.0.rotations.fetch_add(1, Ordering::SeqCst);
                Ok(answer)
            }
            _ => {
                let what = "This refresh token is invalid";
                Err((
                    400,
                    json!({"error": "invalid_grant", "error_description": what}),
                ))
            }
        }
    };
    let answer = mock.play(usual).await;
    mock.tell(Moment::Rotated);
    mock.dawdle().await;
    mock.tell(Moment::Answered);
    answer
}

async fn location_token(State(mock): State<Mock>, headers: HeaderMap, body: String) -> Response {
    mock.0.mints.fetch_add(1, Ordering::SeqCst);
    mock.world().requests.push((headers.clone(), body.clone()));
    mock.dawdle().await;
    let form = form(&body);
    let told = |name: &str| form.get(name).map_or("", String::as_str);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let usual = || {
        if header("version") != Some("2021-07-28") {
            let what = "version header was not found.";
            return Err((401, json!({"statusCode": 401, "message": what})));
        }
        let bearer = header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let known = bearer.is_some_and(|token| mock.knows(token) || token.starts_with("e30."));
        if !known {
            return Err((401, json!({"statusCode": 401, "message": "Invalid JWT"})));
        }
        let location = told("locationId");
        if told("companyId") != COMPANY || !LOCATIONS.contains(&location) {
            return Err((
                400,
                json!({"statusCode": 400, "message": "Location not found"}),
            ));
        }
        let mut world = mock.world();
        world.count += 1;
        Ok(json!({
            "access_token": format!("{location}.{}.token", world.count), "token_type": "Bearer",
            "expires_in": world.expires_in, "userType": "Location", "locationId": location,
            "userId": "user-0", "refresh_token": "a.locations.refresh",
        }))
    };
    mock.play(usual).await
}

fn say(status: u16, headers: &[(&'static str, &'static str)], body: String) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn form(body: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}
