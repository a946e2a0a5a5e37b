//! The result of a call: the text that a client gets, and the facts that the server needs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use crate::budget::Charge;
use crate::upstream::failure::FailureClass;
use crate::upstream::{ConfiguredLocation, Failure, UpstreamFile};

/// The start of the list of warnings in an answer.
const WARNINGS: &str = "\"_warnings\":[";

/// Said with an answer whose end was not written in time.
const UNRECORDED: &str = "This is HighLevel's answer, but the server could not record it in time: the audit, and a \
                          repeat of this call, may say unknown_outcome. Do not make the call again under another key \
                          or confirm; read the record first.";

/// What a client gets: one text block, or two, and a file beside it where HighLevel answered one.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub text: String,
    /// JSON in a block of its own, if programs parse the text as another format.
    pub notes: Option<Box<str>>,
    pub is_error: bool,
    /// The location of the call, if known.
    pub location: Option<Box<str>>,
    /// HighLevel's status and its own id of the call, if it answered.
    pub status: Option<u16>,
    pub trace_id: Option<Box<str>>,
    /// Requests to HighLevel beyond the first.
    pub retries: u8,
    /// The wait before a call that was refused at the limit may be repeated.
    pub retry_after: Option<Duration>,
    /// The configured location, if it is one of the server's and the caller may know.
    pub configured: Option<Arc<ConfiguredLocation>>,
    /// The class of the failure; `None` on success.
    pub class: Option<FailureClass>,
    /// A question to the person at the client, before the call is made.
    pub question: Option<Box<Question>>,
    /// Nothing happened: the call failed before it reached HighLevel, or HighLevel refused it unread.
    pub did_nothing: bool,
    /// What came of the call was not written down in time: it is lost where the process ends before it is.
    pub is_unrecorded: bool,
    /// The bytes that it holds, counted until it is gone, and among them a file.
    pub held: Option<Arc<(Charge, Option<UpstreamFile>)>>,
}

/// Asked if a person has to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    /// Identifies the call that the question is about when the answer arrives.
    pub token: String,
    /// The page where the person decides; `None`: the person decides at the client.
    pub page: Option<String>,
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
            trace_id: failure.trace_id.as_deref().map(Into::into),
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

    /// A recording, an image or a document; `text` describes it. Texts are no files.
    pub fn file(&self) -> Option<&UpstreamFile> {
        self.held.as_ref()?.1.as_ref()
    }

    /// The reason for the failure, in one sentence.
    pub fn sentence(&self) -> String {
        let parsed = serde_json::from_str::<serde_json::Value>(&self.text).unwrap_or_default();
        parsed["error"].as_str().unwrap_or(&self.text).to_owned()
    }

    /// The outcome as logs and metrics name it.
    pub fn outcome(&self) -> &'static str {
        self.class.map_or("ok", FailureClass::name)
    }

    /// Adds warnings to HighLevel's answer. If that is a table, they go into the text beside it.
    pub(super) fn add_warnings(&mut self, warnings: &[String]) {
        if warnings.is_empty() || self.is_error {
            return;
        }
        match with_warnings(&self.text, warnings) {
            Some(text) => self.text = text,
            None => {
                let notes = with_warnings(self.notes.as_deref().unwrap_or("{}"), warnings);
                self.notes = notes.map(String::into_boxed_str);
            }
        }
    }

    /// Says, where it is so, that nobody may rely on its being written down: once, whatever it is made of.
    pub(super) fn tell_unrecorded(&mut self) {
        if !self.is_unrecorded {
            return;
        }
        let member = format!("\"_unrecorded\":{}", json!(UNRECORDED));
        match with_member(&self.text, &member) {
            Some(text) => self.text = text,
            None => {
                let notes = with_member(self.notes.as_deref().unwrap_or("{}"), &member);
                self.notes = notes.map(String::into_boxed_str);
            }
        }
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

/// An object with one more member; `None` where `text` is none.
fn with_member(text: &str, member: &str) -> Option<String> {
    let open = text.strip_suffix('}').filter(|_| text.starts_with('{'))?;
    let comma = if open.len() > 1 { "," } else { "" };
    Some(format!("{open}{comma}{member}}}"))
}

/// `text` with the warnings as its last member, behind those that are its last member already; `None` where it is not JSON.
fn with_warnings(text: &str, warnings: &[String]) -> Option<String> {
    let list = json!(warnings).to_string();
    let list = list.trim_start_matches('[');
    let told = text.rfind(WARNINGS).filter(|from| {
        let rest = text.get(from + WARNINGS.len() - 1..);
        let rest = rest.and_then(|rest| rest.strip_suffix('}'));
        rest.is_some_and(|rest| serde_json::from_str::<Vec<String>>(rest).is_ok())
    });
    Some(match text.strip_suffix('}') {
        Some("{") => format!("{{{WARNINGS}{list}}}"),
        Some(open) if told.is_some() => format!("{},{list}}}", open.trim_end_matches(']')),
        Some(open) => format!("{open},{WARNINGS}{list}}}"),
        None if serde_json::from_str::<&RawValue>(text).is_ok() => {
            format!("{{\"answer\":{text},{WARNINGS}{list}}}")
        }
        None => return None,
    })
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::failed(&failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_not_written_down_says_so() {
        let told = json!(UNRECORDED);
        for (text, notes, expected, expected_notes) in [
            ("{}", None, format!("{{\"_unrecorded\":{told}}}"), None),
            (
                r#"{"a":1}"#,
                None,
                format!("{{\"a\":1,\"_unrecorded\":{told}}}"),
                None,
            ),
            (
                "id,name\n1,a",
                None,
                "id,name\n1,a".to_owned(),
                Some(format!("{{\"_unrecorded\":{told}}}")),
            ),
            (
                "id\n1",
                Some(r#"{"n":1}"#),
                "id\n1".to_owned(),
                Some(format!("{{\"n\":1,\"_unrecorded\":{told}}}")),
            ),
        ] {
            for is_unrecorded in [true, false] {
                let mut answer = Answer {
                    notes: notes.map(Into::into),
                    is_unrecorded,
                    ..Answer::text(text.to_owned())
                };
                answer.tell_unrecorded();
                let (is_as, notes_are) = match is_unrecorded {
                    true => (expected.as_str(), expected_notes.as_deref()),
                    false => (text, notes),
                };
                assert_eq!(answer.text, is_as);
                assert_eq!(answer.notes.as_deref(), notes_are, "{text}");
            }
        }
    }

    #[test]
    fn a_warning_stands_beside_the_answer() {
        for (text, expected) in [
            ("{}", r#"{"_warnings":["w"]}"#),
            (r#"{"a":[1]}"#, r#"{"a":[1],"_warnings":["w"]}"#),
            (
                r#"{"a":1,"_warnings":["v"]}"#,
                r#"{"a":1,"_warnings":["v","w"]}"#,
            ),
            (
                r#"{"a":{"_warnings":["v"]}}"#,
                r#"{"a":{"_warnings":["v"]},"_warnings":["w"]}"#,
            ),
            ("[1]", r#"{"answer":[1],"_warnings":["w"]}"#),
        ] {
            let mut answer = Answer::text(text.to_owned());
            answer.add_warnings(&["w".to_owned()]);
            assert_eq!(answer.text, expected);
        }
        let mut table = Answer::text("id,name\n1,a".to_owned());
        table.add_warnings(&["w".to_owned()]);
        assert_eq!(table.text, "id,name\n1,a");
        assert_eq!(table.notes.as_deref(), Some(r#"{"_warnings":["w"]}"#));
    }
}
