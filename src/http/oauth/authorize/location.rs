//! Connecting a sub-account of one's own before the decision.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::super::SignIn;
use super::super::pasted_token::connect;
use super::AuthorizePage;
use super::sent_form::SentForm;
use crate::http::client_address::Peer;
use crate::http::pages::PageKind;
use crate::http::pages::notice::PageProblem;

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shown = go_on(&sign_in, None, &headers, &body, TokenStep::Show).await;
    sign_in.pages.respond(shown, PageKind::Consent)
}

pub(super) async fn check(
    State(sign_in): State<Arc<SignIn>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let checked = go_on(&sign_in, peer, &headers, &body, TokenStep::Check).await;
    sign_in.pages.respond(checked, PageKind::Consent)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenStep {
    Show,
    Check,
}

async fn go_on(
    sign_in: &SignIn,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
    body: &[u8],
    step: TokenStep,
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
    let page = AuthorizePage {
        sign_in,
        asked: &asked,
        visitor: &visitor,
    };
    if step == TokenStep::Show {
        return page.location(None, "");
    }
    let person = visitor.session.as_ref().map(|session| &session.person);
    match connect(sign_in, person, &fields, (peer, headers)).await? {
        Err(what) => {
            let problem = PageProblem::new(StatusCode::BAD_REQUEST, "Connect a sub-account", what);
            page.location(Some(&problem), fields.one("location"))
        }
        Ok(pasted) => {
            let mut onward = sign_in.pages.redirect(&asked.path());
            if person.is_none() {
                visitor
                    .sign_in(sign_in, &pasted.person, headers, &mut onward)
                    .await?;
            }
            Ok(onward)
        }
    }
}
