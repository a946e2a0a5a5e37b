//! The emergency stop on a page: the same as `highlevel-mcp pause` and `resume`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::extractors::Operator;
use super::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, console_token, unavailable};
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::pause::{MOST_OFFERED, PausePage, PauseQuestion, PausedRow};
use crate::http::pages::{Page, PageKind, Part};
use state::events::Event;
use state::pause::Pause;
use state::sessions::PersonSession;

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Operator(session): Operator,
) -> Response {
    let shown = show_all(&sign_in, &session).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_all(sign_in: &SignIn, session: &PersonSession) -> Result<Response, PageProblem> {
    let page = page(sign_in, session, None, ("", "")).await?;
    frame::show(sign_in, session, page).await
}

/// The page, with the error of the last form, and the sub-account and the reason typed there.
async fn page(
    sign_in: &SignIn,
    session: &PersonSession,
    problem: Option<&str>,
    typed: (&str, &str),
) -> Result<Page, PageProblem> {
    let pauses = &sign_in.pipeline.controls().pauses;
    let paused = pauses.list_with_events().await.map_err(unavailable)?;
    let rows: Vec<PausedRow> = paused
        .iter()
        .map(|(pause, event)| row(sign_in, pause, event.as_ref()))
        .collect();
    let snapshot = sign_in.pipeline.snapshot();
    let aliases = snapshot.locations.iter().take(MOST_OFFERED);
    let locations: Vec<String> = aliases
        .map(|account| account.configured.alias.clone())
        .collect();
    let page = PausePage {
        rows: &rows,
        locations: &locations,
        problem,
        typed,
        token: &console_token(sign_in, session)?,
    };
    Ok(page.page())
}

fn row(sign_in: &SignIn, pause: &Pause, event: Option<&Event>) -> PausedRow {
    let by = event.map(|event| match &event.actor {
        None => "the command line".to_owned(),
        Some(id) => {
            let person = sign_in.people.find(id).ok().flatten();
            person.map_or_else(|| id.clone(), |person| one_line(&person.name, 64))
        }
    });
    PausedRow {
        alias: pause.location.clone().unwrap_or_default(),
        since: Moment(pause.since),
        by,
        reason: pause.reason.as_ref().map(|reason| one_line(reason, 500)),
    }
}

pub(super) async fn decide(
    State(sign_in): State<Arc<SignIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decided = decide_one(&sign_in, &headers, &body).await;
    frame::respond(&sign_in, &headers, decided, Part::Pause).await
}

async fn decide_one(
    sign_in: &SignIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    frame::operators_only(session)?;
    let resumes = match fields.one("what") {
        "pause" => false,
        "resume" => true,
        _ => {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "No button was pressed",
                "Nothing was done. Open the page again and use its buttons.",
            ));
        }
    };
    let (alias, reason) = (fields.one("location"), fields.one("reason"));
    let reason = one_line(reason, 200);
    // A location that is gone may still be paused, and can be resumed.
    let is_known = alias.is_empty() || sign_in.pipeline.snapshot().locations.find(alias).is_some();
    if !resumes && !is_known {
        let problem = format!(
            "Nothing was paused. There is no sub-account {}.",
            one_line(alias, 64)
        );
        let page = page(sign_in, session, Some(&problem), (alias, &reason)).await?;
        return frame::show(sign_in, session, page.with_status(StatusCode::BAD_REQUEST)).await;
    }
    if fields.one("sure") != "yes" {
        let question = PauseQuestion {
            resumes,
            alias,
            reason: &reason,
            token: &console_token(sign_in, session)?,
        };
        return frame::show(sign_in, session, question.page()).await;
    }
    let pauses = &sign_in.pipeline.controls().pauses;
    let alias = Some(alias).filter(|alias| !alias.is_empty());
    let person = Some(session.person.id.as_str());
    if resumes {
        let resumed = pauses.resume_by(alias, person);
        resumed.await.map_err(unavailable)?;
    } else {
        let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
        let paused = pauses.pause_by(alias, reason, person);
        paused.await.map_err(unavailable)?;
    }
    Ok(sign_in.pages.redirect("/console/pause"))
}
