//! Operations as tools of their own: the official ones, or any toolsets.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Calling, Listing, Session, Surface, unknown_name};
use crate::runtime::tool::Tool;

/// Some tools under their own names.
pub struct Official {
    tools: Vec<&'static Tool>,
    /// Every name that is called here, other names of tools included.
    names: HashMap<&'static str, &'static Tool>,
}

impl Official {
    /// `tools`: sorted by name.
    pub fn new(tools: Vec<&'static Tool>) -> Self {
        Self {
            names: names(&tools),
            tools,
        }
    }
}

/// The tools by each of their names.
pub fn names(tools: &[&'static Tool]) -> HashMap<&'static str, &'static Tool> {
    let all = tools.iter().flat_map(|tool| {
        let names = std::iter::once(&tool.name).chain(tool.aliases);
        names.map(|name| (*name, *tool))
    });
    all.collect()
}

impl Surface for Official {
    fn list(&self) -> Vec<Listing> {
        self.tools.iter().copied().map(Listing::Tool).collect()
    }

    fn resolve(&self, name: &str) -> Option<Listing> {
        self.names.get(name).copied().map(Listing::Tool)
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a> {
        match self.names.get(name) {
            Some(tool) => Box::pin(session.pipeline.call(tool, arguments, session.context)),
            None => Box::pin(async { unknown_name(name) }),
        }
    }
}
