//! HighLevel's later server: four tools that stand for all operations, by their exact argument forms.
//!
//! Names and arguments as reported of `/mcp/anthropic/v2`: writes need an `idempotencyKey`, a dry run
//! answers `resolvedRequest`. Behind them the same operations, checks and limits as everywhere.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::orchestrator::locations;
use super::{Calling, Listing, MetaListing, Session, Surface, nearest, unknown_name};
use crate::call::arguments::own::OwnArguments;
use crate::call::{Answer, LOCATION, Options};
use crate::catalog::TOOLS;
use crate::surfaces::search::{Detail, EffectName, Search, search, shown};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Place, Tool};

/// The four tools.
pub(crate) struct Compat;

static LIST: LazyLock<Vec<Arc<MetaListing>>> =
    LazyLock::new(|| metas().into_iter().map(Arc::new).collect());

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

const LIST_LOCATIONS: &str = "list_locations";
const SEARCH: &str = "search_operations";
const DESCRIBE: &str = "describe_operation";
const EXECUTE: &str = "execute_operation";

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
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecuteArguments {
    operation_id: String,
    #[serde(default)]
    params: Params,
    idempotency_key: Option<String>,
    /// Beyond what HighLevel's server takes: what its own confirmations look like is not known.
    confirm: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Params {
    path: Map<String, Value>,
    query: Map<String, Value>,
    body: Value,
    location_id: Option<String>,
}

fn metas() -> [MetaListing; 4] {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    let meta = |name, description, schema| MetaListing {
        name,
        title: None,
        description,
        schema,
        hints: None,
        calls: None,
    };
    [
        meta(
            LIST_LOCATIONS,
            "The locations (sub-accounts) that the credential reaches.",
            json!({"type": "object", "properties": {}}),
        ),
        meta(
            SEARCH,
            "Find operations of HighLevel's API by what they do.",
            object(
                json!({"query": text, "domains": texts, "kind": {"type": "string", "enum": ["read", "write"]}, "limit": {"type": "integer"}}),
                &["query"],
            ),
        ),
        meta(
            DESCRIBE,
            "One operation with the schema of its arguments.",
            object(json!({"operationId": text}), &["operationId"]),
        ),
        meta(
            EXECUTE,
            "Run an operation. What writes needs an idempotencyKey; dryRun shows the request and sends nothing.",
            object(
                json!({
                    "operationId": text,
                    "params": {"type": "object", "properties": {
                        "path": {"type": "object"}, "query": {"type": "object"}, "body": {"type": "object"}, "locationId": text,
                    }},
                    "idempotencyKey": text,
                    "reason": text,
                    "confirm": text,
                    "dryRun": {"type": "boolean"},
                }),
                &["operationId"],
            ),
        ),
    ]
}

/// What each of the four takes.
struct CompatArguments {
    list_locations: OwnArguments,
    search: OwnArguments,
    describe: OwnArguments,
    execute: OwnArguments,
}

static OWN: LazyLock<CompatArguments> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": false,
        })
    };
    let search = json!({
        "query": text,
        "domains": {"type": "array", "items": text},
        "kind": {"type": "string", "enum": ["read", "write"]},
        "limit": {"type": "integer", "minimum": 1},
    });
    let params = json!({
        "path": {"type": "object"},
        "query": {"type": "object"},
        "body": {"type": ["object", "array"]},
        "locationId": text,
    });
    let execute = json!({
        "operationId": text,
        "params": object(params, &[]),
        "idempotencyKey": text,
        "reason": text,
        "confirm": text,
        "dryRun": {"type": "boolean"},
    });
    CompatArguments {
        list_locations: OwnArguments::new(LIST_LOCATIONS, object(json!({}), &[])),
        search: OwnArguments::new(SEARCH, object(search, &["query"])),
        describe: OwnArguments::new(
            DESCRIBE,
            object(json!({"operationId": text}), &["operationId"]),
        ),
        execute: OwnArguments::new(EXECUTE, object(execute, &["operationId"])),
    }
});

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
        let is_served =
            |tool: &Tool| session.finds(tool) && !(writes && tool.effect == Effect::Read);
        search(&one, is_served).map_err(|what| Failure::new(FailureClass::Invalid, what))
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
        // Each domain is a search of its own: others are not to wait for fifty.
        tokio::task::yield_now().await;
    }
    for hit in operations.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(name) = hit.remove("name") {
            hit.insert("operationId".to_owned(), name);
        }
    }
    told["operations"] = operations.into();
    Ok(session.pipeline.fit(told.to_string()))
}

fn describe(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: DescribeArguments = read(&OWN.describe, arguments, session)?;
    let tool = operation(&asked.operation_id, session)?;
    let mut told = shown(tool, Detail::Schema);
    told["operationId"] = json!(tool.name);
    told["method"] = json!(tool.method);
    told["path"] = json!(tool.path);
    Ok(Answer::text(told.to_string()))
}

async fn execute(arguments: Map<String, Value>, session: &Session<'_>) -> Result<Answer, Failure> {
    let asked: ExecuteArguments = read(&OWN.execute, arguments, session)?;
    let tool = operation(&asked.operation_id, session)?;
    let mut flat = Map::new();
    for (place, values) in [("path", asked.params.path), ("query", asked.params.query)] {
        flat.extend(
            values
                .into_iter()
                .map(|(name, value)| (format!("{place}_{name}"), value)),
        );
    }
    match asked.params.body {
        Value::Object(body) if !takes_whole_body(tool) => {
            flat.extend(
                body.into_iter()
                    .map(|(name, value)| (format!("body_{name}"), value)),
            );
        }
        Value::Null => {}
        body => drop(flat.insert("body".to_owned(), body)),
    }
    if let Some(location) = asked.params.location_id {
        let named = tool.arguments.iter().find(|one| one.names_location());
        let name = named.map_or(LOCATION, |argument| argument.name);
        flat.entry(name).or_insert_with(|| json!(location));
    }
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
    let options = Options {
        confirm: asked.confirm,
        dry_run,
        idempotency_key: asked.idempotency_key,
        as_highlevel: true,
        ..Options::default()
    };
    let request = session.request(tool, flat, options);
    let mut answer = session.pipeline.execute(request).await;
    if dry_run && !answer.is_error {
        // HighLevel's own name for it.
        answer.text = answer
            .text
            .replacen("\"request\":", "\"resolvedRequest\":", 1);
    }
    Ok(answer)
}

fn takes_whole_body(tool: &Tool) -> bool {
    let whole = Place::WholeBody;
    tool.arguments
        .iter()
        .any(|argument| argument.place == whole)
}

/// By tool name, or by HighLevel's operationId where only one operation has it. What the rules hide is as unknown here
/// as what there is not: this surface tells of effects and names before the rules are asked.
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
            let shown: String = id.chars().take(64).collect();
            let near = nearest(id, |tool| session.finds(tool));
            let remedy = match (by_id.as_slice(), near) {
                ([_, _, ..], _) => {
                    let names: Vec<&str> = by_id.iter().map(|tool| tool.name).collect();
                    format!("Several have this id: {}.", names.join(", "))
                }
                (_, Some(near)) => format!("Did you mean {near}?"),
                _ => "search_operations finds operations by what they do.".to_owned(),
            };
            Failure::new(
                FailureClass::Invalid,
                format!("There is no operation {shown}."),
            )
            .with_remedy(remedy)
        })
}
