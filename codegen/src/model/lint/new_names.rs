//! Arguments that HighLevel renamed: the new names of their tables, and texts under old names.

use crate::annotations::OperationAnnotations;
use crate::model::operation::Operation;
use tool::{first_names, nearest};

/// The remedy for the table `stranger`, whose argument the operation does not have: of the arguments without a table,
/// the one with the most similar name, or the only one, may be its new name.
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

/// Arguments whose table refers to another table by `name` and lacks a text that the other has: the table's key, and
/// the other's.
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
