//! Stops calls while all of them fail: after consecutive failures, one call every five seconds is let through as a
//! test.
//!
//! There are two kinds. The host's breaker counts only failures of a host that is down: no connection, or a gateway's
//! page instead of an answer. It opens once several callers have seen that, so that none can shut the others out. Each
//! window (a location's, or a token's) has its own breaker, which also counts HighLevel's own failures (5xx in JSON).
//! One wrong id or one broken operation may cause these repeatedly. So they open it only if several operations failed,
//! and nothing succeeded in between.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::upstream::failure::{Failure, FailureClass};

/// Failures without a success in between that open it.
const IN_A_ROW: u32 = 5;

/// The number of different witnesses that must have seen them.
const WITNESSES: usize = 3;

/// The interval between probes.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts failures by witness: callers or operations.
pub struct Breaker<W>(Mutex<BreakerState<W>>);

struct BreakerState<W> {
    failures: u32,
    /// Failures that need no witness.
    evident: u32,
    /// Different witnesses, at most as many as are needed.
    witnesses: Vec<W>,
    /// The time of the next probe; `None` while closed.
    next_probe: Option<Instant>,
}

/// What an answer, or its absence, shows about the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, whatever the answer.
    Up,
    /// HighLevel failed on this call. The host is up.
    Failing,
    /// No connection, or a gateway that cannot reach HighLevel.
    Down,
}

impl Health {
    pub(super) fn of_answer(status: StatusCode, is_json: bool) -> Self {
        match status.as_u16() {
            ..=499 => Self::Up,
            // 520 to 530 are Cloudflare's own.
            502..=504 | 520..=530 if !is_json => Self::Down,
            _ => Self::Failing,
        }
    }
}

impl<W> Default for Breaker<W> {
    fn default() -> Self {
        Self(Mutex::new(BreakerState::default()))
    }
}

impl<W> Default for BreakerState<W> {
    fn default() -> Self {
        Self {
            failures: 0,
            evident: 0,
            witnesses: Vec::new(),
            next_probe: None,
        }
    }
}

impl<W: PartialEq> Breaker<W> {
    /// Whether a call could be sent now, for callers that must do more before it.
    pub fn check(&self) -> Result<(), Duration> {
        let now = Instant::now();
        match self.state().next_probe {
            Some(next) if now < next => Err(next - now),
            _ => Ok(()),
        }
    }

    /// Whether calls are stopped, except for probes.
    pub fn is_open(&self) -> bool {
        self.state().next_probe.is_some()
    }

    /// Admits a call, or fails with the time until a probe.
    pub fn admit(&self) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(next) = state.next_probe else {
            return Ok(());
        };
        let now = Instant::now();
        if now < next {
            return Err(next - now);
        }
        // This call is the probe. Whatever its result, the next comes no sooner.
        state.next_probe = Some(now + PAUSE);
        Ok(())
    }

    /// A call succeeded.
    pub fn close(&self) {
        *self.state() = BreakerState::default();
    }

    /// A call failed. Without a witness the failure is evident by itself.
    pub fn fail(&self, witness: Option<W>) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        match witness {
            None => state.evident = state.evident.saturating_add(1),
            Some(witness) => {
                if state.witnesses.len() < WITNESSES && !state.witnesses.contains(&witness) {
                    state.witnesses.push(witness);
                }
            }
        }
        let is_believed = state.evident >= IN_A_ROW || state.witnesses.len() >= WITNESSES;
        if state.failures >= IN_A_ROW && is_believed && state.next_probe.is_none() {
            state.next_probe = Some(Instant::now() + PAUSE);
        }
    }

    fn state(&self) -> MutexGuard<'_, BreakerState<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error for a call while the host is down.
pub(super) fn host_is_down(wait: Duration) -> Failure {
    Failure::new(
        FailureClass::Upstream,
        "HighLevel is down: the last calls all failed. Nothing was sent.",
    )
    .with_remedy("Repeat the call after retryAfterMs milliseconds.")
    .with_retry_after(wait)
}

/// The error for a call while all calls of its window fail.
pub(super) fn scope_is_down(wait: Duration) -> Failure {
    Failure::new(
        FailureClass::Upstream,
        "HighLevel is down for this location or token: the last calls all failed. Nothing was sent.",
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
                breaker.fail(Some(sent));
            }
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert_eq!(sent, IN_A_ROW + 11);
        assert!(breaker.check().is_err());
        tokio::time::advance(PAUSE).await;
        assert_eq!(breaker.admit(), Ok(()));
        assert!(breaker.admit().is_err(), "one probe at a time");
        assert!(breaker.is_open());
        breaker.close();
        assert!(!breaker.is_open());
        assert_eq!(breaker.admit(), Ok(()));
        assert_eq!(breaker.check(), Ok(()));
    }

    #[test]
    fn failures_between_successes_do_not_add_up() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            for witness in 0..IN_A_ROW - 1 {
                breaker.fail(Some(witness));
            }
            breaker.close();
        }
        assert_eq!(breaker.check(), Ok(()));
    }

    #[test]
    fn one_witness_is_none() {
        #[rustfmt::skip]
        let rows: &[(&str, &[Option<&str>], bool)] = &[
            ("one caller, or one wrong id", &[Some("a"); 1000], false),
            ("two", &[Some("a"), Some("b"), Some("a"), Some("b"), Some("a"), Some("b")], false),
            ("three, but four failures", &[Some("a"), Some("b"), Some("c"), Some("a")], false),
            ("three", &[Some("a"), Some("a"), Some("a"), Some("b"), Some("c")], true),
            ("no connection", &[None; 5], true),
            ("no connection, four times", &[None; 4], false),
            ("four, and a wrong id", &[None, None, None, None, Some("a")], false),
        ];
        for (name, failures, opens) in rows {
            let breaker = Breaker::default();
            failures.iter().for_each(|witness| breaker.fail(*witness));
            assert_eq!(breaker.check().is_err(), *opens, "{name}");
        }
    }

    #[test]
    fn a_json_answer_is_a_healthy_host() {
        for (status, is_json, health) in [
            (200, true, Health::Up),
            (403, false, Health::Up),
            (500, true, Health::Failing),
            (503, true, Health::Failing),
            (500, false, Health::Failing),
            (502, false, Health::Down),
            (522, false, Health::Down),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Health::of_answer(status, is_json), health, "{status}");
        }
    }
}
