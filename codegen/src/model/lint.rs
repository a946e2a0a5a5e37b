//! The faults that must be repaired before an operation may be a tool.

pub(crate) mod dates;
mod missing;
mod new_names;

use std::collections::BTreeMap;

use crate::annotations::{ArgumentAnnotations, OperationAnnotations, TenantRole};
use crate::error::Problem;
use crate::model::answer::DocumentedAnswer;
use crate::model::argument::names;
use crate::model::inner::inner_fields;
use crate::model::naming::{argument_name_fault, may_name_tenant, tool_name_fault};
use crate::model::operation::{Operation, OperationArgument, V3Operation};
use crate::model::review::contradictions;
use dates::{DocumentedDates, misread_dates};
use missing::missing;
use new_names::{remedy_of_stranger, texts_left_behind};
use tool::PagingStyle;

/// Every fault of `operation` with the annotations `known`.
pub(crate) fn faults(
    operation: &Operation,
    known: Option<&OperationAnnotations>,
    answer: &DocumentedAnswer,
    v3_names: &[String],
    documented_dates: &DocumentedDates,
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
            fault(name, &what, &remedy_of_stranger(operation, known, name));
        } else if !is_argument && *told != of_inner_field(told) {
            let what = "describes more of a field inside an argument than its role or date";
            fault(name, what, "leave only the role or the date");
        }
    }
    for (name, lost) in texts_left_behind(known) {
        let what = format!("has no text, but [{lost}] of the same name has one in {file}");
        fault(&name, &what, "give it that text");
    }
    for tenant in tenants_without_role(operation, &known.arguments) {
        let remedy = format!("give it a `role` (or \"none\") in {file}");
        fault(&tenant.key, tenant.what(), &remedy);
    }
    for argument in &operation.arguments {
        if argument.role == TenantRole::None && known_rule(known, argument) {
            fault(&argument.name, "has a rule but no role", "give it a `role`");
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
                "is not a property of the body",
                "correct or remove the rename",
            );
        }
    }
    faults
}

/// An argument, or a field inside one, that may name a tenant and has no declared role.
pub(crate) struct UndeclaredTenant {
    /// The key in its table's `arguments`.
    pub key: String,
    is_of_v3: bool,
}

impl UndeclaredTenant {
    fn what(&self) -> &'static str {
        if self.is_of_v3 {
            "may name a tenant in v3, but its role is not declared"
        } else {
            "may name a tenant, but its role is not declared"
        }
    }
}

/// Arguments and fields that may name a tenant and have no role in `told`; for v3, also not under the older name.
pub(crate) fn tenants_without_role(
    operation: &Operation,
    told: &BTreeMap<String, ArgumentAnnotations>,
) -> Vec<UndeclaredTenant> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let is_declared = |key: &str| told.get(key).is_some_and(|told| told.role.is_some());
    let mut undeclared: Vec<UndeclaredTenant> = keys_of_tenants(operation)
        .filter(|key| !is_declared(key))
        .map(|key| UndeclaredTenant {
            key,
            is_of_v3: false,
        })
        .collect();
    if let V3Operation::Other(v3) = &operation.v3 {
        let has_role = |key: &str| {
            let mut told = told.iter();
            told.any(|(one, told)| told.role.is_some() && plain(one) == plain(key))
        };
        for key in keys_of_tenants(v3).filter(|key| !has_role(key)) {
            if !undeclared.iter().any(|one| plain(&one.key) == plain(&key)) {
                undeclared.push(UndeclaredTenant {
                    key,
                    is_of_v3: true,
                });
            }
        }
    }
    undeclared
}

/// Fields inside arguments, then arguments, that may name a tenant.
fn keys_of_tenants(operation: &Operation) -> impl Iterator<Item = String> {
    let inner = inner_fields(&operation.arguments).into_iter();
    let inner = inner.map(|field| (field.name().to_owned(), field.path));
    let own = operation.arguments.iter();
    let own = own.map(|one| (one.wire_name.clone(), one.wire_name.clone()));
    let keys = inner.chain(own).filter(|(name, _)| may_name_tenant(name));
    keys.map(|(_, key)| key)
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

/// Names that mean two arguments.
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

/// Whether the body has a property `name` in the object at `within`, or that object allows any.
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
