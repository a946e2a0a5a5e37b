//! Calls that wait for a person: shown to those who may decide, and decided.

mod words;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::time::{Instant, sleep};

use super::{is_operator, minute};
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, Visitor, console_token, unavailable};
use crate::http::pages::approvals::{ApprovalPage, ApprovalRow, ApprovalsPage, MOST_APPROVALS};
use crate::http::pages::clean::one_line;
use crate::http::pages::notice::PageProblem;
use crate::http::pages::{PageKind, Part};
use state::approvals::{Approval, ApprovalState, Approvals};
use state::clock::SteadyClock;
use state::events::{EventKind, NewEvent};
use state::grants::GrantHolder;
use state::people::Person;
use words::{effect, state, title, who};

/// How long a page waits for what comes of a call that was approved, and from one look to the next.
const LONGEST: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

/// Longest outcome that is shown, in letters.
const LONGEST_OUTCOME: usize = 2_000;

/// What one person may decide.
struct Decider<'a> {
    sign_in: &'a SignIn,
    person: &'a Person,
    /// As approvals name the grants that this person holds.
    own: HashSet<String>,
}

impl<'a> Decider<'a> {
    async fn new(sign_in: &'a SignIn, person: &'a Person) -> Result<Self, PageProblem> {
        let holder = GrantHolder::Person(person.id.clone());
        let grants = sign_in
            .grants
            .list(Some(holder))
            .await
            .map_err(unavailable)?;
        let own = grants.into_iter().filter(|grant| grant.ended.is_none());
        Ok(Self {
            sign_in,
            person,
            own: own.map(|grant| format!("grant:{}", grant.id)).collect(),
        })
    }

    /// An operator decides about everything; others about calls in locations that are theirs to decide for, and about calls
    /// that wait for nothing but their own choice to be asked first.
    fn may_decide(&self, approval: &Approval) -> bool {
        if is_operator(self.person) || approval.holder_decides && self.own.contains(&approval.who) {
            return true;
        }
        let snapshot = self.sign_in.pipeline.snapshot();
        let mut touched = approval.locations.iter();
        !approval.locations.is_empty()
            && touched.all(|one| {
                let account = snapshot.locations.find(&one.location);
                account.is_some_and(|account| match account.configured.owner() {
                    Some(owner) => owner == self.person.id,
                    None => self.person.may_approve(&one.location),
                })
            })
    }
}

fn store(sign_in: &SignIn) -> Result<&Approvals, PageProblem> {
    let approvals = sign_in.pipeline.controls().approvals.as_ref();
    approvals.ok_or_else(|| {
        PageProblem::new(
            StatusCode::NOT_FOUND,
            "This server keeps no approvals",
            "It keeps nothing beyond its own life, so no call waits here.",
        )
    })
}

/// Those that wait for this person, oldest first.
pub(super) async fn waiting(
    sign_in: &SignIn,
    person: &Person,
) -> Result<Vec<Approval>, PageProblem> {
    let Ok(approvals) = store(sign_in) else {
        return Ok(Vec::new());
    };
    let decider = Decider::new(sign_in, person).await?;
    let mut waiting = approvals.waiting().await.map_err(unavailable)?;
    waiting.retain(|approval| decider.may_decide(approval));
    Ok(waiting)
}

pub(super) async fn list(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap) -> Response {
    let shown = show_list(&sign_in, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_list(sign_in: &SignIn, headers: &HeaderMap) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let waiting = waiting(sign_in, &session.person).await?;
    let mut rows = Vec::new();
    for approval in waiting.iter().take(MOST_APPROVALS) {
        rows.push(row(sign_in, approval).await?);
    }
    let page = ApprovalsPage {
        waiting: &rows,
        unlisted: waiting.len().saturating_sub(MOST_APPROVALS),
    };
    super::frame::show(sign_in, session, page.page()).await
}

async fn row(sign_in: &SignIn, approval: &Approval) -> Result<ApprovalRow, PageProblem> {
    let names: Vec<String> = approval
        .locations
        .iter()
        .map(|one| one.location.clone())
        .collect();
    Ok(ApprovalRow {
        handle: approval.handle.clone(),
        title: title(approval),
        location: super::some(&names),
        who: who(sign_in, approval).await?,
        state: state(approval),
    })
}

pub(super) async fn show(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Response {
    let shown = show_one(&sign_in, &handle, &headers).await;
    sign_in.pages.respond(shown, PageKind::Entry)
}

async fn show_one(
    sign_in: &SignIn,
    handle: &str,
    headers: &HeaderMap,
) -> Result<Response, PageProblem> {
    let visitor = Visitor::find(sign_in, headers).await?;
    let session = visitor.signed_in()?;
    let approval = find(sign_in, handle, &session.person).await?;
    let locations: Vec<(String, usize)> = approval
        .locations
        .iter()
        .map(|one| (one_line(&one.location, 80), one.calls))
        .collect();
    let now = SteadyClock::now();
    let outcome = approval.outcome.as_ref();
    let outcome = outcome.map(|outcome| one_line(outcome, LONGEST_OUTCOME));
    let page = ApprovalPage {
        handle: &approval.handle,
        title: &title(&approval),
        effect: effect(&approval),
        calls: approval.locations.iter().map(|one| one.calls).sum(),
        locations: &locations,
        who: &who(sign_in, &approval).await?,
        asked: &minute(approval.created),
        state: &state(&approval),
        preview: &approval.preview,
        outcome: outcome.as_deref(),
        is_open: approval.state == ApprovalState::Pending && !approval.has_expired(now),
        token: &console_token(sign_in, session)?,
    };
    super::frame::show(sign_in, session, page.page()).await
}

/// Whoever may not decide about it is not told that there is one.
async fn find(sign_in: &SignIn, handle: &str, person: &Person) -> Result<Approval, PageProblem> {
    let found = store(sign_in)?.get(handle).await.map_err(unavailable)?;
    let decider = Decider::new(sign_in, person).await?;
    let found = found.filter(|approval| decider.may_decide(approval));
    found.ok_or_else(|| {
        let problem = PageProblem::new(
            StatusCode::NOT_FOUND,
            "There is no such request for you",
            "It may be somebody else's to decide, or too old: requests are kept for a week.",
        );
        problem.with_link("/console/approvals", "What waits for you")
    })
}

pub(super) async fn decide(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decided = decide_one(&sign_in, &handle, &headers, &body).await;
    sign_in
        .pages
        .respond(decided, PageKind::Console(Part::Approvals))
}

async fn decide_one(
    sign_in: &SignIn,
    handle: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (session, fields) = (&form.session, &form.fields);
    let person = &session.person;
    let approval = find(sign_in, handle, person).await?;
    let approve = match fields.one("decision") {
        "approve" => true,
        "deny" => false,
        _ => {
            return Err(PageProblem::new(
                StatusCode::BAD_REQUEST,
                "Neither yes nor no",
                "Open the request again, and press Approve or Deny.",
            ));
        }
    };
    let note = Some(fields.one("note")).filter(|note| !note.is_empty());
    let approvals = store(sign_in)?;
    let decided = approvals.decide(&approval.handle, approve, &person.name, note);
    match decided.await {
        Ok(decided) => {
            note_decision(sign_in, person, &decided);
            if approve && decided.runs_alone {
                wait_until_done(approvals, handle).await?;
            }
        }
        // Somebody was faster, or it has expired: the page says which.
        Err(error) => tracing::info!(%error, "an approval was not decided"),
    }
    Ok(sign_in
        .pages
        .redirect(&format!("/console/approvals/{}", approval.handle)))
}

fn note_decision(sign_in: &SignIn, person: &Person, decided: &Approval) {
    let word = match decided.state {
        ApprovalState::Denied => "denied",
        _ => "approved",
    };
    drop(sign_in.events.add(NewEvent {
        kind: EventKind::ApprovalDecided,
        actor: Some(person.id.clone()),
        subject: Some(decided.handle.clone()),
        detail: format!("{word}: {}", decided.tool),
    }));
}

/// A running server makes the call; most are over before a page is drawn.
async fn wait_until_done(approvals: &Approvals, handle: &str) -> Result<(), PageProblem> {
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let state = approvals.state(handle).await.map_err(unavailable)?;
        if state.is_none_or(|state| state == ApprovalState::Done) {
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}
