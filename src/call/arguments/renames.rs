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
    // Keys that differ in case alone, such as those of channels, are meant in any case.
    let is_any_case = from.eq_ignore_ascii_case(to);
    let is_meant =
        |name: &str| name == *from || is_any_case && name != *to && name.eq_ignore_ascii_case(from);
    let meant = object.keys().filter(|name| is_meant(name)).cloned();
    let meant = Vec::from_iter(meant);
    let Some(first) = meant.first() else {
        return;
    };
    let other = if object.contains_key(*to) {
        Some(*to)
    } else {
        meant.get(1).map(String::as_str)
    };
    if let Some(other) = other {
        problems.add(format!(
            "{path} gives both {first} and {other}, which are one field"
        ));
        return;
    }
    let renamed = std::mem::take(object).into_iter().map(|(name, value)| {
        let name = if name == *first {
            (*to).to_owned()
        } else {
            name
        };
        (name, value)
    });
    *object = renamed.collect();
}
