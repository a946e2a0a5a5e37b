//! Refusals over HTTP, as JSON with the remedy.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The refusal of a request that reaches no handler. The form is OAuth's, which probing clients expect.
#[derive(Debug, PartialEq, Eq)]
pub struct HttpProblem {
    pub status: StatusCode,
    pub error: &'static str,
    pub description: String,
    /// It may be better after so long.
    pub retry_after: Option<Duration>,
}

/// The parts of a problem for a challenge, as an extension of the answer.
#[derive(Clone, Debug)]
pub(super) struct ChallengeError {
    pub error: &'static str,
    pub description: String,
}

/// The client can get the right by asking for more scopes.
pub(super) const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

impl HttpProblem {
    pub fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            error,
            description: description.into(),
            retry_after: None,
        }
    }

    /// The address tries too much, and may go on after so long.
    pub(super) fn wait(wait: Duration) -> Self {
        let what = "Too many requests of this kind came from this address. Try again later.";
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            what,
        );
        Self {
            retry_after: Some(wait),
            ..problem
        }
    }
}

impl IntoResponse for HttpProblem {
    /// Logs the refusal, because no call was made that would be logged.
    fn into_response(self) -> Response {
        let (status, reason) = (self.status.as_u16(), self.description.as_str());
        tracing::info!(status, error = self.error, reason, "refused");
        let body = json!({"error": self.error, "error_description": self.description});
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().saturating_add(1);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED || self.error == INSUFFICIENT_SCOPE {
            response.extensions_mut().insert(ChallengeError {
                error: self.error,
                description: self.description,
            });
            let challenge = format!("Bearer realm=\"highlevel-mcp\", error=\"{}\"", self.error);
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                let headers = response.headers_mut();
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}
