//! Helps with a name that an endpoint does not list: it names the tool that runs it, or the endpoint that has it.

use super::toolset::Toolset;
use super::{Endpoint, OFFICIAL, USUAL};
use tool::{Effect, Tool};

/// Endpoints with tools for many operations.
const WITH_METAS: [&str; 2] = [USUAL, "compat"];

/// Why an endpoint without writes does not have `tool`.
pub(super) fn only_reads(tool: &Tool) -> String {
    let name = tool.name;
    format!("{name} changes something, and this endpoint only reads.")
}

impl Endpoint {
    /// The way to call `name`, if it is a tool or an operation that `is_visible` accepts and this endpoint does not
    /// list.
    pub fn way_to(&self, name: &str, is_visible: impl Fn(&Tool) -> bool) -> Option<String> {
        let Some(tool) = Toolset::find(name) else {
            return self.way_to_meta(name);
        };
        if !is_visible(tool) {
            return None;
        }
        let name = tool.name;
        if let Some(runner) = self.runner(tool) {
            return Some(format!(
                "{name} is not a tool of this list: {runner} runs it, as the operation {name}."
            ));
        }
        if self.read_only && tool.effect != Effect::Read {
            return Some(only_reads(tool));
        }
        let endpoint = match tool.toolsets.contains(&OFFICIAL) {
            true => "/mcp".to_owned(),
            false => {
                let document = tool.toolsets.contains(&tool.document);
                let toolset = match document {
                    true => Some(tool.document),
                    false => tool.toolsets.first().copied(),
                };
                format!("/mcp/x/{}", toolset.unwrap_or("all"))
            }
        };
        Some(format!(
            "{name} is not a tool of this endpoint: {endpoint} lists it, and /mcp/orchestrator runs it as an operation."
        ))
    }

    fn way_to_meta(&self, name: &str) -> Option<String> {
        let endpoints = WITH_METAS
            .iter()
            .filter_map(|name| Self::parse(name).ok().map(|endpoint| (*name, endpoint)));
        let mut having = endpoints.filter(|(_, endpoint)| endpoint.resolve(name).is_some());
        let (path, endpoint) = having.next()?;
        let (_, listing) = endpoint.resolve(name)?;
        let slash = if path.is_empty() { "" } else { "/" };
        Some(format!(
            "{} is not a tool of this endpoint: /mcp{slash}{path} has it.",
            listing.name()
        ))
    }
}
