//! The fields of a schema by path, and what changed of them for those who fill them in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Mark;
use crate::model::schema::FILE;

/// Steps into a field beyond which nothing is compared: no document has a field that deep.
const DEEPEST: usize = 12;

/// Keywords that bound a value, and whether a greater bound lets less pass; `None` where neither does.
const BOUNDS: [(&str, Option<bool>); 12] = [
    ("minimum", Some(true)),
    ("exclusiveMinimum", Some(true)),
    ("minLength", Some(true)),
    ("minItems", Some(true)),
    ("minProperties", Some(true)),
    ("maximum", Some(false)),
    ("exclusiveMaximum", Some(false)),
    ("maxLength", Some(false)),
    ("maxItems", Some(false)),
    ("maxProperties", Some(false)),
    ("multipleOf", None),
    ("pattern", None),
];

/// Fields by path, such as `customFields[].id`.
pub(super) type Fields = BTreeMap<String, Field>;

/// What a field takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// Path of what holds it; an argument is held by nothing.
    holder: Option<String>,
    /// Types; none where anything is taken.
    kinds: BTreeSet<String>,
    pub required: bool,
    /// The only values taken, as JSON.
    values: Option<BTreeSet<String>>,
    bounds: BTreeMap<&'static str, Value>,
}

impl Field {
    fn has_holder(&self, fields: &Fields) -> bool {
        let holder = self.holder.as_ref();
        holder.is_none_or(|holder| fields.contains_key(holder))
    }
}

/// Adds the argument `path` of the lowered `schema`, and every field inside it.
pub(super) fn collect(schema: &Value, path: &str, required: bool, fields: &mut Fields) {
    walk(schema, path, (None, required), 0, fields);
}

/// The types that `schema` takes, in words.
pub(super) fn types(schema: &Value) -> String {
    let mut fields = Fields::new();
    walk(schema, "", (None, false), DEEPEST, &mut fields);
    fields
        .remove("")
        .map_or_else(String::new, |field| words(&field.kinds))
}

fn walk(
    schema: &Value,
    path: &str,
    (holder, required): (Option<&str>, bool),
    depth: usize,
    fields: &mut Fields,
) {
    let mut field = Field {
        holder: holder.map(str::to_owned),
        required,
        ..Field::default()
    };
    if schema.get(FILE).is_some() {
        field.kinds.insert("file".to_owned());
        fields.insert(path.to_owned(), field);
        return;
    }
    match &schema["type"] {
        Value::String(name) => drop(field.kinds.insert(name.clone())),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).map(str::to_owned);
            field.kinds.extend(names);
        }
        _ => {}
    }
    let values = schema["enum"].as_array();
    field.values = values.map(|values| values.iter().map(Value::to_string).collect());
    for (bound, _) in BOUNDS {
        if let Some(value) = schema.get(bound) {
            field.bounds.insert(bound, value.clone());
        }
    }
    fields.insert(path.to_owned(), field);
    if depth < DEEPEST {
        inside(schema, path, depth, fields);
    }
    let mut branch = |branch: &Value| {
        let mut inner = Fields::new();
        walk(branch, path, (holder, required), depth, &mut inner);
        inner
    };
    branches(schema, &mut branch, fields);
}

fn inside(schema: &Value, path: &str, depth: usize, fields: &mut Fields) {
    let needed = schema["required"].as_array();
    let is_needed = |name: &str| needed.is_some_and(|names| names.iter().any(|one| one == name));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let inner = format!("{path}.{name}");
        let place = (Some(path), is_needed(name));
        walk(property, &inner, place, depth + 1, fields);
    }
    for (key, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            let place = (Some(path), false);
            walk(inner, &format!("{path}{step}"), place, depth + 1, fields);
        }
    }
}

/// Of `anyOf` one branch is enough, `allOf` wants every one.
fn branches(schema: &Value, of: &mut impl FnMut(&Value) -> Fields, fields: &mut Fields) {
    let mut any: Option<Fields> = None;
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        let branch = of(branch);
        match &mut any {
            Some(any) => either(any, branch),
            None => any = Some(branch),
        }
    }
    if let Some(any) = any {
        both(fields, any);
    }
    for branch in schema["allOf"].as_array().into_iter().flatten() {
        both(fields, of(branch));
    }
}

fn either(fields: &mut Fields, other: Fields) {
    for (path, field) in fields.iter_mut() {
        field.required &= other.get(path).is_some_and(|other| other.required);
    }
    for (path, other) in other {
        let Some(field) = fields.get_mut(&path) else {
            let required = false;
            fields.insert(path, Field { required, ..other });
            continue;
        };
        if other.kinds.is_empty() || field.kinds.is_empty() {
            field.kinds.clear();
        } else {
            field.kinds.extend(other.kinds);
        }
        field.values = match (field.values.take(), other.values) {
            (Some(own), Some(other)) => Some(own.union(&other).cloned().collect()),
            _ => None,
        };
        field
            .bounds
            .retain(|bound, value| other.bounds.get(bound) == Some(value));
    }
}

fn both(fields: &mut Fields, other: Fields) {
    for (path, other) in other {
        let field = fields.entry(path).or_default();
        field.kinds.extend(other.kinds);
        field.required |= other.required;
        field.values = match (field.values.take(), other.values) {
            (Some(own), Some(other)) => Some(own.intersection(&other).cloned().collect()),
            (own, other) => own.or(other),
        };
        field.bounds.extend(other.bounds);
    }
}

/// Tells what changed from `old` to `new`. Of a field that came or went, those inside it are not told.
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
            tell(Mark::Breaks, format!("argument {path} removed"));
        }
    }
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
    for (bound, more_is_less) in BOUNDS {
        let (before, now) = (old.bounds.get(bound), new.bounds.get(bound));
        match (before, now) {
            (before, now) if before == now => {}
            (_, None) => argument(false, format!("has no {bound} any more")),
            (None, Some(now)) => argument(true, format!("has {bound} {now} now")),
            (Some(before), Some(now)) => {
                let grows = now.as_f64() > before.as_f64();
                let breaks = more_is_less.is_none_or(|more| more == grows);
                argument(breaks, format!("has {bound} {now}, before {before}"));
            }
        }
    }
}

/// Whether values of `kind` are among `kinds`: a whole number is a number.
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
