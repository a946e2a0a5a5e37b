//! Parses a frame that is not a request: the id for the error, and the fault.
//!
//! rmcp drops a line that is not JSON, and its sender would wait for ever.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use id::IdScanner;

pub(super) mod id;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;

/// The id of a request as its client wrote it.
#[derive(Clone, Debug, Serialize)]
pub struct FrameId(Box<RawValue>);

/// The fault of a frame that is not a request.
#[derive(Debug)]
pub enum FrameFault {
    /// It gets an error as its answer.
    Refused(FrameRefusal),
    /// A notification or an answer, which nobody expects an answer to.
    Unanswered,
}

/// The reason that a frame is refused, and the ids to answer.
#[derive(Debug)]
pub struct FrameRefusal {
    /// The ids that wait for an answer; empty if none can be read.
    pub ids: Vec<FrameId>,
    pub code: i32,
    pub message: String,
}

/// An error in the form of JSON-RPC.
#[derive(Serialize)]
struct ErrorFrame<'a> {
    jsonrpc: &'static str,
    id: Option<&'a FrameId>,
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: i32,
    message: &'a str,
}

impl FrameFault {
    /// The fault of `frame`, which is not a message of the protocol. `why`: the error of its parser.
    pub fn find(frame: &[u8], why: &str) -> Self {
        let value = match serde_json::from_slice::<Value>(frame) {
            Ok(value) => value,
            Err(error) => {
                return Self::Refused(FrameRefusal {
                    ids: FrameId::find(frame).into_iter().collect(),
                    code: PARSE_ERROR,
                    message: format!("The request is not JSON: {error}."),
                });
            }
        };
        match value {
            Value::Object(members) => Self::of_object(&members, why),
            Value::Array(items) => {
                let ids = items.iter().filter_map(|item| {
                    let request = item.as_object().filter(|one| !is_answer(one))?;
                    FrameId::new(request.get("id")?)
                });
                Self::Refused(FrameRefusal {
                    ids: ids.collect(),
                    code: INVALID_REQUEST,
                    message: "The protocol has no batches; send one request at a time.".to_owned(),
                })
            }
            _ => Self::Refused(FrameRefusal {
                ids: Vec::new(),
                code: INVALID_REQUEST,
                message: "A JSON-RPC request is an object.".to_owned(),
            }),
        }
    }

    fn of_object(members: &Map<String, Value>, why: &str) -> Self {
        let given = members.get("id");
        let is_id = |id: &Value| id.is_string() || id.is_i64();
        let message = if is_answer(members) {
            return Self::Unanswered;
        } else if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            "`jsonrpc` must be \"2.0\"".to_owned()
        } else if !members.get("method").is_some_and(Value::is_string) {
            "`method` must be the name of a method".to_owned()
        } else if given.is_none() {
            return Self::Unanswered;
        } else if !given.is_some_and(is_id) {
            "`id` must be a text or a whole number of at most 64 bits".to_owned()
        } else {
            why.to_owned()
        };
        Self::Refused(FrameRefusal {
            ids: given.and_then(FrameId::new).into_iter().collect(),
            code: INVALID_REQUEST,
            message: format!("This is not JSON-RPC 2.0 request: {message}."),
        })
    }
}

impl FrameRefusal {
    /// For a frame that is not parsed any further.
    pub(super) fn invalid(id: Option<FrameId>, message: String) -> Self {
        Self {
            ids: id.into_iter().collect(),
            code: INVALID_REQUEST,
            message,
        }
    }

    /// An answer for each id, or one for `null`.
    pub(super) fn frames(&self) -> Vec<String> {
        if self.ids.is_empty() {
            return vec![self.frame(None)];
        }
        self.ids.iter().map(|id| self.frame(Some(id))).collect()
    }

    /// The answer for one id.
    pub fn frame(&self, id: Option<&FrameId>) -> String {
        let frame = ErrorFrame {
            jsonrpc: "2.0",
            id,
            error: ErrorBody {
                code: self.code,
                message: &self.message,
            },
        };
        // Serialising texts and numbers never fails.
        serde_json::to_string(&frame).unwrap_or_default()
    }
}

impl FrameId {
    /// The id of a frame, whatever else is wrong with it.
    pub fn find(frame: &[u8]) -> Option<Self> {
        let mut scanner = IdScanner::default();
        scanner.feed(frame);
        scanner.finish()
    }

    /// In its client's notation.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// `None` if it is not an id of JSON-RPC.
    fn new(value: &Value) -> Option<Self> {
        let is_id = value.is_string() || value.as_f64().is_some();
        let text = is_id.then(|| value.to_string())?;
        RawValue::from_string(text).ok().map(Self)
    }
}

/// Whether the members are those of an answer. An answer gets no answer, whatever is wrong with it.
fn is_answer(members: &Map<String, Value>) -> bool {
    let has = |name: &str| members.contains_key(name);
    !has("method") && (has("result") || has("error"))
}

#[cfg(test)]
mod tests;
