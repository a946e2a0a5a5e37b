//! `/token`: exchanges codes and refresh tokens for tokens.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use oauth::{AskedGrant, AskedScope, OauthProblem, Resource, TokenRequest};
use secrecy::ExposeSecret;
use serde_json::json;

use super::SignIn;
use super::client_post::{ClientPost, ClientRefusal, answer, client_route};
use state::grants::{GrantScope, GrantTokens, Redemption, RefreshRequest, TokenRefusal};

/// In bytes.
pub(super) const LARGEST: usize = 32 << 10;

pub(super) fn routes() -> Router<Arc<SignIn>> {
    client_route("/token", LARGEST, token)
}

async fn token(
    State(sign_in): State<Arc<SignIn>>,
    request: ClientPost,
) -> Result<Response, ClientRefusal> {
    let refusals = &sign_in.attempts.refusals;
    refusals.check(request.address)?;
    let given = give(&sign_in, &request).await;
    if given.as_ref().is_err_and(ClientRefusal::is_askers) {
        refusals.count(request.address);
    }
    given
}

async fn give(sign_in: &SignIn, request: &ClientPost) -> Result<Response, ClientRefusal> {
    let asked = TokenRequest::parse(
        request.content_type.as_deref(),
        request.authorization.as_deref(),
        &request.body,
    )?;
    let client = sign_in.authenticate(&asked.client).await?.id;
    let resource = |asked: Option<String>| -> Result<Option<String>, OauthProblem> {
        let foreign = || explain(TokenRefusal::ForeignResource);
        let parse = |asked: String| Resource::parse(&asked, &sign_in.issuer).ok_or_else(foreign);
        let ours = asked.map(parse).transpose()?;
        Ok(ours.map(|ours| ours.as_str().to_owned()))
    };
    let (given, by) = match asked.grant {
        AskedGrant::Code {
            code,
            redirect,
            verifier,
            resource: asked,
        } => {
            let redemption = Redemption {
                code,
                client: client.clone(),
                redirect,
                verifier,
                resource: resource(asked)?,
            };
            (sign_in.grants.redeem(redemption).await?, "code")
        }
        AskedGrant::Refresh {
            token,
            scope,
            resource: asked,
        } => {
            let request = RefreshRequest {
                token,
                client: client.clone(),
                scope: scope.map(|scope| match scope {
                    AskedScope::Read => GrantScope::Read,
                    AskedScope::Write => GrantScope::Write,
                }),
                resource: resource(asked)?,
            };
            (sign_in.grants.refresh(request).await?, "refresh token")
        }
    };
    let tokens = given.map_err(|refusal| {
        tracing::info!(client, by, ?refusal, "a client gets no tokens");
        explain(refusal)
    })?;
    tracing::info!(client, by, grant = tokens.grant, "a client got tokens");
    Ok(described(&tokens))
}

fn described(tokens: &GrantTokens) -> Response {
    let scope = match tokens.scope {
        GrantScope::Read => "read",
        GrantScope::Write => "read write",
    };
    let body = json!({
        "access_token": tokens.access.expose_secret(),
        "token_type": "Bearer",
        "expires_in": tokens.expires_in.as_secs(),
        "refresh_token": tokens.refresh.expose_secret(),
        "scope": scope,
    });
    answer(StatusCode::OK, &body)
}

/// The error for the client.
fn explain(refusal: TokenRefusal) -> OauthProblem {
    let (error, what) = match refusal {
        TokenRefusal::Unknown => (
            "invalid_grant",
            "The code or refresh token is unknown. Sign in again.",
        ),
        TokenRefusal::OtherClient => (
            "invalid_grant",
            "The code or refresh token was given to another client.",
        ),
        TokenRefusal::Replayed => (
            "invalid_grant",
            "The code or refresh token was used before, so somebody else may have it. The connection has ended. Sign \
             in again.",
        ),
        TokenRefusal::Expired => (
            "invalid_grant",
            "The code or the connection has expired. Sign in again.",
        ),
        TokenRefusal::Ended => ("invalid_grant", "The connection was ended. Sign in again."),
        TokenRefusal::WrongRedirect => (
            "invalid_grant",
            "The redirect_uri differs from the one that the code was sent to.",
        ),
        TokenRefusal::WrongVerifier => (
            "invalid_grant",
            "The code_verifier does not match the code_challenge.",
        ),
        TokenRefusal::ForeignResource => (
            "invalid_target",
            "The resource differs from the one of the connection.",
        ),
        TokenRefusal::WiderScope => ("invalid_scope", "The scope is wider than what was allowed."),
    };
    OauthProblem::new(error, what)
}
