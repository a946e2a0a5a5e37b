//! Finds a tool by its name or alias.

use std::collections::BTreeMap;

use crate::runtime::tool::Tool;

/// The tools by every name that reaches them.
pub struct Registry {
    by_name: BTreeMap<&'static str, &'static Tool>,
}

impl Registry {
    pub fn new(tools: &'static [Tool]) -> Self {
        let by_name = tools
            .iter()
            .flat_map(|tool| {
                std::iter::once(tool.name)
                    .chain(tool.aliases.iter().copied())
                    .map(move |name| (name, tool))
            })
            .collect();
        Self { by_name }
    }

    pub fn get(&self, name: &str) -> Option<&'static Tool> {
        self.by_name.get(name).copied()
    }
}
