//! One operation through a call tool: the right one for its effect, confirmed, once for each key.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::batch::{self, OnError};
use super::{Kind, Request, read};
use crate::generated::TOOLS;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::dispatch::Answer;
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
    let calls = match &given.items {
        None => vec![given.arguments.clone()],
        Some(items) => batch::calls(&given.arguments, items)?,
    };
    if given.dry_run || needs_confirmation(kind, &given, &calls, tool, request)? {
        let previews = calls
            .iter()
            .map(|call| request.dispatch.dry_run(tool, call.clone(), request.caller));
        let previews: Vec<Value> = previews.collect::<Result<_, _>>()?;
        let many = previews.len();
        let preview = match <[Value; 1]>::try_from(previews) {
            Ok([one]) => one,
            Err(several) => Value::Array(several),
        };
        if given.dry_run {
            return Ok(Answer::text(
                json!({"dryRun": true, "request": preview}).to_string(),
            ));
        }
        return Ok(ask(tool, &calls, many, preview, request));
    }
    match given.items {
        None => Ok(one(
            tool,
            given.arguments,
            &given.output,
            given.idempotency_key.as_deref(),
            request,
        )
        .await),
        Some(_) => Ok(batch::run(tool, calls, &given, request).await),
    }
}

/// One call; under a key it happens once.
pub async fn one(
    tool: &'static Tool,
    arguments: Map<String, Value>,
    output: &Output,
    key: Option<&str>,
    request: &Request<'_>,
) -> Answer {
    let dispatch = request.dispatch;
    let claim = match key.filter(|_| tool.effect != Effect::Read) {
        None => None,
        Some(key) => match dispatch.once().claim(
            key,
            tool,
            &arguments,
            dispatch.digest(request.caller),
            request.caller,
        ) {
            Ok(claim) => Some(claim),
            Err(earlier) => return earlier,
        },
    };
    let call = dispatch.call_with(
        tool,
        arguments,
        Some(output),
        request.caller,
        request.parent,
    );
    let mut answer = call.await;
    if tool.effect != Effect::Read {
        name_location(&mut answer);
    }
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

/// Whether what cannot be undone was not yet confirmed. A token that fits something else is an error.
fn needs_confirmation(
    kind: Kind,
    given: &Given,
    calls: &[Map<String, Value>],
    tool: &Tool,
    request: &Request<'_>,
) -> Result<bool, Failure> {
    if kind != Kind::Destructive {
        return Ok(false);
    }
    let Some(token) = &given.confirm else {
        return Ok(true);
    };
    let dispatch = request.dispatch;
    let confirmed = dispatch.confirmations().fits(
        token,
        tool,
        calls,
        dispatch.digest(request.caller),
        request.caller,
    );
    if confirmed {
        return Ok(false);
    }
    let what = "Nothing was sent: the confirm token is not that of this operation with these arguments, or is older than five minutes.";
    Err(Failure::new(Class::Refused, what)
        .with_remedy("Call again without confirm for a new preview."))
}

fn ask(
    tool: &Tool,
    calls: &[Map<String, Value>],
    many: usize,
    preview: Value,
    request: &Request<'_>,
) -> Answer {
    let dispatch = request.dispatch;
    let token = dispatch.confirmations().token(
        tool,
        calls,
        dispatch.digest(request.caller),
        request.caller,
    );
    let bulk = if tool.bulk { " of many records" } else { "" };
    let what = format!(
        "Nothing was sent: {} ({}{bulk}) runs only once it is confirmed.",
        tool.name,
        tool.effect.name()
    );
    let asked = json!({
        "error": what,
        "class": "needs_confirmation",
        "does": tool.description,
        "calls": many,
        "request": preview,
        "remedy": "If it is what the user wants, repeat the call with the same arguments and this confirm.",
        "confirm": token,
    });
    Answer::error(asked.to_string())
}

/// Says in the answer to a write which location it touched.
fn name_location(answer: &mut Answer) {
    let Some(location) = answer.location.clone().filter(|_| !answer.is_error) else {
        return;
    };
    if let Some(open) = answer.text.strip_suffix('}') {
        let comma = if open == "{" { "" } else { "," };
        answer.text = format!("{open}{comma}\"_location\":{}}}", Value::String(location));
    }
}
