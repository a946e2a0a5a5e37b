//! An approval in the words of its page.

use crate::http::console::minute;
use crate::http::oauth::SignIn;
use crate::http::pages::clean::one_line;
use state::approvals::{Approval, ApprovalState};
use state::clock::SteadyClock;

pub(super) fn state(approval: &Approval) -> String {
    if approval.has_expired(SteadyClock::now()) {
        return "Nobody decided in time. Nothing was done.".to_owned();
    }
    let by = approval.decided_by.as_deref().unwrap_or("somebody");
    let by = one_line(by, 64);
    match approval.state {
        ApprovalState::Pending => format!(
            "It waits until {}. If nobody decides by then, it is not done.",
            minute(approval.expires)
        ),
        ApprovalState::Denied => format!("Denied by {by}. Nothing was done."),
        ApprovalState::Approved if approval.runs_alone => {
            format!("Approved by {by}. It will be done in a moment.")
        }
        ApprovalState::Approved => format!(
            "Approved by {by}. It will be done when the assistant asks again, until {}.",
            minute(approval.expires)
        ),
        ApprovalState::Running => format!("Approved by {by}. It is being done."),
        ApprovalState::Done if approval.is_error => format!("Approved by {by}. It did not work."),
        ApprovalState::Done => format!("Approved by {by}. It was done."),
        ApprovalState::Expired => "Nobody decided in time. Nothing was done.".to_owned(),
    }
}

/// The word of a state that may change by itself; `None` for a final one.
pub(super) fn watched(approval: &Approval) -> Option<&'static str> {
    if approval.has_expired(SteadyClock::now()) {
        return None;
    }
    match approval.state {
        ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Running => {
            Some(approval.state.name())
        }
        ApprovalState::Denied | ApprovalState::Done | ApprovalState::Expired => None,
    }
}

/// A location's name with its alias, if the server knows the name.
pub(super) fn location_name(sign_in: &SignIn, alias: &str) -> String {
    let snapshot = sign_in.pipeline.snapshot();
    let name = snapshot
        .locations
        .find(alias)
        .map(|account| &account.configured.name);
    match name.filter(|name| !name.is_empty() && *name != alias) {
        Some(name) => format!("{} ({})", one_line(name, 60), one_line(alias, 60)),
        None => one_line(alias, 60),
    }
}
