//! Admits the calls of one window: at once, after a short wait in line, or not at all.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::daily_quota::{DailyQuota, QuotaSlot};
use super::fair_queue::{FairQueue, QueueTicket};
use super::instances::InstanceCount;
use super::rate_window::{Rate, RateWindow, Slot, SlotOutcome};
use super::shared_hint::SharedHint;
use super::shared_window::{EndNote, PlaceRequest, SharedAnswer, SharedPlace, SharedWindow};
use super::wait::{Reason, Wait};
use crate::config;
use crate::upstream::Digest;

/// The window, the day and the line of all calls that HighLevel counts together.
pub struct Gate {
    state: Mutex<State>,
    /// Notified if something changed for waiting calls.
    changed: Notify,
    longest_wait: Duration,
    instances: Arc<InstanceCount>,
    /// Set if all instances count the same calls.
    shared: OnceLock<SharedWindow>,
}

struct State {
    window: RateWindow,
    day: DailyQuota,
    line: FairQueue,
    hint: SharedHint,
}

/// How instances share one window.
#[derive(Clone, Copy)]
enum Sharing<'a> {
    /// Each of this many instances has an equal part.
    Equal(u64),
    /// Each call asks for its place in the common window.
    Exact(&'a SharedWindow),
}

/// The data of a call that asks for a place.
#[derive(Clone, Copy)]
struct Applicant {
    tenant: Digest,
    reads: bool,
    patience: Instant,
}

/// The state of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateStatus {
    /// Used calls of those that HighLevel allows in one interval, by its count or ours, whichever is greater.
    pub used: u64,
    pub allowed: u64,
    pub interval: Duration,
    /// The same for the day.
    pub day_used: u64,
    pub day_allowed: u64,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// The wait that HighLevel asked for.
    pub pause: Option<Duration>,
    /// The number of calls that HighLevel refused as one too many, since the window was created.
    pub refused: u64,
}

/// The right to send one call. If it is dropped before `end`, the call counts as sent.
pub struct Permit {
    gate: Arc<Gate>,
    /// `None` once ended.
    place: Option<(Slot, QuotaSlot)>,
    shared: SharedPart,
}

/// The call's state in the shared window.
enum SharedPart {
    /// Nothing: this instance keeps to its own part.
    Nothing,
    /// It asks for a place of this name. If it is dropped now, it was not sent.
    Question(String),
    Place(SharedPlace),
}

impl Gate {
    pub fn new(settings: &config::LimitSettings, instances: &Arc<InstanceCount>) -> Self {
        Self {
            state: Mutex::new(State {
                window: RateWindow::new(Rate {
                    calls: settings.calls_per_interval,
                    interval: Duration::from_millis(settings.interval_ms),
                    percent: settings.percent.min(100),
                }),
                day: DailyQuota::new(settings.calls_per_day),
                line: FairQueue::new(settings.queue),
                hint: SharedHint::default(),
            }),
            changed: Notify::new(),
            longest_wait: Duration::from_millis(settings.max_wait_ms),
            instances: Arc::clone(instances),
            shared: OnceLock::new(),
        }
    }

    /// From now on calls are also counted there.
    pub(super) fn share(&self, window: SharedWindow) {
        let mut state = self.state();
        let (calls, rate) = state.window.used_here(Instant::now());
        // It is set once.
        let window = self.shared.get_or_init(|| window);
        if calls > 0 {
            window.add(calls, rate.interval);
        }
    }

    /// Waits for a place if it comes soon enough. Dropping the future gives up the place in line.
    pub async fn admit(
        self: &Arc<Self>,
        tenant: Digest,
        reads: bool,
        deadline: Instant,
    ) -> Result<Permit, Wait> {
        let applicant = Applicant {
            tenant,
            reads,
            patience: deadline.min(Instant::now() + self.longest_wait),
        };
        let (mut permit, ticket) = self.admit_here(applicant, None).await?;
        while permit.ask(reads).await?.is_none() {
            // It had its turn, and is first again.
            drop(permit);
            (permit, _) = self.admit_here(applicant, Some(ticket)).await?;
        }
        Ok(permit)
    }

    /// Waits for a place in this instance's own window. A call with a ticket had one before.
    async fn admit_here(
        self: &Arc<Self>,
        applicant: Applicant,
        ticket: Option<QueueTicket>,
    ) -> Result<(Permit, QueueTicket), Wait> {
        let Applicant {
            tenant,
            reads,
            patience,
        } = applicant;
        let start = Instant::now();
        let ticket = {
            let mut state = self.state();
            let sharing = self.sharing();
            state.day(reads, sharing)?;
            let ahead = match ticket {
                Some(_) => 0,
                None => state.line.ahead(tenant),
            };
            let at = state.next(start, ahead, sharing);
            if at <= start && state.line.is_empty() && state.may_ask(start, sharing) {
                let ticket = ticket.unwrap_or_else(|| state.line.ticket());
                return Ok((self.permit(&mut state, start, sharing), ticket));
            }
            let wait = Wait::interval(at - start);
            if at > patience {
                return Err(wait);
            }
            let joined = match ticket {
                Some(ticket) => state.line.rejoin(tenant, ticket),
                None => state.line.join(tenant),
            };
            joined.ok_or(wait)?
        };
        let mut waiting = Waiting {
            gate: self,
            ticket: Some(ticket),
        };
        loop {
            let changed = self.changed.notified();
            let share_changed = self.instances.changed();
            let at = {
                let mut state = self.state();
                let sharing = self.sharing();
                let now = Instant::now();
                let at = state.next(now, 0, sharing);
                if !state.line.holds(ticket) {
                    waiting.ticket = None;
                    return Err(Wait::interval(at - now));
                }
                state.day(reads, sharing)?;
                let is_first = state.line.first() == Some(ticket);
                if at <= now && is_first && state.may_ask(now, sharing) {
                    state.line.serve();
                    waiting.ticket = None;
                    self.changed.notify_waiters();
                    return Ok((self.permit(&mut state, now, sharing), ticket));
                }
                if at > patience.max(now) {
                    return Err(Wait::interval(at - now));
                }
                // It is not its turn: the call that goes first notifies it.
                if at <= now {
                    patience.max(now + self.longest_wait)
                } else {
                    at
                }
            };
            tokio::select! {
                () = changed => {}
                () = share_changed => {}
                () = sleep_until(at) => {}
            }
        }
    }

    /// Also counts the calls of `other`, which turned out to belong here.
    pub fn merge(&self, other: &Self) {
        let now = Instant::now();
        // The locks are always taken in this order, because only an unproven window is merged.
        let mut other = other.state();
        let mut state = self.state();
        state.window.merge(&other.window, now);
        if let Some(shared) = self.shared.get() {
            let (calls, rate) = other.window.used_here(now);
            if calls > 0 {
                shared.add(calls, rate.interval);
            }
        }
    }

    /// Its present state.
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

    /// Nothing is counted, running or waiting, and most of the day's calls are left.
    pub fn is_idle(&self) -> bool {
        let mut state = self.state();
        state.line.is_empty()
            && state.window.is_idle(Instant::now())
            && !state.day.is_half_used(Timestamp::now())
    }

    /// The permit of a call that `sharing` admits.
    fn permit(self: &Arc<Self>, state: &mut State, now: Instant, sharing: Sharing<'_>) -> Permit {
        Permit {
            gate: Arc::clone(self),
            place: Some((state.window.take(now), state.day.take(Timestamp::now()))),
            shared: match sharing {
                Sharing::Equal(_) => SharedPart::Nothing,
                Sharing::Exact(window) => {
                    state.hint.begin();
                    SharedPart::Question(window.place_name())
                }
            },
        }
    }

    /// How this instance shares the window at this moment.
    fn sharing(&self) -> Sharing<'_> {
        match self.shared.get().filter(|window| window.is_asked()) {
            Some(window) => Sharing::Exact(window),
            None => Sharing::Equal(self.instances.get().into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time of a place for a call after `ahead` others.
    fn next(&mut self, now: Instant, ahead: u64, sharing: Sharing<'_>) -> Instant {
        let own = self.window.next(now, ahead, sharing.instances());
        match sharing {
            Sharing::Equal(_) => own,
            Sharing::Exact(_) => own.max(self.hint.next(now)),
        }
    }

    fn may_ask(&self, now: Instant, sharing: Sharing<'_>) -> bool {
        match sharing {
            Sharing::Equal(_) => true,
            Sharing::Exact(_) => self.hint.has_room(now),
        }
    }

    fn day(&mut self, reads: bool, sharing: Sharing<'_>) -> Result<(), Wait> {
        let (now, instances) = (Timestamp::now(), sharing.instances());
        let Some(retry_after) = self.day.wait(now, reads, instances) else {
            return Ok(());
        };
        let reason = match self.day.wait(now, true, instances) {
            Some(_) => Reason::Day,
            None => Reason::ReadsOnly,
        };
        Err(Wait {
            reason,
            retry_after,
        })
    }
}

impl Sharing<'_> {
    /// The divisor for this instance's part.
    fn instances(self) -> u64 {
        match self {
            Self::Equal(instances) => instances,
            Self::Exact(_) => 1,
        }
    }
}

impl Permit {
    /// Tells the window the outcome of the call.
    pub fn end(mut self, ended: SlotOutcome) {
        self.finish(ended);
    }

    /// Asks for the place in the common window. `None`: there is none, and the call must wait on.
    async fn ask(&mut self, reads: bool) -> Result<Option<()>, Wait> {
        let SharedPart::Question(name) = &self.shared else {
            return Ok(Some(()));
        };
        let gate = Arc::clone(&self.gate);
        let Some(window) = gate.shared.get() else {
            return Ok(Some(()));
        };
        let request = {
            let state = gate.state();
            PlaceRequest {
                interval: state.window.rate().interval,
                calls: state.window.capacity(1),
                calls_of_day: state.day.allowed(reads),
            }
        };
        let answer = window.take(name, &request).await;
        let mut state = gate.state();
        let now = Instant::now();
        match answer {
            SharedAnswer::Place(place, left) => {
                state.day.raise(Timestamp::now(), place.number_of_day());
                state.hint.end();
                state.hint.open(left, now + request.interval);
                self.shared = SharedPart::Place(place);
                if !state.line.is_empty() {
                    gate.changed.notify_waiters();
                }
                return Ok(Some(()));
            }
            SharedAnswer::Full(wait) => state.hint.close(now + wait, now + request.interval),
            SharedAnswer::Pause(wait) => state.window.close(now + wait),
            SharedAnswer::Day(retry_after, used) => {
                state.day.raise(Timestamp::now(), used);
                let reason = match reads || used >= state.day.allowed(true) {
                    true => Reason::Day,
                    false => Reason::ReadsOnly,
                };
                return Err(Wait {
                    reason,
                    retry_after,
                });
            }
            SharedAnswer::Unknown => {}
        }
        Ok(None)
    }

    fn finish(&mut self, ended: SlotOutcome) {
        let Some((place, turn)) = self.place.take() else {
            return;
        };
        let shared = std::mem::replace(&mut self.shared, SharedPart::Nothing);
        let ended = match shared {
            SharedPart::Question(_) => SlotOutcome::Unsent,
            _ => ended,
        };
        let mut state = self.gate.state();
        match ended {
            SlotOutcome::Unsent => state.day.unsent(turn),
            SlotOutcome::NoResponse => {}
            SlotOutcome::Answered(reported) | SlotOutcome::Refused(reported, _) => {
                state.day.correct(turn, reported);
            }
        }
        let held = state.window.end(place, Instant::now(), ended);
        if let SharedPart::Question(_) = shared {
            state.hint.end();
        }
        if !state.line.is_empty() {
            self.gate.changed.notify_waiters();
        }
        let (rate, calls) = (state.window.rate(), state.window.capacity(1));
        drop(state);
        let Some(window) = self.gate.shared.get() else {
            return;
        };
        match shared {
            SharedPart::Nothing => {}
            SharedPart::Question(name) => window.give_back(name, rate.interval),
            SharedPart::Place(place) => match EndNote::new(ended, rate.interval, held, calls) {
                Some(note) => window.end(place, note),
                None => window.give_back(place.into_name(), rate.interval),
            },
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.finish(SlotOutcome::NoResponse);
    }
}

/// A place in line, released if the call is given up.
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
