//! Sends what may be sent.

use super::meter::CallRecord;
use super::{Consent, Facts, Metered, Pipeline};
use crate::upstream::{Failure, Reply};

/// What HighLevel answered to one request.
pub(super) struct Response {
    facts: Facts,
    consent: Consent,
    replied: Result<Reply, Failure>,
    record: CallRecord,
}

impl Pipeline {
    /// Dropping the future ends the call to HighLevel; its record then says that it was cut off.
    pub(super) async fn send(&self, metered: Metered) -> Response {
        let (facts, permit, consent, mut record) = metered.into_parts();
        let replied = self.transport().send(permit).await;
        record.replied(&replied);
        Response {
            facts,
            consent,
            replied,
            record,
        }
    }
}

impl Response {
    pub(super) fn into_parts(self) -> (Facts, Consent, Result<Reply, Failure>, CallRecord) {
        (self.facts, self.consent, self.replied, self.record)
    }
}
