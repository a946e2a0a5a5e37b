//! Every route and every layer on one page.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::config;
use crate::host::access::Access;
use crate::host::endpoints::Endpoints;
use crate::host::guard::guard;
use crate::host::intake::Intake;
use crate::host::origin::{Allowed, check_host_and_origin};
use crate::host::problem::Problem;
use crate::host::stopping::{Stopping, ready};
use crate::tools::dispatch::Dispatch;
use crate::tools::surfaces::USUAL;

/// The whole HTTP interface. Every MCP endpoint answers with and without a trailing slash, without
/// a redirect: existing configurations say `/mcp/`.
pub fn router(
    dispatch: &Dispatch,
    access: Access,
    stopping: &Stopping,
    settings: &config::Server,
) -> Router {
    let endpoints = Endpoints::new(dispatch.clone(), settings.max_body_bytes);
    let mcp = Router::new()
        .route("/mcp", any(usual))
        .route("/mcp/", any(usual))
        .route("/mcp/{*surface}", any(chosen))
        .with_state(Arc::new(endpoints));
    let intake = Intake::new(settings);
    mcp.layer(from_fn_with_state(Arc::new((access, intake)), guard))
        // Outside the guard: a preflight request carries no credential. Origins were checked before.
        .layer(cors())
        // Clients that see a 401 probe these.
        .route("/.well-known/{*path}", any(no_oauth))
        .route("/register", any(no_oauth))
        .fallback(nowhere)
        .layer(from_fn_with_state(
            Arc::new(Allowed::new(settings)),
            check_host_and_origin,
        ))
        // Probes of orchestrators come under the address of the container.
        .route("/livez", get(alive))
        .route("/readyz", get(ready).with_state(stopping.clone()))
}

async fn usual(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    endpoints.answer(USUAL, request).await
}

async fn chosen(
    State(endpoints): State<Arc<Endpoints>>,
    Path(surface): Path<String>,
    request: Request,
) -> Response {
    endpoints.answer(&surface, request).await
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn no_oauth() -> Response {
    let what = "This server takes a HighLevel private integration token or access token as \
                `Authorization: Bearer …`; it offers no OAuth.";
    Problem::new(StatusCode::NOT_FOUND, "not_found", what).into_response()
}

async fn nowhere(uri: Uri) -> Response {
    let what = format!("There is nothing at {}; MCP is at /mcp.", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", what).into_response()
}
