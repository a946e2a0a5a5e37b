//! Tells whoever reads an answer what in it other people wrote: fenced, and with nothing in it that nobody sees.
//!
//! Which fields these are stands in `openapi/strangers.toml`. It stops no text from being believed; it takes from a text
//! the means to look like the server's own words. What follows from reading one is the rules' (`lockdown`).

mod fences;
mod hidden;
mod lockdown;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Pipeline, Request};
use crate::call::shape::{ask_for_less, shape, too_large};
use crate::catalog::decoding::from_json;
use crate::config::StrangersMark;
use crate::upstream::Failure;
use tool::{StrangerFields, Tool};

pub use fences::Fences;
use fences::any_in;
pub(crate) use hidden::visible;
pub(super) use lockdown::LastReads;

/// The member of an answer that says what its fences are.
const MEMBER: &str = "_strangers";

/// Room for it in an answer.
pub(super) const NOTE_BYTES: usize = 256;

/// Whether the text of an answer holds what would be fenced in it.
pub(super) fn carries(fields: &'static StrangerFields, text: &str) -> bool {
    match from_json::<Value>(text.as_bytes()) {
        Ok(answer) => any_in(fields, &answer),
        // A transcript, or another text file: all of it.
        Err(_) => !text.is_empty(),
    }
}

impl Pipeline {
    /// The fences of a call of `tool` whose surface marks what other people wrote.
    pub fn fences(&self, tool: &Tool) -> Option<Arc<Fences>> {
        let fences = match self.settings().mark_strangers_text {
            StrangersMark::Off if self.snapshot().rules.longest_lockdown().is_none() => None,
            StrangersMark::Off => Fences::unseen(tool),
            StrangersMark::Orchestrator | StrangersMark::All => Fences::around(tool),
        };
        fences.map(Arc::new)
    }

    /// A whole answer in its fences, where it is relayed as it came otherwise. A quarter of its room is kept for them.
    pub(super) fn fence_text(
        &self,
        tool: &Tool,
        body: String,
        fences: &Fences,
    ) -> Result<String, Failure> {
        let most = self.settings().max_answer_bytes;
        let text = shape(tool, body, most - most / 4)?;
        let Ok(mut answer) = from_json::<Value>(text.as_bytes()) else {
            return Ok(text);
        };
        fences.enclose(&[], &mut answer);
        let text = answer.to_string();
        match text.len() + NOTE_BYTES {
            bytes if bytes > most => Err(too_large(tool, bytes, most, ask_for_less(tool, None))),
            _ => Ok(text),
        }
    }

    /// Where every surface marks, a request of any has fences.
    pub(super) fn fence_everywhere(&self, request: &mut Request<'_>) {
        let is_everywhere = self.settings().mark_strangers_text == StrangersMark::All;
        if is_everywhere && request.options.fences.is_none() {
            request.options.fences = self.fences(request.tool);
        }
    }
}

/// Says in an answer what its fences are, where it has any: once, whatever it is made of.
pub(super) fn explain(fences: Option<&Fences>, answer: &mut Answer) {
    let Some(sentence) = fences.and_then(Fences::sentence) else {
        return;
    };
    let note = format!("{}:{}", json!(MEMBER), json!(sentence));
    let object = |text: &str| Some(format!("{},{note}}}", text.strip_suffix('}')?));
    let is_object = answer.text.starts_with("{\"") && answer.text.ends_with('}');
    let beside = |text: &str| from_json::<serde::de::IgnoredAny>(text.as_bytes()).is_ok();
    if is_object && let Some(text) = object(&answer.text) {
        answer.text = text;
    } else if answer.text.starts_with('[') && beside(&answer.text) {
        answer.text = format!("{{\"answer\":{},{note}}}", answer.text);
    } else {
        let notes = match answer.notes.as_deref() {
            Some(notes) => object(notes),
            None => Some(format!("{{{note}}}")),
        };
        answer.notes = notes.map(String::into_boxed_str);
    }
}

#[cfg(test)]
mod tests;
