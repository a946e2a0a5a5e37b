//! OpenAPI 3.0 schemas as JSON Schema 2020-12: a complete one to check with, a compact one to show.

use serde_json::{Map, Value, json};

use crate::document::resolve::resolve;

/// Longer enums are shown as their plain type. The error for a wrong value has the list.
const LONGEST_SHOWN_ENUM: usize = 12;

/// Keywords with the same meaning in both that restrict the value.
const KEPT: [&str; 15] = [
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
    // The filters of a search, which OpenAPI cannot express.
    "x-filters",
];

/// Marks the schema of a file.
pub(crate) const FILE: &str = "x-file";

/// The type of the document's own example, if the declared one differs.
const EXAMPLE_TYPE: &str = "x-example-type";

/// A word in the document's own example that its enum lacks.
const EXAMPLE_VALUE: &str = "x-example-value";

/// Required fields that the document's own example leaves out.
const EXAMPLE_LACKS: &str = "x-example-lacks";

/// `schema` of `document` as JSON Schema 2020-12 with all references resolved. A cycle ends in `{}`.
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
    if reference.is_none() {
        return lowered;
    }
    let lowered = match schema.get(EXAMPLE_TYPE).and_then(Value::as_str) {
        Some(shown) => either(lowered, shown),
        None => lowered,
    };
    if schema.get("nullable") == Some(&json!(true)) {
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
    if let Some(Value::Array(required)) = out.get_mut("required") {
        let lacked = schema.get(EXAMPLE_LACKS).and_then(Value::as_array);
        required.retain(|name| lacked.is_none_or(|lacked| !lacked.contains(name)));
        if required.is_empty() {
            out.shift_remove("required");
        }
    }
    if let (Some(Value::Array(values)), Some(word)) =
        (out.get_mut("enum"), schema.get(EXAMPLE_VALUE))
        && !values.contains(word)
    {
        values.push(word.clone());
    }
    // OpenAPI 3.0 has a flag for an exclusive bound; JSON Schema has the bound itself.
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
            // Branches in these documents overlap (a contact field matches several), so exactly one match cannot be
            // required.
            let key = if key == "oneOf" { "anyOf" } else { key };
            out.insert(key.to_owned(), Value::Array(branches));
        }
    }
    let mut out = Value::Object(out);
    if let Some(shown) = schema.get(EXAMPLE_TYPE).and_then(Value::as_str) {
        out = either(out, shown);
    }
    if schema.get("nullable") == Some(&json!(true)) {
        nullable(out)
    } else {
        out
    }
}

/// Whether `schema` accepts null explicitly. A schema without any type does not count.
pub(crate) fn takes_null(schema: &Value) -> bool {
    let types = schema.get("type").and_then(Value::as_array);
    let values = schema.get("enum").and_then(Value::as_array);
    let names_null = schema.get("type").is_some_and(|name| name == "null")
        || types.is_some_and(|types| types.iter().any(|name| name == "null"));
    let has_null = |values: &Vec<Value>| values.contains(&Value::Null);
    match (names_null, values) {
        (true, values) => values.is_none_or(has_null),
        (false, _) => {
            let forms = schema.get("anyOf").and_then(Value::as_array);
            forms.into_iter().flatten().any(takes_null)
        }
    }
}

/// The form of a file from a caller: its bytes as base64 or as a data URI, with optional name and type.
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

/// `schema`, or a value of the type in its document's own example. Nobody outside knows which one HighLevel accepts.
/// Documents call an enum or a union an object without fields, so the example's type comes first.
fn either(mut schema: Value, shown: &str) -> Value {
    let Some(object) = schema.as_object_mut() else {
        return schema;
    };
    let declared = match object.get("type") {
        Some(Value::String(declared)) if declared != shown => declared.clone(),
        _ => return schema,
    };
    if object.contains_key("enum") {
        // An enum may also be one of the example's type.
        return json!({"anyOf": [schema, {"type": shown}]});
    }
    let is_unknown = declared == "object" && !object.contains_key("properties");
    let types = match is_unknown {
        true => json!([shown, declared]),
        false => json!([declared, shown]),
    };
    object.insert("type".to_owned(), types);
    if shown == "array" {
        object.entry("items").or_insert_with(|| json!({}));
    }
    schema
}

/// `nullable` has no meaning in JSON Schema: null becomes one of the types and values.
pub(crate) fn nullable(mut schema: Value) -> Value {
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

/// The compact form of a lowered schema: it says less, and names one type where several are accepted, the first. Some
/// clients refuse a list of types, such as with null, and enums of anything but texts. Fields of objects are shown down
/// to `depth`.
pub(crate) fn shown(schema: &Value, depth: usize) -> Value {
    let mut out = Map::new();
    if let Some(name) = shown_type(schema) {
        out.insert("type".to_owned(), name.into());
    }
    let values = schema.get("enum").and_then(Value::as_array);
    let texts: Vec<&Value> = values
        .into_iter()
        .flatten()
        .filter(|value| !value.is_null())
        .collect();
    if !texts.is_empty()
        && texts.len() <= LONGEST_SHOWN_ENUM
        && texts.iter().all(|value| value.is_string())
    {
        out.entry("type").or_insert_with(|| json!("string"));
        out.insert("enum".to_owned(), json!(texts));
    }
    // If a value has several forms, the fields are those of the shown form.
    let form = match schema.get("type") {
        Some(_) => schema,
        None => branches(schema)
            .find(|branch| shown_type(branch) == shown_type(schema))
            .unwrap_or(schema),
    };
    if names_type(&out, "array") {
        let items = form
            .get("items")
            .map_or_else(|| json!({}), |items| shown(items, depth));
        out.insert("items".to_owned(), items);
    }
    if let Some(properties) = form.get("properties").and_then(Value::as_object)
        && depth > 0
        && !properties.is_empty()
        && (!out.contains_key("type") || names_type(&out, "object"))
    {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), shown(property, depth - 1)))
            .collect();
        out.insert("properties".to_owned(), Value::Object(properties));
        if let Some(required) = form.get("required") {
            out.insert("required".to_owned(), required.clone());
        }
    }
    Value::Object(out)
}

fn names_type(schema: &Map<String, Value>, name: &str) -> bool {
    schema.get("type").is_some_and(|one| one == name)
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let branches = schema.get("anyOf").and_then(Value::as_array);
    let branches = branches.into_iter().flatten();
    branches.filter(|branch| branch.get("type").is_none_or(|name| name != "null"))
}

/// The first type, apart from null, of a schema, or of its branches if each has one. If branches accept texts and
/// numbers, text is shown: a word cannot be given as a number.
fn shown_type(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.find(|name| *name != "null")
        }
        _ => {
            let names: Option<Vec<&str>> = branches(schema).map(shown_type).collect();
            let names = names?;
            let scalar = |name: &&str| !matches!(*name, "array" | "object");
            match names.iter().all(scalar) && names.contains(&"string") {
                true => Some("string"),
                false => names.first().copied(),
            }
        }
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
            json!({"type": "string"}),
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
            json!({"type": "string"}),
        );
        check(
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!({"type": "string", "enum": ["a"]}),
        );
        check(
            json!({"type": "number", "enum": [0, 1]}),
            json!({"type": "number", "enum": [0, 1]}),
            json!({"type": "number"}),
        );
        check(
            json!({"type": "object", "x-example-type": "string"}),
            json!({"type": ["string", "object"]}),
            json!({"type": "string"}),
        );
        check(
            json!({"$ref": "#/components/schemas/Tag", "x-example-type": "array", "nullable": true}),
            json!({"type": ["string", "array", "null"], "maxLength": 9, "items": {}}),
            json!({"type": "string"}),
        );
        check(
            json!({"type": "string", "enum": ["a"], "x-example-type": "object"}),
            json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "object"}]}),
            json!({"type": "string"}),
        );
        check(
            json!({"type": "string", "enum": ["image"], "x-example-value": "IMAGE"}),
            json!({"type": "string", "enum": ["image", "IMAGE"]}),
            json!({"type": "string", "enum": ["image", "IMAGE"]}),
        );
        check(
            json!({"type": "object", "required": ["a", "b"], "x-example-lacks": ["b"], "properties": {"a": {}, "b": {}}}),
            json!({"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}),
            json!({"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}),
        );
    }
}
