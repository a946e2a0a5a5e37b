//! Operations as tools of their own: the official ones, or any toolsets.

use serde_json::{Map, Value};

use super::toolset::Toolset;
use super::{Calling, Listing, Session, Surface, unknown_name};

/// Some tools under their own names.
pub struct Official {
    tools: Toolset,
}

impl Official {
    pub fn new(tools: Toolset) -> Self {
        Self { tools }
    }
}

impl Surface for Official {
    fn list(&self) -> Vec<Listing> {
        self.tools.iter().map(Listing::Tool).collect()
    }

    fn resolve(&self, name: &str) -> Option<Listing> {
        self.tools.get(name).map(Listing::Tool)
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a> {
        match self.tools.get(name) {
            Some(tool) => Box::pin(session.pipeline.call(tool, arguments, session.context)),
            None => Box::pin(async { unknown_name(name) }),
        }
    }
}
