//! An approval in the words of its page.

use maud::{Markup, html};

use crate::call::describe_effect;
use crate::catalog::TOOLS;
use crate::http::oauth::SignIn;
use crate::http::pages::clean::one_line;
use crate::http::pages::moment::Moment;
use state::approvals::{Approval, ApprovalState};
use state::clock::SteadyClock;

/// In characters: a description begins with what matters.
const LONGEST_DESCRIPTION: usize = 300;

pub(super) fn state(approval: &Approval) -> Markup {
    const TOO_LATE: &str = "Nobody decided in time. Nothing was done.";
    if approval.has_expired(SteadyClock::now()) {
        return html! { (TOO_LATE) };
    }
    let by = approval.decided_by.as_deref().unwrap_or("somebody");
    let by = one_line(by, 64);
    let until = Moment(approval.expires);
    html! {
        @match approval.state {
            ApprovalState::Pending => { "It waits until " (until) ". If nobody decides by then, it is not done." }
            ApprovalState::Denied => { "Denied by " (by) ". Nothing was done." }
            ApprovalState::Approved if approval.runs_alone => { "Approved by " (by) ". It will be done in a moment." }
            ApprovalState::Approved => {
                "Approved by " (by) ". It will be done when the assistant asks again, until " (until) "."
            }
            ApprovalState::Running => { "Approved by " (by) ". It is being done." }
            ApprovalState::Done if approval.is_error => { "Approved by " (by) ". It did not work." }
            ApprovalState::Done => { "Approved by " (by) ". It was done." }
            ApprovalState::Expired => (TOO_LATE),
        }
    }
}

/// The effect of the call, and what its operation does.
pub(super) fn what_it_does(approval: &Approval) -> String {
    let effect = describe_effect(&approval.effect);
    let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
    match tool {
        Some(tool) => format!(
            "{effect}. {}",
            one_line(tool.description, LONGEST_DESCRIPTION)
        ),
        None => effect.to_owned(),
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
