//! The content between markers in documents.

use super::costs::ListCosts;
use super::tools_page::tools_of;
use crate::generation::Generation;

/// A generated text by the name of its markers. A single line is inside a sentence; several are a block.
pub(super) struct GeneratedPart {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// Paths and what they list. If a path is in the snapshot of lists, its tokens follow.
const SURFACES: [(&str, &str); 10] = [
    (
        "/mcp",
        "The 21 tools that HighLevel's server began with, and the orchestrator",
    ),
    ("/mcp/official", "The 21 only"),
    (
        "/mcp/official-36",
        "The 36 tools that HighLevel's server grew to",
    ),
    (
        "/mcp/orchestrator",
        "Search, four call tools and `list_locations`, which reach every operation",
    ),
    (
        "/mcp/orchestrator/readonly",
        "The three of them that only read; `/readonly` can follow every path",
    ),
    (
        "/mcp/x/contacts+calendars",
        "The toolsets that you name, one for each [area of HighLevel](docs/tools.md)",
    ),
    (
        "/mcp/x/all",
        "Every tool, for clients that search tools themselves",
    ),
    (
        "/mcp/legacy",
        "The 36 with the argument names and answers of HighLevel's first server",
    ),
    ("/mcp/compat", "The four tools of HighLevel's later server"),
    (
        "/mcp/l/NAME/…",
        "Any of these for one of the server's own locations, by the short name that `init` gives it",
    ),
];

/// Every part.
pub(super) fn parts(generation: &Generation, costs: &ListCosts) -> Vec<GeneratedPart> {
    let tools = tools_of(generation, None).count();
    let v3_only = generation.operations.iter();
    let v3_only = v3_only.filter(|one| one.operation.source.starts_with("v3/"));
    let v3_only = v3_only.count() + generation.successors;
    let known = generation.operations.len() + generation.successors;
    let left_out = generation.operations.len() - tools;
    let tokens = |address: &str| costs.get(address).copied().unwrap_or_default();
    let values = [
        ("tools", tools),
        ("operations", known),
        ("older operations", known - v3_only),
        ("v3 operations", v3_only),
        ("moved operations", generation.successors),
        ("left out", left_out),
        ("orchestrator tokens", tokens("/mcp/orchestrator")),
    ];
    let values = values.into_iter().map(|(name, value)| GeneratedPart {
        name,
        text: grouped(value),
    });
    let surfaces = GeneratedPart {
        name: "surfaces",
        text: surfaces(costs),
    };
    values.chain([surfaces]).collect()
}

fn surfaces(costs: &ListCosts) -> String {
    let rows = SURFACES.iter().map(|(address, lists)| {
        let tokens = costs.get(*address).copied().map(grouped);
        let tokens = tokens.unwrap_or_default();
        format!("| `{address}` | {lists} | {tokens} |\n")
    });
    let rows: String = rows.collect();
    format!("| Path | Lists | Tokens |\n|---|---|---:|\n{rows}")
}

/// `93657` as `93,657`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (996, "996"),
            (4262, "4,262"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_surface_without_a_cost_has_an_empty_cell() {
        let costs = ListCosts::from([("/mcp/official".to_owned(), 4262)]);
        let table = surfaces(&costs);
        assert!(
            table.contains("| `/mcp/official` | The 21 only | 4,262 |"),
            "{table}"
        );
        assert!(table.contains("gives it |  |\n"), "{table}");
    }
}
