//! The calls of one interval: an exact sliding window, limited further by HighLevel's count of what is left.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use super::rate_limit_headers::RateLimitHeaders;

/// A number of calls per interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub calls: u64,
    pub interval: Duration,
    /// The used percentage of `calls`.
    pub percent: u64,
}

/// Counts calls so that HighLevel never counts more than the rate, however long each call travels.
///
/// HighLevel counts a call at some time between its start and its answer, and it cannot count a later call before that
/// had time to arrive. So a place is released one interval after the answer, less the fastest round trip of any call.
/// If no call was fast in both directions, that time is overestimated; the reserve of `Rate::percent` covers it.
pub(super) struct RateWindow {
    seed: Rate,
    rate: Rate,
    under_way: u64,
    /// The times at which the places of answered calls are released, ascending.
    freed_at: VecDeque<Instant>,
    fastest: Option<Duration>,
    /// Places taken, and released, since the beginning.
    taken: u64,
    freed: u64,
    word: Option<UpstreamHint>,
    /// The latest call whose answer gave a rate.
    rate_from: u64,
    /// A 429 asked for a pause until then.
    closed_until: Option<Instant>,
    /// The number of 429s.
    refused: u64,
}

/// One place in the window, for one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    since: Instant,
    /// The window's counter when it was taken.
    taken: u64,
    freed: u64,
}

/// HighLevel's count of what was left when it counted one call.
struct UpstreamHint {
    of: Slot,
    remaining: u64,
    until: Instant,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug)]
pub enum SlotOutcome {
    /// It was never sent.
    Unsent,
    /// It was sent, and no answer came.
    NoResponse,
    Answered(RateLimitHeaders),
    /// Refused as one too many, with the pause that was asked for, if any.
    Refused(RateLimitHeaders, Option<Duration>),
}

impl SlotOutcome {
    pub fn with(status: StatusCode, reported: RateLimitHeaders, pause: Option<Duration>) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::Refused(reported, pause),
            _ => Self::Answered(reported),
        }
    }
}

impl RateWindow {
    pub(super) fn new(seed: Rate) -> Self {
        Self {
            seed,
            rate: seed,
            under_way: 0,
            freed_at: VecDeque::new(),
            fastest: None,
            taken: 0,
            freed: 0,
            word: None,
            rate_from: 0,
            closed_until: None,
            refused: 0,
        }
    }

    /// The time of a place for a call after `ahead` others; `now` if there is one. Each of `instances` has an equal
    /// part of the window, and of what HighLevel says is left.
    pub(super) fn next(&mut self, now: Instant, ahead: u64, instances: u64) -> Instant {
        self.forget(now);
        let used = self.under_way + self.freed_at.len() as u64;
        let short = (used + ahead + 1).saturating_sub(self.capacity(instances));
        let own = self.nth_freed(now, short, now + self.rate.interval);
        let said = match &self.word {
            Some(word) if word.remaining == 0 => word.until,
            Some(word) => {
                let left = (word.remaining / instances).saturating_add(self.freed - word.of.freed);
                let short = (self.taken - word.of.taken + ahead + 1).saturating_sub(left);
                self.nth_freed(now, short, word.until).min(word.until)
            }
            None => now,
        };
        own.max(said).max(self.closed_until.unwrap_or(now))
    }

    /// Takes a place; `next` must have returned `now`.
    pub(super) fn take(&mut self, now: Instant) -> Slot {
        self.under_way += 1;
        self.taken += 1;
        Slot {
            since: now,
            taken: self.taken,
            freed: self.freed,
        }
    }

    /// The number of calls in an interval that this instance admits.
    pub(super) fn capacity(&self, instances: u64) -> u64 {
        (self.rate.calls * self.rate.percent / 100 / instances).max(1)
    }

    /// The rate as HighLevel last gave it.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Ends a call. Returns how long its place is still held.
    pub(super) fn end(&mut self, place: Slot, now: Instant, ended: SlotOutcome) -> Duration {
        self.under_way = self.under_way.saturating_sub(1);
        let reported = match ended {
            SlotOutcome::Unsent => return Duration::ZERO,
            // The caller hung up at once: HighLevel may count the call later than now.
            SlotOutcome::NoResponse => {
                self.hold_until(now + self.rate.interval);
                return self.rate.interval;
            }
            SlotOutcome::Answered(reported) => reported,
            SlotOutcome::Refused(mut reported, pause) => {
                self.refused += 1;
                match pause {
                    Some(pause) => {
                        self.closed_until = self.closed_until.max(Some(now + pause));
                        // The pause says when more is left.
                        reported.remaining = None;
                    }
                    None => reported.remaining = Some(0),
                }
                reported
            }
        };
        let took = now - place.since;
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        self.correct(place, now, reported);
        let held = self.rate.interval - fastest.min(self.rate.interval);
        self.hold_until(now + held);
        held
    }

    /// HighLevel asked another instance to wait until then.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed_until = self.closed_until.max(Some(until));
    }

    /// Also counts the calls of `other`, which turned out to be calls of this location.
    pub(super) fn merge(&mut self, other: &Self, now: Instant) {
        for at in &other.freed_at {
            self.hold_until(*at);
        }
        for _ in 0..other.under_way {
            self.hold_until(now + self.rate.interval);
        }
    }

    /// This instance's used calls of the interval, and the rate.
    pub(super) fn used_here(&mut self, now: Instant) -> (u64, Rate) {
        self.forget(now);
        (self.under_way + self.freed_at.len() as u64, self.rate)
    }

    /// The same by our count or HighLevel's, whichever is greater.
    pub(super) fn used(&mut self, now: Instant) -> (u64, Rate) {
        let (own, _) = self.used_here(now);
        let left = self.word.as_ref().map(|word| self.left(word).max(0));
        let left = left.and_then(|left| u64::try_from(left).ok());
        let used = left.map_or(0, |left| self.rate.calls.saturating_sub(left));
        (own.max(used), self.rate)
    }

    /// How long HighLevel asked to wait, from now.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let until = self.closed_until.filter(|until| *until > now)?;
        Some(until - now)
    }

    /// The number of calls that HighLevel refused as one too many.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Nothing is counted or running.
    pub(super) fn is_idle(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.under_way == 0 && self.freed_at.is_empty() && self.closed_until.is_none()
    }

    /// Applies an answer's rate and remaining calls. An answer to a call that started later is newer, in whatever order
    /// they arrive. Among the others, the smaller number counts.
    fn correct(&mut self, place: Slot, now: Instant, reported: RateLimitHeaders) {
        if place.taken > self.rate_from
            && let Some(max) = reported.max
        {
            self.rate_from = place.taken;
            self.rate.calls = max.min(self.seed.calls);
            let interval = reported.interval.unwrap_or(self.seed.interval);
            self.rate.interval = interval.max(self.seed.interval);
        }
        let Some(remaining) = reported.remaining else {
            return;
        };
        let word = UpstreamHint {
            of: place,
            remaining,
            until: now + self.rate.interval,
        };
        let newer = |old: &UpstreamHint| place.taken > old.of.taken;
        let replaces = self
            .word
            .as_ref()
            .is_none_or(|old| newer(old) || self.left(&word) < self.left(old));
        if replaces {
            self.word = Some(word);
        }
    }

    fn left(&self, word: &UpstreamHint) -> i128 {
        match word.remaining {
            0 => i128::MIN,
            remaining => {
                i128::from(remaining) + i128::from(self.freed - word.of.freed)
                    - i128::from(self.taken - word.of.taken)
            }
        }
    }

    /// The time at which `short` more places will be free; `later` if unknown.
    fn nth_freed(&self, now: Instant, short: u64, later: Instant) -> Instant {
        match usize::try_from(short) {
            Ok(0) => now,
            Ok(short) => self.freed_at.get(short - 1).copied().unwrap_or(later),
            Err(_) => later,
        }
    }

    fn hold_until(&mut self, at: Instant) {
        let place = self.freed_at.partition_point(|other| *other <= at);
        self.freed_at.insert(place, at);
    }

    fn forget(&mut self, now: Instant) {
        while self.freed_at.front().is_some_and(|at| *at <= now) {
            self.freed_at.pop_front();
            self.freed += 1;
        }
        self.word.take_if(|word| word.until <= now);
        self.closed_until.take_if(|until| *until <= now);
    }
}
