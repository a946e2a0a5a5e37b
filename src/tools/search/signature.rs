//! An operation's arguments in one line, as TypeScript would say it.

use serde_json::Value;

use crate::runtime::tool::{Role, Rule, Tool};

/// Most arguments in a signature; the others are counted.
const MOST_ARGUMENTS: usize = 7;

/// Longest enum that is written out.
const LONGEST_ENUM: usize = 5;

/// Most returned fields that are named.
pub const MOST_RETURNED: usize = 30;

/// `(contactId, limit?: number, …3)`: what has no type is a text. What the connection fills in is left out.
pub fn signature(tool: &Tool) -> String {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    let required = |name: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.into_iter().any(|one| one == name)
    };
    let is_filled = |name: &str| {
        tool.arguments.iter().any(|argument| {
            argument.name == name
                && matches!(
                    argument.role,
                    Role::Location(Rule::Fill) | Role::Company(Rule::Fill)
                )
        })
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let (needed, optional): (Vec<_>, Vec<_>) = properties
        .filter(|(name, _)| !is_filled(name))
        .partition(|(name, _)| required(name));
    // What must be given is never left out.
    let room = MOST_ARGUMENTS.saturating_sub(needed.len());
    let left = optional.len().saturating_sub(room);
    let needed = needed
        .iter()
        .map(|(name, schema)| argument(name, "", schema));
    let optional = optional.iter().take(room);
    let optional = optional.map(|(name, schema)| argument(name, "?", schema));
    let mut parts: Vec<String> = needed.chain(optional).collect();
    if left > 0 {
        parts.push(format!("…{left}"));
    }
    format!("({})", parts.join(", "))
}

/// Every argument with its text, enums and the fields inside it: `{contactId, tags?: string[] /* … */}`.
pub fn arguments(tool: &Tool) -> String {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
    object(&schema)
}

fn object(schema: &Value) -> String {
    let is_needed = |name: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.into_iter().any(|one| one == name)
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let fields: Vec<String> = properties
        .map(|(name, property)| {
            let optional = if is_needed(name) { "" } else { "?" };
            let kind = match written(property).as_str() {
                "string" => String::new(),
                kind => format!(": {kind}"),
            };
            let text = property["description"].as_str();
            let text = text
                .map(|text| format!(" /* {text} */"))
                .unwrap_or_default();
            format!("{name}{optional}{kind}{text}")
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}

fn written(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join("|");
    }
    if schema["properties"].is_object() {
        return object(schema);
    }
    if schema["type"] == "array" && schema["items"].is_object() {
        return format!("{}[]", written(&schema["items"]));
    }
    kind(schema)
}

fn argument(name: &str, optional: &str, schema: &Value) -> String {
    match kind(schema).as_str() {
        "string" => format!("{name}{optional}"),
        kind => format!("{name}{optional}: {kind}"),
    }
}

fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array()
        && values.len() <= LONGEST_ENUM
    {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join("|");
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
