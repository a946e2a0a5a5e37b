//! Which tools an endpoint lists and lets call.

use crate::runtime::tool::Tool;

/// One list of tools under a name of its own.
pub struct Surface {
    /// Shown in `serverInfo`.
    pub name: &'static str,
    /// Sorted by name.
    pub tools: Vec<&'static Tool>,
}

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

    pub fn find(&self, name: &str) -> Option<&'static Tool> {
        self.tools
            .iter()
            .copied()
            .find(|tool| tool.name == name || tool.aliases.contains(&name))
    }
}
