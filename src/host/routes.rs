//! Every route and every layer on one page.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::config;
use crate::host::access::Access;
use crate::host::guard::guard;
use crate::host::origin::{Allowed, check_host_and_origin};
use crate::host::problem::Problem;
use crate::mcp;

/// The whole HTTP interface. Every MCP endpoint answers with and without a trailing slash, without
/// a redirect: existing configurations say `/mcp/`.
pub fn router(handler: &mcp::Handler, access: Access, settings: &config::Server) -> Router {
    let official = mcp::service(handler, settings.max_body_bytes);
    let endpoints = ["/mcp", "/mcp/", "/mcp/official", "/mcp/official/"];
    let mcp = endpoints.into_iter().fold(Router::new(), |router, path| {
        router.route_service(path, official.clone())
    });
    mcp.layer(from_fn_with_state(Arc::new(access), guard))
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
        .route("/readyz", get(alive))
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
}

/// Nothing is loaded after start: who can answer is ready.
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
