//! The reason that a call must wait for its place, and its error.

use std::time::Duration;

use crate::upstream::failure::{Failure, FailureClass};

/// The reason that a call may not be sent, and the time until it may.
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
    /// The rest of the day's calls is reserved for reads.
    ReadsOnly,
}

impl Wait {
    pub(super) fn interval(retry_after: Duration) -> Self {
        Self {
            reason: Reason::Interval,
            retry_after,
        }
    }
}

/// The error for a call that may not be sent.
impl From<Wait> for Failure {
    fn from(wait: Wait) -> Self {
        let (sentence, remedy) = match wait.reason {
            Reason::Interval => (
                "Too many calls at once for this location; nothing was sent.",
                "Repeat the call after retryAfterMs milliseconds.",
            ),
            Reason::Day => (
                "The calls of this day are used up for this location; nothing was sent.",
                "Continue after midnight UTC.",
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
