//! Keeps the facts of a schema, and marks where its own default or enum contradicts it.

use serde_json::{Map, Value, json};

use super::copying::{copy, each, mapped};
use super::examples::{EXAMPLE_LACKS, EXAMPLE_TYPE, EXAMPLE_VALUE};
use super::types::is_a;
use crate::counts::Counts;

/// Schema keywords whose values are facts.
const SCHEMA_FACTS: [&str; 27] = [
    "type",
    "format",
    "enum",
    "default",
    "nullable",
    "deprecated",
    "readOnly",
    "writeOnly",
    "required",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "discriminator",
    "x-dangling-ref",
    EXAMPLE_TYPE,
    EXAMPLE_LACKS,
    EXAMPLE_VALUE,
];

/// The types of OpenAPI 3.0.
const TYPES: [&str; 6] = ["object", "array", "string", "number", "integer", "boolean"];

/// `schema` without prose and examples. Contradictions by these are marked first.
pub(super) fn schema(schema: &Value, counts: &mut Counts) -> Value {
    let Some(source) = schema.as_object() else {
        return json!({});
    };
    // A schema inside a second `schema` key.
    if let (Some(inner @ Value::Object(_)), None) = (source.get("schema"), source.get("type")) {
        counts.add("schema inside a schema, unwrapped", 1);
        return self::schema(inner, counts);
    }
    let mut out = Map::new();
    copy(schema, &mut out, &["$ref"]);
    copy(schema, &mut out, &SCHEMA_FACTS);
    if let Some(kind) = out.get("type").cloned()
        && !kind.as_str().is_some_and(|kind| TYPES.contains(&kind))
    {
        out.shift_remove("type");
        out.insert("x-declared-type".to_owned(), kind);
        counts.add("type that OpenAPI does not have, now unknown", 1);
    }
    // `required: []` and `required: true` are not valid in a schema of OpenAPI.
    let names_none = |names: &Value| names.as_array().is_none_or(Vec::is_empty);
    if out.get("required").is_some_and(names_none) {
        out.shift_remove("required");
    }
    if let Some(default) = out.get("default") {
        // A default that is a sentence is prose.
        if default.as_str().is_some_and(|text| text.contains(' ')) {
            out.shift_remove("default");
            counts.add("default that is a sentence, dropped", 1);
        } else if breaks(default, &out, source) {
            let default = default.clone();
            out.shift_remove("default");
            out.insert("x-declared-default".to_owned(), default);
            counts.add("default that breaks its own schema, set aside", 1);
        }
    }
    if let Some(Value::Array(values)) = out.get_mut("enum") {
        let (before, mut seen) = (values.len(), Vec::new());
        values.retain(|value| {
            !seen.contains(value) && {
                seen.push(value.clone());
                true
            }
        });
        counts.add("enum value given twice, kept once", before - values.len());
    }
    if source.get("properties").is_some_and(Value::is_object) {
        let properties = mapped(&schema["properties"], |value| self::schema(value, counts));
        out.insert("properties".to_owned(), properties);
    }
    for key in ["items", "not", "additionalProperties"] {
        match source.get(key) {
            Some(inner @ Value::Object(_)) => {
                out.insert(key.to_owned(), self::schema(inner, counts));
            }
            Some(inner @ Value::Bool(_)) => {
                out.insert(key.to_owned(), inner.clone());
            }
            _ => {}
        }
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if source.get(key).is_some_and(Value::is_array) {
            let branches = each(&schema[key])
                .map(|one| self::schema(one, counts))
                .collect();
            out.insert(key.to_owned(), branches);
        }
    }
    Value::Object(out)
}

/// Whether the schema does not accept its own default.
fn breaks(default: &Value, schema: &Map<String, Value>, source: &Map<String, Value>) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    let values = schema.get("enum").and_then(Value::as_array);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let nullable = schema.get("nullable") == Some(&json!(true));
    // The requirements of a referenced schema are unknown here.
    let elsewhere = source.contains_key("allOf") || source.contains_key("$ref");
    !(default.is_null() && nullable)
        && (kind.is_some_and(|kind| !is_a(kind, default))
            || values.is_some_and(|values| !values.contains(default))
            || default.is_object()
                && (elsewhere || names.into_iter().any(|name| default.get(name).is_none())))
}
