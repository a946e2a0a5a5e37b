//! The documented answer of an operation: the schema of its rows, or of its one record.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::resolve::resolve;
use crate::model::schema::json_schema;

/// The documented answer.
pub(crate) struct DocumentedAnswer {
    /// Schema of the whole answer; null if none is documented.
    whole: Value,
    /// Schema of one row of the list, or of an answer without a list.
    row: Value,
}

/// Whether something is documented at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documentation {
    Yes,
    No,
    /// The document says nothing about this place.
    Unknown,
}

/// The answer of `operation`, whose list is at `rows`.
pub(crate) fn answer(document: &Value, operation: &Value, rows: Option<&str>) -> DocumentedAnswer {
    let whole =
        success(document, operation).map_or(Value::Null, |schema| json_schema(document, schema));
    let row = match rows {
        Some(rows) => descend(&whole, rows).cloned().unwrap_or_default(),
        None => whole.clone(),
    };
    let row = item(&row).clone();
    DocumentedAnswer { whole, row }
}

/// Media type of the documented success; `None` if none has a body.
pub(crate) fn answer_media(document: &Value, operation: &Value) -> Option<String> {
    let documented = contents(document, operation).map(|(media, _)| media.clone());
    documented.reduce(|first, other| if other == tool::JSON { other } else { first })
}

fn success<'a>(document: &'a Value, operation: &'a Value) -> Option<&'a Value> {
    contents(document, operation).find_map(|(_, content)| content.get("schema"))
}

/// The documented successes, by media type.
fn contents<'a>(
    document: &'a Value,
    operation: &'a Value,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    responses
        .filter(|(status, _)| status.starts_with('2'))
        .filter_map(|(_, response)| resolve(document, response)?["content"].as_object())
        .flatten()
}

impl DocumentedAnswer {
    /// The names of the documented fields of a row.
    pub(crate) fn fields(&self) -> Vec<String> {
        self.properties().map(|(name, _)| name.clone()).collect()
    }

    /// The documented fields of a row.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.row["properties"].as_object().into_iter().flatten()
    }

    /// The path of the first list of records; empty if the answer is the list.
    pub(crate) fn first_list(&self) -> Option<String> {
        if self.whole.get("items").is_some() {
            return Some(String::new());
        }
        let is_list = |schema: &Value| {
            let items = schema.get("items");
            items.is_some_and(|items| items.get("properties").is_some())
        };
        let properties = |schema: &'_ Value| -> Vec<(String, Value)> {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .map(|(name, one)| (name.clone(), one.clone()))
                .collect()
        };
        let outer = properties(&self.whole);
        let own = outer.iter().find(|(_, schema)| is_list(schema));
        own.map(|(name, _)| name.clone()).or_else(|| {
            outer.iter().find_map(|(holder, schema)| {
                let inner = properties(schema);
                let (name, _) = inner.iter().find(|(_, schema)| is_list(schema))?;
                Some(format!("{holder}.{name}"))
            })
        })
    }

    /// The fields of a row of the list at `rows`; without a list those of the answer, and of the objects in it.
    pub(crate) fn fields_of(&self, rows: Option<&str>) -> Vec<String> {
        let row = match rows {
            Some(rows) => descend(&self.whole, rows).map(item),
            None => Some(item(&self.whole)),
        };
        let mut fields = Vec::new();
        let properties = row.and_then(|row| row["properties"].as_object());
        for (name, schema) in properties.into_iter().flatten() {
            let inner = schema["properties"].as_object().filter(|_| rows.is_none());
            let inner = inner.into_iter().flatten();
            fields.push(name.clone());
            fields.extend(inner.map(|(field, _)| format!("{name}.{field}")));
        }
        fields
    }

    /// The paths of every text in the whole answer, and of values that may contain one.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mut paths = BTreeSet::new();
        texts(&self.whole, "", &mut paths);
        paths.into_iter().collect()
    }

    /// Whether the answer has something at `path`.
    pub(crate) fn holds(&self, path: &str) -> Documentation {
        found(&self.whole, path)
    }

    /// Whether a row has something at `path`.
    pub(crate) fn row_holds(&self, path: &str) -> Documentation {
        found(&self.row, path)
    }
}

fn found(schema: &Value, path: &str) -> Documentation {
    let mut schema = item(schema);
    for step in path.split('.').filter(|step| !step.is_empty()) {
        if step.parse::<i64>().is_ok() {
            continue;
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return Documentation::Unknown;
        };
        match properties.get(step) {
            Some(property) => schema = item(property),
            None => return Documentation::No,
        }
    }
    Documentation::Yes
}

fn texts(schema: &Value, path: &str, paths: &mut BTreeSet<String>) {
    let schema = item(schema);
    let branches = ["allOf", "anyOf", "oneOf"];
    let branches = branches.iter().filter_map(|key| schema[*key].as_array());
    let branches: Vec<&Value> = branches.flatten().collect();
    let properties = schema["properties"].as_object();
    let properties = properties.filter(|properties| !properties.is_empty());
    for branch in &branches {
        texts(branch, path, paths);
    }
    for (name, property) in properties.into_iter().flatten() {
        let inside = match path {
            "" => name.clone(),
            _ => format!("{path}.{name}"),
        };
        texts(property, &inside, paths);
    }
    let is_other = ["number", "integer", "boolean"].iter();
    let is_other = is_other.clone().any(|kind| schema["type"] == **kind);
    if branches.is_empty() && properties.is_none() && !is_other && !path.is_empty() {
        paths.insert(path.to_owned());
    }
}

fn descend<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.').filter(|step| !step.is_empty());
    steps.try_fold(schema, |schema, step| {
        item(schema).get("properties")?.get(step)
    })
}

/// The schema of the items if `schema` is a list, otherwise `schema`.
fn item(mut schema: &Value) -> &Value {
    while let Some(items) = schema.get("items") {
        schema = items;
    }
    schema
}
