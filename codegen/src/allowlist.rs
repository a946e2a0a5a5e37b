//! The operations that become tools, with their toolsets: `openapi/allowlist.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Problem;
use crate::model::lower::LoweredOperation;

/// The allowlist file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowlist {
    pub toolsets: BTreeMap<String, ToolsetEntry>,
    /// Operations that are not tools, by tool name, with the reason.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
}

/// A named group of tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsetEntry {
    pub description: String,
    pub tools: Vec<String>,
}

/// The listing status of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListingStatus<'a> {
    Tool,
    /// For this reason.
    LeftOut(&'a str),
    /// It has no table, so nobody has reviewed its effect.
    Unreviewed,
    /// It has a table but is in no toolset yet.
    Unlisted,
    /// It cannot be sent yet, for this reason.
    Unsendable(&'a str),
}

impl Allowlist {
    /// The status of an operation: every operation has exactly one.
    pub fn standing<'a>(&'a self, lowered: &'a LoweredOperation) -> ListingStatus<'a> {
        let operation = &lowered.operation;
        match (self.left_out.get(&operation.tool), lowered.unsendable) {
            _ if !operation.toolsets.is_empty() => ListingStatus::Tool,
            (Some(reason), _) => ListingStatus::LeftOut(reason),
            _ if !lowered.known => ListingStatus::Unreviewed,
            (None, Some(reason)) => ListingStatus::Unsendable(reason),
            (None, None) => ListingStatus::Unlisted,
        }
    }

    /// The listed tools with the toolsets of each, both sorted.
    pub fn toolsets_by_tool(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_tool: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (toolset, entry) in &self.toolsets {
            for tool in &entry.tools {
                by_tool.entry(tool).or_default().push(toolset);
            }
        }
        by_tool
    }

    /// Tools that are twice in one toolset, or both left out and listed.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, toolset) in &self.toolsets {
            let mut seen = std::collections::BTreeSet::new();
            for tool in &toolset.tools {
                if !seen.insert(tool) {
                    problems.push(Problem::new(
                        "openapi/allowlist.toml",
                        format!("toolset {name} lists {tool} twice"),
                        "remove one of them",
                    ));
                }
            }
        }
        let listed = self.toolsets_by_tool();
        for (tool, reason) in &self.left_out {
            if listed.contains_key(tool.as_str()) {
                problems.push(Problem::new(
                    "openapi/allowlist.toml",
                    format!("{tool} is left out and in a toolset"),
                    "remove one of them",
                ));
            }
            if reason.trim().is_empty() {
                problems.push(Problem::new(
                    "openapi/allowlist.toml",
                    format!("{tool} is left out without a reason"),
                    "give the reason",
                ));
            }
        }
        problems
    }
}

/// Parses the file's text.
pub fn parse(text: &str) -> Result<Allowlist, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml("openapi/allowlist.toml", &error))
}
