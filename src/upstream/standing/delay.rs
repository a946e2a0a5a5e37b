//! The reason that a call of a token is held back without a request to HighLevel.

use std::time::Duration;

use crate::upstream::failure::{Failure, FailureClass};

/// The wait when too many calls of one new token are running.
const CROWDED: Duration = Duration::from_secs(1);

/// A call that is held back, and the time until it may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    pub reason: DelayReason,
    pub retry_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayReason {
    /// HighLevel called the token unknown a moment ago.
    Rest,
    /// Too many tokens of one address were not accepted within a minute.
    Address,
    /// Too many calls of a token that HighLevel has not answered yet.
    Crowded,
}

impl Delay {
    pub(super) fn rest(retry_after: Duration) -> Self {
        Self {
            reason: DelayReason::Rest,
            retry_after,
        }
    }

    pub(super) fn address(retry_after: Duration) -> Self {
        Self {
            reason: DelayReason::Address,
            retry_after,
        }
    }

    pub(super) fn crowded() -> Self {
        Self {
            reason: DelayReason::Crowded,
            retry_after: CROWDED,
        }
    }
}

impl From<Delay> for Failure {
    fn from(delay: Delay) -> Self {
        let (class, sentence, remedy) = match delay.reason {
            DelayReason::Rest => (
                FailureClass::Auth,
                "Nothing was sent: HighLevel did not accept this token when it was last tried.",
                "Check that the whole token was given and that it was not rotated or deleted; the same token is tried \
                 again after retryAfterMs milliseconds.",
            ),
            DelayReason::Address => (
                FailureClass::RateLimited,
                "Nothing was sent: HighLevel did not accept too many tokens from this address within a minute.",
                "Stop the calls whose token HighLevel refuses; repeat this one after retryAfterMs milliseconds.",
            ),
            DelayReason::Crowded => (
                FailureClass::RateLimited,
                "Nothing was sent: HighLevel has not answered this token yet, and several calls with it wait for that.",
                "Repeat the call after retryAfterMs milliseconds.",
            ),
        };
        Self::new(class, sentence)
            .with_remedy(remedy)
            .with_retry_after(delay.retry_after)
    }
}
