//! A surface's request to the pipeline: one operation, its arguments, and the options of the call.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CallContext, Fences};
use crate::call::arguments::own::OwnArguments;
use crate::call::output::{Comparison, Output};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::Tool;

/// The argument that says what an answer is to hold.
const OUTPUT: &str = "output";

/// The argument that names one of the server's locations, by alias or id, whatever the tool.
pub const LOCATION: &str = "location";

/// The argument that confirms a call which was asked about.
const CONFIRM: &str = "confirm";

/// The arguments that stand beside an operation's own.
const BESIDE: [&str; 3] = [OUTPUT, LOCATION, CONFIRM];

/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 128;

/// Is told how many of how many calls of a batch are done.
pub type Progress = dyn Fn(usize, usize) + Send + Sync;

/// One call of one operation, or a batch of them.
pub struct Request<'a> {
    pub tool: &'static Tool,
    /// Of the one call, or what all items of a batch have in common.
    pub arguments: Map<String, Value>,
    pub options: Options,
    pub context: &'a CallContext,
    pub progress: &'a Progress,
}

/// How a call is to be made. None of it is the operation's.
#[derive(Default)]
pub struct Options {
    /// What of the answer comes back, and in what form; `None` as HighLevel sent it.
    pub output: Option<Output>,
    /// Alias or id of one of the server's locations, for all calls.
    pub location: Option<String>,
    /// Token of a preview, or handle of an approval.
    pub confirm: Option<String>,
    /// One call for each, over the common arguments.
    pub items: Option<Vec<Map<String, Value>>>,
    /// One call for each row of a read.
    pub each: Option<Each>,
    pub on_error: OnError,
    /// Where it came from takes a confirm without the rest.
    pub confirm_alone: bool,
    /// Show the request and send nothing.
    pub dry_run: bool,
    /// Under it the call happens once.
    pub idempotency_key: Option<String>,
    /// Arguments are read as HighLevel's own two servers read them: a null empties what its schema lets be null, and a
    /// time without an offset is UTC.
    pub as_highlevel: bool,
    /// Stand in the answer around what other people wrote.
    pub fences: Option<Arc<Fences>>,
}

/// The rows that a write is made for: a read, and what of its rows the write takes.
pub struct Each {
    /// It reads.
    pub tool: &'static Tool,
    pub arguments: Map<String, Value>,
    /// Its filter, its pages and its most rows.
    pub output: Output,
    /// Arguments of the write by dotted paths in a row.
    pub bind: BTreeMap<String, String>,
}

/// What happens to the calls after one that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    #[default]
    Stop,
    Continue,
}

impl OnError {
    pub(super) fn new(goes_on: bool) -> Self {
        match goes_on {
            true => Self::Continue,
            false => Self::Stop,
        }
    }
}

impl<'a> Request<'a> {
    /// One call of `tool`. Three arguments are not the tool's, unless it has one of that name: `output`,
    /// `location` and `confirm`. Fails where one of them is not of its form.
    pub fn for_tool(
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        context: &'a CallContext,
    ) -> Result<Self, Failure> {
        let own = tool.arguments.iter().map(|argument| argument.name);
        let own: Vec<&str> = own.filter(|name| BESIDE.contains(name)).collect();
        let mut beside = Map::new();
        for name in BESIDE.iter().filter(|name| !own.contains(name)) {
            beside.extend(arguments.remove_entry(*name));
        }
        let named = beside.get(LOCATION);
        if named.is_some_and(|named| named.is_array() || named.is_object()) {
            let what =
                "Nothing was sent: location must be the alias or id of a location, as a text.";
            return Err(Failure::new(FailureClass::Location, what));
        }
        let options = match beside.is_empty() {
            true => Options::default(),
            false => {
                let given: GivenOptions = OWN.read(beside, |_| false)?;
                Options {
                    output: given.output,
                    location: given.location,
                    confirm: given.confirm,
                    ..Options::default()
                }
            }
        };
        Ok(Self {
            tool,
            arguments,
            options,
            context,
            progress: &|_, _| {},
        })
    }
}

impl Options {
    /// Fails where the idempotency key is too short or too long, or no answer of `tool` can be what `output` asks for.
    pub fn check(&self, tool: &Tool, is_batch: bool) -> Result<(), Failure> {
        if let Some(output) = &self.output {
            output.check(tool, is_batch)?;
        }
        let Some(key) = &self.idempotency_key else {
            return Ok(());
        };
        if (1..=LONGEST_KEY).contains(&key.chars().count()) {
            return Ok(());
        }
        let what = format!("idempotencyKey must have 1 to {LONGEST_KEY} characters.");
        Err(Failure::new(FailureClass::Invalid, what))
    }
}

/// What stands beside the arguments of an operation.
#[derive(Deserialize)]
struct GivenOptions {
    output: Option<Output>,
    location: Option<String>,
    confirm: Option<String>,
}

static OWN: LazyLock<OwnArguments> = LazyLock::new(|| {
    let schema = json!({
        "type": "object",
        "properties": {
            OUTPUT: output_schema(),
            LOCATION: {"type": "string"},
            CONFIRM: {"type": "string"},
        },
    });
    OwnArguments::new("this tool", schema)
});

/// What `output` may be, whatever it stands beside.
pub(crate) fn output_schema() -> Value {
    let comparisons = Comparison::WORDS.map(|(word, _)| word);
    // A dotted path, or a list of them.
    let fields = json!({"type": ["array", "string"], "items": {"type": "string"}});
    let condition = json!({
        "field": {"type": "string"},
        "op": {"type": "string", "enum": comparisons},
        // As HighLevel's own filters have it.
        "operator": {"type": "string", "enum": comparisons},
        "value": {},
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "fields": {"type": "array", "items": {"type": "string"}},
            // One condition or a list of them.
            "filter": {
                "type": ["array", "object"],
                "items": {
                    "type": "object", "properties": condition, "required": ["field"],
                    "additionalProperties": false,
                },
                "properties": condition,
                "required": ["field"],
                "additionalProperties": false,
            },
            "format": {"type": "string", "enum": ["json", "table", "csv"]},
            "maxItems": {"type": "integer", "minimum": 0},
            "locations": {"type": "array", "items": {"type": "string"}},
            "allPages": {"type": ["boolean", "integer"], "minimum": 0},
            "spreadsheetSafe": {"type": "boolean"},
            "groupBy": fields,
            "count": {"type": "boolean"},
            "sum": fields,
            "avg": fields,
            "min": fields,
            "max": fields,
            "minCount": {"type": "integer", "minimum": 1},
        },
    })
}
