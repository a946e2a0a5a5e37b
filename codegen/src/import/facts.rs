//! Keeps the facts of a document and drops its prose and examples.
//!
//! Works by position, not by key: a property may be named `description` or `example`. What an
//! example reveals about a wrong type is recorded before the example goes.

use serde_json::{Map, Value, json};

use crate::document::resolve::template_names;
use crate::model::operation::Counts;

/// Schema keywords whose values are facts as they stand.
const SCHEMA_FACTS: [&str; 24] = [
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
];

/// The types that OpenAPI 3.0 has.
const TYPES: [&str; 6] = ["object", "array", "string", "number", "integer", "boolean"];

/// `bundled` as a valid OpenAPI 3.0 document without a sentence of its source.
pub fn document(stem: &str, bundled: &Value, counts: &mut Counts) -> Value {
    let mut out = Map::new();
    out.insert("openapi".to_owned(), bundled["openapi"].clone());
    let version = bundled["info"]["version"].as_str().unwrap_or_default();
    out.insert(
        "info".to_owned(),
        json!({"title": stem, "version": version}),
    );
    let servers: Vec<Value> = each(&bundled["servers"])
        .map(|server| json!({"url": server["url"]}))
        .collect();
    if !servers.is_empty() {
        out.insert("servers".to_owned(), Value::Array(servers));
    }
    copy(bundled, &mut out, &["security"]);
    let paths = mapped_with_names(&bundled["paths"], |path, item| {
        Some(path_item(path, item, counts))
    });
    out.insert("paths".to_owned(), paths);
    let components = &bundled["components"];
    let mut kept = Map::new();
    for (section, one) in [
        (
            "securitySchemes",
            security_scheme as fn(&Value, &mut Counts) -> Value,
        ),
        ("parameters", parameter),
        ("requestBodies", body),
        ("headers", header),
        ("responses", response),
        ("schemas", schema),
    ] {
        if components.get(section).is_some() {
            kept.insert(
                section.to_owned(),
                mapped(&components[section], |value| one(value, counts)),
            );
        }
    }
    out.insert("components".to_owned(), Value::Object(kept));
    Value::Object(out)
}

fn path_item(path: &str, item: &Value, counts: &mut Counts) -> Value {
    mapped_with_names(item, |name, value| match name {
        "parameters" => Some(parameters(value, counts)),
        "get" | "put" | "post" | "delete" | "patch" | "head" | "options" | "trace" => {
            let mut operation = operation(value, counts);
            let shared: Vec<&Value> = each(&item["parameters"]).collect();
            declare_path_parameters(path, &shared, &mut operation, counts);
            Some(operation)
        }
        _ => None,
    })
}

/// Declares what the path names and nobody declares.
fn declare_path_parameters(
    path: &str,
    shared: &[&Value],
    operation: &mut Value,
    counts: &mut Counts,
) {
    let own = each(&operation["parameters"]);
    let declared: Vec<&str> = shared
        .iter()
        .copied()
        .chain(own)
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let missing: Vec<Value> = template_names(path)
        .into_iter()
        .filter(|name| !declared.contains(name))
        .map(|name| {
            json!({
                "name": name, "in": "path", "required": true, "x-undeclared": true,
                "schema": {"type": "string"},
            })
        })
        .collect();
    counts.add(
        "path parameter that nobody declares, declared",
        missing.len(),
    );
    match operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut)
    {
        Some(parameters) => parameters.extend(missing),
        None if missing.is_empty() => {}
        None => operation["parameters"] = Value::Array(missing),
    }
}

fn operation(operation: &Value, counts: &mut Counts) -> Value {
    let mut out = Map::new();
    copy(operation, &mut out, &["operationId", "deprecated", "tags"]);
    if operation.get("parameters").is_some() {
        out.insert(
            "parameters".to_owned(),
            parameters(&operation["parameters"], counts),
        );
    }
    if let Some(request) = operation.get("requestBody") {
        out.insert("requestBody".to_owned(), body(request, counts));
    }
    let responses = mapped(&operation["responses"], |value| response(value, counts));
    out.insert("responses".to_owned(), responses);
    copy(operation, &mut out, &["security"]);
    Value::Object(out)
}

fn parameters(list: &Value, counts: &mut Counts) -> Value {
    each(list)
        .filter(|one| one.get("x-dangling-ref").is_none())
        .map(|one| parameter(one, counts))
        .collect()
}

fn parameter(parameter: &Value, counts: &mut Counts) -> Value {
    if let Some(reference) = reference(parameter) {
        return reference;
    }
    let mut out = Map::new();
    copy(
        parameter,
        &mut out,
        &[
            "name",
            "in",
            "required",
            "deprecated",
            "allowEmptyValue",
            "style",
            "explode",
            "allowReserved",
        ],
    );
    if parameter["in"] == "path" && parameter["required"] != true {
        out.insert("required".to_owned(), json!(true));
        out.insert("x-declared-required".to_owned(), json!(false));
        counts.add("path parameter declared not required", 1);
    }
    if let Some(content) = parameter.get("content") {
        out.insert("content".to_owned(), media(content, counts));
        return Value::Object(out);
    }
    // Some documents write parts of the schema beside it.
    let mut described = parameter
        .get("schema")
        .cloned()
        .unwrap_or_else(|| json!({}));
    for key in ["type", "anyOf", "default", "enum", "example", "examples"] {
        let (Some(value), Some(described)) = (parameter.get(key), described.as_object_mut()) else {
            continue;
        };
        if !key.starts_with("example") {
            counts.add("part of a schema written beside it, moved into it", 1);
        }
        described.entry(key).or_insert_with(|| value.clone());
    }
    out.insert("schema".to_owned(), schema(&described, counts));
    Value::Object(out)
}

fn body(body: &Value, counts: &mut Counts) -> Value {
    if let Some(reference) = reference(body) {
        return reference;
    }
    let mut out = Map::new();
    copy(body, &mut out, &["required"]);
    out.insert("content".to_owned(), media(&body["content"], counts));
    Value::Object(out)
}

/// OpenAPI demands a description; the source's own is prose, so it is empty.
fn response(response: &Value, counts: &mut Counts) -> Value {
    if let Some(reference) = reference(response) {
        return reference;
    }
    let mut out = Map::new();
    out.insert("description".to_owned(), json!(""));
    if response.get("headers").is_some() {
        let headers = mapped(&response["headers"], |value| header(value, counts));
        out.insert("headers".to_owned(), headers);
    }
    if response.get("content").is_some() {
        out.insert("content".to_owned(), media(&response["content"], counts));
    }
    Value::Object(out)
}

fn header(header: &Value, counts: &mut Counts) -> Value {
    if let Some(reference) = reference(header) {
        return reference;
    }
    let mut out = Map::new();
    copy(
        header,
        &mut out,
        &["required", "deprecated", "style", "explode"],
    );
    if header.get("schema").is_none() {
        counts.add("response header without a schema, now an unknown schema", 1);
    }
    out.insert("schema".to_owned(), schema(&header["schema"], counts));
    Value::Object(out)
}

fn media(content: &Value, counts: &mut Counts) -> Value {
    mapped(content, |media| {
        let mut out = Map::new();
        if let Some(described) = media.get("schema") {
            out.insert("schema".to_owned(), schema(described, counts));
        }
        copy(media, &mut out, &["encoding"]);
        Value::Object(out)
    })
}

fn security_scheme(scheme: &Value, _: &mut Counts) -> Value {
    let keys: &[&str] = match scheme["type"].as_str() {
        Some("http") => &["type", "scheme", "bearerFormat"],
        Some("apiKey") => &["type", "name", "in"],
        _ => &["type", "flows", "openIdConnectUrl"],
    };
    let mut out = Map::new();
    copy(scheme, &mut out, keys);
    Value::Object(out)
}

fn schema(schema: &Value, counts: &mut Counts) -> Value {
    let Some(source) = schema.as_object() else {
        return json!({});
    };
    // A schema wrapped into a second `schema` key.
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
    // `required: []` and `required: true` are no OpenAPI of a schema.
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
    if let (Some(declared), Some(shown)) =
        (out.get("type").and_then(Value::as_str), shown_type(source))
        && contradicts(declared, shown.1)
    {
        out.insert("x-example-type".to_owned(), json!(shown.0));
        counts.add("type that its own example contradicts, recorded", 1);
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

/// The JSON type of the example, and the example.
fn shown_type(schema: &Map<String, Value>) -> Option<(&'static str, &Value)> {
    let example = schema
        .get("example")
        .or_else(|| match schema.get("examples")? {
            Value::Array(examples) => examples.first(),
            Value::Object(examples) => examples.values().next()?.get("value"),
            _ => None,
        })?;
    let kind = match example {
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Some((kind, example))
}

/// Whether an example shows that the declared type is wrong. A string that holds a value of the
/// declared type (`"20"` for a number) is only sloppily written.
fn contradicts(declared: &str, example: &Value) -> bool {
    let written = match example {
        Value::String(text) => serde_json::from_str::<Value>(&text.replace('\'', "\"")).ok(),
        _ => None,
    };
    let scalar = !(example.is_array() || example.is_object());
    !(is_a(declared, example)
        || declared == "string" && scalar
        || written.is_some_and(|written| is_a(declared, &written)))
}

/// Whether a default is none that its schema takes.
fn breaks(default: &Value, schema: &Map<String, Value>, source: &Map<String, Value>) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    let values = schema.get("enum").and_then(Value::as_array);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let nullable = schema.get("nullable") == Some(&json!(true));
    // What a referenced schema requires is not known here.
    let elsewhere = source.contains_key("allOf") || source.contains_key("$ref");
    !(default.is_null() && nullable)
        && (kind.is_some_and(|kind| !is_a(kind, default))
            || values.is_some_and(|values| !values.contains(default))
            || default.is_object()
                && (elsewhere || names.into_iter().any(|name| default.get(name).is_none())))
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_string(),
    }
}

fn reference(value: &Value) -> Option<Value> {
    value
        .get("$ref")
        .map(|reference| json!({"$ref": reference}))
}

fn copy(from: &Value, to: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.get(key) {
            to.insert((*key).to_owned(), value.clone());
        }
    }
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn mapped(map: &Value, mut one: impl FnMut(&Value) -> Value) -> Value {
    mapped_with_names(map, |_, value| Some(one(value)))
}

fn mapped_with_names(map: &Value, mut one: impl FnMut(&str, &Value) -> Option<Value>) -> Value {
    let entries = map.as_object().into_iter().flatten();
    let mapped: Map<String, Value> = entries
        .filter_map(|(name, value)| Some((name.clone(), one(name, value)?)))
        .collect();
    Value::Object(mapped)
}
