//! HighLevel's two token endpoints. Refresh tokens rotate, and a used one returns the same pair for 30 seconds by
//! HighLevel's clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use test_support::recording::{RecordedRequest, Recording, json as answer};

pub(crate) const CLIENT: (&str, &str) = ("client-0", "the-client-secret");
pub(crate) const COMPANY: &str = "Company0";
/// A location with its own install.
pub(crate) const ALONE: &str = "Location9";
/// The locations with the app installed.
pub(crate) const LOCATIONS: [&str; 2] = ["Location0", "Location1"];

const REUSE: Duration = Duration::from_secs(30);
const RENEWAL: &str = "/oauth/token";
const EXCHANGE: &str = "/oauth/locationToken";

/// Runs until the test ends.
pub(crate) struct TokenEndpoints {
    recording: Recording,
    issuer: Arc<Issuer>,
}

/// The state of the endpoints.
struct Issuer {
    start: Instant,
    world: Mutex<World>,
    moments: broadcast::Sender<Moment>,
}

/// The moments a test can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Asked,
    Rotated,
    Answered,
}

/// The replacement for the next usual answer.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Answers with this status, these headers and this body. Nothing else happens.
    Say(u16, &'static [(&'static str, &'static str)], String),
    /// The renewal happens, and its answer never comes.
    Lose,
    /// The renewal happens, and this is the answer.
    Garble(u16, &'static str),
    /// Members to merge into the usual answer.
    With(Value),
}

/// Status and body.
type Refusal = (u16, Value);

/// The owner of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holder {
    #[default]
    Company,
    Location,
}

#[derive(Default)]
struct World {
    holder: Holder,
    /// How far the clock was moved forward.
    ahead: Duration,
    /// Refresh tokens, with the time of their first use and its answer.
    refresh: BTreeMap<String, Option<(Duration, Value)>>,
    companies: BTreeSet<String>,
    count: usize,
    rotations: usize,
    expires_in: i64,
    longest_delay: Duration,
    scripts: VecDeque<Script>,
}

impl TokenEndpoints {
    pub(crate) async fn start() -> Self {
        Self::start_for(Holder::Company).await
    }

    pub(crate) async fn start_for(holder: Holder) -> Self {
        let issuer = Arc::new(Issuer {
            start: Instant::now(),
            world: Mutex::new(World {
                holder,
                expires_in: 86_399,
                ..World::default()
            }),
            moments: broadcast::channel(64).0,
        });
        let shared = Arc::clone(&issuer);
        let recording = Recording::start_async(move |request| {
            let issuer = Arc::clone(&shared);
            async move {
                match (request.method.as_str(), request.path()) {
                    // In a task of its own, so that the request takes effect even if the client is gone.
                    ("POST", RENEWAL) => {
                        let work = tokio::spawn(async move { issuer.renew(&request).await });
                        work.await.expect("no panic")
                    }
                    ("POST", EXCHANGE) => issuer.exchange(&request).await,
                    _ => answer(404, ""),
                }
            }
        });
        Self {
            recording: recording.await,
            issuer,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.recording.url
    }

    /// The answer to an install of the app.
    pub(crate) fn install(&self) -> Value {
        self.issuer.world().pair()
    }

    /// Moves the clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        self.issuer.world().ahead += time;
    }

    pub(crate) fn next(&self, script: Script) {
        self.issuer.world().scripts.push_back(script);
    }

    /// Sets the longest delay of an answer.
    pub(crate) fn delay(&self, longest: Duration) {
        self.issuer.world().longest_delay = longest;
    }

    /// Sets the lifetime in the answers for later tokens, in seconds.
    pub(crate) fn lives(&self, seconds: i64) {
        self.issuer.world().expires_in = seconds;
    }

    /// Makes HighLevel forget the company's token.
    pub(crate) fn revoke(&self, token: &str) {
        self.issuer.world().companies.remove(token);
    }

    pub(crate) fn knows(&self, company_token: &str) -> bool {
        self.issuer.world().companies.contains(company_token)
    }

    /// Whether the refresh token returns a pair now.
    pub(crate) fn takes(&self, refresh: &str) -> bool {
        let now = self.issuer.now();
        match self.issuer.world().refresh.get(refresh) {
            Some(None) => true,
            Some(Some((used, _))) => now - *used <= REUSE,
            None => false,
        }
    }

    /// Requests for a new pair, and how many of them created one.
    pub(crate) fn renewals(&self) -> usize {
        self.recording.count(|request| request.path() == RENEWAL)
    }

    pub(crate) fn rotations(&self) -> usize {
        self.issuer.world().rotations
    }

    /// Requests for a location's token.
    pub(crate) fn mints(&self) -> usize {
        self.recording.count(|request| request.path() == EXCHANGE)
    }

    /// Headers and body of the last request.
    pub(crate) fn last(&self) -> (HeaderMap, String) {
        let last = self.recording.seen().pop().expect("a request");
        let body = String::from_utf8(last.body.into()).expect("UTF-8");
        (last.headers, body)
    }

    pub(crate) fn moments(&self) -> broadcast::Receiver<Moment> {
        self.issuer.moments.subscribe()
    }
}

impl Issuer {
    fn now(&self) -> Duration {
        let ahead = self.world().ahead;
        self.start.elapsed() + ahead
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic")
    }

    fn tell(&self, moment: Moment) {
        // There may be no receiver.
        let _ = self.moments.send(moment);
    }

    /// Waits for the delays of the network and HighLevel.
    async fn dawdle(&self) {
        let longest = self.world().longest_delay;
        if !longest.is_zero() {
            tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        }
    }

    /// The answer after `usual` happened, or the reason that it did not.
    async fn play(&self, usual: impl FnOnce() -> Result<Value, Refusal>) -> Response {
        let script = self.world().scripts.pop_front();
        if let Some(Script::Say(status, headers, body)) = script {
            return say(status, headers, body);
        }
        let mut members = match usual() {
            Ok(members) => members,
            Err((status, body)) => return answer(status, body.to_string()),
        };
        match script {
            Some(Script::Lose) => pending().await,
            Some(Script::Garble(status, body)) => return say(status, &[], body.to_owned()),
            Some(Script::With(Value::Object(further))) => {
                if let Value::Object(members) = &mut members {
                    members.extend(further);
                }
            }
            _ => {}
        }
        answer(200, members.to_string())
    }

    async fn renew(&self, request: &RecordedRequest) -> Response {
        self.tell(Moment::Asked);
        self.dawdle().await;
        let now = self.now();
        let form = request.form();
        let field = |name: &str| form[name].as_str().unwrap_or_default();
        let user_type = self.world().holder.user_type();
        let usual = || {
            if (field("grant_type"), field("user_type")) != ("refresh_token", user_type) {
                let body = json!({"message": ["grant_type or user_type is wrong"]});
                return Err((422, body));
            }
            if (field("client_id"), field("client_secret")) != CLIENT {
                let what = "Invalid client credentials!";
                let body = json!({"error": "UnAuthorized!", "error_description": what});
                return Err((401, body));
            }
            let refresh = field("refresh_token").to_owned();
            let mut world = self.world();
            match world.refresh.get(&refresh).cloned() {
                Some(Some((used, members))) if now - used <= REUSE => Ok(members),
                Some(None) => {
                    let members = world.pair();
                    world.refresh.insert(refresh, Some((now, members.clone())));
                    world.rotations += 1;
                    Ok(members)
                }
                _ => {
                    let what = "This refresh token is invalid";
                    let body = json!({"error": "invalid_grant", "error_description": what});
                    Err((400, body))
                }
            }
        };
        let response = self.play(usual).await;
        self.tell(Moment::Rotated);
        self.dawdle().await;
        self.tell(Moment::Answered);
        response
    }

    async fn exchange(&self, request: &RecordedRequest) -> Response {
        self.dawdle().await;
        let form = request.form();
        let field = |name: &str| form[name].as_str().unwrap_or_default();
        let refusal =
            |status: u16, what: &str| Err((status, json!({"statusCode": status, "message": what})));
        let usual = || {
            if request.header("version") != Some("2021-07-28") {
                return refusal(401, "version header was not found.");
            }
            let mut world = self.world();
            let token = request.token();
            if !world.companies.contains(token) && !token.starts_with("e30.") {
                return refusal(401, "Invalid JWT");
            }
            let location = field("locationId");
            if field("companyId") != COMPANY || !LOCATIONS.contains(&location) {
                return refusal(400, "Location not found");
            }
            world.count += 1;
            Ok(json!({
                "access_token": format!("{location}.{}.token", world.count), "token_type": "Bearer",
                "expires_in": world.expires_in, "userType": "Location", "locationId": location,
                "userId": "user-0", "refresh_token": "a.locations.refresh",
            }))
        };
        self.play(usual).await
    }
}

impl World {
    fn pair(&mut self) -> Value {
        self.count += 1;
        let access = format!("company.{}.access", self.count);
        let refresh = format!("refresh.{}.token", self.count);
        self.companies.insert(access.clone());
        self.refresh.insert(refresh.clone(), None);
        let mut pair = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.expires_in,
            "refresh_token": refresh, "scope": "oauth.write", "userType": self.holder.user_type(),
            "companyId": COMPANY, "userId": "user-0",
        });
        if self.holder == Holder::Location {
            pair["locationId"] = ALONE.into();
        }
        pair
    }
}

impl Holder {
    fn user_type(self) -> &'static str {
        match self {
            Self::Company => "Company",
            Self::Location => "Location",
        }
    }
}

/// The body is not JSON unless the headers say so.
fn say(status: u16, headers: &[(&'static str, &'static str)], body: String) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = status.try_into().expect("a status");
    for (name, value) in headers {
        let value = value.parse().expect("a value");
        response.headers_mut().insert(*name, value);
    }
    response
}
