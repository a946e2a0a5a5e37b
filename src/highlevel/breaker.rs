//! Stops asking a HighLevel that is down: after failures in a row, one call every five seconds tries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::highlevel::failure::{Class, Failure};

/// So many failures of whatever calls, and no success between them. One tenant's failing calls do not add up
/// while anybody's succeed.
const IN_A_ROW: u32 = 5;

/// From one probe to the next.
const PAUSE: Duration = Duration::from_secs(5);

/// The state of one upstream host.
#[derive(Default)]
pub struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    /// When the next probe may go; `None` while closed.
    next_probe: Option<Instant>,
}

/// What a call said of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, whatever it answered to this tenant.
    Up,
    /// No connection, or 5xx.
    Down,
}

impl Health {
    pub fn of(status: StatusCode) -> Self {
        if status.is_server_error() {
            Self::Down
        } else {
            Self::Up
        }
    }
}

impl Breaker {
    /// Whether a call could go now: for who has to do more before it goes.
    pub fn check(&self) -> Result<(), Duration> {
        let now = Instant::now();
        match self.state().next_probe {
            Some(next) if now < next => Err(next - now),
            _ => Ok(()),
        }
    }

    /// Whether a call may go; else how long until one may try.
    pub fn admit(&self) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(next) = state.next_probe else {
            return Ok(());
        };
        let now = Instant::now();
        if now < next {
            return Err(next - now);
        }
        // This one is the probe; whatever becomes of it, the next comes no sooner.
        state.next_probe = Some(now + PAUSE);
        Ok(())
    }

    /// Takes what an admitted call found.
    pub fn record(&self, health: Health) {
        let mut state = self.state();
        match health {
            Health::Up => *state = State::default(),
            Health::Down => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= IN_A_ROW && state.next_probe.is_none() {
                    state.next_probe = Some(Instant::now() + PAUSE);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call is told that may not go.
pub fn down(wait: Duration) -> Failure {
    Failure::new(
        Class::Upstream,
        "HighLevel is down: the last calls all failed. Nothing was sent.",
    )
    .with_remedy("Repeat the call after retryAfterMs milliseconds.")
    .with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_costs_a_probe_every_five_seconds() {
        let breaker = Breaker::default();
        let mut sent = 0;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if breaker.admit().is_ok() {
                sent += 1;
                breaker.record(Health::Down);
            }
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert_eq!(sent, IN_A_ROW + 11);
        assert!(breaker.check().is_err());
        tokio::time::advance(PAUSE).await;
        assert_eq!(breaker.admit(), Ok(()));
        assert!(breaker.admit().is_err(), "one probe at a time");
        breaker.record(Health::Up);
        assert_eq!(breaker.admit(), Ok(()));
        assert_eq!(breaker.check(), Ok(()));
    }

    #[test]
    fn failures_between_successes_do_not_add_up() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            for _ in 0..IN_A_ROW - 1 {
                breaker.record(Health::Down);
            }
            breaker.record(Health::Up);
        }
        assert_eq!(breaker.check(), Ok(()));
    }
}
