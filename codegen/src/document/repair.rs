//! Repairs the classes of defects that run through all documents. It knows no document by name.
//!
//! Single errors are repaired by `openapi/repairs/`, which are applied first.

use serde_json::{Map, Value, json};

use crate::counts::Counts;
use crate::document::resolve::resolve;

/// The extension that has an operation's `Version` header once it is no longer a parameter.
pub(crate) const VERSION: &str = "x-version";

/// The version if neither operation nor document declares one: the value that most operations declare (v2: 424 of 547).
const USUAL_VERSION: &str = "2021-07-28";

/// Repairs `document` in place and counts the repairs. `usual` is the `Version` if neither operation nor document
/// declares one; `None` for the value of most documents.
pub(crate) fn repair(document: &mut Value, usual: Option<&str>, counts: &mut Counts) {
    let usual = usual_version(document, usual.unwrap_or(USUAL_VERSION));
    let snapshot = document.clone();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (_, item) in paths {
            let Some(item) = item.as_object_mut() else {
                continue;
            };
            // Parameters of the path are copied into each operation, so that one rule serves both.
            let shared = item.shift_remove("parameters");
            for (_, operation) in item.iter_mut().filter(|(name, _)| !name.starts_with("x-")) {
                let Some(operation) = operation.as_object_mut() else {
                    continue;
                };
                repair_parameters(&snapshot, shared.as_ref(), operation, &usual, counts);
                repair_body(operation, counts);
            }
        }
    }
    repair_schemas(document, counts);
}

fn repair_parameters(
    document: &Value,
    shared: Option<&Value>,
    operation: &mut Map<String, Value>,
    usual: &str,
    counts: &mut Counts,
) {
    let own = operation.shift_remove("parameters").unwrap_or_default();
    let mut parameters: Vec<Value> = Vec::new();
    let declared = [shared, Some(&own)].into_iter().flatten();
    for parameter in declared.filter_map(Value::as_array).flatten() {
        let Some(parameter) = resolve(document, parameter) else {
            counts.add("parameter that refers to nothing, dropped", 1);
            continue;
        };
        parameters.retain(|earlier| identity(earlier) != identity(parameter));
        parameters.push(parameter.clone());
    }

    let mut version = None;
    parameters.retain(|parameter| {
        let (place, name) = identity(parameter);
        if place != "header" {
            return true;
        }
        if name.eq_ignore_ascii_case("version") {
            version = Some(parameter.clone());
            counts.add("Version header taken out of the parameters", 1);
            false
        } else if name.eq_ignore_ascii_case("authorization") {
            counts.add("Authorization header taken out of the parameters", 1);
            false
        } else {
            true
        }
    });
    let version = version
        .as_ref()
        .and_then(declared_version)
        .unwrap_or_else(|| {
            counts.add("Version declared nowhere, taken from the document", 1);
            usual
        });
    operation.insert(VERSION.to_owned(), json!(version));

    for parameter in &mut parameters {
        // The import has already repaired and marked whatever makes a document invalid OpenAPI.
        if parameter.get("x-declared-required").is_some() {
            counts.add("path parameter declared not required", 1);
        }
        if parameter.get("x-undeclared").is_some() {
            counts.add("path parameter in the template, not declared", 1);
        }
        if parameter.get("schema").is_none() {
            counts.add("parameter without a schema", 1);
            parameter["schema"] = json!({});
        }
        whole_number(parameter, counts);
    }
    operation.insert("parameters".to_owned(), Value::Array(parameters));
}

/// Place and name: the identity of a parameter.
fn identity(parameter: &Value) -> (&str, &str) {
    let text = |key| {
        parameter
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    (text("in"), text("name"))
}

/// A parameter of type `number` counts things or times. A fraction has no meaning there, and progenitor would send
/// `limit=20.0`.
fn whole_number(parameter: &mut Value, counts: &mut Counts) {
    let schema = &mut parameter["schema"];
    let whole = ["minimum", "maximum", "multipleOf", "default"]
        .iter()
        .filter_map(|bound| schema.get(bound))
        .all(|bound| bound.as_f64().is_none_or(|value| value.fract() == 0.0));
    if schema.get("type").is_some_and(|name| name == "number") && whole {
        schema["type"] = json!("integer");
        counts.add("number parameter that is a whole number on the wire", 1);
    }
}

/// The value that a `Version` parameter declares.
fn declared_version(parameter: &Value) -> Option<&str> {
    let schema = parameter.get("schema")?;
    schema
        .pointer("/enum/0")
        .or_else(|| schema.get("default"))
        .and_then(Value::as_str)
}

/// The `Version` that most operations of the document declare.
fn usual_version(document: &Value, otherwise: &str) -> String {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for (_, _, _, operation) in crate::document::resolve::operations(document) {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        for parameter in parameters.into_iter().flatten() {
            if identity(parameter).1.eq_ignore_ascii_case("version")
                && let Some(version) = declared_version(parameter)
            {
                *counts.entry(version).or_default() += 1;
            }
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(otherwise, |(version, _)| version)
        .to_owned()
}

/// A body has one media type; of several, JSON wins.
fn repair_body(operation: &mut Map<String, Value>, counts: &mut Counts) {
    let Some(content) = operation
        .get_mut("requestBody")
        .and_then(|body| body.get_mut("content"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    if content.len() > 1 && content.contains_key("application/json") {
        content.retain(|media_type, _| media_type == "application/json");
        counts.add("body offered in several media types, JSON kept", 1);
    }
    for media in content.values_mut().filter_map(Value::as_object_mut) {
        if !media.contains_key("schema") {
            media.insert("schema".to_owned(), json!({}));
            counts.add("body without a schema", 1);
        }
    }
}

/// Walks every schema of the document, including properties with names of keywords.
fn repair_schemas(value: &mut Value, counts: &mut Counts) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| repair_schemas(item, counts)),
        Value::Object(object) => {
            repair_schema(object, counts);
            for (name, value) in object.iter_mut() {
                if !matches!(name.as_str(), "enum" | "default" | "required") || value.is_object() {
                    repair_schemas(value, counts);
                }
            }
        }
        _ => {}
    }
}

fn repair_schema(schema: &mut Map<String, Value>, counts: &mut Counts) {
    if schema
        .get("allOf")
        .and_then(Value::as_array)
        .is_some_and(|all| all.len() == 1)
        && let Some(Value::Array(mut only)) = schema.shift_remove("allOf")
        && let Some(Value::Object(only)) = only.pop()
    {
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
        counts.add("allOf of one schema, unwrapped", 1);
    }
    if schema.get("$ref").is_some_and(Value::is_string) && schema.len() > 1 {
        counts.add("reference with siblings", 1);
    }
    repair_enum(schema, counts);
    // A map of properties may contain one named `required` or `properties`: only lists and maps count.
    let names: Option<Vec<String>> = schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect());
    if let (Some(names), Some(Value::Array(required))) = (names, schema.get_mut("required")) {
        let before = required.len();
        required.retain(|name| names.iter().any(|known| name == known));
        counts.add(
            "required name that is no property, dropped",
            before - required.len(),
        );
    }
    if schema.get("type").is_some_and(|name| name == "array") && !schema.contains_key("items") {
        schema.insert("items".to_owned(), json!({}));
        counts.add("array without items", 1);
    }
}

fn repair_enum(schema: &mut Map<String, Value>, counts: &mut Counts) {
    let Some(Value::Array(values)) = schema.get_mut("enum") else {
        return;
    };
    if let [Value::Array(inner)] = values.as_slice() {
        *values = inner.clone();
        counts.add("enum that holds the list of its values, unwrapped", 1);
    }
    let all_text = values.iter().all(Value::is_string);
    let number = |name: &Value| name == "number" || name == "integer";
    if all_text && schema.get("type").is_some_and(number) {
        schema.insert("type".to_owned(), json!("string"));
        counts.add("enum of strings on a number, typed as string", 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operation: Value, at: &str, expected: Value, class: &str) {
        let mut document = json!({"paths": {"/a/{id}": {"get": operation}}});
        let mut counts = Counts::default();
        repair(&mut document, None, &mut counts);
        let pointer = format!("/paths/~1a~1{{id}}/get{at}");
        assert_eq!(
            document.pointer(&pointer).unwrap_or(&Value::Null),
            &expected
        );
        assert!(
            counts.0.contains_key(class),
            "{class} is not among {counts}"
        );
    }

    #[test]
    fn each_class_is_mended_and_counted() {
        let id =
            json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
        let header = json!({"name": "version", "in": "header", "schema": {"enum": ["2021-04-15"]}});
        check(
            json!({"parameters": [id, header]}),
            "/x-version",
            json!("2021-04-15"),
            "Version header taken out of the parameters",
        );
        check(
            json!({}),
            "/x-version",
            json!("2021-07-28"),
            "Version declared nowhere, taken from the document",
        );
        check(
            json!({"parameters": [id, {"name": "Authorization", "in": "header", "schema": {}}]}),
            "/parameters",
            json!([id]),
            "Authorization header taken out of the parameters",
        );
        let mut undeclared = id.clone();
        undeclared["x-undeclared"] = json!(true);
        check(
            json!({"parameters": [undeclared]}),
            "/parameters",
            json!([undeclared]),
            "path parameter in the template, not declared",
        );
        check(
            json!({"parameters": [id, {"name": "limit", "in": "query", "schema": {"type": "number"}}]}),
            "/parameters/1/schema/type",
            json!("integer"),
            "number parameter that is a whole number on the wire",
        );
        let body = |schema: Value| json!({"requestBody": {"content": {"application/json": {"schema": schema}}}});
        let at = "/requestBody/content/application~1json/schema";
        check(
            body(json!({"allOf": [{"$ref": "#/a"}], "nullable": true})),
            at,
            json!({"nullable": true, "$ref": "#/a"}),
            "allOf of one schema, unwrapped",
        );
        check(
            body(json!({"type": "number", "enum": ["1"]})),
            at,
            json!({"type": "string", "enum": ["1"]}),
            "enum of strings on a number, typed as string",
        );
        check(
            body(json!({"type": "number", "enum": [["US", "CA"]]})),
            at,
            json!({"type": "string", "enum": ["US", "CA"]}),
            "enum that holds the list of its values, unwrapped",
        );
        check(
            body(json!({"required": ["a", "b"], "properties": {"a": {}}})),
            &format!("{at}/required"),
            json!(["a"]),
            "required name that is no property, dropped",
        );
        check(
            json!({"requestBody": {"content": {"application/json": {}, "text/plain": {}}}}),
            "/requestBody/content",
            json!({"application/json": {"schema": {}}}),
            "body offered in several media types, JSON kept",
        );
    }
}
