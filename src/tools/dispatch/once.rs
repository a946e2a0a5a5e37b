//! Idempotency keys: what was answered under a key is answered again, and nothing happens twice.
//!
//! Kept in the memory of this instance only: another instance, or this one after a restart, does not
//! know them. HighLevel itself has no such keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::Answer;
use crate::highlevel::failure::Class;
use crate::highlevel::{Caller, Digest, Failure};
use crate::runtime::tool::Tool;

/// How long a key is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Most keys; beyond them the oldest that is settled goes.
const MOST: usize = 10_000;

/// Said with every answer that comes from here.
const WHERE: &str = "known to this instance only, for a day";

/// The keys of the process.
#[derive(Default)]
pub struct Once(Arc<Mutex<HashMap<Scope, Entry>>>);

/// Whose key for what: two callers, locations or operations may use the same text.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    who: Digest,
    location: Option<String>,
    operation: &'static str,
    key: String,
}

struct Entry {
    arguments: Map<String, Value>,
    since: Instant,
    /// `None` while the call is under way, and for good where its client left: the outcome is unknown.
    answer: Option<Answer>,
    under_way: bool,
}

/// The right to make the call of a key. Dropped without an answer, the outcome is unknown.
pub struct Claim {
    entries: Arc<Mutex<HashMap<Scope, Entry>>>,
    scope: Scope,
    settled: bool,
}

impl Once {
    /// The right to call, or what is known of the call already.
    pub fn claim(
        &self,
        key: &str,
        tool: &'static Tool,
        arguments: &Map<String, Value>,
        who: Digest,
        caller: &Caller,
    ) -> Result<Claim, Answer> {
        let location = caller.location.as_ref();
        let scope = Scope {
            who,
            location: location.map(|bound| bound.location().as_str().to_owned()),
            operation: tool.name,
            key: key.to_owned(),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST {
            forget(&mut entries);
        }
        if let Some(entry) = entries
            .get(&scope)
            .filter(|entry| entry.since.elapsed() < KEPT)
        {
            return Err(entry.known(arguments));
        }
        let entry = Entry {
            arguments: arguments.clone(),
            since: Instant::now(),
            answer: None,
            under_way: true,
        };
        entries.insert(scope.clone(), entry);
        Ok(Claim {
            entries: Arc::clone(&self.0),
            scope,
            settled: false,
        })
    }
}

impl Entry {
    fn known(&self, arguments: &Map<String, Value>) -> Answer {
        if self.arguments != *arguments {
            let what = "Nothing was sent: this idempotencyKey was used with other arguments.";
            let failure = Failure::new(Class::Refused, what);
            return Answer::failed(&failure.with_remedy("Take a new key for another call."));
        }
        match &self.answer {
            Some(answer) => Answer {
                text: repeated(&answer.text),
                ..answer.clone()
            },
            None if self.under_way => {
                let what =
                    "Nothing was sent: the call with this idempotencyKey is still under way.";
                let failure = Failure::new(Class::Refused, what);
                Answer::failed(&failure.with_retry_after(Duration::from_secs(2)))
            }
            None => {
                let what = "The call with this idempotencyKey was cut off: it may or may not have happened.";
                let failure = Failure::new(Class::UnknownOutcome, what);
                Answer::failed(
                    &failure.with_remedy("Read the record first; take a new key to call again."),
                )
            }
        }
    }
}

fn repeated(text: &str) -> String {
    match text.strip_suffix('}') {
        Some("{") | None => text.to_owned(),
        Some(open) => format!("{open},\"_repeated\":\"{WHERE}\"}}"),
    }
}

impl Claim {
    /// Keeps the answer. What was certainly not sent may be tried again under the same key.
    pub fn settle(mut self, answer: &Answer) {
        self.settled = true;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.was_never_sent {
            entries.remove(&self.scope);
        } else if let Some(entry) = entries.get_mut(&self.scope) {
            entry.answer = Some(answer.clone());
            entry.under_way = false;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&self.scope) {
            entry.under_way = false;
        }
    }
}

/// Drops what is too old, then the older half of what is settled.
fn forget(entries: &mut HashMap<Scope, Entry>) {
    entries.retain(|_, entry| entry.under_way || entry.since.elapsed() < KEPT);
    let mut ages: Vec<Instant> = entries.values().map(|entry| entry.since).collect();
    ages.sort_unstable();
    if let (true, Some(middle)) = (entries.len() >= MOST, ages.get(ages.len() / 2)) {
        entries.retain(|_, entry| entry.under_way || entry.since > *middle);
    }
}
