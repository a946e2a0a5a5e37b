//! How clients discover sign-in: two documents, and the challenge of every 401.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use oauth::metadata::{Registering, authorization_server, protected_resource};
use oauth::{Issuer, challenge};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::SignIn;
use crate::config::Register;
use crate::http::address::Address;
use crate::http::elicitation::SESSION;
use crate::http::endpoints::Endpoints;
use crate::http::problem::{ChallengeError, HttpProblem};

/// The description of the sign-in address. It depends only on the settings, and on no host in a request.
pub(in crate::http) struct Discovery {
    issuer: Issuer,
    /// The authorization server's document, the same at every path.
    server: Arc<str>,
    endpoints: Arc<Endpoints>,
}

/// One of the two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    /// The document of an MCP endpoint.
    Resource,
    Server,
}

impl Discovery {
    pub(in crate::http) fn new(sign_in: &SignIn, endpoints: Arc<Endpoints>) -> Self {
        let register = match sign_in.settings.register {
            Register::Open => Registering::Open,
            Register::Documents => Registering::Documents,
            Register::Static => Registering::Static,
        };
        let issuer = sign_in.issuer.clone();
        Self {
            server: authorization_server(&issuer, register).to_string().into(),
            issuer,
            endpoints,
        }
    }

    /// The paths that clients try: at the root, for the path of their endpoint, and, as older Open WebUI does, after
    /// `/mcp`.
    pub(in crate::http) fn routes(self: &Arc<Self>) -> Router {
        let cors = CorsLayer::new()
            .allow_origin(Any)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers(AllowHeaders::mirror_request());
        Router::new()
            .route("/.well-known/{*path}", get(document))
            .route("/mcp/.well-known/{kind}", get(document))
            .layer(cors)
            .with_state(Arc::clone(self))
    }

    /// The document at `path`, as JSON; `None` if there is none. Every alias has one, so that nobody learns which
    /// aliases exist.
    fn document(&self, path: &str) -> Option<Arc<str>> {
        let (document, endpoint) = parse(path)?;
        if !self.is_endpoint(endpoint) {
            return None;
        }
        Some(match document {
            Document::Server => Arc::clone(&self.server),
            Document::Resource => protected_resource(&self.issuer, endpoint)
                .to_string()
                .into(),
        })
    }

    fn is_endpoint(&self, path: &str) -> bool {
        let is_mcp = path == "/mcp" || path.starts_with("/mcp/");
        let is_root = matches!(path, "" | "/");
        is_root || is_mcp && self.endpoints.has(&Address::parse(path).surface)
    }
}

/// The document at a path, and the path of its endpoint.
fn parse(path: &str) -> Option<(Document, &str)> {
    let (name, endpoint) = match path.strip_prefix("/mcp/.well-known/") {
        Some(name) => (name, "/mcp"),
        None => {
            let rest = path.strip_prefix("/.well-known/")?;
            let slash = rest.find('/').unwrap_or(rest.len());
            rest.split_at_checked(slash)?
        }
    };
    match name {
        "oauth-protected-resource" => Some((Document::Resource, endpoint)),
        "oauth-authorization-server" | "openid-configuration" => Some((Document::Server, endpoint)),
        _ => None,
    }
}

async fn document(State(discovery): State<Arc<Discovery>>, uri: Uri) -> Response {
    match discovery.document(uri.path()) {
        Some(text) => {
            let headers = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "max-age=300"),
            ];
            (headers, text.as_ref().to_owned()).into_response()
        }
        None => {
            let what = "There is no metadata at this path; MCP is at /mcp, and its metadata at \
                        /.well-known/oauth-protected-resource/mcp.";
            HttpProblem::new(StatusCode::NOT_FOUND, "not_found", what).into_response()
        }
    }
}

/// Adds the address of sign-in to every 401 of MCP, whatever the method: Codex sends GET, Gemini HEAD.
pub(in crate::http) async fn challenged(
    State(discovery): State<Arc<Discovery>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let has_credential = request.headers().contains_key(AUTHORIZATION);
    let mut response = next.run(request).await;
    let error = response.extensions().get::<ChallengeError>().cloned();
    if response.status() != StatusCode::UNAUTHORIZED && error.is_none() {
        return response;
    }
    // A request without a credential gets no error code (RFC 6750, 3.1).
    let error = error.filter(|_| has_credential);
    let error = error
        .as_ref()
        .map(|one| (one.error, one.description.as_str()));
    if let Ok(value) = HeaderValue::from_str(&challenge(&discovery.issuer, &path, error)) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// For MCP at the sign-in address: programs in web pages may call, and read where to sign in.
pub(in crate::http) fn open_cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([SESSION, WWW_AUTHENTICATE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_document_and_an_endpoint() {
        for (path, expected) in [
            (
                "/.well-known/oauth-protected-resource",
                Some((Document::Resource, "")),
            ),
            (
                "/.well-known/oauth-protected-resource/",
                Some((Document::Resource, "/")),
            ),
            (
                "/.well-known/oauth-protected-resource/mcp/",
                Some((Document::Resource, "/mcp/")),
            ),
            (
                "/.well-known/oauth-authorization-server/mcp/l/a",
                Some((Document::Server, "/mcp/l/a")),
            ),
            (
                "/.well-known/openid-configuration",
                Some((Document::Server, "")),
            ),
            (
                "/mcp/.well-known/openid-configuration",
                Some((Document::Server, "/mcp")),
            ),
            (
                "/mcp/.well-known/oauth-protected-resource",
                Some((Document::Resource, "/mcp")),
            ),
            ("/.well-known/oauth-protected-resourcex", None),
            ("/.well-known/security.txt", None),
            ("/.well-known/", None),
            ("/mcp", None),
        ] {
            assert_eq!(parse(path), expected, "{path}");
        }
    }
}
