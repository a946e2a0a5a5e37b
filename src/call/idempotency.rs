//! Idempotency keys and used confirm tokens: what was answered under one is answered again, and nothing happens twice.
//!
//! Kept in the memory of this instance only: another instance, or this one after a restart, does not know them.
//! HighLevel itself has no such keys. Bodies are kept as digests. Every caller has a quota of its own, so that nobody
//! can push out what another has done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, PrincipalId};
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;

/// How long a key is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// How long the mark of a used confirm token is: longer than any token is good.
const USED: Duration = Duration::from_secs(2 * super::confirm_token::LASTS_SECONDS as u64);

/// Most keys and marks of one caller. At HighLevel's limits a location makes 18,000 calls in half an hour.
const MOST_OF_CALLER: usize = 20_000;

/// Most of all callers together; each takes about 200 bytes without its answer.
const MOST: usize = 200_000;

/// Most bytes of answers that are kept for one caller, and the longest single one.
const MOST_BYTES_OF_CALLER: usize = 4 << 20;
const LONGEST_ANSWER: usize = 64 << 10;

/// Said with every answer that comes from here.
const WHERE: &str = "known to this instance only, for a day";

/// The keys of the process. Cheap to clone.
#[derive(Clone, Default)]
pub struct IdempotencyStore(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    by_caller: HashMap<PrincipalId, OfCaller>,
    count: usize,
}

#[derive(Default)]
struct OfCaller {
    entries: HashMap<Scope, Entry>,
    answer_bytes: usize,
}

/// What a key stands for: a caller may use the same text for another location or operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Key {
        location: Option<String>,
        operation: &'static str,
        key: String,
    },
    /// The run of a confirm token.
    Confirm(String),
}

struct Entry {
    /// Of the call: the same key with another is refused.
    digest: String,
    since: Instant,
    /// `None` while the call is under way, and for good where its client left: the outcome is unknown.
    outcome: Option<Outcome>,
    under_way: bool,
}

enum Outcome {
    Known(Answer),
    /// It was done, and the answer was too large to keep.
    Forgotten {
        is_error: bool,
    },
}

/// The right to make the call of a key. Dropped without an answer, the outcome is unknown.
#[must_use]
pub struct IdempotencyGuard {
    store: IdempotencyStore,
    whose: PrincipalId,
    scope: Scope,
    settled: bool,
}

impl IdempotencyStore {
    /// The right to call, or what is known of the call already.
    pub fn claim(
        &self,
        whose: &PrincipalId,
        scope: Scope,
        digest: &str,
    ) -> Result<IdempotencyGuard, Answer> {
        let now = Instant::now();
        let mut entries = self.entries();
        if let Some(entry) = entries.find(whose, &scope, now) {
            return Err(entry.answer_again(digest));
        }
        if !entries.make_room(whose, now) {
            let what =
                "Nothing was sent: too many idempotency keys and confirmations are remembered.";
            let failure = Failure::new(Class::RateLimited, what)
                .with_remedy("Repeat the call after retryAfterMs milliseconds.");
            return Err(Answer::never_sent(
                &failure.with_retry_after(Duration::from_mins(1)),
            ));
        }
        let entry = Entry {
            digest: digest.to_owned(),
            since: now,
            outcome: None,
            under_way: true,
        };
        let own = entries.by_caller.entry(whose.clone()).or_default();
        own.entries.insert(scope.clone(), entry);
        entries.count += 1;
        Ok(IdempotencyGuard {
            store: self.clone(),
            whose: whose.clone(),
            scope,
            settled: false,
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn find(&self, whose: &PrincipalId, scope: &Scope, now: Instant) -> Option<&Entry> {
        let entry = self.by_caller.get(whose)?.entries.get(scope)?;
        (!entry.is_over(scope, now)).then_some(entry)
    }

    /// Whether one more entry of `whose` may come. What is over goes first, then the oldest settled key of the caller
    /// that has the most; a used confirm token stays as long as it could be shown again.
    fn make_room(&mut self, whose: &PrincipalId, now: Instant) -> bool {
        let is_full =
            |own: Option<&OfCaller>| own.is_some_and(|own| own.entries.len() >= MOST_OF_CALLER);
        if is_full(self.by_caller.get(whose)) || self.count >= MOST {
            self.by_caller.retain(|_, own| {
                own.entries
                    .retain(|scope, entry| !entry.is_over(scope, now));
                !own.entries.is_empty()
            });
            self.count = self.by_caller.values().map(|own| own.entries.len()).sum();
        }
        if is_full(self.by_caller.get(whose)) {
            return self.drop_oldest(&whose.clone());
        }
        if self.count < MOST {
            return true;
        }
        let most = self
            .by_caller
            .iter()
            .max_by_key(|(_, own)| own.entries.len());
        let most = most.map(|(caller, _)| caller.clone());
        most.is_some_and(|caller| self.drop_oldest(&caller))
    }

    /// Drops the older half of a caller's settled keys: one look at all of them for many.
    fn drop_oldest(&mut self, whose: &PrincipalId) -> bool {
        let Some(own) = self.by_caller.get_mut(whose) else {
            return false;
        };
        let may_go =
            |scope: &Scope, entry: &Entry| matches!(scope, Scope::Key { .. }) && !entry.under_way;
        let mut ages: Vec<Instant> = own
            .entries
            .iter()
            .filter(|(scope, entry)| may_go(scope, entry))
            .map(|(_, entry)| entry.since)
            .collect();
        ages.sort_unstable();
        let Some(middle) = ages.get(ages.len() / 2).copied() else {
            return false;
        };
        let before = own.entries.len();
        let mut dropped_bytes = 0;
        own.entries.retain(|scope, entry| {
            let stays = !may_go(scope, entry) || entry.since > middle;
            dropped_bytes += if stays { 0 } else { entry.answer_bytes() };
            stays
        });
        own.answer_bytes = own.answer_bytes.saturating_sub(dropped_bytes);
        let dropped = before - own.entries.len();
        self.count -= dropped;
        dropped > 0
    }
}

impl Entry {
    fn is_over(&self, scope: &Scope, now: Instant) -> bool {
        let kept = match scope {
            Scope::Key { .. } => KEPT,
            Scope::Confirm(_) => USED,
        };
        !self.under_way && now.duration_since(self.since) >= kept
    }

    fn answer_bytes(&self) -> usize {
        match &self.outcome {
            Some(Outcome::Known(answer)) => answer.text.len(),
            _ => 0,
        }
    }

    fn answer_again(&self, digest: &str) -> Answer {
        if self.digest != digest {
            let what = "Nothing was sent: this idempotencyKey was used with other arguments.";
            let failure = Failure::new(Class::Refused, what);
            return Answer::never_sent(&failure.with_remedy("Take a new key for another call."));
        }
        match &self.outcome {
            Some(Outcome::Known(answer)) => Answer {
                text: mark_repeated(&answer.text),
                ..answer.clone()
            },
            Some(Outcome::Forgotten { is_error }) => Answer {
                is_error: *is_error,
                ..Answer::text(format!(
                    "{{\"done\":true,\"withheld\":\"The answer was too large to keep; read the record.\",\"_repeated\":\"{WHERE}\"}}"
                ))
            },
            None if self.under_way => {
                let what =
                    "Nothing was sent: the call with this idempotencyKey is still under way.";
                let failure = Failure::new(Class::Refused, what);
                Answer::never_sent(&failure.with_retry_after(Duration::from_secs(2)))
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

fn mark_repeated(text: &str) -> String {
    match text.strip_suffix('}') {
        Some("{") | None => text.to_owned(),
        Some(open) => format!("{open},\"_repeated\":\"{WHERE}\"}}"),
    }
}

impl IdempotencyGuard {
    /// Keeps the answer. What certainly did nothing may be tried again under the same key.
    pub fn settle(mut self, answer: &Answer) {
        self.settled = true;
        let store = self.store.clone();
        let mut entries = store.entries();
        let entries = &mut *entries;
        let Some(own) = entries.by_caller.get_mut(&self.whose) else {
            return;
        };
        if answer.did_nothing {
            let gone = own.entries.remove(&self.scope);
            entries.count -= usize::from(gone.is_some());
            return;
        }
        let Some(entry) = own.entries.get_mut(&self.scope) else {
            return;
        };
        entry.under_way = false;
        let bytes = answer.text.len();
        let fits = bytes <= LONGEST_ANSWER && own.answer_bytes + bytes <= MOST_BYTES_OF_CALLER;
        entry.outcome = Some(match fits {
            true => {
                own.answer_bytes += bytes;
                Outcome::Known(Answer {
                    charge: None,
                    ..answer.clone()
                })
            }
            false => Outcome::Forgotten {
                is_error: answer.is_error,
            },
        });
    }
}

impl Drop for IdempotencyGuard {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut entries = self.store.entries();
        let own = entries.by_caller.get_mut(&self.whose);
        if let Some(entry) = own.and_then(|own| own.entries.get_mut(&self.scope)) {
            entry.under_way = false;
        }
    }
}
