//! The short list that reaches every operation: a search, one call tool per effect, and locations.

mod call;
mod list;
mod locations;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{Calling, Listing, Session, Surface, unknown_name};
use crate::call::Answer;
use crate::call::arguments::own::OwnArguments;
use crate::surfaces::search::{Search, search};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

pub(crate) use locations::list as locations;

/// The tools for all operations.
pub(crate) struct Orchestrator {
    read_only: bool,
}

/// The operations that a call tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallToolKind {
    Read,
    Write,
    Send,
    /// Destructive operations, money, and bulk writes or sends.
    Destructive,
}

/// Arguments of a search that are lists.
const QUERIES: &str = "queries";
const MANY: [&str; 2] = [QUERIES, "operations"];

static SEARCH_ARGUMENTS: LazyLock<OwnArguments> = LazyLock::new(|| {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "queries": texts,
            "operations": texts,
            "domain": {"type": "string"},
            "effect": {"type": "string", "enum": ["read", "write", "send", "money", "destructive"]},
            "limit": {"type": "integer", "minimum": 1},
            "detail": {"type": "string", "enum": ["names", "signature", "schema"]},
            "path": {"type": "string"},
        },
    });
    OwnArguments::new(list::SEARCH, schema)
});

static LOCATIONS_ARGUMENTS: LazyLock<OwnArguments> = LazyLock::new(|| {
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {}});
    OwnArguments::new(list::LOCATIONS, schema)
});

impl Orchestrator {
    /// `read_only`: without the tools that write.
    pub(crate) fn new(read_only: bool) -> Self {
        Self { read_only }
    }
}

impl Surface for Orchestrator {
    fn list(&self) -> Vec<Listing> {
        let listed = list::metas().filter(|meta| !self.read_only || list::reads(meta));
        listed.cloned().map(Listing::Meta).collect()
    }

    fn resolve(&self, name: &str) -> Option<Listing> {
        let found = list::metas().find(|meta| meta.name == name);
        let found = found.filter(|meta| !self.read_only || list::reads(meta));
        found.cloned().map(Listing::Meta)
    }

    fn runner(&self, tool: &Tool) -> Option<&'static str> {
        Some(CallToolKind::of_tool(tool).tool_name())
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a> {
        Box::pin(async move {
            match self.resolve(name) {
                Some(Listing::Meta(meta)) => match meta.calls {
                    Some(kind) => match call::run(kind, arguments, session).await {
                        Ok(answer) => answer,
                        Err(failure) => session.answer(meta.name, async { Err(failure) }).await,
                    },
                    None if meta.name == list::LOCATIONS => {
                        let work = async {
                            let is_ignored = |name: &str| session.pipeline.is_ignored(name);
                            LOCATIONS_ARGUMENTS
                                .read::<Map<String, Value>>(arguments, is_ignored)?;
                            locations(session).await
                        };
                        session.answer(meta.name, work).await
                    }
                    None => {
                        let work = async { find(arguments, session) };
                        session.answer(meta.name, work).await
                    }
                },
                _ => unknown_name(name),
            }
        })
    }
}

fn find(mut arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    take_one_for_many(&mut arguments);
    let asked: Search =
        SEARCH_ARGUMENTS.read(arguments, |name| session.pipeline.is_ignored(name))?;
    let found = search(&asked, |tool| session.inclusion(tool));
    let found = found.map_err(|what| Failure::new(FailureClass::Invalid, what))?;
    Ok(session.pipeline.fit(found.to_string()))
}

/// `query`, which HighLevel's own server takes, as `queries`; and one text as a list of it.
fn take_one_for_many(arguments: &mut Map<String, Value>) {
    if !arguments.contains_key(QUERIES)
        && let Some(query) = arguments.shift_remove("query")
    {
        arguments.insert(QUERIES.to_owned(), query);
    }
    for name in MANY {
        // A text of a list is read as the list that it holds.
        if let Some(Value::String(one)) = arguments.get_mut(name)
            && !one.trim().is_empty()
            && !one.trim_start().starts_with('[')
        {
            let one = std::mem::take(one);
            arguments.insert(name.to_owned(), json!([one]));
        }
    }
}

impl CallToolKind {
    /// In the order of declaration.
    pub(super) const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Send, Self::Destructive];

    /// The call tool that runs `tool`.
    pub fn of_tool(tool: &Tool) -> Self {
        match tool.effect {
            Effect::Read => Self::Read,
            Effect::Money | Effect::Destructive => Self::Destructive,
            Effect::Write | Effect::Send if tool.bulk => Self::Destructive,
            Effect::Write => Self::Write,
            Effect::Send => Self::Send,
        }
    }

    /// The effect of most of its operations, which is also its name.
    pub fn effect(self) -> Effect {
        match self {
            Self::Read => Effect::Read,
            Self::Write => Effect::Write,
            Self::Send => Effect::Send,
            Self::Destructive => Effect::Destructive,
        }
    }

    pub fn tool_name(self) -> &'static str {
        match self {
            Self::Read => "call_read",
            Self::Write => "call_write",
            Self::Send => "call_send",
            Self::Destructive => "call_destructive",
        }
    }
}

#[cfg(test)]
mod tests;
