//! `/register`: a program that has no document of its own becomes a client (RFC 7591).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use oauth::{AuthenticationMethod, OauthProblem, RedirectUri, Registration};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::SignIn;
use super::client_post::{ClientPost, ClientRefusal, answer, client_route};
use crate::config::Register;
use state::clients::{ClientMethod, ClientRecord, NewClient};

/// In bytes.
const LARGEST: usize = 16 << 10;

/// If there are too many clients, unused ones are removed after this time.
const UNTIL_ROOM: Duration = Duration::from_secs(15 * 60);

pub(super) fn routes() -> Router<Arc<SignIn>> {
    client_route("/register", LARGEST, register)
}

async fn register(
    State(sign_in): State<Arc<SignIn>>,
    request: ClientPost,
) -> Result<Response, ClientRefusal> {
    if sign_in.settings.register != Register::Open {
        let what = "This server registers no clients. Its operator adds them.";
        let problem = OauthProblem::new("not_found", what);
        return Err(OauthProblem {
            status: 404,
            ..problem
        }
        .into());
    }
    if !is_json(request.content_type.as_deref()) {
        let what = "The registration has to be JSON (application/json).";
        return Err(OauthProblem::new("invalid_client_metadata", what).into());
    }
    let registration = Registration::parse(&request.body)?;
    sign_in.attempts.registrations.acquire(request.address)?;
    let redirects = registration.redirects.iter().map(RedirectUri::as_str);
    let new = NewClient {
        name: registration.name,
        redirects: redirects.map(str::to_owned).collect(),
        method: match registration.method {
            AuthenticationMethod::None => ClientMethod::None,
            AuthenticationMethod::Basic => ClientMethod::Basic,
            AuthenticationMethod::Post => ClientMethod::Post,
        },
    };
    let full = || {
        let what = "This server has the largest number of registered clients. Try again later.";
        ClientRefusal::for_now(503, what, UNTIL_ROOM)
    };
    let (client, secret) = sign_in.clients.register(new).await?.ok_or_else(full)?;
    tracing::info!(
        client = client.id,
        name = client.name,
        "a client registered"
    );
    Ok(answer(StatusCode::CREATED, &described(&client, secret)))
}

/// The registered client. The method is always included: libraries assume Basic if it is missing.
fn described(client: &ClientRecord, secret: Option<SecretString>) -> Value {
    let mut described = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created.as_second(),
        "client_name": client.name,
        "redirect_uris": client.redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": client.method.name(),
    });
    if let Some(secret) = secret {
        described["client_secret"] = secret.expose_secret().into();
        // It does not expire before the client itself.
        described["client_secret_expires_at"] = 0.into();
    }
    described
}

fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type.unwrap_or_default().split(';').next();
    let media_type = media_type.unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}
