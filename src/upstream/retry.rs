//! Decides whether a call is sent again: by its effect, by the last attempt, and within a budget.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;

use tool::Effect;

/// Attempts after the first.
pub(super) const MOST: u8 = 2;

/// Longest pause that is worth a retry within one call.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The first retry pauses up to this long, the second up to twice that.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The result of a failed attempt, as far as it matters for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Provably not sent: no connection, or the request never reached it.
    Unsent,
    /// HighLevel says that it was one too many.
    TooMany,
    /// 408, 502, 503 or 504.
    Unavailable,
    /// The connection broke before the head of an answer.
    Broken,
    /// Everything else: it would fail again, or it must not happen more than once.
    Final,
}

impl Outcome {
    pub fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            429 => Self::TooMany,
            408 | 502..=504 => Self::Unavailable,
            _ => Self::Final,
        }
    }

    /// Whether a call with this effect may be sent again. A write may only if it cannot have happened.
    pub fn allows(self, effect: Effect) -> bool {
        match self {
            Self::Unsent | Self::TooMany => true,
            Self::Unavailable | Self::Broken => effect == Effect::Read,
            Self::Final => false,
        }
    }
}

/// The pause before the `retry`th retry, from 1: a random time up to a bound that doubles, so that clients which failed
/// together do not come back together.
pub(super) fn pause(retry: u8) -> Duration {
    let bound = FIRST_PAUSE * 2u32.saturating_pow(u32::from(retry.saturating_sub(1)));
    bound.min(LONGEST_PAUSE).mul_f64(fastrand::f64())
}

/// A budget of retries: a share of the calls, and a few in reserve for callers with few calls.
pub struct RetryBudget {
    /// The amount that one call adds, in thousandths of a retry.
    share: u32,
    most: u32,
    left: Mutex<u32>,
}

impl RetryBudget {
    /// 10 % of a tenant's calls.
    pub fn of_tenant() -> Self {
        Self::new(100, 10)
    }

    /// 20 % of all calls.
    pub fn of_all() -> Self {
        Self::new(200, 100)
    }

    fn new(share: u32, reserve: u32) -> Self {
        let most = reserve * 1000;
        Self {
            share,
            most,
            left: Mutex::new(most),
        }
    }

    /// Adds one call.
    pub fn earn(&self) {
        self.change(|left| Some((left + self.share).min(self.most)));
    }

    /// Takes one retry, if any is left.
    pub fn spend(&self) -> bool {
        self.change(|left| left.checked_sub(1000))
    }

    fn change(&self, changed: impl FnOnce(u32) -> Option<u32>) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let new = changed(*left);
        *left = new.unwrap_or(*left);
        new.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_are_repeated_after_they_may_have_happened() {
        let all = [
            Effect::Read,
            Effect::Write,
            Effect::Send,
            Effect::Money,
            Effect::Destructive,
        ];
        for effect in all {
            let read = effect == Effect::Read;
            for (outcome, allowed) in [
                (Outcome::Unsent, true),
                (Outcome::TooMany, true),
                (Outcome::Unavailable, read),
                (Outcome::Broken, read),
                (Outcome::Final, false),
            ] {
                assert_eq!(outcome.allows(effect), allowed, "{outcome:?} {effect:?}");
            }
        }
    }

    #[test]
    fn retries_are_a_tenth_of_the_calls() {
        let budget = RetryBudget::of_tenant();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            retries += u32::from(budget.spend());
        }
        assert!((1000..=1010).contains(&retries), "{retries}");
    }

    #[test]
    fn pauses_are_spread_over_a_bound_that_doubles() {
        let longest = |retry| (0..1000).map(|_| pause(retry)).max().expect("some");
        assert!((200..=250).contains(&longest(1).as_millis()));
        assert!((400..=500).contains(&longest(2).as_millis()));
        assert!(longest(40) <= LONGEST_PAUSE);
        assert!((0..1000).map(|_| pause(1)).min().expect("some").as_millis() < 50);
    }
}
