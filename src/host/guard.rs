//! Lets a request through to MCP with the account it acts for, or refuses it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::host::access::Access;
use crate::host::address::Address;
use crate::host::intake::Intake;
use crate::call::Pipeline;

/// What a request has to pass.
pub struct Guard {
    pub access: Access,
    pub intake: Intake,
    /// Knows the locations of the moment.
    pub pipeline: Pipeline,
}

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The account goes on in the request's extensions, where the MCP handler finds it; the headers that
/// carried secrets do not.
pub async fn guard(
    State(guarded): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let snapshot = guarded.pipeline.snapshot();
    let alias = Address::of(request.uri().path()).alias;
    let access = &guarded.access;
    match access.principal(request.headers(), alias.as_deref(), &snapshot.locations) {
        Ok(principal) => {
            let headers = request.headers_mut();
            headers.remove(AUTHORIZATION);
            headers.remove("x-access-key");
            // Every answer is JSON, but the protocol has clients offer both; `*/*` gets a 406.
            headers.insert(ACCEPT, BOTH);
            request.extensions_mut().insert(principal);
            guarded.intake.pass(request, next).await
        }
        Err(problem) => {
            tracing::info!(
                status = problem.status.as_u16(),
                reason = problem.description,
                "refused"
            );
            problem.into_response()
        }
    }
}
