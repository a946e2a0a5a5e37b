//! One operation through a call tool: the right one for its effect, confirmed, once for each key.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::CallToolKind;
use crate::call::arguments::own::OwnArguments;
use crate::call::output::Output;
use crate::call::{Answer, OnError, Options, output_schema};
use crate::catalog::TOOLS;
use crate::surfaces::{Session, nearest};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::LONGEST_NAME;
use tool::Tool;

/// The arguments of a call tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CallArguments {
    operation: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    items: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    on_error: OnError,
    #[serde(default)]
    output: Output,
    /// Alias or id of one of the server's locations, for all calls.
    location: Option<String>,
    #[serde(default)]
    dry_run: bool,
    idempotency_key: Option<String>,
    confirm: Option<String>,
    /// For whoever reads the conversation; nothing depends on it.
    #[expect(dead_code, reason = "taken, and read by people only")]
    reason: Option<String>,
}

/// The same arguments for every call tool: what one lists is what it is mostly called with.
static ARGUMENTS: LazyLock<[OwnArguments; 4]> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "operation": text,
            "arguments": {"type": "object"},
            "items": {"type": "array", "items": {"type": "object"}},
            "onError": {"type": "string", "enum": ["stop", "continue"]},
            "output": output_schema(),
            "location": text,
            "dryRun": {"type": "boolean"},
            "idempotencyKey": text,
            "confirm": text,
            "reason": text,
        },
        "required": ["operation"],
    });
    CallToolKind::ALL.map(|kind| OwnArguments::new(kind.tool_name(), schema.clone()))
});

pub(super) async fn run(
    kind: CallToolKind,
    arguments: Map<String, Value>,
    session: &Session<'_>,
) -> Result<Answer, Failure> {
    let own = &ARGUMENTS[kind as usize];
    let given: CallArguments = own.read(arguments, |name| session.pipeline.is_ignored(name))?;
    let tool = operation(kind, &given.operation, session)?;
    let options = Options {
        output: Some(given.output),
        location: given.location,
        confirm: given.confirm,
        items: given.items,
        on_error: given.on_error,
        dry_run: given.dry_run,
        idempotency_key: given.idempotency_key,
        as_highlevel: false,
    };
    let request = session.request(tool, given.arguments, options);
    Ok(session.pipeline.execute(request).await)
}

/// The operation, where this tool is the one that runs it.
fn operation(
    kind: CallToolKind,
    name: &str,
    session: &Session<'_>,
) -> Result<&'static Tool, Failure> {
    let mut served = TOOLS.iter().filter(|tool| session.serves(tool));
    let Some(tool) = served.find(|tool| tool.is_called(name)) else {
        let shown: String = name.chars().take(LONGEST_NAME).collect();
        // A name that the rules deny is no help, and nobody's to hear.
        let near = nearest(name, |tool| session.finds(tool));
        let remedy = match near {
            Some(near) => format!("Did you mean {near}?"),
            None => "search_operations finds operations by what they do.".to_owned(),
        };
        let what = format!("There is no operation {shown}.");
        return Err(Failure::new(FailureClass::Invalid, what).with_remedy(remedy));
    };
    let right = CallToolKind::of_tool(tool);
    // What the rules deny is refused with the rule, not with a hint that there is such a tool.
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
