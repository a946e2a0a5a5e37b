//! Describes a waiting call in words, for the person who decides.

use state::approvals::Approval;

use super::strangers::visible;
use crate::catalog::TOOLS;

/// Longest name that is shown, in letters.
const LONGEST: usize = 80;

/// What the operation is called.
pub(crate) fn operation_title(approval: &Approval) -> String {
    let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
    tool.map_or_else(|| short_name(&approval.tool), |tool| tool.title.to_owned())
}

/// What such a call does: sends something, costs money, deletes.
pub(crate) fn describe_effect(effect: &str) -> &'static str {
    match effect {
        "read" => "Reads",
        "write" => "Changes a record",
        "send" => "Sends something to people",
        "money" => "Moves money, or commits to it",
        "destructive" => "Deletes or ends something",
        _ => "Something that this page has no word for",
    }
}

/// A name that others chose: on one line, without what nobody sees, and cut where it is long.
pub(super) fn short_name(name: &str) -> String {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(LONGEST).collect();
    visible(&cut).into_owned()
}
