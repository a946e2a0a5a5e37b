//! A decision about a waiting call: yes, no, or no with an end of the connection that sent it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::time::{Instant, sleep};

use super::decider::{Asker, Decider};
use super::find;
use super::waiting::store;
use crate::http::console::frame;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::{ConsoleForm, unavailable};
use crate::http::pages::Part;
use crate::http::pages::notice::PageProblem;
use state::approvals::{Approval, ApprovalState, Approvals};
use state::events::{EventKind, NewEvent};
use state::people::Person;

/// How long a page waits for the result of an approved call, and the interval of its look-ups.
const LONGEST: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApprovalDecision {
    Approve,
    Deny,
    DenyAndEnd,
}

impl ApprovalDecision {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "approve" => Some(Self::Approve),
            "deny" => Some(Self::Deny),
            "end" => Some(Self::DenyAndEnd),
            _ => None,
        }
    }

    /// Whether the state agrees with this decision.
    fn is_kept(self, state: ApprovalState) -> bool {
        let is_denied = state == ApprovalState::Denied;
        is_denied == (self != Self::Approve) && state != ApprovalState::Expired
    }
}

pub(in crate::http::console) async fn decide(
    State(sign_in): State<Arc<SignIn>>,
    Path(handle): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decided = decide_one(&sign_in, &handle, &headers, &body).await;
    frame::respond(&sign_in, &headers, decided, Part::Approvals).await
}

async fn decide_one(
    sign_in: &SignIn,
    handle: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, PageProblem> {
    let form = ConsoleForm::read(sign_in, headers, body).await?;
    let (person, fields) = (&form.session.person, &form.fields);
    let decider = Decider::new(sign_in, person).await?;
    let approval = find(sign_in, handle, &decider).await?;
    let decision = ApprovalDecision::parse(fields.one("decision")).ok_or_else(neither)?;
    let asker = match decision {
        ApprovalDecision::DenyAndEnd => Some(decider.may_end(&approval).ok_or_else(not_yours)?),
        _ => None,
    };
    let note = Some(fields.one("note")).filter(|note| !note.is_empty());
    let approvals = store(sign_in)?;
    let approve = decision == ApprovalDecision::Approve;
    let decided = approvals.decide(&approval.handle, approve, &person.name, note);
    let now = match decided.await {
        Ok(decided) => {
            note_decision(sign_in, person, &decided);
            decided
        }
        // Somebody else was faster, or it has expired: the page says which.
        Err(error) if error.is_request() => {
            tracing::info!(%error, "an approval was not decided");
            find(sign_in, handle, &decider).await?
        }
        Err(error) => return Err(unavailable(error)),
    };
    let is_kept = decision.is_kept(now.state);
    if let Some(asker) = asker.filter(|_| is_kept) {
        end(sign_in, person, (asker, &now)).await?;
    }
    if approve && is_kept && now.runs_alone {
        wait_until_done(approvals, handle).await?;
    }
    let late = if is_kept { "" } else { "?late" };
    let path = format!("/console/approvals/{}{late}", approval.handle);
    Ok(sign_in.pages.redirect(&path))
}

fn neither() -> PageProblem {
    PageProblem::new(
        StatusCode::BAD_REQUEST,
        "No decision was made",
        "Open the request again and press Approve or Deny.",
    )
}

fn not_yours() -> PageProblem {
    PageProblem::new(
        StatusCode::FORBIDDEN,
        "You cannot end this connection",
        "Nothing was done. You may deny the request. Only the person who made the connection, or the operator of this \
         server, can end the connection.",
    )
}

/// Ends the source of the call, and denies its other waiting calls: no client is left to get an answer.
async fn end(
    sign_in: &SignIn,
    person: &Person,
    (asker, denied): (Asker<'_>, &Approval),
) -> Result<(), PageProblem> {
    asker.end(sign_in, person).await?;
    let approvals = store(sign_in)?;
    let others = approvals.deny_all(&denied.who, &person.name);
    for other in others.await.map_err(unavailable)? {
        note_decision(sign_in, person, &other);
    }
    Ok(())
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

/// A running server makes the call. Most calls end before a page is drawn.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_decision_is_not_reported_as_late() {
        use ApprovalState::{Approved, Denied, Done, Expired, Running};
        for state in [Approved, Denied, Done, Expired, Running] {
            let is_yes = matches!(state, Approved | Done | Running);
            assert_eq!(
                ApprovalDecision::Approve.is_kept(state),
                is_yes,
                "{state:?}"
            );
            for no in [ApprovalDecision::Deny, ApprovalDecision::DenyAndEnd] {
                assert_eq!(no.is_kept(state), state == Denied, "{state:?}");
            }
        }
    }
}
