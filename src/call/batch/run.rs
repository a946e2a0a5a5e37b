//! The results of a batch so far, and its answer, which is stored for a repeat even if the client left in the
//! middle.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::super::meter::{LEAST_WAIT, is_written};
use super::super::respond::broken_off;
use super::super::{Answer, Consent, Pipeline, Request};
use super::LONGEST;
use crate::call::output::Output;
use tool::Tool;

/// Shortest value of an argument that is looked for in errors, in bytes: an id. Shorter ones stand in words by chance.
const SHORTEST_VALUE: usize = 8;

/// A batch under way. If it is dropped before its end, the results so far are the answer for a repeat.
pub(super) struct BatchRun<'a> {
    pipeline: &'a Pipeline,
    pub(super) consent: Consent,
    items: usize,
    /// The request has an idempotency key. The key covers an item by its position, so the remaining
    /// items need another one.
    has_key: bool,
    outcomes: Vec<String>,
    /// Size of the outcomes in bytes.
    pub(super) taken: usize,
    failed: usize,
    /// Reported errors, each with its item.
    errors: Vec<(Map<String, Value>, usize)>,
    did_nothing: bool,
    is_unrecorded: bool,
    /// No further item is begun after this.
    pub(super) until: Instant,
    /// Why the rest was not sent.
    pub(super) stopped: Option<&'static str>,
    /// An item is being sent, and may have happened.
    pub(super) is_sending: AtomicBool,
    is_over: bool,
    /// The tool and output of an answer that is one table.
    table: Option<(&'static Tool, Output)>,
}

impl<'a> BatchRun<'a> {
    pub(super) fn new(
        pipeline: &'a Pipeline,
        request: &Request<'_>,
        items: usize,
        consent: Consent,
    ) -> Self {
        let output = request.options.output.as_ref();
        let output = output.filter(|output| output.is_table());
        Self {
            pipeline,
            consent,
            items,
            has_key: request.options.idempotency_key.is_some(),
            outcomes: Vec::new(),
            taken: 0,
            failed: 0,
            errors: Vec::new(),
            did_nothing: true,
            is_unrecorded: false,
            until: Instant::now() + LONGEST,
            stopped: None,
            is_sending: AtomicBool::new(false),
            is_over: false,
            table: output.map(|output| (request.tool, output.clone())),
        }
    }

    pub(super) fn add(&mut self, outcome: String, answer: &Answer) {
        self.taken += outcome.len();
        self.outcomes.push(outcome);
        self.failed += usize::from(answer.is_error);
        self.did_nothing &= answer.did_nothing;
        self.is_unrecorded |= answer.is_unrecorded;
    }

    /// The outcome of an item. A repeated error refers to the item that reported it first.
    pub(super) fn outcome(
        &mut self,
        index: usize,
        item: &Map<String, Value>,
        answer: &Answer,
    ) -> String {
        let error = match answer.is_error {
            true => serde_json::from_str::<Map<String, Value>>(&answer.text).ok(),
            false => None,
        };
        let Some(mut error) = error else {
            return outcome(index, answer);
        };
        // HighLevel's own id of a call differs each time.
        error.remove("traceId");
        for text in error.values_mut() {
            if let Value::String(text) = text {
                *text = without_values(text, item);
            }
        }
        let known = self.errors.iter().find(|(known, _)| *known == error);
        let Some((_, first)) = known else {
            self.errors.push((error, index));
            return outcome(index, answer);
        };
        let class = error.get("class");
        json!({"item": index, "ok": false, "error": {"class": class, "sameAsItem": first}})
            .to_string()
    }

    /// The answer, stored for replays.
    pub(super) async fn end(mut self) -> Answer {
        self.is_over = true;
        let mut answer = self.answer();
        let consent = std::mem::take(&mut self.consent);
        let until = self.until.max(Instant::now() + LEAST_WAIT);
        let is_settled = is_written(self.pipeline.settle(consent, &answer), until).await;
        answer.is_unrecorded = self.is_unrecorded || !is_settled;
        answer
    }

    fn answer(&self) -> Answer {
        let (run, failed) = (self.outcomes.len(), self.failed);
        match &self.table {
            Some((tool, output)) if failed < run => self.table(tool, output),
            _ => self.outcomes(),
        }
    }

    /// The rows of all items under one header.
    fn table(&self, tool: &Tool, output: &Output) -> Answer {
        let parse = |text: &String| serde_json::from_str(text).unwrap_or_default();
        let outcomes = self.outcomes.iter().map(parse).collect();
        let left = self.items - self.outcomes.len();
        let mut notes = Map::new();
        if self.failed > 0 || left > 0 {
            notes.insert("notRun".to_owned(), json!(left));
            let stopped = self.how_to_go_on();
            notes.extend(stopped.map(|how| ("stopped".to_owned(), json!(how))));
        }
        match output.table_of_items(tool, outcomes, notes) {
            Ok(list) => Answer {
                notes: list.notes.map(Into::into),
                is_error: self.failed > 0,
                did_nothing: self.did_nothing,
                ..Answer::text(list.text)
            },
            Err(failure) => failure.into(),
        }
    }

    /// The reason that the rest was not sent, and how to send it.
    fn how_to_go_on(&self) -> Option<String> {
        let run = self.outcomes.len();
        let key = match self.has_key {
            true => ", under another idempotencyKey",
            false => "",
        };
        let why = self.stopped.filter(|_| run < self.items)?;
        Some(format!(
            "{why}; call again with the items from {run} on{key}."
        ))
    }

    fn outcomes(&self) -> Answer {
        let (run, failed) = (self.outcomes.len(), self.failed);
        let left = self.items - run;
        let stopped = self.how_to_go_on();
        let stopped = stopped.map(|how| format!(",\"stopped\":{}", json!(how)));
        let text = format!(
            "{{\"done\":{},\"failed\":{failed},\"notRun\":{left}{},\"outcomes\":[{}]}}",
            run - failed,
            stopped.unwrap_or_default(),
            self.outcomes.join(",")
        );
        Answer {
            // Completed items are no error; each item has its own outcome.
            is_error: failed > 0 && failed == run,
            did_nothing: self.did_nothing,
            ..Answer::text(text)
        }
    }
}

impl Drop for BatchRun<'_> {
    fn drop(&mut self) {
        if self.is_over || !self.consent.is_once() {
            return;
        }
        if self.is_sending.load(Relaxed) {
            let answer = broken_off();
            let outcome = self.outcome(self.outcomes.len(), &Map::new(), &answer);
            self.add(outcome, &answer);
        }
        self.stopped = Some("The client left");
        let answer = self.answer();
        let consent = std::mem::take(&mut self.consent);
        drop(self.pipeline.settle(consent, &answer));
    }
}

fn outcome(index: usize, answer: &Answer) -> String {
    let ok = !answer.is_error;
    format!("{{\"item\":{index},\"ok\":{ok},{}}}", members(answer))
}

/// An error in which the values of a call's own arguments, such as the id of its record, are their names: equal errors
/// of several calls then are equal.
pub(in crate::call) fn without_values(text: &str, item: &Map<String, Value>) -> String {
    let values = item.iter().filter_map(|(name, value)| {
        let value = value
            .as_str()
            .filter(|value| value.len() >= SHORTEST_VALUE)?;
        Some((name, value))
    });
    values.fold(text.to_owned(), |text, (name, value)| {
        text.replace(value, &format!("{{{name}}}"))
    })
}

/// The result of one of several calls, as members of a JSON object.
pub(in crate::call) fn members(answer: &Answer) -> String {
    let name = if answer.is_error { "error" } else { "answer" };
    let value = serde_json::from_str::<Box<RawValue>>(&answer.text);
    let value = value.map_or_else(
        |_| json!(answer.text).to_string(),
        |raw| raw.get().to_owned(),
    );
    let notes = answer.notes.as_ref();
    let notes = notes.map_or_else(String::new, |notes| format!(",\"notes\":{notes}"));
    let withheld = match answer.file() {
        Some(_) => {
            ",\"withheld\":\"A batch carries no files: call the operation by itself for it.\""
        }
        None => "",
    };
    format!("\"{name}\":{value}{notes}{withheld}")
}
