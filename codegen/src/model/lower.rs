//! Joins a repaired document with what is known of its operations: document in, operations out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::repair::VERSION;
use crate::document::resolve::operations;
use crate::error::Problem;
use crate::knowledge::{DocumentKnowledge, Effect, OperationKnowledge, PagingStyle, TenantRole};
use crate::model::argument::{advertised_schema, arguments, check_schema, prefixed};
use crate::model::naming::{argument_name_fault, may_name_tenant, tool_name, tool_name_fault};
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

/// What must be mended before the operation may be a tool.
fn faults(operation: &Operation, known: Option<&OperationKnowledge>) -> Vec<Problem> {
    let mut faults = Vec::new();
    let mut fault = |place: &str, what: &str, remedy: &str| {
        let place = format!("{} {} {place}", operation.method, operation.path);
        faults.push(Problem::in_document(
            &operation.document,
            place.trim_end(),
            what,
            remedy,
        ));
    };
    let file = format!("openapi/tools/{}.toml", operation.document);
    if let Some(what) = tool_name_fault(&operation.tool) {
        let remedy = format!("give the operation a `name` in {file}");
        fault(&operation.tool, what, &remedy);
    }
    for argument in &operation.arguments {
        if let Some(what) = argument_name_fault(&argument.name) {
            fault(
                &argument.name,
                what,
                &format!("give the argument a `name` in {file}"),
            );
        }
    }
    let Some(known) = known else {
        let remedy = format!("write a table [{}] in {file}", operation.operation_id);
        fault("", "has no title, description and effect", &remedy);
        return faults;
    };
    if known.description.is_empty() || known.description.chars().count() > 1024 {
        fault(
            "description",
            "is empty or longer than 1,024 characters",
            "rewrite it",
        );
    }
    let telling = known.bulk
        || matches!(known.effect, Effect::Money | Effect::Destructive)
        || (known.effect == Effect::Read && operation.method != "GET");
    if telling && known.reason.is_none() {
        fault(
            "reason",
            "is missing for an effect that the method does not show",
            "give one",
        );
    }
    for name in known.arguments.keys() {
        if !operation
            .arguments
            .iter()
            .any(|argument| argument.wire_name == *name)
        {
            let what = format!("describes an argument that the operation does not have in {file}");
            fault(name, &what, "correct the name or remove the table");
        }
    }
    for argument in &operation.arguments {
        let declared = known
            .arguments
            .get(&argument.wire_name)
            .is_some_and(|known| known.role.is_some());
        if may_name_tenant(&argument.wire_name) && !declared {
            let what = "may name a tenant, but its role is not declared";
            fault(
                &argument.name,
                what,
                &format!("give it a `role` (or \"none\") in {file}"),
            );
        }
        if argument.role == TenantRole::None && known_rule(known, argument) {
            fault(&argument.name, "has a rule but no role", "give it a `role`");
        }
    }
    for (what, name) in clashes(operation) {
        fault(&name, what, "rename one of them");
    }
    if let Some(size) = &operation.paging.page_size
        && !operation
            .arguments
            .iter()
            .any(|argument| argument.name == *size)
    {
        fault("paging.page_size", "names no argument", "correct it");
    }
    let pages = operation.paging.style != PagingStyle::None;
    let smaller = operation.paging.page_size.is_some() || operation.paging.narrow.is_some();
    if pages && (operation.paging.rows.is_none() || !smaller) {
        let what = "has a style, but no rows or no way to ask for less";
        fault("paging", what, "give rows, and page_size or narrow");
    }
    for rename in &operation.renames {
        if !rename_applies(operation, &rename.within, &rename.to) {
            let place = format!("renames {}.{}", rename.within, rename.to);
            fault(
                &place,
                "is no property of the body",
                "correct or remove the rename",
            );
        }
    }
    faults
}

fn known_rule(known: &OperationKnowledge, argument: &Argument) -> bool {
    known
        .arguments
        .get(&argument.wire_name)
        .is_some_and(|known| known.rule.is_some())
}

/// Names that reach two arguments.
fn clashes(operation: &Operation) -> Vec<(&'static str, String)> {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let mut clashes = Vec::new();
    for (index, argument) in operation.arguments.iter().enumerate() {
        for name in names(argument) {
            if owners
                .insert(name.clone(), index)
                .is_some_and(|owner| owner != index)
            {
                clashes.push(("reaches two arguments", name));
            }
        }
    }
    clashes
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

/// Whether the body has a property `name` in the holder at `within`, or a holder open to any.
fn rename_applies(operation: &Operation, within: &str, name: &str) -> bool {
    let mut schema = &operation.check_schema;
    for step in within.split('.') {
        let (property, items) = match step.strip_suffix("[]") {
            Some(property) => (property, true),
            None => (step, false),
        };
        let Some(next) = schema
            .get("properties")
            .and_then(|known| known.get(property))
        else {
            return false;
        };
        schema = next;
        if items {
            let Some(next) = schema.get("items") else {
                return false;
            };
            schema = next;
        }
    }
    schema
        .get("properties")
        .is_none_or(|properties| properties.get(name).is_some())
}
