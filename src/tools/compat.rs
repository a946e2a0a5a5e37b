//! HighLevel's later server: four tools that stand for all operations, by their exact argument forms.
//!
//! Names and arguments as reported of `/mcp/anthropic/v2`: writes need an `idempotencyKey`, a dry run
//! answers `resolvedRequest`. Behind them the same operations, checks and limits as everywhere.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::generated::TOOLS;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::dispatch::{Answer, LOCATION};
use crate::tools::orchestrator::{Request, locations, one};
use crate::tools::search::{Detail, EffectName, Search, search, shown};
use crate::tools::surfaces::nearest;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    ListLocations,
    Search,
    Describe,
    Execute,
}

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

/// The four tools: which, name, description and schema.
pub fn tools() -> [(Compat, &'static str, &'static str, Value); 4] {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    [
        (
            Compat::ListLocations,
            "list_locations",
            "The locations (sub-accounts) that the credential reaches.",
            json!({"type": "object", "properties": {}}),
        ),
        (
            Compat::Search,
            "search_operations",
            "Find operations of HighLevel's API by what they do.",
            object(
                json!({"query": text, "domains": texts, "kind": {"type": "string", "enum": ["read", "write"]}, "limit": {"type": "integer"}}),
                &["query"],
            ),
        ),
        (
            Compat::Describe,
            "describe_operation",
            "One operation with the schema of its arguments.",
            object(json!({"operationId": text}), &["operationId"]),
        ),
        (
            Compat::Execute,
            "execute_operation",
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

/// Calls one of the four.
pub async fn call(compat: Compat, arguments: Map<String, Value>, request: &Request<'_>) -> Answer {
    let answered = match compat {
        Compat::ListLocations => locations(request).await,
        Compat::Search => found(arguments, request),
        Compat::Describe => described(arguments, request),
        Compat::Execute => executed(arguments, request).await,
    };
    answered.unwrap_or_else(|failure| Answer::failed(&failure))
}

fn read<T: serde::de::DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        Failure::new(
            Class::Invalid,
            format!("Nothing was sent: the arguments are wrong: {error}."),
        )
    })
}

fn found(arguments: Map<String, Value>, request: &Request<'_>) -> Result<Answer, Failure> {
    let asked: SearchArguments = read(arguments)?;
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
            |tool: &Tool| request.finds(tool) && !(writes && tool.effect == Effect::Read);
        search(&one, is_served).map_err(|what| Failure::new(Class::Invalid, what))
    };
    let mut operations = Vec::new();
    let domains = asked.domains.iter().cloned().map(Some);
    let domains: Vec<Option<String>> = if asked.domains.is_empty() {
        vec![None]
    } else {
        domains.collect()
    };
    for domain in domains {
        let hits = search_in(domain)?;
        operations.extend(hits["results"].as_array().cloned().unwrap_or_default());
    }
    for hit in operations.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(name) = hit.remove("name") {
            hit.insert("operationId".to_owned(), name);
        }
    }
    Ok(Answer::text(json!({"operations": operations}).to_string()))
}

fn described(arguments: Map<String, Value>, request: &Request<'_>) -> Result<Answer, Failure> {
    let asked: DescribeArguments = read(arguments)?;
    let tool = operation(&asked.operation_id, request)?;
    if !request.finds(tool) {
        let what = format!("{} is not allowed here.", tool.name);
        return Err(Failure::new(Class::Refused, what));
    }
    let mut told = shown(tool, Detail::Schema);
    told["operationId"] = json!(tool.name);
    told["method"] = json!(tool.method);
    told["path"] = json!(tool.path);
    Ok(Answer::text(told.to_string()))
}

async fn executed(arguments: Map<String, Value>, request: &Request<'_>) -> Result<Answer, Failure> {
    let asked: ExecuteArguments = read(arguments)?;
    let tool = operation(&asked.operation_id, request)?;
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
    let dispatch = request.dispatch;
    if let Some(location) = asked.params.location_id {
        let named = tool.arguments.iter().find(|one| one.names_location());
        let name = named.map_or(LOCATION, |argument| argument.name);
        flat.entry(name).or_insert_with(|| json!(location));
    }
    if asked.dry_run {
        let call = dispatch.plan(tool, flat, request.asker)?;
        if let Err(answer) = dispatch.sight(&call, request.asker) {
            return Ok(answer);
        }
        let resolved = dispatch.dry_run(&call)?;
        return Ok(Answer::text(
            json!({"dryRun": true, "resolvedRequest": resolved}).to_string(),
        ));
    }
    if tool.effect != Effect::Read && asked.idempotency_key.is_none() {
        let what = format!(
            "Nothing was sent: {} has the effect {} and needs an idempotencyKey.",
            tool.name,
            tool.effect.name()
        );
        return Err(Failure::new(Class::Invalid, what)
            .with_remedy("Give any text that is new for each thing you want to happen once."));
    }
    let mut calls = [dispatch.plan(tool, flat, request.asker)?];
    let permit = match dispatch
        .permit(&mut calls, asked.confirm.as_deref(), request.asker)
        .await
    {
        Ok(permit) => permit,
        Err(answer) => return Ok(answer),
    };
    let [call] = calls;
    let key = asked.idempotency_key.as_deref();
    let answer = one(call, None, key, request, &permit).await;
    dispatch.settle(permit, &answer).await;
    Ok(answer)
}

fn takes_whole_body(tool: &Tool) -> bool {
    let whole = crate::runtime::tool::Place::WholeBody;
    tool.arguments
        .iter()
        .any(|argument| argument.place == whole)
}

/// By tool name, or by HighLevel's operationId where only one operation has it.
fn operation(id: &str, request: &Request<'_>) -> Result<&'static Tool, Failure> {
    let served = || TOOLS.iter().filter(|tool| request.serves(tool));
    let by_id: Vec<_> = served().filter(|tool| tool.operation_id == id).collect();
    let found = served().find(|tool| tool.is_called(id));
    found
        .or(match by_id.as_slice() {
            [one] => Some(one),
            _ => None,
        })
        .ok_or_else(|| {
            let shown: String = id.chars().take(64).collect();
            let remedy = match (by_id.as_slice(), nearest(id, served())) {
                ([_, _, ..], _) => {
                    let names: Vec<&str> = by_id.iter().map(|tool| tool.name).collect();
                    format!("Several have this id: {}.", names.join(", "))
                }
                (_, Some(tool)) => format!("Did you mean {}?", tool.name),
                _ => "search_operations finds operations by what they do.".to_owned(),
            };
            Failure::new(Class::Invalid, format!("There is no operation {shown}."))
                .with_remedy(remedy)
        })
}
