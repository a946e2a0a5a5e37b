//! The argument of ours that names the values to empty.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::names;
use super::schema::Schema;
use tool::Tool;

/// Its name, unless the tool itself has an argument of that name.
pub(super) const CLEAR: &str = "clear";

/// Removes `clear` from the given arguments. Returns the arguments of `tool` to be emptied, each
/// once.
pub(super) fn take(
    tool: &Tool,
    schema: &Schema,
    given: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) -> Vec<&'static str> {
    if tool.arguments.iter().any(|argument| argument.name == CLEAR) {
        return Vec::new();
    }
    let mut cleared: Vec<&'static str> = Vec::new();
    for name in listed(given.remove(CLEAR), problems) {
        let argument = names::find(tool, &name);
        let is_clearable = |name: &str| schema.clearable.iter().any(|one| one == name);
        match argument.filter(|argument| is_clearable(argument.name)) {
            Some(argument) if !cleared.contains(&argument.name) => cleared.push(argument.name),
            Some(_) => {}
            None => {
                let shown: String = name.chars().take(64).collect();
                let rest = match schema.clearable.as_slice() {
                    [] => "nothing of this tool can be emptied".to_owned(),
                    several => format!("these can be emptied: {}", several.join(", ")),
                };
                problems.add(format!("clear names {shown}, but {rest}"));
            }
        }
    }
    cleared
}

/// Sets each of these arguments to null.
pub(super) fn apply(
    cleared: &[&'static str],
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    for name in cleared {
        match values.get(*name) {
            Some(value) => problems.add(format!(
                "{name} is given as {} and named in clear; do one of both",
                excerpt(value)
            )),
            None => drop(values.insert((*name).to_owned(), Value::Null)),
        }
    }
}

fn listed(given: Option<Value>, problems: &mut ArgumentProblems) -> Vec<String> {
    let given = match given {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::String(text)) if text.is_empty() => return Vec::new(),
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(list @ Value::Array(_)) => list,
            _ => Value::String(text),
        },
        Some(value) => value,
    };
    let names = match &given {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    names.unwrap_or_else(|| {
        let given = excerpt(&given);
        problems.add(format!(
            "clear must be a list of names, such as [\"email\"], not {given}"
        ));
        Vec::new()
    })
}
