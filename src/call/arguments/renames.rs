//! Renames fields inside the body that callers know by another version's name or an answer's.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use tool::{Rename, Tool};

/// Applies the tool's renames; a field given under two names is a problem.
pub(super) fn apply(tool: &Tool, values: &mut Map<String, Value>, problems: &mut ArgumentProblems) {
    for rename in tool.renames {
        let Some((first, rest)) = rename.within.split_first() else {
            continue;
        };
        if let Some(holder) = values.get_mut(*first) {
            descend(rename, rest, holder, first, problems);
        }
    }
}

fn descend(
    rename: &Rename,
    within: &[&str],
    holder: &mut Value,
    path: &str,
    problems: &mut ArgumentProblems,
) {
    match (within.split_first(), holder) {
        (None, Value::Object(object)) => rename_in(rename, object, path, problems),
        (Some((&"[]", rest)), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                descend(rename, rest, item, &format!("{path}[{index}]"), problems);
            }
        }
        (Some((name, rest)), Value::Object(object)) => {
            if let Some(inner) = object.get_mut(*name) {
                descend(rename, rest, inner, &format!("{path}.{name}"), problems);
            }
        }
        _ => {}
    }
}

fn rename_in(
    rename: &Rename,
    object: &mut Map<String, Value>,
    path: &str,
    problems: &mut ArgumentProblems,
) {
    let Rename { from, to, .. } = rename;
    if !object.contains_key(*from) {
        return;
    }
    if object.contains_key(*to) {
        problems.add(format!(
            "{path} gives both {from} and {to}, which are one field"
        ));
        return;
    }
    let renamed = std::mem::take(object).into_iter().map(|(name, value)| {
        let name = if name == *from {
            (*to).to_owned()
        } else {
            name
        };
        (name, value)
    });
    *object = renamed.collect();
}
