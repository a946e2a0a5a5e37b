//! What an agent wanted to happen, and what it was told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::client::CallResult;

/// One or several writes that an agent asked for, each known by a text that stands in nothing else.
pub(crate) struct Intent {
    pub kind: IntentKind,
    pub agent: usize,
    /// What HighLevel and the audit know each write by.
    pub markers: Vec<String>,
    /// The call that may be repeated without anything happening twice; `None` where there is no such call.
    pub repeat: Option<(&'static str, Value)>,
    /// What the agent was told of each.
    pub fates: Vec<Fate>,
    /// One of its calls went without an answer, so that a refusal of a later one says nothing of it.
    pub was_lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IntentKind {
    /// A contact, under an idempotency key.
    KeyedCreate,
    /// A contact without one.
    Create,
    /// A message, under an idempotency key.
    Send,
    /// Messages that one instance previews and another one sends.
    SendBatch,
    /// Contacts that one instance previews and another one deletes.
    DeleteBatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Done, and not written down in time.
    Unrecorded,
    Nothing,
    Unknown,
    /// No answer that says it.
    Open,
}

/// All that agents asked for, and what they got.
#[derive(Default)]
pub(crate) struct Ledger {
    pub intents: Vec<Intent>,
    /// By agent.
    pub keys: BTreeMap<usize, String>,
    /// Results of single calls, by what they were.
    pub results: BTreeMap<String, usize>,
    /// Of calls that were answered.
    pub taken: Vec<Duration>,
    pub kills: usize,
    /// Instances that ended though nobody ended them.
    pub ends: usize,
    /// How often something else happened on purpose.
    pub troubles: usize,
    /// Instances that another build took the place of.
    pub replaced: usize,
    pub lasted: Duration,
}

impl Fate {
    /// Whether an answer said that it was done.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::Unrecorded)
    }
}

impl Intent {
    /// Each of its writes is an item of a batch, which nothing but the batch's confirm keeps from being sent again.
    pub(crate) fn is_batch(&self) -> bool {
        matches!(self.kind, IntentKind::SendBatch | IntentKind::DeleteBatch)
    }
}

impl Ledger {
    pub(crate) fn count(&mut self, result: &CallResult) {
        let word = match result {
            CallResult::Done(_) => "done".to_owned(),
            CallResult::Preview(_) => "previewed".to_owned(),
            CallResult::Nothing(class, _) => format!("nothing happened: {class}"),
            CallResult::UnderWay => "under way".to_owned(),
            CallResult::Unknown => "unknown outcome".to_owned(),
            CallResult::Refused(status) => format!("no request taken: {status}"),
            CallResult::NotConnected => "not connected".to_owned(),
            CallResult::Lost => "no answer".to_owned(),
        };
        *self.results.entry(word).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.intents.extend(other.intents);
        self.keys.extend(other.keys);
        for (word, count) in other.results {
            *self.results.entry(word).or_default() += count;
        }
        self.taken.extend(other.taken);
    }
}

/// What a call's result says of so many writes.
pub(crate) fn fates(result: &CallResult, writes: usize) -> Vec<Fate> {
    let fate = match result {
        CallResult::Done(answer) => {
            let done = match answer.get("_unrecorded") {
                Some(_) => Fate::Unrecorded,
                None => Fate::Done,
            };
            match answer["outcomes"].as_array() {
                Some(outcomes) => {
                    return (0..writes)
                        .map(|one| fate_of_item(outcomes.get(one), done))
                        .collect();
                }
                None => done,
            }
        }
        CallResult::Nothing(..) | CallResult::Preview(_) => Fate::Nothing,
        CallResult::Unknown => Fate::Unknown,
        _ => Fate::Open,
    };
    vec![fate; writes]
}

fn fate_of_item(outcome: Option<&Value>, done: Fate) -> Fate {
    match outcome {
        None => Fate::Nothing,
        Some(outcome) if outcome["ok"] == true => done,
        Some(outcome) if outcome["error"]["class"] == "unknown_outcome" => Fate::Unknown,
        Some(_) => Fate::Nothing,
    }
}

/// Alias of a location.
pub(crate) fn alias(location: usize) -> String {
    format!("branch-{:02}", location + 1)
}

/// Id of a location at the sandbox.
pub(crate) fn location_id(location: usize) -> String {
    format!("locBranch{:011}", location + 1)
}

/// Whether the key of this agent is under the narrow policy.
pub(crate) fn is_narrow(agent: usize) -> bool {
    (agent / 7).is_multiple_of(3)
}

/// What a contact that is deleted is known by.
pub(crate) fn deletion(contact: &str) -> String {
    format!("delete {contact}")
}
