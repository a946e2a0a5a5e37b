//! An approval in the words of its page.

use crate::catalog::TOOLS;
use crate::http::console::minute;
use crate::http::oauth::SignIn;
use crate::http::oauth::visitor::unavailable;
use crate::http::pages::clean::one_line;
use crate::http::pages::notice::PageProblem;
use state::approvals::{Approval, ApprovalState};
use state::clock::SteadyClock;
use state::grants::GrantHolder;

/// What the operation is called.
pub(super) fn title(approval: &Approval) -> String {
    let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
    tool.map_or_else(
        || one_line(&approval.tool, 80),
        |tool| tool.title.to_owned(),
    )
}

pub(super) fn effect(approval: &Approval) -> &'static str {
    match approval.effect.as_str() {
        "read" => "Reads",
        "write" => "Changes a record",
        "send" => "Sends something to people",
        "money" => "Moves money, or commits to it",
        "destructive" => "Deletes or ends something",
        _ => "Something that this page has no word for",
    }
}

/// The client that asks, and for whom; as the audit has it where that is no more.
pub(super) async fn who(sign_in: &SignIn, approval: &Approval) -> Result<String, PageProblem> {
    let (kind, id) = approval.who.split_once(':').unwrap_or_default();
    let controls = sign_in.pipeline.controls();
    let key_name = |id: &str| {
        let key = controls.keys.valid(id)?;
        Some(format!("access key {}", one_line(&key.name, 64)))
    };
    let name = match kind {
        "key" => key_name(id),
        "credential" => Some("a program with a token or key of its own".to_owned()),
        "grant" => sign_in
            .grants
            .get(id)
            .await
            .map_err(unavailable)?
            .map(|grant| {
                let client = one_line(&grant.client_name, 60);
                let holder = match &grant.holder {
                    GrantHolder::Key(id) => key_name(id),
                    GrantHolder::Person(id) => {
                        let person = sign_in.people.find(id).ok().flatten();
                        person.map(|person| one_line(&person.name, 64))
                    }
                };
                match holder {
                    Some(holder) => format!("{client}, for {holder}"),
                    None => client,
                }
            }),
        _ => None,
    };
    Ok(name.unwrap_or_else(|| one_line(&approval.who, 80)))
}

pub(super) fn state(approval: &Approval) -> String {
    if approval.has_expired(SteadyClock::now()) {
        return "Nobody decided in time. Nothing was done.".to_owned();
    }
    let by = approval.decided_by.as_deref().unwrap_or("somebody");
    let by = one_line(by, 64);
    match approval.state {
        ApprovalState::Pending => format!("It waits until {}.", minute(approval.expires)),
        ApprovalState::Denied => format!("Denied by {by}. Nothing was done."),
        ApprovalState::Approved if approval.runs_alone => {
            format!("Approved by {by}. It is about to be done.")
        }
        ApprovalState::Approved => format!(
            "Approved by {by}. It is done as soon as the assistant asks again, until {}.",
            minute(approval.expires)
        ),
        ApprovalState::Running => format!("Approved by {by}. It is being done."),
        ApprovalState::Done if approval.is_error => format!("Approved by {by}. It did not work."),
        ApprovalState::Done => format!("Approved by {by}. It was done."),
        ApprovalState::Expired => "Nobody decided in time. Nothing was done.".to_owned(),
    }
}
