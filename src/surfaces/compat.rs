//! HighLevel's later server: four tools for all operations, with their exact argument forms.
//!
//! Names and arguments follow reports about `/mcp/anthropic/v2`: writes need an `idempotencyKey`, and a dry run answers
//! `resolvedRequest`. Operations, checks and limits are the same as everywhere.

mod list;
mod params;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use list::{DESCRIBE, EXECUTE, LIST, LIST_LOCATIONS, OWN, SEARCH};
use params::{Params, missing_by_place};

use super::orchestrator::locations;
use super::{Calling, Listing, Session, Surface, unknown_name};
use crate::call::arguments::own::OwnArguments;
use crate::call::output::Output;
use crate::call::{Answer, Options};
use crate::catalog::TOOLS;
use crate::surfaces::search::{EffectName, Inclusion, Search, inside, search, shown_by_place};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

/// The four tools.
pub(crate) struct Compat;

impl Surface for Compat {
    fn list(&self) -> Vec<Listing> {
        LIST.iter().cloned().map(Listing::Meta).collect()
    }

    fn resolve(&self, name: &str) -> Option<Listing> {
        let found = LIST.iter().find(|meta| meta.name == name);
        found.cloned().map(Listing::Meta)
    }

    fn runner(&self, _: &Tool) -> Option<&'static str> {
        Some(EXECUTE)
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        session: &'a Session<'a>,
    ) -> Calling<'a> {
        Box::pin(async move {
            match name {
                LIST_LOCATIONS => {
                    let work = async {
                        read::<Map<String, Value>>(&OWN.list_locations, arguments, session)?;
                        locations(session).await
                    };
                    session.answer(LIST_LOCATIONS, work).await
                }
                SEARCH => session.answer(SEARCH, find(arguments, session)).await,
                DESCRIBE => {
                    let work = async { describe(arguments, session) };
                    session.answer(DESCRIBE, work).await
                }
                EXECUTE => match execute(arguments, session).await {
                    Ok(answer) => answer,
                    Err(failure) => session.answer(EXECUTE, async { Err(failure) }).await,
                },
                _ => unknown_name(name),
            }
        })
    }
}

/// Most domains of one search: as many as HighLevel has documents.
const MOST_DOMAINS: usize = 50;

#[derive(Debug, Deserialize)]
struct SearchArguments {
    query: String,
    #[serde(default)]
    domains: Vec<String>,
    /// `read` or `write`.
    kind: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeArguments {
    operation_id: String,
    /// Beyond HighLevel's server: the argument to look into, such as `openHours.hours`.
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecuteArguments {
    operation_id: String,
    #[serde(default)]
    params: Params,
    idempotency_key: Option<String>,
    /// Beyond HighLevel's server, whose own confirmations are unknown.
    confirm: Option<String>,
    /// Beyond HighLevel's server: the parts of the answer to return.
    output: Option<Output>,
    #[serde(default)]
    dry_run: bool,
}

fn read<T: DeserializeOwned>(
    own: &OwnArguments,
    arguments: Map<String, Value>,
    session: &Session<'_>,
) -> Result<T, Failure> {
    own.read(arguments, |name| session.pipeline.is_ignored(name))
}

async fn find(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: SearchArguments = read(&OWN.search, arguments, session)?;
    let search_in = |domain: Option<String>| {
        let one = Search {
            queries: vec![asked.query.clone()],
            domain,
            effect: (asked.kind.as_deref() == Some("read")).then_some(EffectName::Read),
            limit: asked.limit,
            ..Search::default()
        };
        let writes = asked.kind.as_deref() == Some("write");
        let inclusion = |tool: &Tool| match writes && tool.effect == Effect::Read {
            true => Inclusion::Hidden,
            false => session.inclusion(tool),
        };
        search(&one, inclusion).map_err(|what| Failure::new(FailureClass::Invalid, what))
    };
    let domains: BTreeSet<String> = asked.domains.iter().cloned().collect();
    if domains.len() > MOST_DOMAINS {
        let what = format!(
            "Give at most {MOST_DOMAINS} domains, not {}.",
            domains.len()
        );
        return Err(Failure::new(FailureClass::Invalid, what));
    }
    let mut operations = Vec::new();
    let mut told = json!({});
    let domains: Vec<Option<String>> = match domains.is_empty() {
        true => vec![None],
        false => domains.into_iter().map(Some).collect(),
    };
    for domain in domains {
        let mut hits = search_in(domain)?;
        if hits["nearest"].is_array() {
            told["hint"] = hits["hint"].take();
        }
        for list in ["results", "nearest"] {
            operations.extend(hits[list].as_array().cloned().unwrap_or_default());
        }
        // Each domain is a separate search, and other calls must not wait for fifty.
        tokio::task::yield_now().await;
    }
    let operations: Vec<Value> = operations.into_iter().map(by_operation_id).collect();
    told["operations"] = operations.into();
    Ok(session.pipeline.fit(told.to_string()))
}

/// An operation with HighLevel's own key for its name in front.
fn by_operation_id(mut told: Value) -> Value {
    let name = told["name"].take();
    let mut renamed = Map::from_iter([("operationId".to_owned(), name)]);
    let others = told.as_object_mut().map(std::mem::take);
    let others = others.into_iter().flatten();
    renamed.extend(others.filter(|(key, _)| key != "name"));
    renamed.into()
}

fn describe(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: DescribeArguments = read(&OWN.describe, arguments, session)?;
    let tool = operation(&asked.operation_id, session)?;
    let told = match &asked.path {
        Some(path) => inside(tool, path),
        None => shown_by_place(tool),
    };
    let mut told = by_operation_id(told);
    if asked.path.is_none() {
        told["method"] = json!(tool.method);
        told["path"] = json!(tool.path);
    }
    Ok(Answer::text(told.to_string()))
}

async fn execute(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: ExecuteArguments = read(&OWN.execute, arguments, session)?;
    let tool = operation(&asked.operation_id, session)?;
    let arguments = asked.params.arguments(tool)?;
    if tool.effect != Effect::Read && asked.idempotency_key.is_none() && !asked.dry_run {
        let what = format!(
            "Nothing was sent: {} has the effect {} and needs an idempotencyKey.",
            tool.name,
            tool.effect.name()
        );
        return Err(Failure::new(FailureClass::Invalid, what)
            .with_remedy("Give any text that is new for each thing you want to happen once."));
    }
    let dry_run = asked.dry_run;
    let missing = missing_by_place(tool, &arguments);
    let options = Options {
        output: asked.output,
        confirm: asked.confirm,
        dry_run,
        idempotency_key: asked.idempotency_key,
        as_highlevel: true,
        ..Options::default()
    };
    let request = session.request(tool, arguments, options);
    let mut answer = session.pipeline.execute(request).await;
    if dry_run && !answer.is_error {
        // HighLevel's own key for it.
        answer.text = answer
            .text
            .replacen("\"request\":", "\"resolvedRequest\":", 1);
    }
    if answer.class == Some(FailureClass::Invalid) && answer.did_nothing && !missing.is_empty() {
        // The place of an argument, which the checks do not know.
        if let Ok(mut failure) = serde_json::from_str::<Map<String, Value>>(&answer.text) {
            failure.insert("missing".to_owned(), missing.into());
            answer.text = Value::Object(failure).to_string();
        }
    }
    Ok(answer)
}

/// Finds an operation by tool name, or by HighLevel's operationId if only one operation has it. Operations that the
/// rules hide count as unknown: this surface reveals effects and names before the rules are asked.
fn operation(id: &str, session: &Session<'_>) -> Result<&'static Tool, Failure> {
    let by_id = TOOLS.iter().filter(|tool| tool.operation_id == id);
    let by_id: Vec<_> = by_id.filter(|tool| session.finds(tool)).collect();
    let found = TOOLS
        .iter()
        .find(|tool| tool.is_called(id) && session.finds(tool));
    found
        .or(match by_id.as_slice() {
            [one] => Some(one),
            _ => None,
        })
        .ok_or_else(|| {
            let [_, _, ..] = by_id.as_slice() else {
                return session.unknown_operation(id);
            };
            let shown: String = id.chars().take(64).collect();
            let names: Vec<&str> = by_id.iter().map(|tool| tool.name).collect();
            let what = format!("There is no operation {shown}.");
            let remedy = format!("Several have this id: {}.", names.join(", "));
            Failure::new(FailureClass::Invalid, what).with_remedy(remedy)
        })
}
