//! An agent's intents, and the answers to them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::client::CallResult;

/// One or several writes that an agent asked for. Each has a unique text.
pub(crate) struct Intent {
    pub kind: IntentKind,
    pub agent: usize,
    /// The text that identifies each write at HighLevel and in the audit.
    pub markers: Vec<String>,
    /// The call that may be repeated without a second effect. `None` if there is none.
    pub repeat: Option<(&'static str, Value)>,
    /// The agent's last knowledge of each write.
    pub fates: Vec<Fate>,
    /// Whether one of its calls went without an answer, so that the refusal of a later one says nothing about it.
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
    /// No answer tells the outcome.
    Open,
}

/// All intents of the agents, and their answers.
#[derive(Default)]
pub(crate) struct Ledger {
    pub intents: Vec<Intent>,
    /// By agent.
    pub keys: BTreeMap<usize, String>,
    /// Results of single calls, by kind.
    pub results: BTreeMap<String, usize>,
    /// The durations of answered calls.
    pub taken: Vec<Duration>,
    pub kills: usize,
    /// Instances that ended by themselves.
    pub ends: usize,
    /// The number of other deliberate disturbances.
    pub troubles: usize,
    /// Instances that were replaced by another build.
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
    /// Whether each of its writes is an item of a batch, which only the batch's confirm token keeps from being sent
    /// again.
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

/// The fates of `writes` writes by a call's result.
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

/// The marker of a contact's deletion.
pub(crate) fn deletion(contact: &str) -> String {
    format!("delete {contact}")
}
