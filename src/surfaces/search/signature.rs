//! An operation's arguments in one line, in the style of TypeScript.

use serde_json::Value;

use super::form::{field, is_required, kind};
use tool::{Role, Rule, Tool};

/// Most arguments in a signature. The others are counted.
const MOST_ARGUMENTS: usize = 7;

/// The least number of optional arguments that are shown, however many are required.
const LEAST_OPTIONAL: usize = 2;

/// `(contactId, limit?: number, …3)`: an argument without a type is a text. Arguments that the connection fills in are
/// left out.
pub(super) fn signature(tool: &Tool) -> String {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let is_filled = |name: &str| {
        tool.arguments.iter().any(|argument| {
            argument.name == name
                && matches!(
                    argument.role,
                    Role::Location(Rule::Fill) | Role::Company(Rule::Fill)
                )
        })
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let (needed, optional): (Vec<_>, Vec<_>) = properties
        .filter(|(name, _)| !is_filled(name))
        .partition(|(name, _)| is_required(&schema, name));
    // Required arguments are never left out.
    let room = MOST_ARGUMENTS.saturating_sub(needed.len());
    let room = room.max(LEAST_OPTIONAL);
    let left = optional.len().saturating_sub(room);
    let needed = needed
        .iter()
        .map(|(name, schema)| field(name, true, &kind(schema)));
    let optional = optional.iter().take(room);
    let optional = optional.map(|(name, schema)| field(name, false, &kind(schema)));
    let mut parts: Vec<String> = needed.chain(optional).collect();
    if left > 0 {
        parts.push(format!("…{left}"));
    }
    format!("({})", parts.join(", "))
}
