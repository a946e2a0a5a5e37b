//! The form of a value by its schema, in the style of TypeScript: its type, its values, the fields inside it.

use serde_json::Value;

/// Longest enum in a signature.
const LONGEST_ENUM: usize = 5;

/// Most values of an enum if an operation is shown in full.
const MOST_VALUES: usize = 12;

/// `name?: type`; texts have no type.
pub(super) fn field(name: &str, is_required: bool, kind: &str) -> String {
    let optional = if is_required { "" } else { "?" };
    match kind {
        "string" => format!("{name}{optional}"),
        kind => format!("{name}{optional}: {kind}"),
    }
}

pub(crate) fn is_required(schema: &Value, name: &str) -> bool {
    let mut names = forms(schema)
        .into_iter()
        .filter_map(|form| form.get("required")?.as_array())
        .flatten();
    names.any(|one| one == name)
}

/// The type of a value, with the fields inside it down to `depth`; `{…}` for deeper ones.
pub(crate) fn type_text(schema: &Value, depth: usize) -> String {
    let forms = forms(schema);
    if let Some(values) = values(&forms) {
        let shown = values.iter().take(MOST_VALUES).map(|value| literal(value));
        let more = (values.len() > MOST_VALUES).then(|| "…".to_owned());
        return shown.chain(more).collect::<Vec<_>>().join("|");
    }
    let fields = fields(schema);
    match (fields.is_empty(), depth.checked_sub(1)) {
        (false, None) => return "{…}".to_owned(),
        (false, Some(depth)) => {
            let fields = fields.into_iter().map(|(name, inner)| {
                let is_required = is_required(schema, name);
                field(name, is_required, &type_text(inner, depth))
            });
            return format!("{{{}}}", Vec::from_iter(fields).join(", "));
        }
        (true, _) => {}
    }
    if let Some(items) = items(schema) {
        let inner = type_text(items, depth);
        return match inner.starts_with('{') || !inner.contains('|') {
            true => format!("{inner}[]"),
            false => format!("({inner})[]"),
        };
    }
    let kinds = forms.iter().map(|form| kind(form));
    let mut kinds: Vec<String> = kinds.filter(|kind| kind != "any").collect();
    kinds.dedup();
    match kinds.is_empty() {
        true => "any".to_owned(),
        false => kinds.join("|"),
    }
}

/// The fields inside a value, or inside each item of a list, in any of its forms.
pub(crate) fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let mut fields: Vec<(&str, &Value)> = Vec::new();
    let known = forms(schema)
        .into_iter()
        .filter_map(|form| form.get("properties")?.as_object())
        .flatten();
    for (name, inner) in known {
        if !fields.iter().any(|(known, _)| known == name) {
            fields.push((name, inner));
        }
    }
    fields
}

/// The schema of a list's items, if the value may be a list.
pub(crate) fn items(schema: &Value) -> Option<&Value> {
    let mut items = forms(schema)
        .into_iter()
        .filter_map(|form| form.get("items"));
    items.find(|items| items.is_object())
}

/// Whether a value is a list, and cannot be a text.
pub(crate) fn is_list(schema: &Value) -> bool {
    let is_text = |form: &&Value| match &form["type"] {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
        kind => kind == "string",
    };
    items(schema).is_some() && !forms(schema).iter().any(is_text)
}

/// The allowed range of a number, if the schema limits it.
pub(super) fn bounds(schema: &Value) -> Option<String> {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => bounds(schema.get("items")?),
    }
}

/// Only the type, for a signature.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array()
        && values.len() <= LONGEST_ENUM
    {
        return values.iter().map(literal).collect::<Vec<_>>().join("|");
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let kinds = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            let kinds: Vec<String> = kinds.map(|kind| one(kind, schema)).collect();
            kinds.join("|")
        }
        Value::String(kind) => one(kind, schema),
        _ => "any".to_owned(),
    }
}

fn one(kind: &str, schema: &Value) -> String {
    match kind {
        "integer" => "number".to_owned(),
        "array" => format!("{}[]", self::kind(&schema["items"])),
        other => other.to_owned(),
    }
}

/// A schema with the branches of its alternatives and its parts, at any depth.
pub(crate) fn forms(schema: &Value) -> Vec<&Value> {
    let mut forms = vec![schema];
    for key in ["allOf", "anyOf"] {
        let branches = schema.get(key).and_then(Value::as_array);
        forms.extend(branches.into_iter().flatten().flat_map(self::forms));
    }
    forms
}

/// The allowed values, if the schema limits them.
pub(crate) fn allowed_values(schema: &Value) -> Vec<&Value> {
    values(&forms(schema)).unwrap_or_default()
}

/// The values of the first enum, without null.
fn values<'s>(forms: &[&'s Value]) -> Option<Vec<&'s Value>> {
    let mut enums = forms.iter().filter_map(|form| form.get("enum")?.as_array());
    let values = enums.next()?.iter().filter(|value| !value.is_null());
    Some(values.collect())
}

/// A value as a literal. It uses apostrophes, because quotes cost a backslash each in an answer.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
