//! The sandbox over HTTP: every path is HighLevel's except those under `/__sandbox/`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SandboxOptions;
use super::marketplace::{ChooserReply, WebhookKey, WebhookOrder, WebhookSender};
use super::world::{SandboxBody, SandboxRequest, World};

/// [M] Cloudflare refuses it before HighLevel; [I] the text of the page.
const BANNED: &[u8] = b"Python-urllib";

/// The largest accepted body, in bytes: HighLevel's forms accept files of 50 MB each, several at once.
const LARGEST_BODY: usize = 256 << 20;

type SharedWorld = Arc<SandboxServer>;

/// The world, and its connections to the outside.
pub struct SandboxServer {
    world: Mutex<World>,
    latency: Duration,
    key: WebhookKey,
    sender: WebhookSender,
}

/// The install to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Uninstalling {
    location_id: Option<String>,
    company_id: Option<String>,
}

/// Opens a sandbox and serves it on `listener` until the future is dropped; fails as `SandboxServer::open` does.
pub async fn serve(listener: TcpListener, options: SandboxOptions) -> std::io::Result<()> {
    SandboxServer::open(options)?.serve(listener).await
}

impl SandboxServer {
    /// Creates the world, or loads it from its file. Fails if the file cannot be used, or the options contain something
    /// that HighLevel refuses.
    pub fn open(options: SandboxOptions) -> std::io::Result<Self> {
        Ok(Self {
            latency: options.latency,
            key: key_of(options.seed)?,
            sender: WebhookSender::new().map_err(std::io::Error::other)?,
            world: Mutex::new(World::new(options, now()).map_err(std::io::Error::other)?),
        })
    }

    /// Answers on `listener` until the future is dropped.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new()
            .route("/__sandbox/reset", post(reset))
            .route("/__sandbox/requests", get(requests))
            .route("/__sandbox/webhook-key", get(public_key))
            .route("/__sandbox/webhooks", post(order))
            .route("/__sandbox/uninstall", post(uninstall))
            // [E] both; the second is the older one.
            .route("/v2/oauth/chooselocation", get(choose).post(choose))
            .route("/oauth/chooselocation", get(choose).post(choose))
            .fallback(answer)
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(Arc::new(self));
        axum::serve(listener, router).await
    }
}

/// The public key of the webhooks of a sandbox with that seed: base64 of its SubjectPublicKeyInfo, as HighLevel prints its own.
pub fn webhook_key(seed: u64) -> std::io::Result<String> {
    Ok(key_of(seed)?.public())
}

fn key_of(seed: u64) -> std::io::Result<WebhookKey> {
    WebhookKey::new(seed).ok_or_else(|| std::io::Error::other("no key for webhooks"))
}

async fn reset(State(shared): State<SharedWorld>) -> Json<Value> {
    lock(&shared).reset(now());
    Json(json!({"success": true}))
}

async fn requests(State(shared): State<SharedWorld>) -> Json<Value> {
    Json(json!({"requests": lock(&shared).log.last()}))
}

async fn public_key(State(shared): State<SharedWorld>) -> Json<Value> {
    Json(json!({"publicKey": shared.key.public()}))
}

async fn order(
    State(shared): State<SharedWorld>,
    Json(order): Json<WebhookOrder>,
) -> (StatusCode, Json<Value>) {
    let usual = lock(&shared).marketplace.options().webhook.clone();
    let Some(url) = order.url.clone().or(usual) else {
        let error = json!({"error": "give a url: the app has no address for webhooks"});
        return (StatusCode::BAD_REQUEST, Json(error));
    };
    let sent = shared
        .sender
        .carry_out(&order, &url, &shared.key, now())
        .await;
    match sent {
        Ok(sent) => (StatusCode::OK, Json(sent)),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({"error": error}))),
    }
}

async fn uninstall(
    State(shared): State<SharedWorld>,
    Json(asked): Json<Uninstalling>,
) -> Json<Value> {
    let (location, company) = (asked.location_id.as_deref(), asked.company_id.as_deref());
    let gone = lock(&shared).uninstall(location, company, now());
    send_events(&shared);
    Json(json!({"success": gone}))
}

async fn choose(
    State(shared): State<SharedWorld>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = request(&method, &uri, &headers, &body);
    let reply = lock(&shared).choose(&request);
    send_events(&shared);
    match reply {
        ChooserReply::Page(status, page) => (status_of(status), Html(page)).into_response(),
        ChooserReply::Redirect(url) => (StatusCode::FOUND, [(LOCATION, url)]).into_response(),
    }
}

/// Sends the webhooks that the last request caused.
fn send_events(shared: &SharedWorld) {
    let outbox = lock(shared).marketplace.take_outbox();
    if let Some((url, events)) = outbox {
        let shared = Arc::clone(shared);
        tokio::spawn(async move { shared.sender.send_all(&url, events, &shared.key).await });
    }
}

async fn answer(
    State(shared): State<SharedWorld>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let agent = headers.get("user-agent").map(HeaderValue::as_bytes);
    if agent.is_some_and(|agent| agent.starts_with(BANNED)) {
        let page = "<html><body>Error 1010: browser_signature_banned</body></html>";
        return (StatusCode::FORBIDDEN, Html(page)).into_response();
    }
    let request = request(&method, &uri, &headers, &body);
    tokio::time::sleep(shared.latency).await;
    let reply = lock(&shared).answer(&request);
    send_events(&shared);
    let status = status_of(reply.status);
    let mut response = match reply.body {
        SandboxBody::Json(body) => (status, Json(body)).into_response(),
        SandboxBody::Empty => status.into_response(),
        SandboxBody::File(media, bytes) => (status, [(CONTENT_TYPE, media)], bytes).into_response(),
    };
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn request(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> SandboxRequest {
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    SandboxRequest {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        version: header("version"),
        authorization: header("authorization"),
        media: header("content-type").unwrap_or_default(),
        body: body.to_vec(),
        now: now(),
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn lock(shared: &SharedWorld) -> std::sync::MutexGuard<'_, World> {
    shared.world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
