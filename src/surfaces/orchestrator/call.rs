//! One operation through a call tool: checks that the tool fits the effect, and runs it confirmed, once per key, or for
//! each row of a read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::CallToolKind;
use crate::call::arguments::own::OwnArguments;
use crate::call::output::Output;
use crate::call::{Answer, Each, OnError, Options, output_schema};
use crate::catalog::TOOLS;
use crate::surfaces::Session;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

/// The arguments of a call tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CallArguments {
    /// Not needed with a confirm alone, which runs the request previewed under it.
    operation: Option<String>,
    #[serde(default)]
    arguments: Map<String, Value>,
    items: Option<Vec<Map<String, Value>>>,
    each: Option<Map<String, Value>>,
    on_error: Option<OnError>,
    #[serde(default)]
    output: Output,
    /// Alias or id of one of the server's locations, for all calls.
    location: Option<String>,
    #[serde(default)]
    dry_run: bool,
    idempotency_key: Option<String>,
    confirm: Option<String>,
    /// For readers of the conversation; nothing depends on it.
    #[expect(dead_code, reason = "taken, and read by people only")]
    reason: Option<String>,
}

/// The members of `each` besides those shared with `output`.
#[derive(Debug, Deserialize)]
struct EachArguments {
    operation: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    bind: BTreeMap<String, String>,
}

/// Members of `each` that are parsed like those of `output`.
const EACH_OUTPUT: [&str; 3] = ["filter", "maxItems", "allPages"];

/// Arguments that a read accepts and neither lists nor names in errors.
const UNLISTED: [&str; 6] = [
    "each",
    "onError",
    "dryRun",
    "idempotencyKey",
    "confirm",
    "reason",
];

/// Every call tool accepts the same arguments, but lists only its usual ones.
static ARGUMENTS: LazyLock<[OwnArguments; 4]> =
    LazyLock::new(|| CallToolKind::ALL.map(|kind| OwnArguments::new(kind.tool_name(), schema())));

/// The arguments that a read lists, for errors about others.
static LISTED_OF_READ: LazyLock<OwnArguments> = LazyLock::new(|| {
    let mut listed = schema();
    if let Some(properties) = listed["properties"].as_object_mut() {
        properties.retain(|name, _| !UNLISTED.contains(&name.as_str()));
    }
    OwnArguments::new(CallToolKind::Read.tool_name(), listed)
});

fn schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "operation": text,
            "arguments": {"type": "object"},
            "items": {"type": "array", "items": {"type": "object"}},
            "each": each_schema(),
            "onError": {"type": "string", "enum": ["stop", "continue"]},
            "output": output_schema(),
            "location": text,
            "dryRun": {"type": "boolean"},
            "idempotencyKey": text,
            "confirm": text,
            "reason": text,
        },
    })
}

/// The arguments of a call, or every problem of them.
fn read(
    kind: CallToolKind,
    arguments: Map<String, Value>,
    is_ignored: impl Fn(&str) -> bool,
) -> Result<CallArguments, Failure> {
    let mut listed = (kind == CallToolKind::Read).then(|| arguments.clone());
    let read = ARGUMENTS[kind as usize].read(arguments, &is_ignored);
    if let (Err(_), Some(listed)) = (&read, &mut listed) {
        listed.retain(|name, _| !UNLISTED.contains(&name.as_str()));
        let checked = LISTED_OF_READ.read::<CallArguments>(std::mem::take(listed), &is_ignored);
        return checked.and(read);
    }
    read
}

pub(super) async fn run(
    kind: CallToolKind,
    arguments: Map<String, Value>,
    session: &Session<'_>,
) -> Result<Answer, Failure> {
    let given = read(kind, arguments, |name| session.pipeline.is_ignored(name))?;
    let Some(name) = &given.operation else {
        let Some(confirm) = &given.confirm else {
            let what = "Nothing was sent: operation is missing; only a confirm stands alone.";
            return Err(Failure::new(FailureClass::Invalid, what));
        };
        return run_prepared(kind, confirm, given.output, session).await;
    };
    let tool = operation(kind, name, session)?;
    let each = match given.each {
        None => None,
        Some(_) if given.items.is_some() => {
            let what = "Nothing was sent: items and each exclude each other.";
            return Err(Failure::new(FailureClass::Invalid, what));
        }
        // The previewed request runs, whatever else is given.
        Some(_) if given.confirm.is_some() && !given.dry_run => {
            let confirm = given.confirm.unwrap_or_default();
            return run_prepared(kind, &confirm, given.output, session).await;
        }
        Some(each) => Some(read_each(each, session)?),
    };
    // A confirm with only its operation's name is meant as a confirm alone.
    let is_bare = given.arguments.is_empty() && given.items.is_none() && each.is_none();
    if let (true, false, Some(confirm)) = (is_bare, given.dry_run, &given.confirm)
        && let Ok(prepared) = session
            .pipeline
            .find_prepared(confirm, session.context)
            .await
        && prepared.tool.name == tool.name
    {
        let (context, progress) = (session.context, session.progress);
        let run = session
            .pipeline
            .run_prepared(prepared, Some(given.output), context, progress);
        return Ok(run.await);
    }
    let usual = match each {
        Some(_) => OnError::Continue,
        None => OnError::Stop,
    };
    let options = Options {
        output: Some(given.output),
        location: given.location,
        confirm: given.confirm,
        items: given.items,
        on_error: given.on_error.unwrap_or(usual),
        each,
        dry_run: given.dry_run,
        idempotency_key: given.idempotency_key,
        as_highlevel: false,
        confirm_alone: true,
        fences: session.pipeline.fences(tool),
    };
    let request = session.request(tool, given.arguments, options);
    Ok(session.pipeline.execute(request).await)
}

/// The request previewed under this confirm, if this tool runs its operation.
async fn run_prepared(
    kind: CallToolKind,
    confirm: &str,
    output: Output,
    session: &Session<'_>,
) -> Result<Answer, Failure> {
    let (pipeline, context) = (session.pipeline, session.context);
    let prepared = match pipeline.find_prepared(confirm, context).await {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    operation(kind, prepared.tool.name, session)?;
    let run = pipeline.run_prepared(prepared, Some(output), context, session.progress);
    Ok(run.await)
}

fn each_schema() -> Value {
    let output = output_schema();
    let mut properties = json!({
        "operation": {"type": "string"},
        "arguments": {"type": "object"},
        "bind": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    for name in EACH_OUTPUT {
        properties[name] = output["properties"][name].clone();
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": ["operation"],
        "additionalProperties": false,
    })
}

fn read_each(mut given: Map<String, Value>, session: &Session<'_>) -> Result<Each, Failure> {
    let mut output = Map::new();
    for name in EACH_OUTPUT {
        output.extend(given.remove_entry(name));
    }
    let unreadable = |error: serde_json::Error| {
        let what = format!("Nothing was sent: each is not of its form: {error}.");
        Failure::new(FailureClass::Invalid, what)
    };
    let output: Output = serde_json::from_value(Value::Object(output)).map_err(unreadable)?;
    let each: EachArguments = serde_json::from_value(Value::Object(given)).map_err(unreadable)?;
    let tool = find_operation(&each.operation, session)?;
    if tool.effect != Effect::Read && session.finds(tool) {
        let what = format!(
            "Nothing was sent: each.operation is the read whose rows are gone through, and {} has the effect {}.",
            tool.name,
            tool.effect.name()
        );
        let remedy = format!(
            "Give each the operation that lists the rows, and {} as the operation beside it.",
            tool.name
        );
        return Err(Failure::new(FailureClass::Invalid, what).with_remedy(remedy));
    }
    Ok(Each {
        tool,
        arguments: each.arguments,
        output,
        bind: each.bind,
    })
}

/// The operation of this name, if it is served here.
fn find_operation(name: &str, session: &Session<'_>) -> Result<&'static Tool, Failure> {
    let mut served = TOOLS.iter().filter(|tool| session.serves(tool));
    let found = served.find(|tool| tool.is_called(name));
    found.ok_or_else(|| session.unknown_operation(name))
}

/// The operation, if this tool runs it.
fn operation(
    kind: CallToolKind,
    name: &str,
    session: &Session<'_>,
) -> Result<&'static Tool, Failure> {
    let tool = find_operation(name, session)?;
    let right = CallToolKind::of_tool(tool);
    // A denied operation is refused with the rule, not with a hint that such a tool exists.
    if right == kind || !session.finds(tool) {
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
    Err(Failure::new(FailureClass::Refused, what)
        .with_remedy(format!("Call it with {}.", right.tool_name())))
}
