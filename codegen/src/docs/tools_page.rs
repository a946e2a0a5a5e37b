//! docs/tools.md: every tool by area, the scopes of the usual ones, and the operations left out.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::allowlist::ListingStatus;
use crate::document::load::Sources;
use crate::generation::Generation;
use crate::model::operation::Operation;

/// The toolset of the 21.
const OFFICIAL: &str = "official";

/// Toolsets that repeat tools of the areas.
const REPEATED: [&str; 2] = [OFFICIAL, "official-36"];

/// The tools of a toolset, or all, by name.
pub(super) fn tools_of<'a>(
    generation: &'a Generation,
    toolset: Option<&'a str>,
) -> impl Iterator<Item = &'a Operation> {
    let operations = generation.operations.iter().map(|one| &one.operation);
    operations.filter(move |operation| match toolset {
        Some(toolset) => operation.toolsets.iter().any(|one| one == toolset),
        None => !operation.toolsets.is_empty(),
    })
}

/// The whole page.
pub(super) fn text(sources: &Sources, generation: &Generation) -> String {
    let tools = tools_of(generation, None).count();
    let mut page = format!(
        "# Tools\n\nThis page is written by `cargo run -p codegen -- docs`. `highlevel-mcp tools show NAME` prints a tool \
         with its arguments and an example.\n\nThere are {tools} tools. The effect says what a call does: `read`; `write`; \
         `send` reaches a person or the public; `money` moves money or sets prices; `destructive` loses data or gives \
         access away. *Bulk* tools touch many records in one call. *Asks a person* means that a person confirms each call \
         unless the rules say otherwise ([policy.md](policy.md)).\n\n"
    );
    page += "## Scopes of the 21\n\nA token needs these for the 21 tools of `/mcp/official`. \
             `highlevel-mcp tools scopes` prints those of any other toolset.\n\n";
    page += &scope_list(generation);
    page += "\n## Operations that are no tools\n\n";
    for lowered in &generation.operations {
        if let ListingStatus::LeftOut(reason) = sources.allowlist.standing(lowered) {
            let _ = writeln!(page, "- `{}`: {reason}", lowered.operation.tool);
        }
    }
    let toolsets = sources.allowlist.toolsets.iter();
    for (name, toolset) in toolsets.filter(|(name, _)| !REPEATED.contains(&name.as_str())) {
        let _ = write!(
            page,
            "\n## {name}\n\n{} `/mcp/x/{name}`\n\n| Tool | Title | Effect |\n|---|---|---|\n",
            toolset.description
        );
        for tool in tools_of(generation, Some(name)) {
            let title = tool.title.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {title} | {} |", tool.tool, effect(tool));
        }
    }
    page
}

/// One line for each scope that the 21 need, with the tools that need it.
fn scope_list(generation: &Generation) -> String {
    let mut by_scope: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for tool in tools_of(generation, Some(OFFICIAL)) {
        for scope in &tool.scopes {
            by_scope.entry(scope).or_default().push(&tool.tool);
        }
    }
    let lines = by_scope.iter();
    lines
        .map(|(scope, tools)| format!("- `{scope}`: {}\n", tools.join(", ")))
        .collect()
}

fn effect(tool: &Operation) -> String {
    let marks = [(tool.bulk, ", bulk"), (tool.asks_person, ", asks a person")];
    let marks = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark);
    std::iter::once(tool.effect.name()).chain(marks).collect()
}
