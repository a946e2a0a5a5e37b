//! What a call comes to: the text that a client gets, and what the server needs to know of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use crate::highlevel::Failure;
use crate::highlevel::accounts::Place;
use crate::highlevel::failure::Class;

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
    /// When a call that was refused at the limit may come back.
    pub retry_after: Option<Duration>,
    /// What the server calls that location, where it is one of its own.
    pub place: Option<Arc<Place>>,
    /// The class of the failure, where it is one.
    pub class: Option<Class>,
    /// A question to put to the person at the client before the call is made.
    pub question: Option<Box<Question>>,
    /// It failed before anything reached HighLevel, or HighLevel refused it at the limit.
    pub was_never_sent: bool,
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
        let limited = failure.class == Class::RateLimited;
        Self {
            status: failure.status,
            class: Some(failure.class),
            trace_id: failure.trace_id.clone(),
            retry_after: failure
                .retry_after_ms
                .filter(|_| limited)
                .map(Duration::from_millis),
            // A write that may have been sent has an unknown outcome.
            was_never_sent: limited
                || (failure.status.is_none() && failure.class != Class::UnknownOutcome),
            ..Self::error(failure.text())
        }
    }

    /// Says in the answer to what writes which location it touched.
    pub fn name_location(&mut self) {
        let Some(location) = self.location.as_ref().filter(|_| !self.is_error) else {
            return;
        };
        let told = match &self.place {
            Some(place) => json!({"alias": place.alias, "name": place.name, "id": location}),
            None => json!({"id": location}),
        };
        self.text = match self.text.strip_suffix('}') {
            Some("{") => format!("{{\"_location\":{told}}}"),
            Some(open) => format!("{open},\"_location\":{told}}}"),
            // A list or a single value has no member to add to.
            None if serde_json::from_str::<&RawValue>(&self.text).is_ok() => {
                format!("{{\"answer\":{},\"_location\":{told}}}", self.text)
            }
            // A table, which nobody asks a write for.
            None => return,
        };
    }
}
