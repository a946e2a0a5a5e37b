//! Remembers who read what other people wrote, and has their calls that change or send something asked about for a while
//! where the rules say so.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use jiff::Timestamp;

use super::super::{Answer, CallContext, Facts, Pipeline};
use super::carries;
use super::fences::fields;

/// Callers that are remembered; of more the one that read the longest ago is forgotten.
const MOST_CALLERS: usize = 10_000;

/// How often the rows are told of a caller's reads: those that follow within it are known to this process alone.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// When each caller last read what other people wrote.
pub(in crate::call) struct LastReads(Mutex<LruCache<[u8; 32], LastRead>>);

#[derive(Clone, Copy)]
struct LastRead {
    at: Timestamp,
    /// When the rows were told the last time.
    told: Timestamp,
}

impl Default for LastReads {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_CALLERS)))
    }
}

impl LastReads {
    /// Whether the rows are to be told of it.
    fn put(&self, principal: [u8; 32], now: Timestamp) -> bool {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = callers.get(&principal).map(|known| known.told);
        let told = known.filter(|told| elapsed(*told, now) < TOLD_EVERY);
        let last = LastRead {
            at: now,
            told: told.unwrap_or(now),
        };
        callers.insert(principal, last);
        told.is_none()
    }

    fn find(&self, principal: &[u8; 32]) -> Option<LastRead> {
        let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.peek(principal).copied()
    }
}

impl Pipeline {
    /// Remembers that the caller of a read got what other people wrote, where any rule asks for it.
    pub(in crate::call) async fn remember_strangers(
        &self,
        facts: &Facts,
        answer: &Answer,
        context: &CallContext,
    ) {
        if facts.snapshot.rules.longest_lockdown().is_none() {
            return;
        }
        let Some(fields) = fields(facts.tool).filter(|_| !answer.is_error) else {
            return;
        };
        let is_read = match &facts.fences {
            Some(fences) => fences.has_found(),
            None => carries(fields, &answer.text),
        };
        if is_read {
            self.note_strangers_read(context).await;
        }
    }

    /// The caller got what other people wrote.
    pub(in crate::call) async fn note_strangers_read(&self, context: &CallContext) {
        let Some(lasts) = self.snapshot().rules.longest_lockdown() else {
            return;
        };
        let principal = self.principal_digest(&context.principal);
        let now = self.now();
        if self.last_reads().put(principal, now) {
            let store = &self.controls().store;
            // The rows are behind by as much as they are told in.
            let noted = store.note_stranger_read(principal, now, lasts + TOLD_EVERY);
            if let Err(error) = noted.await {
                tracing::error!(%error, "other servers are not told that a caller read what other people wrote");
            }
        }
    }

    /// How long ago the caller of a call that is no read got what other people wrote, as far as a rule asks for it.
    pub(in crate::call) async fn strangers_read_before(
        &self,
        facts: &Facts,
        context: &CallContext,
    ) -> Option<Duration> {
        if facts.is_read() || facts.snapshot.rules.longest_lockdown().is_none() {
            return None;
        }
        Box::pin(self.find_last_read(context)).await
    }

    /// By this process, or by another on the store; where that cannot be known it was just now.
    async fn find_last_read(&self, context: &CallContext) -> Option<Duration> {
        let principal = self.principal_digest(&context.principal);
        let now = self.now();
        let own = self.last_reads().find(&principal);
        let own_age = own.map(|own| elapsed(own.at, now));
        let of_others = match self.controls().store.last_stranger_read(principal).await {
            // What this process told it knows better.
            Ok(told) => told.filter(|told| {
                own.is_none_or(|own| told.as_millisecond() > own.told.as_millisecond())
            }),
            Err(_) => Some(now),
        };
        let other_age = of_others.map(|told| elapsed(told, now).saturating_sub(TOLD_EVERY));
        own_age.into_iter().chain(other_age).min()
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}
