//! A HighLevel that knows some tokens, each of one location, and remembers who asked for what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use test_support::recording::json as answer;

/// The agency's own token, and the agency.
pub(super) const AGENCY_TOKEN: &str = "agency-token";
pub(super) const AGENCY: &str = "comAgency00000000001";

/// Runs until the test ends. `pit-of-X` and `pit-of-X-2` are tokens of the location X, `minted-X` what the agency's
/// token is exchanged for there; every other token is unknown.
pub(super) struct StubHighLevel {
    pub url: String,
    seen: Arc<Mutex<Vec<Arrival>>>,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub method: String,
    /// Path and query as they were written.
    pub target: String,
    pub token: String,
    /// A form as an object of texts.
    pub body: Value,
    /// Of the answer.
    pub status: u16,
}

type StubScript = dyn Fn(&Arrival) -> Option<Response> + Send + Sync;

struct StubState {
    latency: Duration,
    script: Box<StubScript>,
    seen: Arc<Mutex<Vec<Arrival>>>,
}

impl StubHighLevel {
    pub(super) async fn start() -> Self {
        Self::start_with(Duration::ZERO, |_| None).await
    }

    /// One that takes so long for an answer, and first asks `script` for it where the token is known.
    pub(super) async fn start_with(
        latency: Duration,
        script: impl Fn(&Arrival) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let world = Arc::new(StubState {
            latency,
            script: Box::new(script),
            seen: Arc::clone(&seen),
        });
        let router = Router::new().fallback(serve).with_state(world);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// Everything that arrived so far.
    pub(super) fn seen(&self) -> Vec<Arrival> {
        self.seen.lock().expect("the lock").clone()
    }

    /// How many requests that arrived so far are such.
    pub(super) fn count(&self, is_such: impl Fn(&Arrival) -> bool) -> usize {
        let seen = self.seen.lock().expect("the lock");
        seen.iter().filter(|one| is_such(one)).count()
    }

    /// Requests that HighLevel let change something.
    pub(super) fn writes(&self) -> usize {
        self.count(|seen| seen.changes())
    }

    pub(super) fn forget(&self) {
        self.seen.lock().expect("the lock").clear();
    }
}

impl Arrival {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A value of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// Every location that the request names.
    pub(super) fn locations(&self) -> Vec<String> {
        let text = |name: &str| self.body[name].as_str().map(str::to_owned);
        const NAMES: [&str; 3] = ["locationId", "location_id", "subAccountId"];
        // Elsewhere altId is an id of the caller's own.
        let alternative = self.query("altType").or_else(|| text("altType"));
        let is_location = alternative.as_deref() == Some("location");
        let names = NAMES.iter().chain(is_location.then_some(&"altId"));
        let named = names.flat_map(|name| [self.query(name), text(name)]);
        let in_path = self.path().strip_prefix("/locations/");
        let in_path = in_path.and_then(|rest| rest.split('/').next());
        let in_path = in_path.filter(|id| !id.is_empty() && *id != "search");
        named.flatten().chain(in_path.map(str::to_owned)).collect()
    }

    /// It changed something: a write that was let in.
    pub(super) fn changes(&self) -> bool {
        self.method != "GET" && self.status < 300 && !self.path().starts_with("/oauth/")
    }

    /// The location that the token is of; `None` for the agency's, `Err` for one that nobody knows.
    fn location(&self) -> Result<Option<&str>, ()> {
        let token = self.token.as_str();
        let named = token
            .strip_prefix("pit-of-")
            .or_else(|| token.strip_prefix("minted-"));
        match named {
            Some(named) => Ok(named.split('-').next()),
            None if token.starts_with(AGENCY_TOKEN) => Ok(None),
            None => Err(()),
        }
    }
}

async fn serve(State(world): State<Arc<StubState>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let token = parts.headers.get("authorization");
    let token = token.and_then(|token| token.to_str().ok());
    let token = token.and_then(|token| token.strip_prefix("Bearer "));
    let mut seen = Arrival {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        token: token.unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or_else(|_| form(&bytes)),
        status: 0,
    };
    if !world.latency.is_zero() {
        tokio::time::sleep(world.latency).await;
    }
    let response = respond(&world, &seen);
    seen.status = response.status().as_u16();
    world.seen.lock().expect("the lock").push(seen);
    response
}

/// The fields of a form.
fn form(bytes: &[u8]) -> Value {
    let fields = form_urlencoded::parse(bytes);
    let fields = fields.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
    Value::Object(fields.collect())
}

fn respond(world: &StubState, seen: &Arrival) -> Response<Body> {
    let Ok(location) = seen.location() else {
        return refusal(401, "Invalid JWT");
    };
    if seen.path() == "/oauth/locationToken" {
        let location = seen.body["locationId"].as_str().unwrap_or_default();
        let token = json!({
            "access_token": format!("minted-{location}"), "token_type": "Bearer", "expires_in": 86_399,
            "scope": "contacts.readonly", "userType": "Location", "locationId": location, "companyId": AGENCY,
        });
        return answer(201, token.to_string());
    }
    if let Some(own) = location
        && seen.locations().iter().any(|named| named != own)
    {
        return refusal(403, "The token does not have access to this location.");
    }
    if let Some(response) = (world.script)(seen) {
        return response;
    }
    let contact = json!({"id": "c1", "locationId": location, "firstName": "Ada"});
    let is_list = seen.method == "GET" && seen.path().ends_with('/');
    let told = match is_list {
        true => json!({"contacts": [contact], "meta": {"total": 1}}),
        false => json!({"contact": contact, "tags": ["a"], "succeeded": true, "messageId": "m1"}),
    };
    answer(200, told.to_string())
}

/// An error as HighLevel writes it.
pub(super) fn refusal(status: u16, message: &str) -> Response {
    answer(
        status,
        json!({"statusCode": status, "message": message}).to_string(),
    )
}
