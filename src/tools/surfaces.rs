//! Which tools an endpoint lists and lets call.

use crate::runtime::tool::Tool;

/// One list of tools under a name of its own.
pub struct Surface {
    /// Shown in `serverInfo`.
    pub name: &'static str,
    /// Sorted by name.
    pub tools: Vec<&'static Tool>,
}

/// Below this likeness (1 is equal) a name is no help.
const NEAR: f64 = 0.6;

impl Surface {
    /// HighLevel's official tools, for `/mcp` and stdio.
    pub fn official() -> Self {
        let tools = crate::generated::TOOLS
            .iter()
            .filter(|tool| tool.toolsets.contains(&"official"))
            .collect();
        Self {
            name: "highlevel",
            tools,
        }
    }

    /// The tool of this name or alias.
    pub fn find(&self, name: &str) -> Option<&'static Tool> {
        self.tools
            .iter()
            .copied()
            .find(|tool| tool.name == name || tool.aliases.contains(&name))
    }

    /// The tool whose name is most like `name`, if any is.
    pub fn nearest(&self, name: &str) -> Option<&'static Tool> {
        let likeness = |tool: &Tool| strsim::normalized_damerau_levenshtein(name, tool.name);
        let tools = self.tools.iter().copied();
        tools
            .map(|tool| (likeness(tool), tool))
            .filter(|(likeness, _)| *likeness >= NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, tool)| tool)
    }
}
