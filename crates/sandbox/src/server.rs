//! The sandbox over HTTP: every path is HighLevel's but those under `/__sandbox/`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SandboxOptions;
use super::world::{SandboxBody, SandboxRequest, World};

/// [M] Cloudflare refuses it before HighLevel; [I] the page's text.
const BANNED: &str = "Python-urllib";

/// The largest body that is taken, in bytes: HighLevel's forms take files of 50 MB each, several at once.
const LARGEST_BODY: usize = 256 << 20;

type SharedWorld = Arc<(Mutex<World>, SandboxOptions)>;

/// Serves a sandbox on `listener` until the future is dropped.
pub async fn serve(listener: TcpListener, options: SandboxOptions) -> std::io::Result<()> {
    let world = World::new(options.clone(), now()).map_err(std::io::Error::other)?;
    let shared: SharedWorld = Arc::new((Mutex::new(world), options));
    let router = Router::new()
        .route("/__sandbox/reset", post(reset))
        .route("/__sandbox/requests", get(requests))
        .fallback(answer)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(shared);
    axum::serve(listener, router).await
}

async fn reset(State(shared): State<SharedWorld>) -> Json<Value> {
    lock(&shared).reset(now());
    Json(json!({"success": true}))
}

async fn requests(State(shared): State<SharedWorld>) -> Json<Value> {
    Json(json!({"requests": lock(&shared).log}))
}

async fn answer(
    State(shared): State<SharedWorld>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    if header("user-agent").is_some_and(|agent| agent.starts_with(BANNED)) {
        let page = "<html><body>Error 1010: browser_signature_banned</body></html>";
        return (StatusCode::FORBIDDEN, Html(page)).into_response();
    }
    let request = SandboxRequest {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        version: header("version"),
        authorization: header("authorization"),
        media: header("content-type").unwrap_or_default(),
        body: body.to_vec(),
        now: now(),
    };
    tokio::time::sleep(shared.1.latency).await;
    let reply = lock(&shared).answer(&request);
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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

fn lock(shared: &SharedWorld) -> std::sync::MutexGuard<'_, World> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
