//! An operation's arguments in one line, as TypeScript would say it.

use serde_json::Value;

use tool::{Role, Rule, Tool};

/// Most arguments in a signature; the others are counted.
const MOST_ARGUMENTS: usize = 7;

/// Longest enum that is written out.
const LONGEST_ENUM: usize = 5;

/// Most values of an enum, and how deep fields are told, where an operation is told in full.
const MOST_VALUES: usize = 12;
const DEEPEST: usize = 2;

/// In bytes: what is longer tells no fields inside fields.
const LONGEST: usize = 800;

/// Most returned fields that are named.
pub(super) const MOST_RETURNED: usize = 20;

/// `(contactId, limit?: number, …3)`: what has no type is a text. What the connection fills in is left out.
pub(super) fn signature(tool: &Tool) -> String {
    let schema: Value = serde_json::from_str(tool.advertised_schema).unwrap_or_default();
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
        .partition(|(name, _)| is_required(&schema, name));
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
/// What has no type is a text.
pub(super) fn arguments(tool: &Tool) -> String {
    let mut written = arguments_to(tool, DEEPEST);
    for depth in (0..DEEPEST).rev() {
        if written.len() > LONGEST {
            written = arguments_to(tool, depth);
        }
    }
    written
}

fn arguments_to(tool: &Tool, depth: usize) -> String {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (shown, checked) = (parsed(tool.advertised_schema), parsed(tool.check_schema));
    let shown_properties = shown["properties"].as_object().into_iter().flatten();
    let fields: Vec<String> = shown_properties
        .map(|(name, told)| {
            // The list may show less of an argument than there is; what is checked here alone is only there.
            let whole = checked["properties"].get(name).unwrap_or(told);
            let field = field(name, is_required(&shown, name), whole, depth);
            let text = told["description"].as_str();
            let text = text
                .map(|text| format!(" /* {text} */"))
                .unwrap_or_default();
            format!("{field}{text}")
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}

fn field(name: &str, required: bool, schema: &Value, depth: usize) -> String {
    let optional = if required { "" } else { "?" };
    match type_text(schema, depth).as_str() {
        "string" => format!("{name}{optional}"),
        kind => format!("{name}{optional}: {kind}"),
    }
}

fn type_text(schema: &Value, depth: usize) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let shown = values.iter().take(MOST_VALUES).map(Value::to_string);
        let more = (values.len() > MOST_VALUES).then(|| "…".to_owned());
        return shown.chain(more).collect::<Vec<_>>().join("|");
    }
    if let (Some(properties), true) = (schema["properties"].as_object(), depth > 0) {
        let fields: Vec<String> = properties
            .iter()
            .map(|(name, property)| field(name, is_required(schema, name), property, depth - 1))
            .collect();
        return format!("{{{}}}", fields.join(", "));
    }
    if schema["type"] == "array" && schema["items"].is_object() {
        return format!("{}[]", type_text(&schema["items"], depth));
    }
    kind(schema)
}

fn is_required(schema: &Value, name: &str) -> bool {
    let names = schema["required"].as_array().into_iter().flatten();
    names.into_iter().any(|one| one == name)
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
