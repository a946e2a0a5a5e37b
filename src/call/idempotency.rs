//! Idempotency keys and used confirm tokens: what was answered under one is answered again, and nothing happens twice.
//!
//! Kept in the memory of this instance only: another instance, or this one after a restart, does not know them.
//! HighLevel itself has no such keys. Calls are kept as digests, and every caller has a quota of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::{Answer, PrincipalId};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;

/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// How long the mark of a used confirm token is: longer than any token is good.
const USED: Duration = Duration::from_hours(1);

/// Most keys and marks of one caller; beyond them a new key is refused. HighLevel takes 200,000 calls a day for a
/// location, few of which come with a key.
const MOST_OF_CALLER: usize = 100_000;

/// Most of all callers together; each takes about 150 bytes without its answer. Beyond them the caller that has the
/// most loses its oldest keys, so that nobody fills it for others.
const MOST: usize = 500_000;

/// Most bytes of answers that are kept for one caller, for all, and of a single one.
const MOST_BYTES_OF_CALLER: usize = 4 << 20;
const MOST_BYTES: usize = 64 << 20;
const LONGEST_ANSWER: usize = 64 << 10;

/// From one look for callers without anything left to the next.
const SWEEP: Duration = Duration::from_mins(10);

/// Said with every answer that comes from here.
const WHERE: &str = "known to this instance only, for a day";

/// The keys of the process. Cheap to clone.
#[derive(Clone, Default)]
pub struct IdempotencyStore(Arc<Mutex<KeyTable>>);

/// What a key stands for: a caller may use the same text for another location or operation.
#[derive(Clone, Copy, Debug)]
pub enum ReplayScope<'a> {
    Key {
        location: Option<&'a str>,
        operation: &'a str,
        key: &'a str,
    },
    /// The run of a confirm token.
    Confirm(&'a str),
}

/// The right to make the call of a key. Dropped without an answer, the outcome is unknown.
#[must_use]
pub struct IdempotencyGuard {
    store: IdempotencyStore,
    caller: PrincipalId,
    id: ReplayId,
    settled: bool,
}

#[derive(Default)]
struct KeyTable {
    callers: HashMap<PrincipalId, CallerKeys>,
    entries: usize,
    answer_bytes: usize,
    swept: Option<Instant>,
}

#[derive(Default)]
struct CallerKeys {
    entries: HashMap<ReplayId, ReplayEntry>,
    /// In the order in which they came; what is gone meanwhile may stand here still.
    order: VecDeque<ReplayId>,
    answer_bytes: usize,
}

/// Stands for a scope; whether it is a confirm token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ReplayId {
    digest: [u8; 16],
    is_confirm: bool,
}

struct ReplayEntry {
    /// Of the call: the same key with another is refused.
    call: [u8; 16],
    since: Instant,
    state: ReplayState,
}

enum ReplayState {
    UnderWay,
    /// The client left: it may or may not have happened.
    Unknown,
    Known(Box<Answer>),
    /// It was done, and its answer was too large to keep.
    Done {
        is_error: bool,
    },
}

impl IdempotencyStore {
    /// The right to call, or what is known of the call already.
    pub fn claim(
        &self,
        caller: &PrincipalId,
        scope: ReplayScope<'_>,
        call: &str,
    ) -> Result<IdempotencyGuard, Answer> {
        let (id, call, now) = (ReplayId::new(scope), short_digest(call), Instant::now());
        let mut table = self.table();
        table.expire(caller, now);
        if let Some(entry) = table.find(caller, id) {
            return Err(entry.answer_again(call, id));
        }
        if !table.make_room(caller) {
            let what = format!(
                "Nothing was sent: {MOST_OF_CALLER} idempotency keys of this caller are remembered, for a day each."
            );
            let failure = Failure::new(FailureClass::RateLimited, what).with_remedy(
                "Leave idempotencyKey out where a call may happen twice, or come back later.",
            );
            return Err(Answer::never_sent(
                &failure.with_retry_after(Duration::from_hours(1)),
            ));
        }
        let entry = ReplayEntry {
            call,
            since: now,
            state: ReplayState::UnderWay,
        };
        table.insert(caller, id, entry);
        Ok(IdempotencyGuard {
            store: self.clone(),
            caller: caller.clone(),
            id,
            settled: false,
        })
    }

    fn table(&self) -> MutexGuard<'_, KeyTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdempotencyGuard {
    /// Keeps the answer. What certainly did nothing may be tried again under the same key.
    pub fn settle(mut self, answer: &Answer) {
        self.settled = true;
        let store = self.store.clone();
        let mut table = store.table();
        match answer.did_nothing {
            true => table.remove(&self.caller, self.id),
            false => table.settle(&self.caller, self.id, answer),
        }
    }
}

impl Drop for IdempotencyGuard {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut table = self.store.table();
        if let Some(entry) = table.find_mut(&self.caller, self.id) {
            entry.state = ReplayState::Unknown;
        }
    }
}

impl KeyTable {
    fn find(&self, caller: &PrincipalId, id: ReplayId) -> Option<&ReplayEntry> {
        self.callers.get(caller)?.entries.get(&id)
    }

    fn find_mut(&mut self, caller: &PrincipalId, id: ReplayId) -> Option<&mut ReplayEntry> {
        self.callers.get_mut(caller)?.entries.get_mut(&id)
    }

    fn insert(&mut self, caller: &PrincipalId, id: ReplayId, entry: ReplayEntry) {
        let own = self.callers.entry(caller.clone()).or_default();
        own.order.push_back(id);
        own.entries.insert(id, entry);
        self.entries += 1;
    }

    fn remove(&mut self, caller: &PrincipalId, id: ReplayId) {
        let Some(own) = self.callers.get_mut(caller) else {
            return;
        };
        if let Some(entry) = own.entries.remove(&id) {
            let bytes = entry.answer_bytes();
            own.answer_bytes -= bytes;
            self.answer_bytes -= bytes;
            self.entries -= 1;
        }
        if own.entries.is_empty() {
            self.callers.remove(caller);
        }
    }

    fn settle(&mut self, caller: &PrincipalId, id: ReplayId, answer: &Answer) {
        let Some(own) = self.callers.get_mut(caller) else {
            return;
        };
        let Some(entry) = own.entries.get_mut(&id) else {
            return;
        };
        let bytes = answer.text.len();
        let fits = bytes <= LONGEST_ANSWER
            && own.answer_bytes + bytes <= MOST_BYTES_OF_CALLER
            && self.answer_bytes + bytes <= MOST_BYTES;
        entry.state = match fits {
            true => {
                own.answer_bytes += bytes;
                self.answer_bytes += bytes;
                ReplayState::Known(Box::new(Answer {
                    charge: None,
                    ..answer.clone()
                }))
            }
            false => ReplayState::Done {
                is_error: answer.is_error,
            },
        };
    }

    /// Drops what is over of `caller`, and now and then of everybody.
    fn expire(&mut self, caller: &PrincipalId, now: Instant) {
        let is_due = self
            .swept
            .is_none_or(|swept| now.duration_since(swept) >= SWEEP);
        let callers: Vec<PrincipalId> = match is_due {
            true => self.callers.keys().cloned().collect(),
            false => vec![caller.clone()],
        };
        if is_due {
            self.swept = Some(now);
        }
        for caller in callers {
            while let Some(id) = self.oldest(&caller) {
                let is_over = self
                    .find(&caller, id)
                    .is_none_or(|entry| entry.is_over(id, now));
                if !is_over {
                    break;
                }
                self.forget_oldest(&caller, id);
            }
        }
    }

    /// Whether one more entry of `caller` may come.
    fn make_room(&mut self, caller: &PrincipalId) -> bool {
        let own = self.callers.get(caller);
        if own.is_some_and(|own| own.entries.len() >= MOST_OF_CALLER) {
            return false;
        }
        while self.entries >= MOST {
            let most = self.callers.iter().max_by_key(|(_, own)| own.entries.len());
            let Some(most) = most.map(|(caller, _)| caller.clone()) else {
                return false;
            };
            // A used confirm token must stay as long as it could be shown again; what is under way, too.
            let oldest = self.callers.get(&most).and_then(|own| {
                let may_go = |id: &&ReplayId| {
                    let entry = own.entries.get(*id);
                    entry.is_none_or(|entry| !id.is_confirm && !entry.is_under_way())
                };
                own.order.iter().find(may_go).copied()
            });
            let Some(oldest) = oldest else {
                return false;
            };
            self.forget_oldest(&most, oldest);
        }
        true
    }

    fn oldest(&self, caller: &PrincipalId) -> Option<ReplayId> {
        self.callers.get(caller)?.order.front().copied()
    }

    fn forget_oldest(&mut self, caller: &PrincipalId, id: ReplayId) {
        if let Some(own) = self.callers.get_mut(caller)
            && let Some(place) = own.order.iter().position(|other| *other == id)
        {
            own.order.remove(place);
        }
        self.remove(caller, id);
    }
}

impl ReplayId {
    fn new(scope: ReplayScope<'_>) -> Self {
        match scope {
            ReplayScope::Key {
                location,
                operation,
                key,
            } => Self {
                digest: short_digest(&serde_json::json!([location, operation, key]).to_string()),
                is_confirm: false,
            },
            ReplayScope::Confirm(token) => Self {
                digest: short_digest(token),
                is_confirm: true,
            },
        }
    }

    /// As a caller knows it.
    fn name(self) -> &'static str {
        match self.is_confirm {
            true => "confirm",
            false => "idempotencyKey",
        }
    }
}

impl ReplayEntry {
    fn is_under_way(&self) -> bool {
        matches!(self.state, ReplayState::UnderWay)
    }

    fn is_over(&self, id: ReplayId, now: Instant) -> bool {
        let kept = if id.is_confirm { USED } else { KEPT };
        !self.is_under_way() && now.duration_since(self.since) >= kept
    }

    fn answer_bytes(&self) -> usize {
        match &self.state {
            ReplayState::Known(answer) => answer.text.len(),
            _ => 0,
        }
    }

    fn answer_again(&self, call: [u8; 16], id: ReplayId) -> Answer {
        let name = id.name();
        if self.call != call {
            let what = format!("Nothing was sent: this {name} was used with other arguments.");
            let failure = Failure::new(FailureClass::Refused, what);
            return Answer::never_sent(&failure.with_remedy("Take a new key for another call."));
        }
        match &self.state {
            ReplayState::Known(answer) => Answer {
                text: mark_repeated(&answer.text),
                ..(**answer).clone()
            },
            ReplayState::Done { is_error } => Answer {
                is_error: *is_error,
                ..Answer::text(format!(
                    "{{\"done\":true,\"withheld\":\"The answer was too large to keep; read the record.\",\"_repeated\":\"{WHERE}\"}}"
                ))
            },
            ReplayState::UnderWay => {
                let what =
                    format!("Nothing was sent: the call with this {name} is still under way.");
                let failure = Failure::new(FailureClass::Refused, what);
                Answer::never_sent(&failure.with_retry_after(Duration::from_secs(2)))
            }
            ReplayState::Unknown => {
                let what = format!(
                    "The call with this {name} was cut off: it may or may not have happened."
                );
                let remedy = match id.is_confirm {
                    true => "Read the record first; call again without confirm for a new preview.",
                    false => "Read the record first; take a new key to call again.",
                };
                let failure = Failure::new(FailureClass::UnknownOutcome, what);
                Answer::failed(&failure.with_remedy(remedy))
            }
        }
    }
}

/// Half of a SHA-256: what differs has another, as surely as with the whole.
fn short_digest(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    let whole = digest(&SHA256, text.as_bytes());
    for (to, from) in short.iter_mut().zip(whole.as_ref()) {
        *to = *from;
    }
    short
}

fn mark_repeated(text: &str) -> String {
    match text.strip_suffix('}') {
        Some("{") | None => text.to_owned(),
        Some(open) => format!("{open},\"_repeated\":\"{WHERE}\"}}"),
    }
}
