//! HighLevel's scope table, for operations whose document gives no scope.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::counts::Counts;
use crate::error::Problem;
use crate::model::operation::key;

/// Scopes and access type by operation key.
pub(super) struct ScopeTable(BTreeMap<String, (Vec<String>, Vec<String>)>);

/// Parses the table: method, path, scope and access type per line, below a header line.
pub(super) fn parse(text: &str) -> Result<ScopeTable, Problem> {
    let mut table: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [method, path, scope, access] = cells.as_slice() else {
            return Err(Problem::new(
                format!("scopes.tsv line {}", index + 1),
                format!("has {} cells", cells.len()),
                "give method, path, scope and access, separated by tabs",
            ));
        };
        let path: Vec<String> = path
            .split('/')
            .map(|segment| match segment.strip_prefix(':') {
                Some(name) => format!("{{{name}}}"),
                None => segment.to_owned(),
            })
            .collect();
        let (scopes, accesses) = table
            .entry(operation_key(method, &path.join("/")))
            .or_default();
        push(scopes, scope);
        access.split(',').for_each(|access| push(accesses, access));
    }
    Ok(ScopeTable(table))
}

impl ScopeTable {
    /// Writes `x-scopes` and `x-access` into operations whose `security` gives no scope.
    pub(super) fn record(&self, document: &mut Value, counts: &mut Counts) {
        let Some(paths) = document["paths"].as_object_mut() else {
            return;
        };
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                if !operation.is_object() || names_scope(operation) {
                    continue;
                }
                if let Some((scopes, access)) = self.0.get(&operation_key(method, path)) {
                    operation["x-scopes"] = json!(scopes);
                    operation["x-access"] = json!(access);
                    counts.add("operation without a scope, taken from the scope table", 1);
                } else {
                    counts.add("operation without a scope in document and scope table", 1);
                }
            }
        }
    }
}

fn names_scope(operation: &Value) -> bool {
    let schemes = operation["security"].as_array().into_iter().flatten();
    schemes
        .filter_map(Value::as_object)
        .flat_map(|schemes| schemes.values())
        .any(|scopes| scopes.as_array().is_some_and(|scopes| !scopes.is_empty()))
}

/// Table and documents differ in trailing slashes.
fn operation_key(method: &str, path: &str) -> String {
    key(method, path.trim_end_matches('/'))
}

fn push(list: &mut Vec<String>, text: &str) {
    let text = text.trim().to_owned();
    if !text.is_empty() && !list.contains(&text) {
        list.push(text);
    }
}
