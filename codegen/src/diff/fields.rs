//! The fields of a schema by path, and their changes for callers who fill them in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Mark;

/// Deepest compared nesting: no document has a deeper field.
const DEEPEST: usize = 12;

/// Fields by path, such as `customFields[].id`.
pub(super) type Fields = BTreeMap<String, Field>;

/// The accepted values of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// Path of its object; none for an argument.
    holder: Option<String>,
    /// Types; empty if anything is accepted.
    kinds: BTreeSet<String>,
    pub required: bool,
    /// The only accepted values, as JSON.
    values: Option<BTreeSet<String>>,
}

impl Field {
    fn has_holder(&self, fields: &Fields) -> bool {
        let holder = self.holder.as_ref();
        holder.is_none_or(|holder| fields.contains_key(holder))
    }
}

/// Adds the argument `path` of the lowered `schema`, and every field inside it. Branches of a schema are not compared:
/// in ten imports, two lines of 1,476 came from them.
pub(super) fn collect(schema: &Value, path: &str, required: bool, fields: &mut Fields) {
    walk(schema, path, (None, required), 0, fields);
}

fn walk(
    schema: &Value,
    path: &str,
    (holder, required): (Option<&str>, bool),
    depth: usize,
    fields: &mut Fields,
) {
    let kinds = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let values = schema["enum"].as_array();
    let field = Field {
        holder: holder.map(str::to_owned),
        kinds: kinds.into_iter().map(str::to_owned).collect(),
        required,
        values: values.map(|values| values.iter().map(Value::to_string).collect()),
    };
    fields.insert(path.to_owned(), field);
    if depth == DEEPEST {
        return;
    }
    let needed = schema["required"].as_array();
    let is_needed = |name: &str| needed.is_some_and(|names| names.iter().any(|one| one == name));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = (Some(path), is_needed(name));
        walk(
            property,
            &format!("{path}.{name}"),
            place,
            depth + 1,
            fields,
        );
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        let place = (Some(path), false);
        walk(items, &format!("{path}[]"), place, depth + 1, fields);
    }
}

/// Reports the changes from `old` to `new`. If a field was added or removed, the fields inside it are not reported.
pub(super) fn compare(old: &Fields, new: &Fields, tell: &mut impl FnMut(Mark, String)) {
    for (path, field) in new {
        match old.get(path) {
            Some(before) => compare_field(path, before, field, tell),
            None if !field.has_holder(old) => {}
            None if field.required => {
                tell(Mark::Breaks, format!("argument {path} added, required"));
            }
            None => tell(Mark::Tells, format!("argument {path} added")),
        }
    }
    for (path, field) in old {
        if !new.contains_key(path) && field.has_holder(new) {
            let renamed = new_name(path, old, new);
            let hint = renamed.map(|name| format!("; {name} may be its new name"));
            let hint = hint.unwrap_or_default();
            tell(Mark::Breaks, format!("argument {path} removed{hint}"));
        }
    }
}

/// Removed fields, each with its probable new name.
pub(super) fn new_names<'a>(
    old: &'a Fields,
    new: &'a Fields,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    gone.filter_map(|path| Some((path.as_str(), new_name(path, old, new)?)))
}

/// The added field that probably replaces `path`: of the same types, the only one beside it, and not the replacement of
/// another.
fn new_name<'a>(path: &str, old: &Fields, new: &'a Fields) -> Option<&'a str> {
    let went = old.get(path)?;
    let is_like = |field: &Field| field.holder == went.holder && field.kinds == went.kinds;
    let mut came = new
        .iter()
        .filter(|(path, field)| !old.contains_key(*path) && is_like(field));
    let gone = old
        .iter()
        .filter(|(path, field)| !new.contains_key(*path) && is_like(field));
    let name = came.next().map(|(path, _)| path.as_str());
    name.filter(|_| came.next().is_none() && gone.count() == 1)
}

fn compare_field(path: &str, old: &Field, new: &Field, tell: &mut impl FnMut(Mark, String)) {
    let mut argument = |breaks: bool, what: String| {
        let mark = if breaks { Mark::Breaks } else { Mark::Tells };
        tell(mark, format!("argument {path} {what}"));
    };
    if old.kinds != new.kinds {
        let narrower = !new.kinds.is_empty()
            && (old.kinds.is_empty() || !old.kinds.iter().all(|kind| takes(&new.kinds, kind)));
        let (old, new) = (words(&old.kinds), words(&new.kinds));
        argument(narrower, format!("retyped from {old} to {new}"));
    }
    match (old.required, new.required) {
        (false, true) => argument(true, "newly required".to_owned()),
        (true, false) => argument(false, "no longer required".to_owned()),
        _ => {}
    }
    match (&old.values, &new.values) {
        (None, Some(new)) => argument(true, format!("takes only {}", joined(new))),
        (Some(_), None) => argument(false, "takes any value now".to_owned()),
        (Some(old), Some(new)) => {
            let gone: BTreeSet<_> = old.difference(new).cloned().collect();
            if !gone.is_empty() {
                argument(true, format!("no longer takes {}", joined(&gone)));
            }
            let come: BTreeSet<_> = new.difference(old).cloned().collect();
            if !come.is_empty() {
                argument(false, format!("takes {} too", joined(&come)));
            }
        }
        (None, None) => {}
    }
}

/// Whether `kinds` accept values of `kind`: an integer is a number.
fn takes(kinds: &BTreeSet<String>, kind: &str) -> bool {
    kinds.contains(kind) || (kind == "integer" && kinds.contains("number"))
}

fn words(kinds: &BTreeSet<String>) -> String {
    if kinds.is_empty() {
        return "any type".to_owned();
    }
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    kinds.join(" or ")
}

fn joined(values: &BTreeSet<String>) -> String {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.join(", ")
}
