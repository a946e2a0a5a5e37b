//! Counts the requests that are sent to HighLevel.

use reqwest::StatusCode;

/// Requests to HighLevel in one minute.
#[derive(Clone, Debug, Default)]
pub struct TrafficMinute {
    /// Every attempt that was sent.
    pub requests: u32,
    /// Refused as one too many (429).
    pub limited: u32,
}

impl TrafficMinute {
    /// `status`: of the answer, if there was one.
    pub(super) fn count(&mut self, status: Option<StatusCode>) {
        self.requests += 1;
        self.limited += u32::from(status == Some(StatusCode::TOO_MANY_REQUESTS));
    }
}
