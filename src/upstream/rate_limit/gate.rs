//! Lets the calls of one window through: at once, after a short wait in line, or not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::daily_quota::{DailyQuota, QuotaSlot};
use super::fair_queue::{FairQueue, QueueTicket};
use super::rate_window::{Rate, RateWindow, Slot, SlotOutcome};
use crate::config;
use crate::upstream::Digest;
use crate::upstream::failure::{Failure, FailureClass};

/// The window, the day and the line of all calls that HighLevel counts together.
pub struct Gate {
    state: Mutex<State>,
    /// Something changed for those in line.
    changed: Notify,
    longest_wait: Duration,
}

struct State {
    window: RateWindow,
    day: DailyQuota,
    line: FairQueue,
}

/// Why a call may not go, and in how long it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub reason: Reason,
    pub retry_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Interval,
    /// The day's calls are used up.
    Day,
    /// What is left of the day's calls is kept for reads.
    ReadsOnly,
}

/// How a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateStatus {
    /// Of the calls that HighLevel allows in one interval, by its word or ours, whichever is more.
    pub used: u64,
    pub allowed: u64,
    pub interval: Duration,
    /// The same of the day.
    pub day_used: u64,
    pub day_allowed: u64,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// HighLevel asked to wait so long.
    pub pause: Option<Duration>,
    /// How often HighLevel refused a call as one too many, since the window is known.
    pub refused: u64,
}

/// The right to send one call. Dropped before `end`, the call counts as sent.
pub struct Permit {
    gate: Arc<Gate>,
    /// `None` once ended.
    place: Option<(Slot, QuotaSlot)>,
}

impl Gate {
    pub fn new(settings: &config::LimitSettings) -> Self {
        Self {
            state: Mutex::new(State {
                window: RateWindow::new(Rate {
                    calls: settings.calls_per_interval,
                    interval: Duration::from_millis(settings.interval_ms),
                    percent: settings.percent.min(100),
                }),
                day: DailyQuota::new(settings.calls_per_day),
                line: FairQueue::new(settings.queue),
            }),
            changed: Notify::new(),
            longest_wait: Duration::from_millis(settings.max_wait_ms),
        }
    }

    /// Waits for a place where it comes soon enough. Dropping the future gives the place in line back.
    pub async fn admit(
        self: &Arc<Self>,
        tenant: Digest,
        reads: bool,
        deadline: Instant,
    ) -> Result<Permit, Wait> {
        let start = Instant::now();
        let patience = deadline.min(start + self.longest_wait);
        let ticket = {
            let mut state = self.state();
            state.day(reads)?;
            let ahead = state.line.ahead(tenant);
            let at = state.window.next(start, ahead);
            if at <= start && state.line.is_empty() {
                return Ok(self.permit(&mut state, start));
            }
            let wait = Wait::interval(at - start);
            if at > patience {
                return Err(wait);
            }
            state.line.join(tenant).ok_or(wait)?
        };
        let mut waiting = Waiting {
            gate: self,
            ticket: Some(ticket),
        };
        loop {
            let changed = self.changed.notified();
            let at = {
                let mut state = self.state();
                let now = Instant::now();
                let at = state.window.next(now, 0);
                if !state.line.holds(ticket) {
                    waiting.ticket = None;
                    return Err(Wait::interval(at - now));
                }
                state.day(reads)?;
                if at <= now && state.line.first() == Some(ticket) {
                    state.line.serve();
                    waiting.ticket = None;
                    self.changed.notify_waiters();
                    return Ok(self.permit(&mut state, now));
                }
                if at > patience.max(now) {
                    return Err(Wait::interval(at - now));
                }
                // Not its turn: whoever goes first tells.
                if at <= now {
                    patience.max(now + self.longest_wait)
                } else {
                    at
                }
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(at) => {}
            }
        }
    }

    /// Counts the calls of `other` here too, which turned out to belong here.
    pub fn merge(&self, other: &Self) {
        let now = Instant::now();
        // One after the other, never both locks the other way round: only an unproven window is absorbed.
        let other = other.state();
        self.state().window.merge(&other.window, now);
    }

    /// How it stands at this moment.
    pub fn status(&self) -> GateStatus {
        let mut state = self.state();
        let now = Instant::now();
        let (day_used, day_allowed) = state.day.used(Timestamp::now());
        let (used, rate) = state.window.used(now);
        let pause = state.window.pause(now);
        GateStatus {
            used,
            allowed: rate.calls,
            interval: rate.interval,
            day_used,
            day_allowed,
            waiting: state.line.len(),
            pause,
            refused: state.window.refused(),
        }
    }

    /// Nothing is counted, under way or waiting, and the day is far from used up.
    pub fn is_idle(&self) -> bool {
        let mut state = self.state();
        state.line.is_empty()
            && state.window.is_idle(Instant::now())
            && !state.day.is_half_used(Timestamp::now())
    }

    fn permit(self: &Arc<Self>, state: &mut State, now: Instant) -> Permit {
        Permit {
            gate: Arc::clone(self),
            place: Some((state.window.take(now), state.day.take(Timestamp::now()))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn day(&mut self, reads: bool) -> Result<(), Wait> {
        let now = Timestamp::now();
        let Some(retry_after) = self.day.wait(now, reads) else {
            return Ok(());
        };
        let reason = match self.day.wait(now, true) {
            Some(_) => Reason::Day,
            None => Reason::ReadsOnly,
        };
        Err(Wait {
            reason,
            retry_after,
        })
    }
}

impl Wait {
    fn interval(retry_after: Duration) -> Self {
        Self {
            reason: Reason::Interval,
            retry_after,
        }
    }
}

/// What a call is told that may not go.
impl From<Wait> for Failure {
    fn from(wait: Wait) -> Self {
        let (sentence, remedy) = match wait.reason {
            Reason::Interval => (
                "Too many calls at once for this location; nothing was sent.",
                "Repeat the call after retryAfterMs milliseconds.",
            ),
            Reason::Day => (
                "The calls of this day are used up for this location; nothing was sent.",
                "Go on after midnight UTC.",
            ),
            Reason::ReadsOnly => (
                "The calls of this day are nearly used up for this location, and what is left is kept for \
                 reading; nothing was sent.",
                "Only read until midnight UTC.",
            ),
        };
        Self::new(FailureClass::RateLimited, sentence)
            .with_remedy(remedy)
            .with_retry_after(wait.retry_after)
    }
}

impl Permit {
    /// Tells the window what became of the call.
    pub fn end(mut self, ended: SlotOutcome) {
        self.finish(ended);
    }

    fn finish(&mut self, ended: SlotOutcome) {
        let Some((place, turn)) = self.place.take() else {
            return;
        };
        let mut state = self.gate.state();
        match ended {
            SlotOutcome::Unsent => state.day.unsent(turn),
            SlotOutcome::NoResponse => {}
            SlotOutcome::Answered(reported) | SlotOutcome::Refused(reported, _) => {
                state.day.correct(turn, reported);
            }
        }
        state.window.end(place, Instant::now(), ended);
        if !state.line.is_empty() {
            self.gate.changed.notify_waiters();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.finish(SlotOutcome::NoResponse);
    }
}

/// A place in line, left when the call is given up.
struct Waiting<'a> {
    gate: &'a Gate,
    ticket: Option<QueueTicket>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.gate.state().line.release(ticket);
            self.gate.changed.notify_waiters();
        }
    }
}
