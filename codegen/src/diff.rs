//! What changed between two sets of documents, in terms of those who call the operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::document::resolve::{operations, resolve};
use crate::model::naming::tool_name;
use crate::model::operation::key;

/// Fields deeper inside a body than this are not compared one by one.
const DEEPEST: usize = 6;

/// One change of one operation.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Tool name by rule, `<document>_<operationId>`.
    pub tool: String,
    /// Method and path with parameter names erased.
    pub key: String,
    pub what: String,
    /// A call that worked before may fail now.
    pub breaks: bool,
}

/// Every change from `old` to `new` (documents by stem), by operation.
pub fn diff(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> Vec<Change> {
    let (old, new) = (faces(old), faces(new));
    let keys: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for id in keys {
        let mut add = |face: &Face, what: String, breaks: bool| {
            changes.push(Change {
                tool: face.tool.clone(),
                key: id.1.clone(),
                what,
                breaks,
            });
        };
        match (old.get(id), new.get(id)) {
            (Some(old), None) => add(old, "operation removed".to_owned(), true),
            (None, Some(new)) => add(new, "operation added".to_owned(), false),
            (Some(old), Some(new)) => compare(old, new, |what, breaks| add(new, what, breaks)),
            (None, None) => {}
        }
    }
    changes.sort();
    changes
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.breaks { "BREAKS" } else { "      " };
        write!(f, "{mark} {} ({}): {}", self.tool, self.key, self.what)
    }
}

/// What a caller sees of an operation.
struct Face {
    tool: String,
    /// Parameters and body fields, such as `query limit` and `body customFields[].id`.
    fields: BTreeMap<String, Field>,
    /// Other facts, such as the `Version`.
    facts: BTreeMap<&'static str, String>,
}

struct Field {
    kind: String,
    required: bool,
    values: BTreeSet<String>,
}

/// Operations by document and key: two documents may share a path.
fn faces(documents: &BTreeMap<String, Value>) -> BTreeMap<(String, String), Face> {
    let mut faces = BTreeMap::new();
    for (stem, document) in documents {
        for (method, path, item, operation) in operations(document) {
            let face = face(stem, document, item, operation);
            faces.insert((stem.clone(), key(method, path)), face);
        }
    }
    faces
}

fn face(stem: &str, document: &Value, item: &Value, operation: &Value) -> Face {
    let mut fields = BTreeMap::new();
    let mut facts = BTreeMap::new();
    let shared = item["parameters"].as_array().into_iter().flatten();
    let own = operation["parameters"].as_array().into_iter().flatten();
    for parameter in shared.chain(own).filter_map(|one| resolve(document, one)) {
        let place = parameter["in"].as_str().unwrap_or_default();
        let name = parameter["name"].as_str().unwrap_or_default();
        let schema = resolve(document, &parameter["schema"]).unwrap_or(&Value::Null);
        if name.eq_ignore_ascii_case("version") {
            facts.insert("Version", schema["enum"].to_string());
            continue;
        }
        // The name of a path parameter is not the caller's concern on the wire, but is the tool's.
        fields.insert(
            format!("{place} {name}"),
            field(schema, parameter["required"] == true),
        );
    }
    if let Some(body) = operation
        .get("requestBody")
        .and_then(|body| resolve(document, body))
    {
        let content = body["content"].as_object().into_iter().flatten();
        for (media_type, media) in content {
            facts.insert("media type", media_type.clone());
            body_fields(document, &media["schema"], "body", 0, &mut fields);
        }
    }
    facts.insert(
        "scopes",
        format!("{} {}", operation["security"], operation["x-scopes"]),
    );
    facts.insert("deprecated", (operation["deprecated"] == true).to_string());
    let id = operation["operationId"].as_str().unwrap_or_default();
    Face {
        tool: tool_name(stem, id),
        fields,
        facts,
    }
}

fn body_fields(
    document: &Value,
    schema: &Value,
    path: &str,
    depth: usize,
    fields: &mut BTreeMap<String, Field>,
) {
    let Some(schema) = resolve(document, schema) else {
        return;
    };
    if depth > DEEPEST {
        return;
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let separator = if path == "body" { " " } else { "." };
        let path = format!("{path}{separator}{name}");
        let resolved = resolve(document, property).unwrap_or(&Value::Null);
        fields.insert(
            path.clone(),
            field(resolved, required.contains(&name.as_str())),
        );
        body_fields(document, property, &path, depth + 1, fields);
    }
    if schema.get("items").is_some() {
        body_fields(
            document,
            &schema["items"],
            &format!("{path}[]"),
            depth + 1,
            fields,
        );
    }
    for branches in ["allOf", "oneOf", "anyOf"] {
        for branch in schema[branches].as_array().into_iter().flatten() {
            body_fields(document, branch, path, depth + 1, fields);
        }
    }
}

fn field(schema: &Value, required: bool) -> Field {
    let text = |key| schema.get(key).and_then(Value::as_str);
    let kind = [text("type"), text("format"), text("x-example-type")];
    let values = schema["enum"].as_array().into_iter().flatten();
    Field {
        kind: kind.into_iter().flatten().collect::<Vec<_>>().join(" "),
        required,
        values: values.map(Value::to_string).collect(),
    }
}

fn compare(old: &Face, new: &Face, mut add: impl FnMut(String, bool)) {
    if old.tool != new.tool {
        add(format!("renamed from {}", old.tool), true);
    }
    for (name, field) in &new.fields {
        match old.fields.get(name) {
            None if field.required => add(format!("{name} added, required"), true),
            None => add(format!("{name} added"), false),
            Some(before) => compare_field(name, before, field, &mut add),
        }
    }
    for name in old
        .fields
        .keys()
        .filter(|name| !new.fields.contains_key(*name))
    {
        add(format!("{name} removed"), true);
    }
    for (fact, value) in &new.facts {
        let before = old.facts.get(fact);
        if before.is_some_and(|before| before != value) {
            add(format!("{fact} changed to {value}"), *fact == "media type");
        }
    }
}

fn compare_field(name: &str, old: &Field, new: &Field, add: &mut impl FnMut(String, bool)) {
    if old.kind != new.kind {
        let (old, new) = (typed(&old.kind), typed(&new.kind));
        add(format!("{name} retyped from {old} to {new}"), true);
    }
    if !old.required && new.required {
        add(format!("{name} newly required"), true);
    }
    if old.required && !new.required {
        add(format!("{name} no longer required"), false);
    }
    let gone: Vec<&str> = old
        .values
        .difference(&new.values)
        .map(String::as_str)
        .collect();
    if !gone.is_empty() && !new.values.is_empty() {
        add(format!("{name} no longer takes {}", gone.join(", ")), true);
    }
    let come: Vec<&str> = new
        .values
        .difference(&old.values)
        .map(String::as_str)
        .collect();
    if !come.is_empty() && old.values.is_empty() {
        add(format!("{name} takes only {}", come.join(", ")), true);
    } else if !come.is_empty() {
        add(format!("{name} takes {} too", come.join(", ")), false);
    }
}

fn typed(kind: &str) -> &str {
    if kind.is_empty() {
        "an unknown type"
    } else {
        kind
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documents(operation: Value) -> BTreeMap<String, Value> {
        let document = json!({
            "paths": {"/a/{id}": {"post": operation}},
            "components": {"schemas": {"Tree": {"properties": {"child": {"$ref": "#/components/schemas/Tree"}}}}}
        });
        BTreeMap::from([("d".to_owned(), document)])
    }

    fn check(old: Value, new: Value, expected: &[(&str, bool)]) {
        let changes = diff(&documents(old), &documents(new));
        let found: Vec<(&str, bool)> = changes
            .iter()
            .map(|change| (change.what.as_str(), change.breaks))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn changes_are_told_and_judged() {
        let query = |schema: Value, required: bool| json!({"parameters": [{"in": "query", "name": "q", "required": required, "schema": schema}]});
        let body = |schema: Value| json!({"requestBody": {"content": {"application/json": {"schema": schema}}}});
        let text = json!({"type": "string"});
        check(query(text.clone(), false), query(text.clone(), false), &[]);
        check(
            json!({}),
            query(text.clone(), false),
            &[("query q added", false)],
        );
        check(
            json!({}),
            query(text.clone(), true),
            &[("query q added, required", true)],
        );
        check(
            query(text.clone(), false),
            json!({}),
            &[("query q removed", true)],
        );
        check(
            query(text.clone(), false),
            query(json!({"type": "number"}), true),
            &[
                ("query q newly required", true),
                ("query q retyped from string to number", true),
            ],
        );
        check(
            query(json!({"enum": ["a", "b"]}), false),
            query(json!({"enum": ["b", "c"]}), false),
            &[
                ("query q no longer takes \"a\"", true),
                ("query q takes \"c\" too", false),
            ],
        );
        check(
            body(
                json!({"properties": {"list": {"type": "array", "items": {"properties": {"x": text}}}}}),
            ),
            body(
                json!({"properties": {"list": {"type": "array", "items": {"required": ["x"], "properties": {"x": text}}}}}),
            ),
            &[("body list[].x newly required", true)],
        );
        check(
            body(json!({"$ref": "#/components/schemas/Tree"})),
            body(json!({"$ref": "#/components/schemas/Tree"})),
            &[],
        );
        check(
            json!({"operationId": "old"}),
            json!({"operationId": "new"}),
            &[("renamed from d_old", true)],
        );
    }

    #[test]
    fn operations_come_and_go() {
        let with = documents(json!({"operationId": "op"}));
        let without = BTreeMap::new();
        let what =
            |changes: Vec<Change>| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            what(diff(&without, &with)),
            ["       d_op (POST /a/{}): operation added"]
        );
        assert_eq!(
            what(diff(&with, &without)),
            ["BREAKS d_op (POST /a/{}): operation removed"]
        );
    }
}
