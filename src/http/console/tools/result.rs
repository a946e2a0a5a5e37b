//! The result of a try: shown, confirmed and cancelled.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::running::{self, TryConsent};
use super::tries::{TriedCall, TryState};
use crate::http::console::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::rules_row;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token};
use crate::http::pages::notice::PageProblem;
use crate::http::pages::tools::TOOLS;
use crate::http::pages::tools::result::{AnswerView, AskedView, TRIES, TryPage, TryView};
use crate::http::pages::{PageKind, Part};
use state::sessions::PersonSession;

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shown = show_try(&sign_in, &id, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_try(
    sign_in: &SignIn,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let found = find(sign_in, session, id)?;
    let page = found.view(sign_in, session, |view| view.page(&sign_in.pages.brand))?;
    frame::show(sign_in, session, page).await
}

pub(super) async fn state(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shown = show_state(&sign_in, &id, &headers).await;
    sign_in.pages.respond_fragment(shown)
}

async fn show_state(
    sign_in: &SignIn,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let found = find(sign_in, session, id)?;
    let fragment = found.view(sign_in, session, |view| view.fragment(&sign_in.pages.brand))?;
    Ok(sign_in.pages.fragment(&fragment))
}

/// A try of this session.
struct FoundTry {
    call: Arc<TriedCall>,
    state: TryState,
}

fn find(sign_in: &SignIn, session: &PersonSession, id: &str) -> Result<FoundTry, PageProblem> {
    let found = sign_in.tries.get(&session.id, id);
    let (call, state) = found.ok_or_else(|| {
        PageProblem::new(
            StatusCode::NOT_FOUND,
            "This result is gone",
            "The result of a try is kept for 15 minutes, for the browser that made it.",
        )
        .with_link(TOOLS, "Try a tool")
    })?;
    Ok(FoundTry { call, state })
}

impl FoundTry {
    fn view<T>(
        &self,
        sign_in: &SignIn,
        session: &PersonSession,
        draw: impl FnOnce(&TryPage<'_>) -> T,
    ) -> Result<T, PageProblem> {
        let call = &self.call;
        let request = running::request_text(call.tool, &call.arguments, call.location.as_deref());
        Ok(draw(&TryPage {
            id: &call.id,
            tool: call.tool.name,
            title: call.tool.title,
            location: &call.location_name,
            rules: &rules_row(&sign_in.pages.brand, call.rules).title,
            request: &request,
            asked: call.asked.as_deref(),
            state: view(&self.state),
            token: &console_token(sign_in, session)?,
        }))
    }
}

fn view(state: &TryState) -> TryView<'_> {
    match state {
        TryState::UnderWay => TryView::UnderWay,
        TryState::Cancelled => TryView::Cancelled,
        TryState::Done(outcome) => match &outcome.asked {
            Some(question) => TryView::Asked(AskedView {
                about: &question.about,
                preview: &question.preview,
                approve_at: question.approve_at.as_deref(),
            }),
            None => TryView::Answered(AnswerView {
                outcome: &outcome.sentence,
                is_error: outcome.is_error,
                text: &outcome.text,
                is_cut: outcome.is_cut,
                marks: outcome
                    .marks
                    .as_ref()
                    .map(|(opening, closing)| (opening.as_str(), closing.as_str())),
                file: outcome.file.as_deref(),
            }),
        },
    }
}

pub(super) async fn decide(
    State(sign_in): State<Arc<SignIn>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decided = decide_one(&sign_in, &id, &headers, &body).await;
    frame::respond(&sign_in, &headers, decided, Part::Tools).await
}

async fn decide_one(
    sign_in: &Arc<SignIn>,
    id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let session = &form.session;
    match form.fields.one("decision") {
        "confirm" => {
            if let Some((call, question)) = sign_in.tries.go_on(&session.id, id) {
                let consent = TryConsent::Given(question);
                running::start(sign_in, &session.person, call, consent).await;
            }
        }
        "cancel" => sign_in.tries.cancel(&session.id, id),
        _ => {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "No decision was made",
                "Open the try again and press Confirm or Cancel.",
            ));
        }
    }
    // The address contains only values that our own form may have.
    let known = sign_in.tries.get(&session.id, id);
    let to = known.map_or_else(
        || TOOLS.to_owned(),
        |(call, _)| format!("{TRIES}/{}", call.id),
    );
    Ok(sign_in.pages.redirect(&to))
}
