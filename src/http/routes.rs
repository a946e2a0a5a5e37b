//! Every route and every layer on one page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::call::Pipeline;
use crate::call::shares::Shares;
use crate::config::Config;
use crate::http::access::{Access, local_access, was_forwarded};
use crate::http::address::Address;
use crate::http::client_address::Peer;
use crate::http::elicitation::{Asking, SESSION, ask_along};
use crate::http::endpoints::Endpoints;
use crate::http::front_page::{Front, front_page, nowhere};
use crate::http::guard::{Guard, guard};
use crate::http::oauth::SignIn;
use crate::http::oauth::metadata::{Discovery, challenged, open_cors};
use crate::http::origin::{CheckedHost, HostRules, check_host_and_origin, is_loopback};
use crate::http::problem::HttpProblem;
use crate::http::request_limits::Intake;
use crate::http::stopping::{Readiness, Stopping, ready};
use crate::http::stream_probe::stream_probe;

use crate::http::{console, oauth};

/// The whole HTTP interface. Every MCP endpoint answers with and without a trailing slash, without a redirect, because
/// existing configurations say `/mcp/`.
pub fn router(
    pipeline: &Pipeline,
    access: Access,
    sign_in: Option<Arc<SignIn>>,
    stopping: &Stopping,
    config: &Config,
) -> Router {
    let settings = &config.server;
    let shares = Shares::new(settings, Duration::from_millis(config.limits.max_wait_ms));
    let readiness = Readiness {
        stopping: stopping.clone(),
        pauses: pipeline.controls().pauses.clone(),
        membership: pipeline.controls().store.membership(),
    };
    let endpoints = Endpoints::new(pipeline.clone(), settings.largest_request());
    let endpoints = Arc::new(endpoints);
    let mcp = Router::new()
        .route("/mcp", any(endpoint))
        .route("/mcp/", any(endpoint))
        .route("/mcp/{*surface}", any(endpoint))
        .with_state(Arc::clone(&endpoints));
    let guarded = Guard {
        access: access.with_sign_in(&config.oauth, pipeline),
        intake: Intake::new(settings, shares),
        pipeline: pipeline.clone(),
    };
    let idle = Duration::from_millis(settings.idle_timeout_ms);
    let asking = Arc::new(Asking::new(pipeline, stopping, idle));
    let guarded = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::new(guarded), guard))
        .layer(from_fn_with_state(asking, ask_along));
    let local = local_access(config, pipeline);
    let front = Front::new(sign_in.clone(), config, pipeline, local);
    let front = Arc::new(front);
    let lost = {
        let front = Arc::clone(&front);
        move |method, uri, headers| nowhere(front, method, uri, headers)
    };
    let is_on = config.oauth.is_on();
    let sign_in_at = is_on.then(|| format!("{}/mcp", config.oauth.url));
    let no_oauth = move || no_oauth(sign_in_at.clone());
    // CORS is outside the guard: a preflight request carries no credential. Origins were checked before.
    let elsewhere = mcp
        .clone()
        .layer(guarded.clone())
        .layer(cors())
        // Clients that get a 401 probe these.
        .route("/.well-known/{*path}", any(no_oauth.clone()))
        .route("/register", any(no_oauth))
        .fallback(lost.clone());
    let served = match sign_in {
        None => elsewhere,
        Some(sign_in) if sign_in.is_local => {
            let pages = console::routes().with_state(sign_in);
            let here = elsewhere.clone().merge(pages);
            choose(is_for_this_machine, here, elsewhere)
        }
        Some(sign_in) => {
            let discovery = Arc::new(Discovery::new(&sign_in, Arc::clone(&endpoints)));
            let at_sign_in = mcp
                // People paste the bare address.
                .route("/", any(endpoint).with_state(endpoints))
                .layer(guarded)
                .layer(from_fn_with_state(Arc::clone(&discovery), challenged))
                .layer(open_cors())
                .merge(discovery.routes())
                .merge(oauth::routes().merge(console::routes()).with_state(sign_in))
                .route("/streamz", get(stream_probe))
                .fallback(lost);
            choose(is_for_sign_in, at_sign_in, elsewhere)
        }
    };
    let hosts = HostRules::new(settings).with_sign_in(&config.oauth);
    served
        .layer(from_fn_with_state(front, front_page))
        .layer(from_fn_with_state(Arc::new(hosts), check_host_and_origin))
        // Orchestrators probe the address of the container.
        .route("/livez", get(alive))
        .route("/readyz", get(ready).with_state(readiness))
}

/// Chooses between two routers by the request's host.
fn choose(is_there: fn(&Request) -> bool, there: Router, elsewhere: Router) -> Router {
    let choose = async move |request: Request| {
        let chosen = if is_there(&request) {
            &there
        } else {
            &elsewhere
        };
        chosen.clone().oneshot(request).await
    };
    Router::new().fallback(choose)
}

fn is_for_sign_in(request: &Request) -> bool {
    let host = request.extensions().get::<CheckedHost>();
    host.is_some_and(|host| host.is_sign_in)
}

/// The request uses a loopback name, comes from a program of this machine, and through no proxy: a proxy that replaces
/// the host name would let other machines in.
fn is_for_this_machine(request: &Request) -> bool {
    let (host, peer) = (
        request.extensions().get::<CheckedHost>(),
        request.extensions().get::<Peer>(),
    );
    host.is_some_and(|host| is_loopback(&host.authority))
        && peer.is_some_and(|peer| peer.0.to_canonical().is_loopback())
        && !was_forwarded(request.headers())
}

async fn endpoint(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    let surface = Address::parse(request.uri().path()).surface;
    let reads = request.method() == Method::GET;
    let answer = endpoints.answer(&surface, request).await;
    match answer.status() {
        StatusCode::METHOD_NOT_ALLOWED if reads => only_post(),
        _ => answer,
    }
}

/// The answer to browsers, and to clients that always ask for a stream. It is not logged.
fn only_post() -> Response {
    let what =
        "MCP is here, and clients speak it by POST; `highlevel-mcp connect` says what each needs.";
    let body = json!({"error": "method_not_allowed", "error_description": what});
    let allow = [(header::ALLOW, "POST")];
    (StatusCode::METHOD_NOT_ALLOWED, allow, Json(body)).into_response()
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([SESSION])
}

async fn alive() -> &'static str {
    "ok\n"
}

/// `sign_in_at`: the address of clients that sign in, which has another host.
async fn no_oauth(sign_in_at: Option<String>) -> Response {
    let what = "This server takes a HighLevel private integration token or access token as \
                `Authorization: Bearer …`; it offers no OAuth.";
    let what = match sign_in_at {
        Some(url) => format!("At this address this server offers no OAuth. Sign in at {url}."),
        None => what.to_owned(),
    };
    HttpProblem::new(StatusCode::NOT_FOUND, "not_found", what).into_response()
}
