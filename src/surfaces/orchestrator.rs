//! The small list behind which every operation stands: search, one call tool for each effect, locations.

mod call;
mod list;
mod locations;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Calling, Listing, Session, Surface, unknown_name};
use crate::call::Answer;
use crate::catalog::decoding;
use crate::surfaces::search::{Search, search};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

pub(crate) use locations::list as locations;

/// The tools that stand for all operations.
pub(crate) struct Orchestrator {
    read_only: bool,
}

/// Which operations a call tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallToolKind {
    Read,
    Write,
    Send,
    /// Destructive, money and what writes or sends in bulk.
    Destructive,
}

/// Arguments that may come as their JSON text.
const DECODED: [&str; 5] = ["arguments", "items", "output", "queries", "operations"];

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
                        session.answer(meta.name, locations(session)).await
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

fn find(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: Search = read(list::SEARCH, arguments, session)?;
    let found = search(&asked, |tool| session.finds(tool));
    let found = found.map_err(|what| Failure::new(FailureClass::Invalid, what))?;
    Ok(session.pipeline.fit(found.to_string()))
}

/// `arguments` as a `T`; what clients add by themselves is dropped, and objects may come as their JSON text.
fn read<T: DeserializeOwned>(
    tool: &str,
    mut arguments: Map<String, Value>,
    session: &Session<'_>,
) -> Result<T, Failure> {
    let wrong = |what: String| {
        let what = format!("Nothing was sent: the arguments of {tool} are wrong: {what}.");
        Failure::new(FailureClass::Invalid, what)
    };
    arguments.retain(|name, value| !value.is_null() && !session.pipeline.is_ignored(name));
    for (name, value) in &mut arguments {
        if let (true, Some(text)) = (DECODED.contains(&name.as_str()), value.as_str()) {
            decoding::check_size(text).map_err(|what| wrong(format!("{name} {what}")))?;
            if let Ok(parsed @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                *value = parsed;
            }
        }
    }
    serde_json::from_value(Value::Object(arguments)).map_err(|error| wrong(error.to_string()))
}

impl CallToolKind {
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
