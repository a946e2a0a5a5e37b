//! One operation through a call tool: the right one for its effect, confirmed, once for each key.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::batch::{self, OnError};
use super::{Kind, Request, read};
use crate::generated::TOOLS;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::dispatch::{Answer, LOCATION, Permit, Planned};
use crate::tools::output::Output;
use crate::tools::surfaces::nearest;

/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 128;

/// The arguments of a call tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Given {
    pub operation: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    pub items: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    pub on_error: OnError,
    #[serde(default)]
    pub output: Output,
    /// Alias or id of one of the server's locations, for all calls.
    pub location: Option<String>,
    #[serde(default)]
    pub dry_run: bool,
    pub idempotency_key: Option<String>,
    pub confirm: Option<String>,
    /// For whoever reads the conversation; nothing depends on it.
    #[expect(dead_code, reason = "taken, and read by people only")]
    pub reason: Option<String>,
}

pub async fn run(
    kind: Kind,
    arguments: Map<String, Value>,
    request: &Request<'_>,
) -> Result<Answer, Failure> {
    let given: Given = read(kind.tool_name(), arguments, request)?;
    let tool = operation(kind, &given.operation, request)?;
    if let Some(key) = &given.idempotency_key
        && (key.is_empty() || key.chars().count() > LONGEST_KEY)
    {
        let what = format!("idempotencyKey must have 1 to {LONGEST_KEY} characters.");
        return Err(Failure::new(Class::Invalid, what));
    }
    let dispatch = request.dispatch;
    let all = match &given.items {
        None => vec![given.arguments.clone()],
        Some(items) => batch::calls(&given.arguments, items)?,
    };
    let plan = |mut arguments: Map<String, Value>| {
        if let Some(location) = &given.location {
            arguments.entry(LOCATION).or_insert_with(|| json!(location));
        }
        dispatch.plan(tool, arguments, request.asker)
    };
    let mut calls = all.into_iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    if given.dry_run {
        for call in &calls {
            if let Err(answer) = dispatch.sight(call, request.asker) {
                return Ok(answer);
            }
        }
        let requests = calls.iter().map(|call| dispatch.dry_run(call));
        let mut requests = requests.collect::<Result<Vec<_>, _>>()?;
        let shown = match (requests.len(), requests.pop()) {
            (1, Some(one)) => one,
            (_, last) => requests.into_iter().chain(last).collect(),
        };
        return Ok(Answer::text(
            json!({"dryRun": true, "request": shown}).to_string(),
        ));
    }
    let permit = dispatch
        .permit(&mut calls, given.confirm.as_deref(), request.asker)
        .await;
    let permit = match permit {
        Ok(permit) => permit,
        Err(answer) => return Ok(answer),
    };
    let answer = match (given.items.is_some(), calls.len(), calls.pop()) {
        (false, 1, Some(call)) => {
            let key = given.idempotency_key.as_deref();
            one(call, Some(&given.output), key, request, &permit).await
        }
        (_, _, last) => {
            calls.extend(last);
            batch::run(calls, &given, request, &permit).await
        }
    };
    dispatch.settle(permit, &answer).await;
    Ok(answer)
}

/// One call; under a key it happens once.
pub async fn one(
    mut call: Planned,
    output: Option<&Output>,
    key: Option<&str>,
    request: &Request<'_>,
    permit: &Permit,
) -> Answer {
    let dispatch = request.dispatch;
    call.keyed = key.is_some();
    let claim = match key.filter(|_| call.tool.effect != Effect::Read) {
        None => None,
        Some(key) => match dispatch.once().claim(
            key,
            call.tool,
            &call.arguments,
            dispatch.digest(&call.caller),
            &call.caller,
        ) {
            Ok(claim) => Some(claim),
            Err(earlier) => return earlier,
        },
    };
    let answer = dispatch.run(call, output, request.asker, permit).await;
    if let Some(claim) = claim {
        claim.settle(&answer);
    }
    answer
}

/// The operation, where this tool is the one that runs it.
fn operation(kind: Kind, name: &str, request: &Request<'_>) -> Result<&'static Tool, Failure> {
    let served = || TOOLS.iter().filter(|tool| request.serves(tool));
    let Some(tool) = served().find(|tool| tool.is_called(name)) else {
        let shown: String = name.chars().take(64).collect();
        let remedy = match nearest(name, served()) {
            Some(tool) => format!("Did you mean {}?", tool.name),
            None => "search_operations finds operations by what they do.".to_owned(),
        };
        let what = format!("There is no operation {shown}.");
        return Err(Failure::new(Class::Invalid, what).with_remedy(remedy));
    };
    let right = Kind::of(tool);
    if right == kind {
        return Ok(tool);
    }
    let bulk = if tool.bulk {
        " and touches many records"
    } else {
        ""
    };
    let what = format!(
        "Nothing was sent: {} has the effect {}{bulk}.",
        tool.name,
        tool.effect.name()
    );
    Err(Failure::new(Class::Refused, what)
        .with_remedy(format!("Call it with {}.", right.tool_name())))
}
