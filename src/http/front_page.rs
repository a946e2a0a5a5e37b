//! The page for a person who opens an address for programs, or an address without a page.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::call::Pipeline;
use crate::config::{Config, Tls};
use crate::http::access::LocalAccess;
use crate::http::oauth::SignIn;
use crate::http::origin::{CheckedHost, is_loopback};
use crate::http::pages::client_steps::{ClientSteps, StepsFor};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{FrontPage, PageKind, Pages};
use crate::http::problem::HttpProblem;

/// The content of the front page depends on how the server is reached.
pub(super) struct Front {
    /// `None`: the settings of the brand cannot be used, so there is no page.
    pub pages: Option<Arc<Pages>>,
    sign_in: Option<Arc<SignIn>>,
    behind_tls: bool,
    local: LocalAccess,
    /// Knows the locations of the moment.
    pipeline: Pipeline,
}

impl Front {
    pub(super) fn new(
        sign_in: Option<Arc<SignIn>>,
        config: &Config,
        pipeline: &Pipeline,
        local: LocalAccess,
    ) -> Self {
        let pages = match &sign_in {
            Some(sign_in) => Some(Arc::clone(&sign_in.pages)),
            None => Pages::new(config).ok().map(Arc::new),
        };
        Self {
            pages,
            sign_in,
            behind_tls: config.server.tls == Tls::Proxy,
            local,
            pipeline: pipeline.clone(),
        }
    }

    /// The page at `/`, or of one client, for a person who came to `host`.
    fn page(&self, host: &CheckedHost, uri: &Uri) -> FrontPage {
        let is_here = is_loopback(&host.authority);
        let steps_for = match host.is_sign_in {
            true => StepsFor::SignIn,
            false => {
                let snapshot = self.pipeline.snapshot();
                self.local.needed_proof(&snapshot.locations, is_here).into()
            }
        };
        let local = self.sign_in.as_ref().filter(|_| is_here);
        FrontPage {
            endpoint: format!("{}/mcp", self.origin(host)),
            steps_for,
            has_console: host.is_sign_in || local.is_some_and(|sign_in| sign_in.is_local),
            client: ClientSteps::find(chosen(uri)),
        }
    }

    fn origin(&self, host: &CheckedHost) -> String {
        let sign_in = self.sign_in.as_ref().filter(|_| host.is_sign_in);
        if let Some(sign_in) = sign_in {
            return sign_in.issuer.as_str().to_owned();
        }
        let is_tls = self.behind_tls && !is_loopback(&host.authority);
        let scheme = if is_tls { "https" } else { "http" };
        format!("{scheme}://{}", host.authority)
    }
}

/// The requested client: `/?client=codex`.
fn chosen(uri: &Uri) -> &str {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .find_map(|pair| pair.strip_prefix("client="))
        .unwrap_or_default()
}

/// Shows pages to browsers at `/` and at MCP's paths. Programs get their own answers there.
pub(super) async fn front_page(
    State(front): State<Arc<Front>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let host = request.extensions().get::<CheckedHost>();
    let (Some(pages), Some(host), true) = (&front.pages, host, reads) else {
        return next.run(request).await;
    };
    let path = request.uri().path();
    if path == "/favicon.ico" {
        return pages.icon();
    }
    if !wants_page(request.headers()) || request.headers().contains_key(AUTHORIZATION) {
        return next.run(request).await;
    }
    let page = front.page(host, request.uri());
    let page = match path {
        "/" => page.page(&pages.brand),
        _ if path == "/mcp" || path.starts_with("/mcp/") && !path.contains("/.well-known/") => {
            page.at_mcp()
        }
        _ => return next.run(request).await,
    };
    let mut response = pages.show(&page);
    let accept = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, accept);
    response
}

/// The 404, with the right address for common mistakes.
pub(super) async fn nowhere(
    front: Arc<Front>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    // A path may be as long as a request; the page shows as much as a person reads.
    let path: String = uri.path().chars().take(100).collect();
    let what = format!("There is nothing at {path}; {}", hint(&path));
    match &front.pages {
        Some(pages) if method == Method::GET && wants_page(&headers) => {
            let problem = PageProblem::new(StatusCode::NOT_FOUND, "Page not found", what);
            let problem = problem.with_link("/", "To the start page");
            pages.show(&problem.page(PageKind::Entry))
        }
        _ => HttpProblem::new(StatusCode::NOT_FOUND, "not_found", what).into_response(),
    }
}

/// The right address for paths that people and programs try.
fn hint(path: &str) -> &'static str {
    match path.trim_end_matches('/') {
        "/sse" | "/messages" | "/message" => {
            "this server does not support the old transport with two addresses (SSE). Give your client /mcp as \
             Streamable HTTP."
        }
        "/health" | "/healthz" | "/status" | "/ping" => {
            "/livez tells whether the server runs, and /readyz whether it accepts calls."
        }
        "/docs" | "/help" | "/openapi.json" | "/swagger" => {
            "open / in a browser to see how to connect; MCP is at /mcp."
        }
        console if console == "/console" || console.starts_with("/console/") => {
            "the web console is at /console: at the address of oauth.url, or, if that is not set, only on the computer where the \
             server runs. `highlevel-mcp console` there prints a link. It needs a state folder. MCP is at /mcp."
        }
        _ => "MCP is at /mcp.",
    }
}

/// Browsers list HTML first. A program that accepts anything does not want a page.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/html")
    })
}
