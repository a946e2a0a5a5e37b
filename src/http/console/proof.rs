//! A fresh proof of identity, required before anything that gives rights to others or cannot be undone.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;

use super::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token, unavailable};
use crate::http::pages::form::FormFields;
use crate::http::pages::links::secret_in;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::passkeys::sign_in_button;
use crate::http::pages::proof::ProofPage;
use crate::http::pages::{PageKind, Part};
use state::clock::SteadyClock;
use state::links::Offer;
use state::sessions::PersonSession;

/// How long a proof is fresh.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Longest path to go on to.
const LONGEST_NEXT: usize = 200;

pub(super) fn is_fresh(session: &PersonSession) -> bool {
    SteadyClock::now().duration_since(session.proof) < FRESH
}

/// The page where the person of a session proves identity again, then goes on to this path of the console.
pub(super) fn path(next: &str) -> String {
    format!("/console/proof?next={next}")
}

/// Refuses a form that was sent too late: nothing of it is done.
pub(super) fn fresh_only(session: &PersonSession) -> Result<(), PageProblem> {
    if is_fresh(session) {
        return Ok(());
    }
    let problem = PageProblem::new(
        StatusCode::FORBIDDEN,
        "Confirm that it is you",
        "Nothing was done. You signed in more than 15 minutes ago, and this step gives somebody rights or cannot be \
         undone. Confirm that it is you, and repeat the step.",
    );
    Err(problem.with_link("/console/proof", "Confirm"))
}

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shown = async {
        let visitor = Visitor::find(&sign_in, &headers).await?;
        let query = FormFields::parse(query.unwrap_or_default().as_bytes())?;
        ask(&sign_in, visitor.signed_in()?, next(&query), None).await
    };
    sign_in.pages.respond(shown.await, PageKind::Entry)
}

async fn ask(
    sign_in: &SignIn,
    session: &PersonSession,
    next: &str,
    problem: Option<&str>,
) -> Result<Response, PageProblem> {
    let page = ProofPage {
        person: &session.person.name,
        next,
        problem,
        token: &console_token(sign_in, session)?,
    };
    let mut page = page.page();
    if sign_in.passkeys.is_some() {
        let button = sign_in_button(&sign_in.pages, next);
        page.body = maud::html! { (button) (page.body) };
    }
    frame::show(sign_in, session, page.for_problem(problem)).await
}

/// Only a path of the console: a link to this page must not lead elsewhere.
fn next(fields: &FormFields) -> &str {
    let next = fields.one("next");
    let is_path = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '/' | '_' | '-')
    };
    let is_own =
        next.starts_with("/console/") && next.len() <= LONGEST_NEXT && next.chars().all(is_path);
    if is_own { next } else { "/console" }
}

pub(super) async fn confirm(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let confirmed = take_link(&sign_in, &headers, &body).await;
    frame::respond(&sign_in, &headers, confirmed, Part::Home).await
}

/// Renews a session by a link of the same person.
async fn take_link(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, next) = (&form.session, next(&form.fields));
    let wrong =
        "This is not a valid sign-in link of yours. Each link works once, within 30 minutes.";
    let Some(secret) = secret_in(form.fields.one("link")) else {
        return ask(sign_in, session, next, Some(wrong)).await;
    };
    let secret = secret.into();
    let link = sign_in.links.look(&secret).await.map_err(unavailable)?;
    // Another person's link is not used up here: a proof must not turn one person into another.
    let is_own = link.is_some_and(
        |link| matches!(link.offer, Offer::Login { person } if person == session.person.id),
    );
    let joined = match is_own {
        true => sign_in
            .links
            .join(&secret, None)
            .await
            .map_err(unavailable)?,
        false => None,
    };
    let Some(person) = joined else {
        return ask(sign_in, session, next, Some(wrong)).await;
    };
    let mut onward = sign_in.pages.redirect(next);
    form.visitor
        .sign_in(sign_in, &person, headers, &mut onward)
        .await?;
    Ok(onward)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_within_the_console() {
        for (given, expected) in [
            ("/console/people/per_abc", "/console/people/per_abc"),
            ("/console/keys", "/console/keys"),
            ("//evil.example", "/console"),
            ("/console//evil.example", "/console"),
            ("https://evil.example/console/", "/console"),
            ("/console/\\evil", "/console"),
            ("/console/?x=1", "/console"),
            ("", "/console"),
        ] {
            let fields = format!("next={}", given.replace('?', "%3F"));
            let fields = FormFields::parse(fields.as_bytes()).unwrap_or_else(|_| panic!("{given}"));
            assert_eq!(next(&fields), expected, "{given}");
        }
    }
}
