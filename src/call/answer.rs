//! What a call comes to: the text that a client gets, and what the server needs to know of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use crate::budget::Charge;
use crate::upstream::failure::FailureClass;
use crate::upstream::{ConfiguredLocation, Failure, UpstreamFile};

/// What a client gets: one text block, or two, and a file beside it where HighLevel answered one.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub text: String,
    /// JSON in a block of its own, beside a text that programs parse as something else.
    pub notes: Option<String>,
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
    /// A recording, an image or a document; `text` says what it is. Texts are no files.
    pub file: Option<Arc<UpstreamFile>>,
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

    /// Adds what the caller should know of its arguments, beside what the answer warns of already. A list, a single
    /// value and a table have no member to add to.
    pub fn add_warnings(&mut self, warnings: &[String]) {
        const MEMBER: &str = ",\"_warnings\":";
        let Some(whole) = self.text.strip_suffix('}').filter(|_| !warnings.is_empty()) else {
            return;
        };
        let (open, earlier) = match whole.rsplit_once(MEMBER) {
            Some((open, list)) => match serde_json::from_str::<Vec<String>>(list) {
                Ok(earlier) => (open, earlier),
                Err(_) => (whole, Vec::new()),
            },
            None => (whole, Vec::new()),
        };
        let all: Vec<&String> = earlier.iter().chain(warnings).collect();
        self.text = match open {
            "{" => format!("{{\"_warnings\":{}}}", json!(all)),
            open => format!("{open}{MEMBER}{}}}", json!(all)),
        };
    }

    /// Makes the answer to what writes the object that it is on every surface: HighLevel's own with `_location`, which
    /// says what the call touched; `{"answer": …}` around a list, a single value or a text.
    pub fn complete_write(&mut self) {
        if self.is_error {
            return;
        }
        let is_object = self.text.starts_with('{') && self.text.ends_with('}');
        if !is_object {
            let is_json = serde_json::from_str::<&RawValue>(&self.text).is_ok();
            self.text = match is_json {
                true => format!("{{\"answer\":{}}}", self.text),
                false => json!({"answer": self.text}).to_string(),
            };
        }
        let Some(location) = &self.location else {
            return;
        };
        let shown = match &self.configured {
            Some(configured) => {
                json!({"alias": configured.alias, "name": configured.name, "id": location})
            }
            None => json!({"id": location}),
        };
        self.text.pop();
        let comma = if self.text.len() > 1 { "," } else { "" };
        self.text
            .push_str(&format!("{comma}\"_location\":{shown}}}"));
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::failed(&failure)
    }
}
