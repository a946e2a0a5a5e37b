//! Joins a repaired document with what is known of its operations: document in, operations out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::repair::VERSION;
use crate::document::resolve::operations;
use crate::error::Problem;
use crate::knowledge::{DocumentKnowledge, Effect, OperationKnowledge};
use crate::model::argument::{advertised_schema, arguments, check_schema, prefixed};
use crate::model::faults::faults;
use crate::model::inner::tenants;
use crate::model::naming::tool_name;
use crate::model::operation::{Argument, Operation};

/// An operation of a document with everything known of it.
pub struct Lowered {
    pub operation: Operation,
    /// Someone wrote a table for it in `openapi/tools/`.
    pub known: bool,
    /// Why it cannot be a tool yet.
    pub unsendable: Option<&'static str>,
    /// What must be mended before it may be a tool.
    pub faults: Vec<Problem>,
}

/// Every operation of `document`, and each table of `knowledge` that fits none of them.
pub fn lower(
    stem: &str,
    document: &Value,
    knowledge: Option<&DocumentKnowledge>,
    toolsets: &BTreeMap<&str, Vec<&str>>,
) -> (Vec<Lowered>, Vec<Problem>) {
    let mut lowered = Vec::new();
    let mut met = BTreeSet::new();
    for (method, path, _, operation) in operations(document) {
        let operation_id = operation
            .get("operationId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let known = knowledge.and_then(|tables| tables.get(operation_id));
        met.insert(operation_id);
        lowered.push(lower_operation(
            stem,
            document,
            (method, path, operation_id),
            operation,
            known,
            toolsets,
        ));
    }
    let stale = knowledge
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|operation_id| !met.contains(operation_id.as_str()))
        .map(|operation_id| {
            Problem::in_document(
                stem,
                format!("openapi/tools/{stem}.toml [{operation_id}]"),
                "names an operation that the document does not have",
                "rename the table to the operation's new id, or remove it",
            )
        })
        .collect();
    (lowered, stale)
}

fn lower_operation(
    stem: &str,
    document: &Value,
    (method, path, operation_id): (&str, &str, &str),
    operation: &Value,
    known: Option<&OperationKnowledge>,
    toolsets: &BTreeMap<&str, Vec<&str>>,
) -> Lowered {
    let by_rule = tool_name(stem, operation_id);
    let tool = known
        .and_then(|known| known.name.clone())
        .unwrap_or_else(|| by_rule.clone());
    let mut aliases = known.map(|known| known.aliases.clone()).unwrap_or_default();
    if tool != by_rule {
        aliases.push(by_rule);
    }
    let empty = BTreeMap::new();
    let known_arguments = known.map_or(&empty, |known| &known.arguments);
    let (arguments, body) = arguments(document, operation, known_arguments);
    let inner_tenants = tenants(&arguments, known_arguments);
    let (scopes, access) = scopes(operation);
    let effect = known.map_or(Effect::Write, |known| known.effect);
    let operation = Operation {
        aliases,
        title: known.map(|known| known.title.clone()).unwrap_or_default(),
        description: known
            .map(|known| known.description.clone())
            .unwrap_or_default(),
        toolsets: toolsets
            .get(tool.as_str())
            .map(|names| names.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        tool,
        document: stem.to_owned(),
        operation_id: operation_id.to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        version: operation[VERSION].as_str().unwrap_or_default().to_owned(),
        deprecated: operation["deprecated"] == true,
        effect,
        bulk: known.is_some_and(|known| known.bulk),
        additive: known.is_some_and(|known| known.additive),
        idempotent: known
            .and_then(|known| known.idempotent)
            .unwrap_or(effect == Effect::Read),
        paging: known.map(|known| known.paging.clone()).unwrap_or_default(),
        scopes,
        access,
        renames: known.map(|known| known.renames.clone()).unwrap_or_default(),
        body,
        check_schema: check_schema(&arguments),
        advertised_schema: advertised_schema(&arguments),
        inner_tenants,
        arguments,
    };
    Lowered {
        faults: faults(&operation, known),
        known: known.is_some(),
        unsendable: unsendable(document, &operation),
        operation,
    }
}

/// Scopes and security schemes of the document; where it names no scope, the scope table's.
fn scopes(operation: &Value) -> (Vec<String>, Vec<String>) {
    let mut scopes = BTreeSet::new();
    let mut access = BTreeSet::new();
    let security = operation["security"].as_array();
    for (scheme, named) in security
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flatten()
    {
        access.insert(scheme.clone());
        scopes.extend(texts(named));
    }
    if scopes.is_empty() {
        scopes.extend(texts(&operation["x-scopes"]));
    }
    (scopes.into_iter().collect(), access.into_iter().collect())
}

fn texts(list: &Value) -> impl Iterator<Item = String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(str::to_owned))
}

/// The one thing that is not sent yet: bodies that are not JSON.
fn unsendable(document: &Value, operation: &Operation) -> Option<&'static str> {
    let pointer = format!(
        "/paths/{}/{}/requestBody/content",
        operation.path.replace('~', "~0").replace('/', "~1"),
        operation.method.to_lowercase()
    );
    let media = document.pointer(&pointer)?.as_object()?.keys().next()?;
    match media.as_str() {
        "application/json" => None,
        "multipart/form-data" => Some("its body is multipart/form-data, which is not encoded yet"),
        "application/x-www-form-urlencoded" => Some("its body is a form, which is not encoded yet"),
        _ => Some("its body is of a media type that is not encoded yet"),
    }
}

/// Every name that reaches an argument: its own, HighLevel's, the prefixed one, aliases.
pub fn names(argument: &Argument) -> BTreeSet<String> {
    let mut names = BTreeSet::from([argument.name.clone(), prefixed(argument)]);
    // Where two arguments share HighLevel's name, only the prefixed names tell them apart.
    if argument.name != prefixed(argument) {
        names.insert(argument.wire_name.clone());
    }
    names.extend(argument.aliases.iter().cloned());
    names
}
