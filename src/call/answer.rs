//! What a call comes to: the text that a client gets, and what the server needs to know of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use crate::budget::Charge;
use crate::upstream::ConfiguredLocation;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;

/// What a client gets: one text block.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub text: String,
    pub is_error: bool,
    /// The location that the call was for, where that is known.
    pub location: Option<String>,
    /// HighLevel's status and its own id of the call, where it answered.
    pub status: Option<u16>,
    pub trace_id: Option<String>,
    /// Requests to HighLevel beyond the first.
    pub retries: u8,
    /// When a call that was refused at the limit may come back.
    pub retry_after: Option<Duration>,
    /// What the server calls that location, where it is one of its own and the caller may hear it.
    pub configured: Option<Arc<ConfiguredLocation>>,
    /// The class of the failure, where it is one.
    pub class: Option<FailureClass>,
    /// A question to put to the person at the client before the call is made.
    pub question: Option<Box<Question>>,
    /// Nothing happened: it failed before anything reached HighLevel, or HighLevel refused it unread.
    pub did_nothing: bool,
    /// The bytes that it holds, counted until it is gone.
    pub charge: Option<Arc<Charge>>,
}

/// Asked where a person has to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    /// Stands for the call that is asked about, when the answer comes.
    pub token: String,
}

impl Answer {
    pub fn text(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    pub fn error(text: String) -> Self {
        Self {
            text,
            is_error: true,
            ..Self::default()
        }
    }

    pub fn failed(failure: &Failure) -> Self {
        let limited = failure.class == FailureClass::RateLimited;
        Self {
            status: failure.status,
            class: Some(failure.class),
            trace_id: failure.trace_id.clone(),
            retries: failure.retries,
            retry_after: failure
                .retry_after_ms
                .filter(|_| limited)
                .map(Duration::from_millis),
            did_nothing: failure.not_executed(),
            ..Self::error(failure.text())
        }
    }

    /// A failure before anything was sent.
    pub fn never_sent(failure: &Failure) -> Self {
        Self {
            did_nothing: true,
            ..Self::failed(failure)
        }
    }

    /// Why it failed, in one sentence.
    pub fn sentence(&self) -> String {
        let parsed = serde_json::from_str::<serde_json::Value>(&self.text).unwrap_or_default();
        parsed["error"].as_str().unwrap_or(&self.text).to_owned()
    }

    /// As logs and metrics have it.
    pub fn outcome(&self) -> &'static str {
        self.class.map_or("ok", FailureClass::name)
    }

    /// Says in the answer to what writes which location it touched.
    pub fn name_location(&mut self) {
        let Some(location) = self.location.as_ref().filter(|_| !self.is_error) else {
            return;
        };
        let shown = match &self.configured {
            Some(configured) => {
                json!({"alias": configured.alias, "name": configured.name, "id": location})
            }
            None => json!({"id": location}),
        };
        self.text = match self.text.strip_suffix('}') {
            Some("{") => format!("{{\"_location\":{shown}}}"),
            Some(open) => format!("{open},\"_location\":{shown}}}"),
            // A list or a single value has no member to add to.
            None if serde_json::from_str::<&RawValue>(&self.text).is_ok() => {
                format!("{{\"answer\":{},\"_location\":{shown}}}", self.text)
            }
            // A table, which nobody asks a write for.
            None => return,
        };
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::failed(&failure)
    }
}
