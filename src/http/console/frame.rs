//! Adds the frame of the console to pages, with the menu of the person who reads them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::approvals::waiting as waiting_for;
use super::is_operator;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::Visitor;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{Page, PageKind, Part, Reader, badge};
use state::sessions::PersonSession;

/// The answer that shows `page` to a person who is signed in.
pub(super) async fn show(
    sign_in: &SignIn,
    session: &PersonSession,
    page: Page,
) -> Result<Response, PageProblem> {
    let reader = read_by(sign_in, session).await?;
    Ok(sign_in.pages.show(&page.with_reader(reader)))
}

/// What came of a form, or the page that says why nothing did: with the menu of whoever is signed in, and with none for
/// anybody else.
pub(super) async fn respond(
    sign_in: &SignIn,
    headers: &HeaderMap,
    answer: Result<Response, PageProblem>,
    part: Part,
) -> Response {
    let problem = match answer {
        Ok(response) => return response,
        Err(problem) => problem,
    };
    let reader = match Visitor::watching(sign_in, headers).await {
        Ok(Visitor {
            session: Some(session),
            ..
        }) => read_by(sign_in, &session).await.ok(),
        _ => None,
    };
    sign_in.pages.show(&match reader {
        Some(reader) => problem.page(PageKind::Console(part)).with_reader(reader),
        None => problem.page(PageKind::Entry),
    })
}

async fn read_by(sign_in: &SignIn, session: &PersonSession) -> Result<Reader, PageProblem> {
    Ok(Reader {
        is_operator: is_operator(&session.person),
        waiting: waiting_for(sign_in, &session.person).await?.len(),
    })
}

/// For pages and forms that only operators may use.
pub(super) fn operators_only(session: &PersonSession) -> Result<(), PageProblem> {
    if is_operator(&session.person) {
        return Ok(());
    }
    let problem = PageProblem::new(
        StatusCode::FORBIDDEN,
        "This page is for the operator of this server",
        "You are signed in as a member. Ask an operator of this server.",
    );
    Err(problem.with_link("/console", "Back to your pages"))
}

/// The number of waiting requests, as a fragment for the menu of an open page.
pub(super) async fn waiting(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let counted = count_waiting(&sign_in, &headers).await;
    sign_in.pages.respond_fragment(counted)
}

async fn count_waiting(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    let person = &visitor.signed_in()?.person;
    let waiting = waiting_for(sign_in, person).await?.len();
    Ok(sign_in.pages.fragment(&badge(waiting)))
}
