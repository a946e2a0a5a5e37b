//! Which tools an endpoint lists and lets call.

use std::collections::BTreeSet;

use crate::generated::TOOLS;
use crate::runtime::tool::Tool;

/// One list of tools under a name of its own.
pub struct Surface {
    /// Shown in `serverInfo`.
    pub name: String,
    /// Sorted by name.
    pub tools: Vec<&'static Tool>,
}

/// The toolset of `/mcp` and stdio.
pub const OFFICIAL: &str = "official";

/// Stands for every toolset.
const ALL: &str = "all";

/// Below this likeness (1 is equal) a name is no help.
const NEAR: f64 = 0.6;

/// A toolset that the allowlist does not have.
#[derive(Debug, thiserror::Error)]
#[error("there is no toolset {name}; there are {known}")]
pub struct UnknownToolset {
    name: String,
    known: String,
}

impl Surface {
    /// The tools of toolsets joined by `+`, such as `contacts+calendars`; `all` is every tool. The
    /// same toolsets in another order are the same surface.
    pub fn of(toolsets: &str) -> Result<Self, UnknownToolset> {
        let wanted: BTreeSet<&str> = toolsets.split('+').collect();
        let known: BTreeSet<&str> = TOOLS
            .iter()
            .flat_map(|tool| tool.toolsets.iter().copied())
            .chain([ALL])
            .collect();
        if let Some(unknown) = wanted.difference(&known).next() {
            return Err(UnknownToolset {
                name: unknown.chars().take(64).collect(),
                known: Vec::from_iter(known).join(", "),
            });
        }
        let is_wanted = |tool: &&Tool| {
            wanted.contains(ALL) || tool.toolsets.iter().any(|toolset| wanted.contains(toolset))
        };
        let name = match Vec::from_iter(wanted.iter().copied()).join("+").as_str() {
            OFFICIAL => "highlevel".to_owned(),
            toolsets => format!("highlevel-{toolsets}"),
        };
        Ok(Self {
            name,
            tools: TOOLS.iter().filter(is_wanted).collect(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolsets_are_joined_in_any_order() {
        fn check(toolsets: &str, name: &str, count: usize) {
            let surface = Surface::of(toolsets).expect(toolsets);
            assert_eq!((surface.name.as_str(), surface.tools.len()), (name, count));
            assert!(surface.tools.is_sorted_by_key(|tool| tool.name));
        }
        check("official", "highlevel", 21);
        check("contacts", "highlevel-contacts", 8);
        check("contacts+calendars", "highlevel-calendars+contacts", 10);
        check(
            "calendars+contacts+calendars",
            "highlevel-calendars+contacts",
            10,
        );
        check("all", "highlevel-all", TOOLS.len());
        for unknown in ["", "contacts+", "nothing"] {
            let error = Surface::of(unknown).err().expect(unknown).to_string();
            assert!(
                error.contains("there are all, calendars, contacts"),
                "{error}"
            );
        }
    }
}
