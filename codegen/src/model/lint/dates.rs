//! Dates without a mark, and windows and time zones that name no date.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::annotations::OperationAnnotations;
use crate::document::resolve::resolve;
use crate::model::operation::{Operation, V3Operation};
use tool::DateForm;

/// Schemas may refer to themselves.
const DEEPEST: usize = 12;

/// Dates and times of a document by the key of their table, with the form that it gives.
pub(crate) type DocumentedDates = BTreeMap<String, DateForm>;

/// Every fault: the argument or key, the fault, the remedy. `documented`: the document's dates and times.
pub(super) fn misread_dates(
    operation: &Operation,
    known: &OperationAnnotations,
    documented: &DocumentedDates,
) -> Vec<(String, &'static str, &'static str)> {
    let is_marked = |name: &str| {
        let told = known.arguments.get(name);
        told.is_some_and(|told| told.date.is_some())
    };
    let unmarked = documented.keys().filter(|name| !is_marked(name));
    let mut faults: Vec<_> = unmarked
        .map(|name| {
            let what = "is a date in its document, but has no `date` in its table";
            (name.clone(), what, "give it its form")
        })
        .collect();
    let remedy = "correct it";
    if let Some(name) = &operation.timezone
        && !operation.arguments.iter().any(|one| one.name == *name)
    {
        faults.push((format!("timezone {name}"), "is no argument", remedy));
    }
    for [start, end] in &operation.windows {
        let forms = (form(operation, start), form(operation, end));
        let what = match forms {
            (Some(start), Some(end)) if start == end => continue,
            (Some(_), Some(_)) => "are dates in different forms",
            _ => "are not both dates",
        };
        faults.push((format!("windows {start} {end}"), what, remedy));
    }
    faults
}

/// The form of a date by its dotted path, in the older operation or in its v3 variant.
fn form(operation: &Operation, path: &str) -> Option<DateForm> {
    let argument = operation.arguments.iter().find(|one| one.name == path);
    let inner = || {
        let mut dates = operation.inner_dates.iter();
        dates.find(|date| date.steps.join(".") == path)
    };
    let own = argument
        .and_then(|argument| argument.date)
        .or_else(|| Some(inner()?.form));
    own.or_else(|| match &operation.v3 {
        V3Operation::Other(v3) => form(v3, path),
        V3Operation::None | V3Operation::Same(_) => None,
    })
}

/// Every parameter and field of the body that the document calls a date or time, by the key of its table.
pub(crate) fn documented_dates(document: &Value, operation: &Value) -> DocumentedDates {
    let mut found = DocumentedDates::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        search(document, &parameter["schema"], name, &mut found, DEEPEST);
    }
    let body = operation.get("requestBody");
    let content = body.and_then(|body| resolve(document, body)?.get("content")?.as_object());
    for media in content.into_iter().flatten().map(|(_, media)| media) {
        search(document, &media["schema"], "", &mut found, DEEPEST);
    }
    found
}

fn search(
    document: &Value,
    schema: &Value,
    path: &str,
    found: &mut DocumentedDates,
    deepest: usize,
) {
    let (Some(schema), Some(deepest)) = (resolve(document, schema), deepest.checked_sub(1)) else {
        return;
    };
    let form = match schema["format"].as_str() {
        Some("date") => Some(DateForm::Date),
        Some("date-time") => Some(DateForm::DateTime),
        _ => None,
    };
    found.extend(form.map(|form| (path.to_owned(), form)));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        search(document, property, &path, found, deepest);
    }
    if let Some(items) = schema.get("items") {
        let path = if path.is_empty() { "body" } else { path };
        search(document, items, &format!("{path}[]"), found, deepest);
    }
    for branches in ["anyOf", "oneOf", "allOf"] {
        for branch in schema[branches].as_array().into_iter().flatten() {
            search(document, branch, path, found, deepest);
        }
    }
}
