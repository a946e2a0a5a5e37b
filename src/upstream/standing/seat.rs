//! The right of a new token to have one running call.

use tokio::sync::OwnedSemaphorePermit;

use super::tries::Try;
use crate::upstream::errors::TokenVerdict;

/// Held while the call runs. If it is dropped before `end`, the call counts as a refused attempt: hanging up early must
/// not give free attempts.
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

    /// Records the outcome of the call.
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
