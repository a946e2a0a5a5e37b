//! What a person sees who opens the address that is meant for programs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::config::Config;

/// Says what this address is, and where to go on.
pub(in crate::http) struct FrontPage {
    url: String,
    brand: String,
}

/// It loads nothing, runs nothing and stands in no frame.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl FrontPage {
    pub(in crate::http) fn new(config: &Config) -> Self {
        let brand = match config.brand.name.as_str() {
            "" => config.oauth.host(),
            name => name,
        };
        Self {
            url: config.oauth.url.clone(),
            brand: brand.to_owned(),
        }
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { "Connect an assistant · " (self.brand) }
                }
                body {
                    main {
                        h1 { "Connect an assistant" }
                        p { "Give your assistant this address as a connector (MCP server):" }
                        p { code { (self.url) "/mcp" } }
                        p { "It then opens a page of this server, where you decide what it may do." }
                        p { a href="/console" { "See what is connected, and what waits for your approval" } }
                    }
                }
            }
        }
    }
}

/// Shows the page to a browser at `/`; programs get MCP there.
pub(in crate::http) async fn front_page(
    State(page): State<Arc<FrontPage>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if request.uri().path() != "/" || !reads || !wants_page(request.headers()) {
        return next.run(request).await;
    }
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "accept"),
    ];
    (headers, page.markup().into_string()).into_response()
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
