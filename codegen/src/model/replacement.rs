//! The replacement of an operation that HighLevel retires: its table's `replaced_by`, or its newer route.

use std::collections::BTreeMap;

use crate::error::Problem;
use crate::model::lower::LoweredOperation;

/// Fills in the newer route of a retired operation if there is one, and checks the tables' replacements. Runs after
/// `twins::join`.
pub(crate) fn join(operations: &mut [LoweredOperation]) -> Vec<Problem> {
    let is_retired: BTreeMap<String, bool> = operations
        .iter()
        .map(|lowered| &lowered.operation)
        .map(|operation| (operation.tool.clone(), operation.deprecated))
        .collect();
    let is_current = |name: &String| is_retired.get(name) == Some(&false);
    let mut problems = Vec::new();
    for lowered in operations {
        let operation = &mut lowered.operation;
        let mut problem = |what: &str, remedy: &str| {
            let place = format!("{} replaced_by", operation.tool);
            problems.push(Problem::in_document(
                &operation.document,
                place,
                what,
                remedy,
            ));
        };
        match &operation.replaced_by {
            Some(_) if !operation.deprecated => problem(
                "is given for an operation that HighLevel does not retire",
                "remove it",
            ),
            Some(name) if !is_current(name) => problem(
                "names no operation, or one that HighLevel retires too",
                "correct the name, or remove it",
            ),
            Some(_) => {}
            None if operation.deprecated => {
                operation.replaced_by = operation
                    .twins
                    .iter()
                    .find(|name| is_current(name))
                    .cloned();
            }
            None => {}
        }
    }
    problems
}
