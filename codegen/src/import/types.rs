//! The types that schemas declare, and those that a value has.

use serde_json::Value;

/// The JSON type of an example.
pub(super) fn type_name(example: &Value) -> &'static str {
    match example {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether an example proves the declared type wrong. A string with a value of the declared type (`"20"` for a number)
/// is only careless.
pub(super) fn contradicts(declared: &str, example: &Value) -> bool {
    let written = match example {
        Value::String(text) => serde_json::from_str::<Value>(&text.replace('\'', "\"")).ok(),
        _ => None,
    };
    let scalar = !(example.is_array() || example.is_object());
    !(is_a(declared, example)
        || declared == "string" && scalar
        || written.is_some_and(|written| is_a(declared, &written)))
}

pub(super) fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_string(),
    }
}
