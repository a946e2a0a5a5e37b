//! Arguments that HighLevel renamed: what their tables are called now, and texts that stay behind.

use crate::annotations::OperationAnnotations;
use crate::model::operation::Operation;
use tool::{first_names, nearest};

/// What to do with the table of `stranger`, which the operation does not have: of its arguments without a table the
/// nearest by name, or the only one, may be what it is called now.
pub(super) fn remedy_of_stranger(
    operation: &Operation,
    known: &OperationAnnotations,
    stranger: &str,
) -> String {
    let arguments = operation.arguments.iter().map(|one| one.wire_name.as_str());
    let without_table: Vec<&str> = arguments
        .filter(|name| !known.arguments.contains_key(*name))
        .collect();
    let near = nearest(stranger, without_table.iter().map(|name| (*name, *name)));
    let only = match without_table.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let id = &operation.operation_id;
    match near.or(only) {
        Some(name) => format!(
            "{name} has no table: where that is its new name, call the table [{id}.arguments.{name}] and give it name = {stranger:?}, \
             which keeps it for callers; else remove the table"
        ),
        None if without_table.is_empty() => "correct the name or remove the table".to_owned(),
        None => format!(
            "correct the name or remove the table; no table speaks of {}",
            first_names(without_table)
        ),
    }
}

/// Arguments that bear the name of another table by `name`, and have no text where that one has: the table's key, and
/// that of the other.
pub(super) fn texts_left_behind(known: &OperationAnnotations) -> Vec<(String, String)> {
    let mut lost = Vec::new();
    for (key, told) in &known.arguments {
        let Some(name) = told.name.as_ref().filter(|name| *name != key) else {
            continue;
        };
        let other = known.arguments.get(name);
        if told.text.is_none() && other.is_some_and(|other| other.text.is_some()) {
            lost.push((key.clone(), name.clone()));
        }
    }
    lost
}
