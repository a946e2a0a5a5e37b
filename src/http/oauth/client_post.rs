//! Requests of programs to `/register`, `/token` and `/revoke`, and their refusals. These routes read no cookie, so
//! pages of any origin may call them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::handler::Handler;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use oauth::{ClientAuthentication, OauthProblem};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::SignIn;
use crate::http::client_address::Peer;
use crate::http::problem::HttpProblem;
use state::StoreError;
use state::clients::{ClientMethod, ClientRecord};

/// A program's request.
pub(super) struct ClientPost {
    /// Its address, if known.
    pub address: Option<IpAddr>,
    pub content_type: Option<String>,
    pub authorization: Option<String>,
    pub body: Bytes,
}

/// The reason that a program gets nothing.
#[derive(Debug)]
pub(super) struct ClientRefusal {
    problem: OauthProblem,
    /// A retry may succeed after this time.
    retry_after: Option<Duration>,
}

/// The wait before a retry if the store did not answer.
const SOON: Duration = Duration::from_secs(2);

/// A path with a limit on the size of posts, in bytes.
pub(super) fn client_route<T: 'static>(
    path: &'static str,
    largest: usize,
    handler: impl Handler<T, Arc<SignIn>>,
) -> Router<Arc<SignIn>> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER]);
    Router::new()
        .route(path, post(handler).fallback(other_method))
        .layer(DefaultBodyLimit::max(largest))
        .layer(cors)
}

/// JSON that must not be cached, because it contains secrets.
pub(super) fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    unstored((status, axum::Json(body)).into_response())
}

pub(super) fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let pragma = HeaderName::from_static("pragma");
    headers.insert(pragma, HeaderValue::from_static("no-cache"));
    response
}

async fn other_method() -> ClientRefusal {
    OauthProblem {
        status: 405,
        ..OauthProblem::new("invalid_request", "This address accepts only POST.")
    }
    .into()
}

impl FromRequest<Arc<SignIn>> for ClientPost {
    type Rejection = ClientRefusal;

    async fn from_request(
        request: Request,
        sign_in: &Arc<SignIn>,
    ) -> Result<Self, Self::Rejection> {
        let peer = request.extensions().get::<Peer>().copied();
        let headers = request.headers();
        let peer = peer.map(|Peer(address)| address);
        let address = sign_in.addresses.client(peer, headers);
        let text = |name| {
            let value = headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let (content_type, authorization) = (text(CONTENT_TYPE), text(AUTHORIZATION));
        let body = Bytes::from_request(request, sign_in).await;
        let body = body.map_err(|rejection| OauthProblem {
            status: rejection.status().as_u16(),
            ..OauthProblem::new(
                "invalid_request",
                "The request's body is too large or incomplete.",
            )
        })?;
        Ok(Self {
            address,
            content_type,
            authorization,
            body,
        })
    }
}

impl SignIn {
    /// The client of a request, once it has authenticated. A client without a secret shows nothing, whatever it sends.
    pub(super) async fn authenticate(
        &self,
        shown: &ClientAuthentication,
    ) -> Result<ClientRecord, ClientRefusal> {
        let unknown = || OauthProblem::unknown_client("The client is unknown. Register again.");
        let client = self.clients.find(&shown.id).await?.ok_or_else(unknown)?;
        let is_right = match (client.method, &shown.secret) {
            (ClientMethod::None, _) => true,
            (_, Some(secret)) => self.clients.is_secret(&client.id, secret).await?,
            (_, None) => false,
        };
        if !is_right {
            let what = "The client's secret is missing or wrong.";
            return Err(OauthProblem::unknown_client(what).into());
        }
        // Not invalid_client: the program would register again under another name.
        if client.blocked.is_some() {
            let what = "The operator of this server has blocked the client.";
            return Err(OauthProblem::new("unauthorized_client", what).into());
        }
        Ok(client)
    }
}

impl ClientRefusal {
    /// Too many requests, or the server cannot handle this one now. Nothing was changed.
    pub(super) fn for_now(status: u16, what: &str, wait: Duration) -> Self {
        let problem = OauthProblem::new("temporarily_unavailable", what);
        Self {
            problem: OauthProblem { status, ..problem },
            retry_after: Some(wait),
        }
    }

    /// Whether the fault is the client's.
    pub(super) fn is_askers(&self) -> bool {
        self.problem.status < 500
    }
}

impl From<OauthProblem> for ClientRefusal {
    fn from(problem: OauthProblem) -> Self {
        Self {
            problem,
            retry_after: None,
        }
    }
}

impl From<StoreError> for ClientRefusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a client was sent away that needs the store");
        let what =
            "The server cannot use its own records at the moment. Nothing was used up. Try again.";
        Self::for_now(503, what, SOON)
    }
}

/// The time until another attempt is allowed.
impl From<Duration> for ClientRefusal {
    fn from(wait: Duration) -> Self {
        let what = "Too many requests of this kind came from this address. Try again later.";
        Self::for_now(429, what, wait)
    }
}

impl IntoResponse for ClientRefusal {
    fn into_response(self) -> Response {
        let problem = self.problem;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = HttpProblem::new(status, problem.error, problem.description);
        let mut response = unstored(body.into_response());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            // The method by which a client may authenticate.
            let challenge = HeaderValue::from_static("Basic realm=\"highlevel-mcp\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, wait.as_secs().saturating_add(1).into());
        }
        response
    }
}
