//! `/revoke`: a client gives back a token, which ends its connection (RFC 7009).

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

/// An unknown token, or another client's, gets the same answer as the client's own, so that nothing is revealed about
/// it.
async fn revoke(
    State(sign_in): State<Arc<SignIn>>,
    request: ClientPost,
) -> Result<Response, ClientRefusal> {
    // The answer reveals nothing to a guesser, and is the same for all, so every request counts.
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
