//! Which operations become tools, and in which toolsets: `openapi/allowlist.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Problem;

/// The allowlist file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowlist {
    pub toolsets: BTreeMap<String, Toolset>,
    /// Operations that are no tools, by tool name, with the reason.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
}

/// A named group of tools.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolset {
    pub description: String,
    pub tools: Vec<String>,
}

impl Allowlist {
    /// The listed tools with the toolsets each stands in, both sorted.
    pub fn toolsets_by_tool(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_tool: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (toolset, entry) in &self.toolsets {
            for tool in &entry.tools {
                by_tool.entry(tool).or_default().push(toolset);
            }
        }
        by_tool
    }

    /// Tools named twice in one toolset, or left out and listed.
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

/// Reads the file's text.
pub fn parse(text: &str) -> Result<Allowlist, Problem> {
    toml::from_str(text).map_err(|error| {
        Problem::new(
            "openapi/allowlist.toml",
            error.to_string().trim_end().to_owned(),
            "correct the key or value there",
        )
    })
}
