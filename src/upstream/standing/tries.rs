//! Attempts of one address with tokens that HighLevel did not accept: a limited number per minute.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::delay::Delay;

/// Refused attempts of an address per minute. For more, HighLevel may block the server's own address.
pub(super) const TRIES_A_MINUTE: usize = 30;

const MINUTE: Duration = Duration::from_mins(1);

/// An address without calls is forgotten after this time: the longest call and a minute.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_mins(3);

/// The wait while all attempts are running.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// The attempts of one address.
pub(super) struct Tries {
    free: Arc<Semaphore>,
    /// The times at which refused attempts are free again, ascending.
    spent: Mutex<VecDeque<Instant>>,
}

/// One running attempt.
pub(super) struct Try {
    tries: Arc<Tries>,
    permit: OwnedSemaphorePermit,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(TRIES_A_MINUTE)),
            spent: Mutex::default(),
        }
    }
}

impl Tries {
    /// Whether the address has attempts left, counting the running ones.
    pub(super) fn check(&self) -> Result<(), Delay> {
        let now = Instant::now();
        let spent = self.refill(now);
        match spent.front() {
            Some(next) if spent.len() >= TRIES_A_MINUTE => Err(Delay::address(*next - now)),
            _ => Ok(()),
        }
    }

    /// Waits for an attempt until `patience` is over. A running attempt that succeeds is free at once.
    pub(super) async fn enter(self: &Arc<Self>, patience: Instant) -> Result<Try, Delay> {
        loop {
            self.check()?;
            let next = self.refill(Instant::now()).front().copied();
            let until = next.map_or(patience, |next| next.min(patience));
            let free = Arc::clone(&self.free);
            if let Ok(Ok(permit)) = timeout_at(until, free.acquire_owned()).await {
                return Ok(Try {
                    tries: Arc::clone(self),
                    permit,
                });
            }
            if Instant::now() >= patience {
                return Err(Delay::address(UNDER_WAY));
            }
        }
    }

    /// Frees attempts that were spent a minute ago.
    fn refill(&self, now: Instant) -> MutexGuard<'_, VecDeque<Instant>> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        while spent.front().is_some_and(|until| *until <= now) {
            spent.pop_front();
            self.free.add_permits(1);
        }
        spent
    }
}

impl Try {
    /// HighLevel did not accept the token.
    pub(super) fn spend(self) {
        self.permit.forget();
        let mut spent = self.tries.refill(Instant::now());
        spent.push_back(Instant::now() + MINUTE);
    }

    /// The attempt costs nothing.
    pub(super) fn give_back(self) {
        drop(self);
    }
}
