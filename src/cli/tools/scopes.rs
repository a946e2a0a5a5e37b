//! The scopes that a token needs for some tools.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cli::output::{Column, TableRow, Text};
use tool::{TokenClass, Tool};

/// A scope as a list shows it.
#[derive(Serialize)]
pub(super) struct ScopeRow {
    scope: &'static str,
    /// Tools that need it.
    tools: Vec<&'static str>,
}

impl TableRow<2> for ScopeRow {
    const COLUMNS: [Column; 2] = [Column::copied("Scope"), Column::prose("Tools that need it")];

    fn cells(&self) -> [Text; 2] {
        [self.scope.into(), self.tools.join(", ").into()]
    }
}

pub(super) fn list(tools: &[&'static Tool]) -> Vec<ScopeRow> {
    let rows = by_scope(tools).into_iter();
    rows.map(|(scope, tools)| ScopeRow { scope, tools })
        .collect()
}

/// One scope per line and nothing else.
pub(super) fn names(tools: &[&'static Tool]) -> String {
    let names = by_scope(tools).into_keys();
    names.map(|scope| format!("{scope}\n")).collect()
}

/// The scopes of the tools that an app for sub-accounts may have, and those that its sign-in needs, on one line.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn scopes_fit_a_terminal() {
        let row = ScopeRow {
            scope: "saas/location-subscription.readonly",
            tools: vec!["saas_get-plan", "saas_get-plans"],
        };
        check_fits(&ScopeRow::COLUMNS, &[row.cells().into()]);
    }
}
