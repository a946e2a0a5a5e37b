//! Lets a request through to MCP with the account it acts for, or refuses it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::call::{Pipeline, Principal};
use crate::http::access::{Access, Visit};
use crate::http::address::Address;
use crate::http::client_address::Peer;
use crate::http::origin::CheckedHost;
use crate::http::problem::HttpProblem;
use crate::http::request_limits::{Intake, ShareHolder};

/// What a request has to pass.
pub(super) struct Guard {
    pub access: Access,
    pub intake: Intake,
    /// Knows the locations of the moment.
    pub pipeline: Pipeline,
}

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The principal goes on in the request's extensions, where the MCP handler finds it; the headers that
/// carried secrets do not.
pub(super) async fn guard(
    State(guarded): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    match guarded.principal(&request) {
        Ok(principal) => {
            let headers = request.headers_mut();
            headers.remove(AUTHORIZATION);
            headers.remove("x-access-key");
            // Every answer is JSON, but the protocol has clients offer both; `*/*` gets a 406.
            headers.insert(ACCEPT, BOTH);
            let who = guarded.share_holder(&principal);
            request.extensions_mut().insert(principal);
            guarded.intake.pass(request, &who, next).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    fn principal(&self, request: &Request) -> Result<Principal, HttpProblem> {
        let snapshot = self.pipeline.snapshot();
        let alias = Address::parse(request.uri().path()).alias;
        let host = request.extensions().get::<CheckedHost>();
        let unchecked = || {
            let what = "The request's host was not checked.";
            HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
        };
        let visit = Visit {
            headers: request.headers(),
            host: &host.ok_or_else(unchecked)?.authority,
            peer: request.extensions().get::<Peer>().map(|peer| peer.0),
            alias: alias.as_deref(),
        };
        self.access.principal(&visit, &snapshot.locations)
    }

    fn share_holder(&self, principal: &Principal) -> ShareHolder {
        let is_new = !self.pipeline.is_accepted(principal);
        ShareHolder {
            id: self.pipeline.principal_id(principal),
            newcomer: is_new.then_some(principal.address),
        }
    }
}
