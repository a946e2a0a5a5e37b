//! What must be mended before an operation may be a tool.

pub(crate) mod dates;
mod missing;

use std::collections::{BTreeMap, BTreeSet};

use crate::annotations::{ArgumentAnnotations, OperationAnnotations, TenantRole};
use crate::error::Problem;
use crate::model::answer::DocumentedAnswer;
use crate::model::argument::names;
use crate::model::inner::inner_fields;
use crate::model::naming::{argument_name_fault, may_name_tenant, tool_name_fault};
use crate::model::operation::{Operation, OperationArgument, V3Operation};
use crate::model::review::contradictions;
use dates::misread_dates;
use missing::missing;
use tool::PagingStyle;

/// Every fault of `operation`, given what is known of it.
pub(crate) fn faults(
    operation: &Operation,
    known: Option<&OperationAnnotations>,
    answer: &DocumentedAnswer,
    v3_names: &[String],
    documented_dates: &BTreeSet<String>,
) -> Vec<Problem> {
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
    for (key, what, remedy) in contradictions(operation, known) {
        fault(key, what, remedy);
    }
    let inner = inner_fields(&operation.arguments);
    for (name, told) in &known.arguments {
        let is_argument = operation.arguments.iter().any(|one| one.wire_name == *name);
        let is_inner = inner.iter().any(|field| field.path == *name);
        if !is_argument && !is_inner && v3_names.contains(name) {
            continue;
        }
        if !is_argument && !is_inner {
            let what = format!("describes an argument that the operation does not have in {file}");
            fault(name, &what, "correct the name or remove the table");
        } else if !is_argument && *told != of_inner_field(told) {
            let what = "says more of a field inside an argument than its role or date";
            fault(name, what, "leave the role or the date alone");
        }
    }
    for field in &inner {
        let declared = known
            .arguments
            .get(&field.path)
            .is_some_and(|told| told.role.is_some());
        if may_name_tenant(field.name()) && !declared {
            let what = "may name a tenant, but its role is not declared";
            let remedy = format!("give it a `role` (or \"none\") in {file}");
            fault(&field.path, what, &remedy);
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
    if let V3Operation::Other(v3) = &operation.v3 {
        for name in undeclared(v3, known) {
            let what = "may name a tenant in v3, but its role is not declared";
            let remedy = format!("give it a `role` (or \"none\") in {file}");
            fault(&name, what, &remedy);
        }
    }
    for (what, name) in clashes(operation) {
        fault(&name, what, "rename one of them");
    }
    for (key, what, remedy) in missing(operation, known, answer) {
        fault(&key, &what, remedy);
    }
    for (key, what, remedy) in misread_dates(operation, known, documented_dates) {
        fault(&key, what, remedy);
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

/// Arguments of a v3 variant, and fields inside them, that may name a tenant and have no declared role:
/// neither under their own name nor under the older one.
fn undeclared(v3: &Operation, known: &OperationAnnotations) -> Vec<String> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let declared = |name: &str| {
        let mut told = known.arguments.iter();
        told.any(|(one, told)| told.role.is_some() && plain(one) == plain(name))
    };
    let inner = inner_fields(&v3.arguments).into_iter();
    let inner = inner.map(|field| (field.name().to_owned(), field.path));
    let own = v3.arguments.iter();
    own.map(|one| (one.wire_name.clone(), one.wire_name.clone()))
        .chain(inner)
        .filter(|(name, path)| may_name_tenant(name) && !declared(path))
        .map(|(_, path)| path)
        .collect()
}

fn of_inner_field(told: &ArgumentAnnotations) -> ArgumentAnnotations {
    ArgumentAnnotations {
        role: told.role,
        date: told.date,
        ..ArgumentAnnotations::default()
    }
}

fn known_rule(known: &OperationAnnotations, argument: &OperationArgument) -> bool {
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
