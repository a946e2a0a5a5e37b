//! What a person sees who opens the address that is meant for programs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::SignIn;
use crate::http::pages::FrontPage;

/// Shows the page to a browser at `/`; programs get MCP there.
pub(in crate::http) async fn front_page(
    State(sign_in): State<Arc<SignIn>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if request.uri().path() != "/" || !reads || !wants_page(request.headers()) {
        return next.run(request).await;
    }
    let endpoint = format!("{}/mcp", sign_in.issuer.as_str());
    let page = FrontPage {
        endpoint: &endpoint,
    };
    let mut response = sign_in.pages.show(&page.page());
    let accept = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, accept);
    response
}

/// Browsers name pages first; programs that take anything do not want one.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}
