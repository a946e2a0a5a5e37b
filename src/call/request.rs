//! What a surface asks of the pipeline: one operation, its arguments, and how the call is to be made.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::CallContext;
use crate::call::output::Output;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::Tool;

/// The argument that says what an answer is to hold.
const OUTPUT: &str = "output";

/// The argument that names one of the server's locations, by alias or id, whatever the tool.
pub const LOCATION: &str = "location";

/// The argument that confirms a call which was asked about.
const CONFIRM: &str = "confirm";

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
#[derive(Debug, Default)]
pub struct Options {
    /// What of the answer comes back, and in what form; `None` as HighLevel sent it.
    pub output: Option<Output>,
    /// Alias or id of one of the server's locations, for all calls.
    pub location: Option<String>,
    /// Token of a preview, or handle of an approval.
    pub confirm: Option<String>,
    /// One call for each, over the common arguments.
    pub items: Option<Vec<Map<String, Value>>>,
    pub on_error: OnError,
    /// Show the request and send nothing.
    pub dry_run: bool,
    /// Under it the call happens once.
    pub idempotency_key: Option<String>,
}

/// What happens to the calls after one that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    #[default]
    Stop,
    Continue,
}

impl<'a> Request<'a> {
    /// One call of `tool`. Three arguments are not the tool's, unless it has one of that name: `output`,
    /// `location` and `confirm`. Fails where one of them is not of its form.
    pub fn for_tool(
        tool: &'static Tool,
        mut arguments: Map<String, Value>,
        context: &'a CallContext,
    ) -> Result<Self, Failure> {
        let mut taken = |name: &str| {
            let own = tool.arguments.iter().any(|one| one.name == name);
            let value = if own { None } else { arguments.remove(name) };
            value.filter(|value| !value.is_null())
        };
        let options = Options {
            output: option(OUTPUT, taken(OUTPUT))?,
            location: option(LOCATION, taken(LOCATION))?,
            confirm: option(CONFIRM, taken(CONFIRM))?,
            ..Options::default()
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
    /// Fails where the idempotency key is too short or too long.
    pub fn check(&self) -> Result<(), Failure> {
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

/// One of our own arguments, which may come as its JSON text.
fn option<T: DeserializeOwned>(name: &str, value: Option<Value>) -> Result<Option<T>, Failure> {
    let Some(value) = value else {
        return Ok(None);
    };
    if name == LOCATION && !value.is_string() {
        let what = "Nothing was sent: location must be the alias or id of a location, as a text.";
        return Err(Failure::new(FailureClass::Location, what));
    }
    let parsed = match &value {
        Value::String(text) if name == OUTPUT => {
            crate::catalog::decoding::check_size(text).map_err(|what| {
                Failure::new(
                    FailureClass::Invalid,
                    format!("Nothing was sent: {name} {what}."),
                )
            })?;
            serde_json::from_str(text)
        }
        _ => serde_json::from_value(value),
    };
    parsed.map(Some).map_err(|error| {
        let what = format!("Nothing was sent: {name} is not of its form: {error}.");
        Failure::new(FailureClass::Invalid, what)
    })
}
