//! Which tools an endpoint lists and lets call.

use std::collections::BTreeSet;

use crate::generated::TOOLS;
use crate::runtime::nearest;
use crate::runtime::tool::{Effect, Tool};

/// One list of tools under a name of its own.
#[derive(Clone)]
pub struct Surface {
    /// Shown in `serverInfo`.
    pub name: String,
    /// Sorted by name.
    pub tools: Vec<&'static Tool>,
    /// What stands for all other operations.
    pub meta: MetaTools,
    pub style: Style,
    /// Without what writes.
    pub read_only: bool,
}

/// Which tools that stand for all operations a surface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaTools {
    None,
    Orchestrator,
    /// The four of HighLevel's own later server, by their exact argument forms.
    Compat,
}

/// How arguments are named and answers wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// As HighLevel's first server did: `query_limit`, and an envelope around the answer.
    Legacy,
}

/// The toolset of the tools that HighLevel's own server began with.
pub const OFFICIAL: &str = "official";

/// The surface of `/mcp` and stdio.
pub const USUAL: &str = "";

/// The toolset of the tools that HighLevel's own server had in the end.
const OFFICIAL_36: &str = "official-36";

/// Stands for every toolset.
const ALL: &str = "all";

/// At the end of the name of any surface: without what writes.
const READ_ONLY: &str = "/readonly";

/// A surface or toolset that there is not.
#[derive(Debug, thiserror::Error)]
#[error("there is no toolset {name}; there are {known}")]
pub struct UnknownToolset {
    name: String,
    known: String,
}

impl Surface {
    /// The surface of this name: nothing for the usual one, `official`, `official-36`, `orchestrator`,
    /// `legacy`, `compat`, `x/` and toolsets joined by `+`, or those toolsets alone; each with
    /// `/readonly` or without. The same toolsets in another order are the same surface.
    pub fn of(name: &str) -> Result<Self, UnknownToolset> {
        let name = name.trim_end_matches('/');
        let (name, read_only) = match name.strip_suffix(READ_ONLY) {
            Some(name) => (name, true),
            None if name == READ_ONLY.trim_start_matches('/') => (USUAL, true),
            None => (name, false),
        };
        let (toolsets, meta, style) = match name {
            USUAL => (Some(OFFICIAL), MetaTools::Orchestrator, Style::Plain),
            "orchestrator" => (None, MetaTools::Orchestrator, Style::Plain),
            "compat" => (None, MetaTools::Compat, Style::Plain),
            "legacy" => (Some(OFFICIAL_36), MetaTools::None, Style::Legacy),
            toolsets => {
                let toolsets = toolsets.strip_prefix("x/").unwrap_or(toolsets);
                (Some(toolsets), MetaTools::None, Style::Plain)
            }
        };
        let wanted: BTreeSet<&str> = toolsets
            .into_iter()
            .flat_map(|sets| sets.split('+'))
            .collect();
        refuse_unknown(&wanted)?;
        let is_wanted = |tool: &&Tool| {
            let listed = wanted.contains(ALL)
                || tool.toolsets.iter().any(|toolset| wanted.contains(toolset));
            listed && (!read_only || tool.effect == Effect::Read)
        };
        let mut own_name = match name {
            USUAL => "highlevel".to_owned(),
            "orchestrator" | "compat" | "legacy" => format!("highlevel-{name}"),
            _ => format!(
                "highlevel-{}",
                Vec::from_iter(wanted.iter().copied()).join("+")
            ),
        };
        if read_only {
            own_name.push_str("-readonly");
        }
        Ok(Self {
            name: own_name,
            tools: TOOLS.iter().filter(is_wanted).collect(),
            meta,
            style,
            read_only,
        })
    }

    /// The tool of this name or alias.
    pub fn find(&self, name: &str) -> Option<&'static Tool> {
        self.tools.iter().copied().find(|tool| tool.is_called(name))
    }

    /// The tool whose name is most like `name`, if any is.
    pub fn nearest(&self, name: &str) -> Option<&'static Tool> {
        nearest(name, self.tools.iter().copied())
    }
}

/// The tool whose name is most like `name`, if any is.
pub fn nearest(name: &str, tools: impl Iterator<Item = &'static Tool>) -> Option<&'static Tool> {
    nearest::nearest(name, tools.map(|tool| (tool.name, tool)))
}

fn refuse_unknown(wanted: &BTreeSet<&str>) -> Result<(), UnknownToolset> {
    let known: BTreeSet<&str> = TOOLS
        .iter()
        .flat_map(|tool| tool.toolsets.iter().copied())
        .chain([ALL])
        .collect();
    match wanted.difference(&known).next() {
        None => Ok(()),
        Some(unknown) => Err(UnknownToolset {
            name: unknown.chars().take(64).collect(),
            known: Vec::from_iter(known).join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_are_known_by_name() {
        fn check(name: &str, own_name: &str, count: usize, meta: MetaTools) {
            let surface = Surface::of(name).expect(name);
            let found = (surface.name.as_str(), surface.tools.len(), surface.meta);
            assert_eq!(found, (own_name, count, meta), "{name}");
            assert!(surface.tools.is_sorted_by_key(|tool| tool.name));
        }
        let reads = TOOLS
            .iter()
            .filter(|tool| tool.effect == Effect::Read)
            .count();
        check("", "highlevel", 21, MetaTools::Orchestrator);
        check("official", "highlevel-official", 21, MetaTools::None);
        check("official/", "highlevel-official", 21, MetaTools::None);
        check(
            "official/readonly",
            "highlevel-official-readonly",
            14,
            MetaTools::None,
        );
        check(
            "readonly",
            "highlevel-readonly",
            14,
            MetaTools::Orchestrator,
        );
        check("official-36", "highlevel-official-36", 36, MetaTools::None);
        check("legacy", "highlevel-legacy", 36, MetaTools::None);
        check(
            "orchestrator",
            "highlevel-orchestrator",
            0,
            MetaTools::Orchestrator,
        );
        check("compat", "highlevel-compat", 0, MetaTools::Compat);
        check(
            "x/contacts+campaigns",
            "highlevel-campaigns+contacts",
            33,
            MetaTools::None,
        );
        check(
            "campaigns+contacts+campaigns",
            "highlevel-campaigns+contacts",
            33,
            MetaTools::None,
        );
        check("x/all", "highlevel-all", TOOLS.len(), MetaTools::None);
        check(
            "x/all/readonly",
            "highlevel-all-readonly",
            reads,
            MetaTools::None,
        );
        for unknown in ["contacts+", "nothing", "x/"] {
            let error = Surface::of(unknown).err().expect(unknown).to_string();
            assert!(error.contains("there are ad-manager, "), "{error}");
        }
    }
}
