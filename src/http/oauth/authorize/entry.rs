//! The identification of a person whom a client sent: by a link of ours, or an access key.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::ExposeSecret;

use super::super::SignIn;
use super::super::visitor::unavailable;
use super::AuthorizePage;
use super::sent_form::SentForm;
use crate::call::HolderRef;
use crate::http::pages::PageKind;
use crate::http::pages::links::secret_in;
use crate::http::pages::notice::PageProblem;
use state::keys::looks_like_key;

pub(super) async fn enter(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let entered = take_proof(&sign_in, &headers, &body).await;
    sign_in.pages.respond(entered, PageKind::Consent)
}

async fn take_proof(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let sent = SentForm::read(sign_in, headers, body).await;
    let SentForm {
        fields,
        visitor,
        asked,
        ..
    } = match sent {
        Ok(sent) => sent,
        Err(problem) => return problem.answer(&sign_in.pages),
    };
    let mut onward = sign_in.pages.redirect(&asked.path());
    if !fields.one("leave").is_empty() {
        visitor.sign_out(sign_in, &mut onward).await?;
        return Ok(onward);
    }
    let page = AuthorizePage {
        sign_in,
        asked: &asked,
        visitor: &visitor,
    };
    let proof = fields.secret("proof");
    let refuse = |what: &str| {
        page.entry(Some(&PageProblem::new(
            StatusCode::BAD_REQUEST,
            "Who are you?",
            what,
        )))
    };
    if let Some(link) = secret_in(proof.expose_secret()) {
        let joined = sign_in
            .links
            .join(&link.into(), None)
            .await
            .map_err(unavailable)?;
        return match joined {
            Some(person) => {
                visitor
                    .sign_in(sign_in, &person, headers, &mut onward)
                    .await?;
                Ok(onward)
            }
            None => refuse(
                "This link does not work, or no longer works. Each link works once, for a limited time.",
            ),
        };
    }
    if looks_like_key(proof.expose_secret()) {
        let keys = &sign_in.pipeline.controls().keys;
        return match keys.find(proof.expose_secret()) {
            Ok(Some(record)) => page.consent(&HolderRef::Key(record), None, None),
            Ok(None) => refuse("This is not an access key of this server."),
            Err(refusal) => refuse(&refusal.to_string()),
        };
    }
    refuse("This is not an invitation, a sign-in link or an access key of this server.")
}
