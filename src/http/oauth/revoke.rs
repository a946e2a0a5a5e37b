//! `/revoke`: a client gives back a token, and its connection ends (RFC 7009).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use oauth::RevocationRequest;

use super::SignIn;
use super::client_post::{ClientPost, ClientRefusal, client_route, unstored};
use super::token::LARGEST;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    client_route("/revoke", LARGEST, revoke)
}

/// A token that is unknown, or another client's, is answered as one that was the client's: nothing is told of it.
async fn revoke(
    State(sign_in): State<Arc<SignIn>>,
    request: ClientPost,
) -> Result<Response, ClientRefusal> {
    // Whoever guesses learns nothing from the answer, which says the same of all: every request counts.
    sign_in.attempts.refusals.acquire(request.address)?;
    let asked = RevocationRequest::parse(
        request.content_type.as_deref(),
        request.authorization.as_deref(),
        &request.body,
    )?;
    let client = sign_in.authenticate(&asked.client).await?.id;
    sign_in.grants.revoke(&asked.token, &client).await?;
    tracing::info!(client, "a client gave back a token");
    Ok(unstored(StatusCode::OK.into_response()))
}
