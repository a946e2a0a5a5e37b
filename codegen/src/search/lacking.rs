//! Requests of people that HighLevel's API cannot serve: `openapi/lacking.toml`.

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

/// One subject that no operation serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LackingTable {
    /// Continues the sentence after `to`.
    pub what: String,
    /// Requests of people and agents in other words.
    pub phrases: Vec<String>,
    /// The request is for information.
    #[serde(default)]
    pub reads: bool,
    /// The tools that come closest.
    #[serde(default)]
    pub nearest: Vec<String>,
}

impl LackingTables {
    /// Tables that name something that is not a tool of `operations`.
    pub fn problems(&self, operations: &[LoweredOperation]) -> Vec<Problem> {
        let tools = operations.iter().map(|lowered| &lowered.operation.tool);
        let is_tool = |name: &String| tools.clone().any(|tool| tool == name);
        let named = self.lacking.iter().flat_map(|table| {
            let wrong = table.nearest.iter().filter(|name| !is_tool(name));
            wrong.map(|name| {
                Problem::new(
                    format!("{FILE} {:?}", table.what),
                    format!("nearest names {name}, which is not a tool"),
                    "correct or remove it",
                )
            })
        });
        named.collect()
    }
}

/// Parses the file's text.
pub(crate) fn parse(text: &str) -> Result<LackingTables, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml(FILE, &error))
}
