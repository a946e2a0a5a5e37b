//! OpenAPI 3.0 schemas as JSON Schema 2020-12: the whole one to check with, a compact one to show.

use serde_json::{Map, Value, json};

use crate::document::resolve::resolve;

/// Enums longer than this are shown as their plain type; a wrong value gets the list in the error.
const LONGEST_SHOWN_ENUM: usize = 12;

/// Keywords that mean the same in both and say something about the value.
const KEPT: [&str; 14] = [
    "type",
    "enum",
    "required",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Marks the schema of a file.
pub(crate) const FILE: &str = "x-file";

/// `schema` of `document` as JSON Schema 2020-12, references written out; a circle ends in `{}`.
pub(crate) fn json_schema(document: &Value, schema: &Value) -> Value {
    lower(document, schema, &mut Vec::new())
}

fn lower<'a>(document: &'a Value, schema: &'a Value, above: &mut Vec<&'a str>) -> Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    if let Some(reference) = reference {
        if above.contains(&reference) {
            return json!({});
        }
        above.push(reference);
    }
    let lowered = match resolve(document, schema).and_then(Value::as_object) {
        Some(object) => lower_object(document, object, above),
        None => json!({}),
    };
    if reference.is_some() {
        above.pop();
    }
    let nullable_here = reference.is_some() && schema.get("nullable") == Some(&json!(true));
    if nullable_here {
        nullable(lowered)
    } else {
        lowered
    }
}

fn lower_object<'a>(
    document: &'a Value,
    schema: &'a Map<String, Value>,
    above: &mut Vec<&'a str>,
) -> Value {
    if schema
        .get("format")
        .is_some_and(|format| format == "binary")
    {
        return file();
    }
    let mut out = Map::new();
    for key in KEPT {
        if let Some(value) = schema.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    if out
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        out.shift_remove("required");
    }
    // OpenAPI 3.0 says whether a bound is exclusive; JSON Schema gives the exclusive bound.
    for (bound, exclusive) in [
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ] {
        if schema.get(exclusive) == Some(&json!(true))
            && let Some(value) = out.shift_remove(bound)
        {
            out.insert(exclusive.to_owned(), value);
        }
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), lower(document, property, above)))
            .collect();
        out.insert("properties".to_owned(), Value::Object(properties));
    }
    for key in ["items", "not"] {
        if let Some(inner) = schema.get(key) {
            out.insert(key.to_owned(), lower(document, inner, above));
        }
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(open)) => {
            out.insert("additionalProperties".to_owned(), json!(open));
        }
        Some(inner @ Value::Object(_)) => {
            out.insert(
                "additionalProperties".to_owned(),
                lower(document, inner, above),
            );
        }
        _ => {}
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(branches) = schema.get(key).and_then(Value::as_array) {
            let branches: Vec<Value> = branches
                .iter()
                .map(|branch| lower(document, branch, above))
                .collect();
            // Branches of these documents overlap (a contact field matches several), so that one
            // match of many cannot be demanded.
            let key = if key == "oneOf" { "anyOf" } else { key };
            out.insert(key.to_owned(), Value::Array(branches));
        }
    }
    let out = Value::Object(out);
    if schema.get("nullable") == Some(&json!(true)) {
        nullable(out)
    } else {
        out
    }
}

/// What a caller gives for a file: its bytes as base64 or as a data URI, with name and type if wanted.
fn file() -> Value {
    json!({
        "type": ["string", "object"],
        "properties": {"data": {"type": "string"}, "name": {"type": "string"}, "type": {"type": "string"}},
        "required": ["data"],
        FILE: true,
    })
}

/// Whether values of `schema`, or those inside its list or map, are files.
pub(crate) fn takes_file(schema: &Value) -> bool {
    let inside = ["items", "additionalProperties"].into_iter();
    schema.get(FILE).is_some() || inside.filter_map(|key| schema.get(key)).any(takes_file)
}

/// `nullable` means nothing in JSON Schema: null becomes one of the types and values.
fn nullable(mut schema: Value) -> Value {
    let Some(object) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(values)) = object.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match object.get_mut("type") {
        Some(Value::String(name)) => {
            let types = json!([name.clone(), "null"]);
            object.insert("type".to_owned(), types);
        }
        Some(Value::Array(types)) if !types.contains(&json!("null")) => types.push(json!("null")),
        Some(_) => {}
        None => {
            if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
                branches.push(json!({"type": "null"}));
            }
        }
    }
    schema
}

/// The compact form of a lowered schema: accepts all that `schema` accepts, says less. Fields of objects
/// are shown down to `depth`.
pub(crate) fn shown(schema: &Value, depth: usize) -> Value {
    let mut out = Map::new();
    if let Some(types) = schema.get("type") {
        out.insert("type".to_owned(), types.clone());
    } else if let Some(types) = branch_types(schema) {
        out.insert("type".to_owned(), types);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && values.len() <= LONGEST_SHOWN_ENUM
    {
        if values.iter().all(Value::is_string) {
            out.entry("type").or_insert_with(|| json!("string"));
        }
        out.insert("enum".to_owned(), json!(values));
    }
    if names_type(&out, "array") {
        let items = schema
            .get("items")
            .map_or_else(|| json!({}), |items| shown(items, depth));
        out.insert("items".to_owned(), items);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object)
        && depth > 0
        && !properties.is_empty()
    {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), shown(property, depth - 1)))
            .collect();
        out.insert("properties".to_owned(), Value::Object(properties));
        if let Some(required) = schema.get("required") {
            out.insert("required".to_owned(), required.clone());
        }
    }
    Value::Object(out)
}

fn names_type(schema: &Map<String, Value>, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(types)) => types.iter().any(|one| one == name),
        _ => false,
    }
}

/// The types of all branches of an `anyOf`, where each branch names one.
fn branch_types(schema: &Value) -> Option<Value> {
    let branches = schema.get("anyOf")?.as_array()?;
    let mut types: Vec<&Value> = Vec::new();
    for branch in branches {
        match branch.get("type")? {
            Value::Array(several) => types.extend(several),
            one => types.push(one),
        }
    }
    types.dedup();
    match types.as_slice() {
        [one] => Some((*one).clone()),
        several => Some(json!(several)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: Value, whole: Value, compact: Value) {
        let document = json!({"components": {"schemas": {
            "Tag": {"type": "string", "maxLength": 9},
            "Tree": {"type": "object", "properties": {
                "child": {"$ref": "#/components/schemas/Tree"}
            }},
        }}});
        let lowered = json_schema(&document, &schema);
        assert_eq!(lowered, whole);
        assert_eq!(shown(&lowered, 1), compact);
    }

    #[test]
    fn schemas_are_lowered_and_shown() {
        check(
            json!({"type": "string", "nullable": true, "default": "x", "format": "email"}),
            json!({"type": ["string", "null"]}),
            json!({"type": ["string", "null"]}),
        );
        check(
            json!({"type": "array", "items": {"$ref": "#/components/schemas/Tag"}}),
            json!({"type": "array", "items": {"type": "string", "maxLength": 9}}),
            json!({"type": "array", "items": {"type": "string"}}),
        );
        check(
            json!({"$ref": "#/components/schemas/Tree"}),
            json!({"type": "object", "properties": {"child": {}}}),
            json!({"type": "object", "properties": {"child": {}}}),
        );
        check(
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}),
            json!({"type": "number", "exclusiveMinimum": 1}),
            json!({"type": "number"}),
        );
        check(
            json!({"oneOf": [{"type": "string"}, {"type": "number", "nullable": true}]}),
            json!({"anyOf": [{"type": "string"}, {"type": ["number", "null"]}]}),
            json!({"type": ["string", "number", "null"]}),
        );
        check(
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        );
    }
}
