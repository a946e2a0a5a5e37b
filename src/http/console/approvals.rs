//! Waiting calls: shown to the people who may decide, and decided.

mod decider;
mod decision;
mod fields;
mod view;
mod waiting;
mod words;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::callers::caller;
use super::frame;
use crate::call::{describe_effect, operation_title};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{Visitor, console_token, unavailable};
use crate::http::pages::PageKind;
pub(super) use crate::http::pages::approvals::LIST;
use crate::http::pages::approvals::{
    ApprovalPage, ApprovalRow, ApprovalsPage, MOST_APPROVALS, RequestsPage,
};
use crate::http::pages::moment::Moment;
use crate::http::pages::notice::PageProblem;
use decider::Decider;
pub(super) use decision::decide;
use state::approvals::{Approval, ApprovalState};
use state::clock::SteadyClock;
use state::people::Person;
use view::{CALLS_A_PAGE, CallRange, FIRST_CALLS, outcome, record_names, view};
use waiting::store;
pub(super) use waiting::waiting;
use words::{location_name, state, watched, what_it_does};

pub(super) async fn list(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_list(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let list = ApprovalList::read(sign_in, &session.person, None).await?;
    frame::show(sign_in, session, list.page().page()).await
}

/// The list alone, for a page that stays open.
pub(super) async fn refresh_list(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let known = query_value(query.as_deref(), "version");
    let shown = show_fragment(&sign_in, known.as_deref(), &headers).await;
    sign_in.pages.respond_fragment(shown)
}

async fn show_fragment(
    sign_in: &SignIn,
    known: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    let person = &visitor.signed_in()?.person;
    let list = ApprovalList::read(sign_in, person, known).await?;
    let mut response = sign_in.pages.fragment(&list.page().list());
    if known == Some(list.version.as_str()) {
        // The page keeps what it shows, so that its reader is not disturbed.
        let headers = response.headers_mut();
        headers.insert("hx-reswap", HeaderValue::from_static("none"));
    }
    Ok(response)
}

/// The waiting calls of one person, as the page shows them.
struct ApprovalList {
    rows: Vec<ApprovalRow>,
    unlisted: usize,
    version: String,
}

impl ApprovalList {
    /// `known`: the version that an open page shows. Then the records are not read again.
    async fn read(
        sign_in: &SignIn,
        person: &Person,
        known: Option<&str>,
    ) -> Result<Self, PageProblem> {
        let waiting = waiting(sign_in, person).await?;
        let handles = waiting.iter().map(|approval| approval.handle.as_str());
        let handles = handles.collect::<Vec<_>>().join(" ");
        let version: String = state::sha256(&handles).chars().take(16).collect();
        let is_known = known == Some(version.as_str());
        let mut rows = Vec::new();
        for approval in waiting.iter().take(MOST_APPROVALS) {
            let records = match is_known {
                true => Vec::new(),
                false => records(sign_in, approval).await?,
            };
            rows.push(row(sign_in, approval, &records).await?);
        }
        Ok(Self {
            rows,
            unlisted: waiting.len().saturating_sub(MOST_APPROVALS),
            version,
        })
    }

    fn page(&self) -> ApprovalsPage<'_> {
        ApprovalsPage {
            waiting: &self.rows,
            unlisted: self.unlisted,
            version: &self.version,
        }
    }
}

/// The records of a waiting call, which is listed without its request.
async fn records(sign_in: &SignIn, approval: &Approval) -> Result<Vec<String>, PageProblem> {
    let whole = store(sign_in)?.get(&approval.handle).await;
    let whole = whole.map_err(unavailable)?;
    Ok(whole.map_or_else(Vec::new, |whole| record_names(sign_in, &whole)))
}

async fn row(
    sign_in: &SignIn,
    approval: &Approval,
    records: &[String],
) -> Result<ApprovalRow, PageProblem> {
    let locations = approval.locations.iter();
    let names: Vec<String> = locations
        .map(|one| location_name(sign_in, &one.location))
        .collect();
    let title = operation_title(approval);
    Ok(ApprovalRow {
        handle: approval.handle.clone(),
        // Several calls of one operation are told apart by their records.
        title: match records.is_empty() {
            true => title,
            false => format!("{title}: {}", super::some(records)),
        },
        effect: describe_effect(&approval.effect),
        calls: approval.locations.iter().map(|one| one.calls).sum(),
        location: super::some(&names),
        who: caller(sign_in, &approval.who).await?,
        state: state(approval),
    })
}

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let is_late = query.as_deref() == Some("late");
    let shown = show_one(&sign_in, &handle, is_late, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_one(
    sign_in: &SignIn,
    handle: &str,
    is_late: bool,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let decider = Decider::new(sign_in, &session.person).await?;
    let approval = find(sign_in, handle, &decider).await?;
    let locations = approval.locations.iter();
    let locations: Vec<(String, usize)> = locations
        .map(|one| (location_name(sign_in, &one.location), one.calls))
        .collect();
    let range = CallRange {
        from: 0,
        count: FIRST_CALLS,
    };
    let request = view(sign_in, &approval, range);
    let outcome = approval.outcome.as_deref().map(outcome);
    let is_open =
        approval.state == ApprovalState::Pending && !approval.has_expired(SteadyClock::now());
    let end = decider.may_end(&approval).map(decider::Asker::offer);
    let late = "Your decision had no effect, because the request was decided before.";
    let page = ApprovalPage {
        handle: &approval.handle,
        title: &operation_title(&approval),
        effect: &what_it_does(&approval),
        calls: request.calls,
        locations: &locations,
        who: &caller(sign_in, &approval.who).await?,
        asked: Moment(approval.created),
        state: &state(&approval),
        note: approval.note.as_deref(),
        watched: watched(&approval),
        problem: (is_late && !is_open).then_some(late),
        request: &request,
        outcome: outcome.as_deref(),
        is_open,
        end: end.as_ref(),
        token: &console_token(sign_in, session)?,
    };
    frame::show(sign_in, session, page.page()).await
}

/// Whether the approval is still in the state that an open page shows. If not, the page is reloaded.
pub(super) async fn refresh(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let shown = query_value(query.as_deref(), "shown");
    let answer = compare(&sign_in, &handle, shown.as_deref(), &headers).await;
    sign_in.pages.respond_fragment(answer)
}

async fn compare(
    sign_in: &SignIn,
    handle: &str,
    shown: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::watching(sign_in, headers).await?;
    let decider = Decider::new(sign_in, &visitor.signed_in()?.person).await?;
    let approval = find(sign_in, handle, &decider).await?;
    let mut response = sign_in.pages.fragment(&maud::html! {});
    if watched(&approval) != shown {
        let headers = response.headers_mut();
        headers.insert("hx-refresh", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The calls of a batch, in parts.
pub(super) async fn requests(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let from = query_value(query.as_deref(), "from");
    let from = from.and_then(|from| from.parse().ok()).unwrap_or_default();
    let shown = show_requests(&sign_in, &handle, from, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_requests(
    sign_in: &SignIn,
    handle: &str,
    from: usize,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let decider = Decider::new(sign_in, &session.person).await?;
    let approval = find(sign_in, handle, &decider).await?;
    let range = CallRange {
        from,
        count: CALLS_A_PAGE,
    };
    let request = view(sign_in, &approval, range);
    let next = from.saturating_add(request.items.len());
    let page = RequestsPage {
        handle: &approval.handle,
        title: &operation_title(&approval),
        request: &request,
        before: (from > 0).then(|| from.saturating_sub(CALLS_A_PAGE)),
        behind: (!request.items.is_empty() && next < request.kept).then_some(next),
    };
    frame::show(sign_in, session, page.page()).await
}

/// A person who may not decide about an approval must not learn that it exists.
async fn find(
    sign_in: &SignIn,
    handle: &str,
    decider: &Decider<'_>,
) -> Result<Approval, PageProblem> {
    let found = store(sign_in)?.get(handle).await.map_err(unavailable)?;
    let found = found.filter(|approval| decider.may_decide(approval));
    found.ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::NOT_FOUND,
            "You have no such request",
            "Somebody else may have to decide it, or it is too old. Requests are kept for a week.",
        );
        problem.with_link("/console/approvals", "All waiting requests")
    })
}

fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}
