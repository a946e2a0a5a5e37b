//! The list and the calls of an endpoint: one or more surfaces, each of which names the same operations in its own way.

pub(crate) mod compat;
mod elsewhere;
pub(crate) mod legacy;
pub mod mention;
pub mod official;
pub(crate) mod orchestrator;
pub mod search;
pub mod toolset;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use self::search::Inclusion;
use crate::call::{Answer, CallContext, Pipeline, Principal, Progress, Request};
use crate::catalog::TOOLS;
use crate::telemetry::CallEnd;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};
use tool::{LONGEST_NAME, nearest_shown};
use toolset::Toolset;

/// One way to name operations: the tools it lists, the meaning of a name, and how it is called.
pub trait Surface: Send + Sync {
    /// Its tools in the order of the list.
    fn list(&self) -> Vec<Listing>;

    /// The tool that `name` means here, by any of its names.
    fn resolve(&self, name: &str) -> Option<Listing>;

    /// The name of its tool that runs `tool` as an operation.
    fn runner(&self, _tool: &Tool) -> Option<&'static str> {
        None
    }

    /// Calls the tool of this name.
    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a>;
}

/// A future answer.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// One tool as a list shows it.
#[derive(Clone)]
pub enum Listing {
    Tool(&'static Tool),
    /// The same, with argument names that contain their place.
    Legacy(&'static Tool),
    Meta(Arc<MetaListing>),
}

/// A tool for many operations, as a list shows it.
#[derive(Debug)]
pub struct MetaListing {
    pub name: &'static str,
    pub title: Option<&'static str>,
    pub description: &'static str,
    pub schema: Value,
    /// Its hints; `None` if it gives none.
    pub hints: Option<MetaHints>,
    /// The operations that it may call; `None` if it calls none by name.
    pub calls: Option<orchestrator::CallToolKind>,
}

/// The hints of a tool for many operations.
#[derive(Clone, Copy, Debug)]
pub struct MetaHints {
    pub read_only: bool,
    pub closed_world: bool,
}

/// The circumstances of a call on a surface.
pub struct Session<'a> {
    pub pipeline: &'a Pipeline,
    pub context: &'a CallContext,
    /// Only reads are found and called.
    pub read_only: bool,
    /// Reports the progress of a batch.
    pub progress: &'a Progress,
}

/// The tools of one path, under a name of its own.
#[derive(Clone)]
pub struct Endpoint {
    /// Shown in `serverInfo`.
    pub name: String,
    pub surfaces: Vec<Arc<dyn Surface>>,
    /// Without writes.
    pub read_only: bool,
}

/// The toolset of the tools that HighLevel's own server had at first.
pub const OFFICIAL: &str = "official";

/// The endpoint of `/mcp` and stdio.
pub const USUAL: &str = "";

/// The toolset of the tools that HighLevel's own server has had later.
pub(crate) const OFFICIAL_36: &str = "official-36";

/// Endpoints that are not toolsets.
const ENDPOINTS: [&str; 3] = ["orchestrator", "legacy", "compat"];

/// The ending of any endpoint's name that excludes writes.
const READ_ONLY: &str = "/readonly";

/// Most toolsets in one name: more than there are.
pub const MOST_TOOLSETS: usize = 64;

/// An endpoint or toolset that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("there is no toolset {name}; {hint}")]
pub struct UnknownToolset {
    name: String,
    /// The probable name, or all names.
    hint: String,
}

impl Endpoint {
    /// The endpoint of this name: empty for the usual one, `official`, `official-36`, `orchestrator`, `legacy`,
    /// `compat`, `x/` and toolsets joined by `+`, or those toolsets alone; each with or without `/readonly`. The order
    /// of toolsets does not matter.
    pub fn parse(name: &str) -> Result<Self, UnknownToolset> {
        let name = name.trim_end_matches('/');
        let (name, read_only) = match name.strip_suffix(READ_ONLY) {
            Some(name) => (name, true),
            None if name == READ_ONLY.trim_start_matches('/') => (USUAL, true),
            None => (name, false),
        };
        let (mut own_name, surfaces): (String, Vec<Arc<dyn Surface>>) = match name {
            USUAL => (
                "highlevel".to_owned(),
                vec![
                    Arc::new(official::Official::new(select(OFFICIAL, read_only)?)),
                    Arc::new(orchestrator::Orchestrator::new(read_only)),
                ],
            ),
            "orchestrator" => (
                "highlevel-orchestrator".to_owned(),
                vec![Arc::new(orchestrator::Orchestrator::new(read_only))],
            ),
            "compat" => (
                "highlevel-compat".to_owned(),
                vec![Arc::new(compat::Compat)],
            ),
            "legacy" => (
                "highlevel-legacy".to_owned(),
                vec![Arc::new(legacy::Legacy::new(select(
                    OFFICIAL_36,
                    read_only,
                )?))],
            ),
            toolsets => {
                let toolsets = toolsets.strip_prefix("x/").unwrap_or(toolsets);
                let wanted = toolset_names(toolsets)?;
                let joined = Vec::from_iter(wanted).join("+");
                let tools = select(toolsets, read_only)?;
                (
                    format!("highlevel-{joined}"),
                    vec![Arc::new(official::Official::new(tools))],
                )
            }
        };
        if read_only {
            own_name.push_str("-readonly");
        }
        Ok(Self {
            name: own_name,
            surfaces,
            read_only,
        })
    }

    /// Every tool that it lists.
    pub fn list(&self) -> impl Iterator<Item = Listing> {
        self.surfaces.iter().flat_map(|surface| surface.list())
    }

    /// The first surface that knows `name`, with its tool.
    pub fn resolve(&self, name: &str) -> Option<(&dyn Surface, Listing)> {
        self.surfaces
            .iter()
            .find_map(|surface| Some((surface.as_ref(), surface.resolve(name)?)))
    }

    /// The tool of this endpoint that runs `tool` as an operation, if there is one.
    pub fn runner(&self, tool: &Tool) -> Option<&'static str> {
        let may_run = !self.read_only || tool.effect == Effect::Read;
        let mut surfaces = self.surfaces.iter().filter(|_| may_run);
        surfaces.find_map(|surface| surface.runner(tool))
    }

    /// Whether `tool` can be called here, by its name or as an operation.
    pub fn has(&self, tool: &Tool) -> bool {
        self.resolve(tool.name).is_some() || self.runner(tool).is_some()
    }

    /// The listed tool visible to the caller whose name is most similar to `name`.
    pub fn nearest(
        &self,
        name: &str,
        pipeline: &Pipeline,
        principal: &Principal,
    ) -> Option<&'static str> {
        let names = self.list().map(|listing| (listing.name(), listing));
        let near = nearest_shown(name, names, |one| one.is_visible(pipeline, principal))?;
        Some(near.name())
    }
}

impl Listing {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tool(tool) | Self::Legacy(tool) => tool.name,
            Self::Meta(meta) => meta.name,
        }
    }

    /// Whether the rules of `principal` show it any operation that this tool calls.
    pub fn is_visible(&self, pipeline: &Pipeline, principal: &Principal) -> bool {
        match self {
            Self::Tool(tool) | Self::Legacy(tool) => pipeline.is_visible(tool, principal),
            Self::Meta(meta) => meta.calls.is_none_or(|kind| {
                TOOLS.iter().any(|tool| {
                    orchestrator::CallToolKind::of_tool(tool) == kind
                        && pipeline.is_visible(tool, principal)
                })
            }),
        }
    }
}

impl<'a> Session<'a> {
    /// Whether `tool` may be found here.
    pub fn finds(&self, tool: &Tool) -> bool {
        self.serves(tool) && self.pipeline.is_visible(tool, &self.context.principal)
    }

    /// Whether `tool` may be called here. Calls that the rules deny are refused later, with the rule.
    pub fn serves(&self, tool: &Tool) -> bool {
        !self.read_only || tool.effect == Effect::Read
    }

    /// Whether a search here finds `tool`. What the rules hide stays hidden, but that an endpoint only reads is no secret.
    pub fn inclusion(&self, tool: &Tool) -> Inclusion {
        match (
            self.pipeline.is_visible(tool, &self.context.principal),
            self.serves(tool),
        ) {
            (true, true) => Inclusion::Served,
            (true, false) => Inclusion::LeftOut,
            (false, _) => Inclusion::Hidden,
        }
    }

    /// The failure for a name of no operation that is served here.
    pub fn unknown_operation(&self, name: &str) -> Failure {
        let invalid = |what: String| Failure::new(FailureClass::Invalid, what);
        let is_shown = |tool: &Tool| self.inclusion(tool) != Inclusion::Hidden;
        let mut named = TOOLS.iter().filter(|tool| is_shown(tool));
        if let Some(tool) = named.find(|tool| tool.is_called(name)) {
            let what = elsewhere::only_reads(tool);
            let remedy = "Use an endpoint without /readonly.";
            return Failure::new(FailureClass::Refused, what).with_remedy(remedy);
        }
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        // A name that the rules deny would not help, and must not be revealed.
        let meant = search::meant(name, is_shown);
        let served = meant.iter().filter(|tool| self.serves(tool));
        let names: Vec<&str> = served.map(|tool| tool.name).collect();
        let mut what = format!("There is no operation {shown}.");
        let remedy = match names.as_slice() {
            [] => {
                // A remedy has no names of tools that the endpoint lacks.
                let why = meant.first().map(|tool| elsewhere::only_reads(tool));
                what.extend(why.map(|why| format!(" {why}")));
                "search_operations finds operations by what they do.".to_owned()
            }
            names => format!("Did you mean {}?", names.join(" or ")),
        };
        invalid(what).with_remedy(remedy)
    }

    /// Answers for a tool that sends nothing itself: runs `work`, and logs the result with its duration.
    pub async fn answer(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<Answer, Failure>>,
    ) -> Answer {
        let watch = self.pipeline.telemetry().call(
            name,
            Effect::Read.name(),
            self.context.principal.who(),
            &self.context.parent,
        );
        let answer = work.await.unwrap_or_else(Answer::from);
        watch.end(answer.outcome(), CallEnd::default());
        answer
    }

    /// One call of `tool`, which reports progress to the client.
    pub fn request(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        options: crate::call::Options,
    ) -> Request<'a> {
        Request {
            tool,
            arguments,
            options,
            context: self.context,
            progress: self.progress,
        }
    }
}

/// The tools of some toolsets joined by `+`.
pub fn tools_in(toolsets: &str) -> Result<Vec<&'static Tool>, UnknownToolset> {
    Ok(select(toolsets, false)?.iter().collect())
}

/// Every name that an endpoint may have by itself.
pub fn endpoint_names() -> impl Iterator<Item = &'static str> {
    toolset::names().chain(ENDPOINTS)
}

fn select(toolsets: &str, read_only: bool) -> Result<Toolset, UnknownToolset> {
    Ok(Toolset::new(&toolset_names(toolsets)?, read_only))
}

/// Each name once. Fails for an unknown one.
fn toolset_names(toolsets: &str) -> Result<BTreeSet<&str>, UnknownToolset> {
    let unknown = |name: &str| {
        let hint = match tool::nearest(name, endpoint_names().map(|one| (one, one))) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", tool::first_names(endpoint_names())),
        };
        let name = name.chars().take(LONGEST_NAME).collect();
        UnknownToolset { name, hint }
    };
    if toolsets.len() > MOST_TOOLSETS * LONGEST_NAME {
        return Err(unknown(toolsets));
    }
    let wanted: BTreeSet<&str> = toolsets.split('+').collect();
    match wanted.iter().find(|name| !toolset::is_known(name)) {
        None => Ok(wanted),
        Some(name) => Err(unknown(name)),
    }
}

/// The answer of a surface to an unknown name.
fn unknown_name(name: &str) -> Answer {
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    let what = format!("There is no tool {shown} here.");
    Failure::new(FailureClass::Invalid, what).into()
}

#[cfg(test)]
mod tests;
