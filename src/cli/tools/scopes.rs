//! The scopes that a token needs for some tools.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::CliError;
use crate::cli::terminal::{Text, table_text};
use tool::{TokenClass, Tool};

/// A table on a terminal, one line a scope in a pipe.
pub(super) fn list(tools: &[&'static Tool]) -> Result<String, CliError> {
    let rows = by_scope(tools).into_iter();
    let rows = rows.map(|(scope, tools)| [Text::from(scope), tools.join(", ").into()]);
    table_text(["Scope", "Tools that need it"], rows.collect())
}

/// One scope a line and nothing else.
pub(super) fn names(tools: &[&'static Tool]) -> String {
    let names = by_scope(tools).into_keys();
    names.map(|scope| format!("{scope}\n")).collect()
}

/// What an app for sub-accounts can have of the tools' scopes, and what signing in by it needs, on one line.
pub(super) fn for_app(tools: &[&'static Tool]) -> String {
    let of_locations = tools.iter().filter(|tool| tool.token != TokenClass::Agency);
    let scopes = of_locations.flat_map(|tool| tool.scopes.iter().copied());
    let scopes: BTreeSet<&str> = scopes.chain(["oauth.readonly", "oauth.write"]).collect();
    format!("{}\n", Vec::from_iter(scopes).join(" "))
}

fn by_scope(tools: &[&'static Tool]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut by_scope: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for tool in tools {
        for scope in tool.scopes {
            by_scope.entry(scope).or_default().push(tool.name);
        }
    }
    by_scope
}
