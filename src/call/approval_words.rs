//! Describes a waiting call in words, for the person who decides.

use state::approvals::Approval;

use super::strangers::visible;
use crate::catalog::TOOLS;

/// Longest shown name, in characters.
const LONGEST: usize = 80;

/// The title of the operation.
pub(crate) fn operation_title(approval: &Approval) -> String {
    let tool = TOOLS.iter().find(|tool| tool.name == approval.tool);
    tool.map_or_else(|| short_name(&approval.tool), |tool| tool.title.to_owned())
}

/// The effect of a call, in words: it sends something, costs money, deletes.
pub(crate) fn describe_effect(effect: &str) -> &'static str {
    match effect {
        "read" => "Looks something up",
        "write" => "Changes a record",
        "send" => "Sends something to people",
        "money" => "Moves money, or decides what somebody pays",
        "destructive" => "Deletes or ends something",
        _ => "Another kind of action",
    }
}

/// A name that somebody else chose: on one line, without invisible characters, and cut if long.
pub(super) fn short_name(name: &str) -> String {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(LONGEST).collect();
    visible(&cut).into_owned()
}
