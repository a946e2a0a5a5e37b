//! Tools that are the same operation under an older and a newer route: each gets the names of the others.

use std::collections::BTreeMap;

use crate::error::Problem;
use crate::model::lower::LoweredOperation;
use crate::model::operation::Operation;

/// The ending of an older route's tool beside the newer one.
const OLDER: &str = "-deprecated";

/// Joins `twin` in both directions. Unlisted tools are left out, but checked.
pub(crate) fn join(operations: &mut [LoweredOperation]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut joined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let by_tool: BTreeMap<&str, &Operation> = operations
        .iter()
        .map(|lowered| (lowered.operation.tool.as_str(), &lowered.operation))
        .collect();
    for operation in by_tool.values() {
        let tool = &operation.tool;
        let mut problem = |what: String, remedy: &str| {
            let place = format!("{tool} twin");
            problems.push(Problem::in_document(
                &operation.document,
                place,
                what,
                remedy,
            ));
        };
        let newer = tool
            .strip_suffix(OLDER)
            .filter(|name| by_tool.contains_key(name));
        if let (Some(newer), true) = (newer, operation.twins.is_empty()) {
            let what = format!("is missing, although {newer} is the same operation");
            problem(what, &format!("give it twin = {newer:?}"));
        }
        for twin in &operation.twins {
            match by_tool.get(twin.as_str()) {
                Some(other) if other.tool != *tool => {
                    if let Some(differs) = difference(operation, other) {
                        let what = format!("{twin} differs in {differs}");
                        problem(
                            what,
                            "review both in the same way, because rules apply to both",
                        );
                    }
                    if is_listed(operation) && is_listed(other) {
                        joined.entry(tool.clone()).or_default().push(twin.clone());
                        joined.entry(twin.clone()).or_default().push(tool.clone());
                    }
                }
                _ => problem(
                    format!("{twin} is not another operation"),
                    "correct the name, or remove it",
                ),
            }
        }
    }
    for lowered in operations {
        let mut twins = joined.remove(&lowered.operation.tool).unwrap_or_default();
        twins.sort();
        twins.dedup();
        lowered.operation.twins = twins;
    }
    problems
}

fn is_listed(operation: &Operation) -> bool {
    !operation.toolsets.is_empty()
}

/// The difference between the reviews of two tools that are one operation.
fn difference(one: &Operation, other: &Operation) -> Option<&'static str> {
    match () {
        () if one.effect != other.effect => Some("effect"),
        () if one.bulk != other.bulk => Some("bulk"),
        () if one.asks_person != other.asks_person => Some("confirm"),
        () => None,
    }
}
