//! The small list behind which every operation stands: search, one call tool for each effect, locations.

mod batch;
mod call;
mod list;
mod locations;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::call::CallContext;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::dispatch::{Answer, Dispatch};
use crate::tools::search::{Search, search};

pub use batch::Progress;
pub use call::one;
pub use list::{MetaTool, meta_tools};
pub use locations::list as locations;

/// One of the tools that stand for all operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    Search,
    Call(Kind),
    Locations,
}

/// Which operations a call tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Send,
    /// Destructive, money and bulk.
    Destructive,
}

/// What a call of the orchestrator comes with.
pub struct Request<'a> {
    pub dispatch: &'a Dispatch,
    pub asker: &'a CallContext,
    /// Only operations that read are found and called.
    pub read_only: bool,
    /// Tells how far a batch is.
    pub progress: &'a Progress,
}

impl Request<'_> {
    /// Whether `tool` may be found here.
    pub fn finds(&self, tool: &Tool) -> bool {
        self.serves(tool) && self.dispatch.shows(tool, &self.asker.principal)
    }

    /// Whether `tool` may be called here; what the rules deny is refused later, with the rule.
    pub fn serves(&self, tool: &Tool) -> bool {
        !self.read_only || tool.effect == Effect::Read
    }
}

/// Calls one of the orchestrator's tools.
pub async fn call(meta: Meta, arguments: Map<String, Value>, request: &Request<'_>) -> Answer {
    let answered = match meta {
        Meta::Search => found(arguments, request),
        Meta::Call(kind) => call::run(kind, arguments, request).await,
        Meta::Locations => locations(request).await,
    };
    answered.unwrap_or_else(|failure| Answer::failed(&failure))
}

fn found(arguments: Map<String, Value>, request: &Request<'_>) -> Result<Answer, Failure> {
    let asked: Search = read("search_operations", arguments, request)?;
    let found = search(&asked, |tool| request.finds(tool));
    let found = found.map_err(|what| Failure::new(Class::Invalid, what))?;
    Ok(Answer::text(found.to_string()))
}

/// `arguments` as a `T`; what clients add by themselves is dropped, and objects may come as their JSON text.
fn read<T: DeserializeOwned>(
    tool: &str,
    mut arguments: Map<String, Value>,
    request: &Request<'_>,
) -> Result<T, Failure> {
    arguments.retain(|name, value| !value.is_null() && !request.dispatch.is_ignored(name));
    for (name, value) in &mut arguments {
        let holds_json =
            ["arguments", "items", "output", "queries", "operations"].contains(&name.as_str());
        if let (true, Some(text)) = (holds_json, value.as_str())
            && let Ok(parsed @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
        {
            *value = parsed;
        }
    }
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        Failure::new(
            Class::Invalid,
            format!("Nothing was sent: the arguments of {tool} are wrong: {error}."),
        )
    })
}

impl Kind {
    /// The call tool that runs `tool`.
    pub fn of(tool: &Tool) -> Self {
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
