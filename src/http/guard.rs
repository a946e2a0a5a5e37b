//! Admits a request to MCP with the account that it acts for, or refuses it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use crate::call::{AccessRef, GrantRef, Pipeline, Principal};
use crate::http::access::{Access, AskedCall, Visit, shown_token};
use crate::http::address::Address;
use crate::http::client_address::Peer;
use crate::http::origin::CheckedHost;
use crate::http::problem::{HttpProblem, INSUFFICIENT_SCOPE};
use crate::http::request_limits::{Intake, ShareHolder};

/// The checks that a request must pass.
pub(super) struct Guard {
    pub access: Access,
    pub intake: Intake,
    /// Has the present locations.
    pub pipeline: Pipeline,
}

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The principal is passed on in the request's extensions, to the MCP handler. The headers with secrets are removed.
pub(super) async fn guard(
    State(guarded): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let grant = match guarded.shown_token(&request) {
        Ok(Some(token)) => guarded
            .access
            .grant(&token, &read_call(&request), &guarded.pipeline)
            .await
            .map(Some),
        shown => shown.map(|_| None),
    };
    match grant.and_then(|grant| guarded.principal(&request, grant)) {
        Ok(principal) => {
            let headers = request.headers_mut();
            headers.remove(AUTHORIZATION);
            headers.remove("x-access-key");
            // Every answer is JSON, but the protocol requires clients to offer both, and `*/*` gets a 406.
            headers.insert(ACCEPT, BOTH);
            let who = guarded.share_holder(&principal);
            let grant = match &principal.access {
                Some(AccessRef::Grant(grant)) => Some(Arc::clone(grant)),
                _ => None,
            };
            request.extensions_mut().insert(principal);
            let answer = guarded.intake.pass(request, &who, next).await;
            match grant {
                Some(grant) if grant.lacks_scope() => insufficient_scope().into_response(),
                _ => answer,
            }
        }
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    fn shown_token(&self, request: &Request) -> Result<Option<SecretString>, HttpProblem> {
        match checked_host(request)?.is_sign_in {
            true => shown_token(request.uri(), request.headers()),
            false => Ok(None),
        }
    }

    fn principal(
        &self,
        request: &Request,
        grant: Option<Arc<GrantRef>>,
    ) -> Result<Principal, HttpProblem> {
        let snapshot = self.pipeline.snapshot();
        let alias = Address::parse(request.uri().path()).alias;
        let host = checked_host(request)?;
        let visit = Visit {
            headers: request.headers(),
            host: &host.authority,
            is_sign_in: host.is_sign_in,
            peer: request.extensions().get::<Peer>().map(|peer| peer.0),
            alias: alias.as_deref(),
            grant,
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

fn read_call(request: &Request) -> AskedCall<'_> {
    AskedCall {
        path: request.uri().path(),
        headers: request.headers(),
        peer: request.extensions().get::<Peer>().map(|peer| peer.0),
    }
}

fn checked_host(request: &Request) -> Result<&CheckedHost, HttpProblem> {
    let host = request.extensions().get::<CheckedHost>();
    host.ok_or_else(|| {
        let what = "The request's host was not checked.";
        HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
    })
}

/// The client asked for read access only when it was connected, and may ask for more.
fn insufficient_scope() -> HttpProblem {
    let what = "This connection may only read, because its client did not ask for more. It can ask for write by \
                connecting again.";
    HttpProblem::new(StatusCode::FORBIDDEN, INSUFFICIENT_SCOPE, what)
}
