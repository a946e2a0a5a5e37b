//! The right of a new token to have one call under way.

use tokio::sync::OwnedSemaphorePermit;

use super::tries::Try;
use crate::upstream::errors::TokenVerdict;

/// Held while the call is under way. Dropped before `end`, the call counts as a refused try: whoever hangs up early
/// must not get tries for nothing.
pub(crate) struct Seat {
    /// One of the token's few calls.
    _place: OwnedSemaphorePermit,
    /// `None` once ended.
    attempt: Option<Try>,
}

impl Seat {
    pub(super) fn new(place: OwnedSemaphorePermit, attempt: Try) -> Self {
        Self {
            _place: place,
            attempt: Some(attempt),
        }
    }

    /// Takes what became of the call.
    pub(crate) fn end(mut self, verdict: TokenVerdict) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        match verdict {
            TokenVerdict::Unknown | TokenVerdict::Doubtful => attempt.spend(),
            TokenVerdict::Accepted | TokenVerdict::Silent => attempt.give_back(),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.spend();
        }
    }
}
