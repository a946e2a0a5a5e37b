//! What people ask for and HighLevel's API lacks: `openapi/lacking.toml`.

use serde::Deserialize;

use crate::error::Problem;
use crate::model::lower::LoweredOperation;

const FILE: &str = "openapi/lacking.toml";

/// The file's tables.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LackingTables {
    #[serde(default)]
    pub lacking: Vec<LackingTable>,
}

/// One thing that no operation does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LackingTable {
    /// Goes on from `to`.
    pub what: String,
    /// How people and agents ask for it in other words.
    pub phrases: Vec<String>,
    /// One asks to know it.
    #[serde(default)]
    pub reads: bool,
    /// Tools that come nearest.
    #[serde(default)]
    pub nearest: Vec<String>,
}

impl LackingTables {
    /// Tables that name what is no tool of `operations`.
    pub fn problems(&self, operations: &[LoweredOperation]) -> Vec<Problem> {
        let tools = operations.iter().map(|lowered| &lowered.operation.tool);
        let is_tool = |name: &String| tools.clone().any(|tool| tool == name);
        let named = self.lacking.iter().flat_map(|table| {
            let wrong = table.nearest.iter().filter(|name| !is_tool(name));
            wrong.map(|name| {
                Problem::new(
                    format!("{FILE} {:?}", table.what),
                    format!("nearest names {name}, which is no tool"),
                    "correct or remove it",
                )
            })
        });
        named.collect()
    }
}

/// Reads the file's text.
pub(crate) fn parse(text: &str) -> Result<LackingTables, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml(FILE, &error))
}
