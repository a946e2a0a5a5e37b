//! Keeps the facts of a document and drops its prose and examples.
//!
//! Works by position, not by key: a property may be named `description` or `example`.

use serde_json::{Map, Value, json};

use super::copying::{copy, each, mapped, mapped_with_names};
use super::examples::{EXAMPLE_TYPE, EXAMPLE_VALUE};
use super::schema::schema;
use crate::counts::Counts;
use crate::document::resolve::template_names;

/// `bundled` as a valid OpenAPI 3.0 document without any prose of its source.
pub(super) fn document(stem: &str, bundled: &Value, counts: &mut Counts) -> Value {
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

/// Declares names in the path that have no declaration.
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
    for key in [
        "type",
        "anyOf",
        "default",
        "enum",
        EXAMPLE_TYPE,
        EXAMPLE_VALUE,
    ] {
        let (Some(value), Some(described)) = (parameter.get(key), described.as_object_mut()) else {
            continue;
        };
        if !key.starts_with("x-") {
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

/// OpenAPI requires a description. The source's own is prose, so it is left empty.
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
    } else if let Some(told) = content_type(response) {
        out.insert("content".to_owned(), json!({told: {}}));
        counts.add("media type of an answer that only a header tells", 1);
    }
    Value::Object(out)
}

/// The media type in the description of a header `Content-Type`; OpenAPI ignores a header of this name.
fn content_type(response: &Value) -> Option<&str> {
    let mut headers = response["headers"].as_object()?.iter();
    let (_, header) = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?;
    let told = header["description"].as_str()?;
    let (kind, form) = told.split_once('/')?;
    let is_token = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    };
    (is_token(kind) && is_token(form)).then_some(told)
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

fn reference(value: &Value) -> Option<Value> {
    value
        .get("$ref")
        .map(|reference| json!({"$ref": reference}))
}
