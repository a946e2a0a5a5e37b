//! Sends what may be sent.

use tokio::sync::oneshot;

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
    /// Dropping the future ends the call to HighLevel, and its record then says that it was cut off. What happens once is
    /// made to its end all the same: a client that lost its connection hears what came of it when it comes again.
    pub(super) async fn send(&self, metered: Metered) -> Option<Response> {
        let (facts, permit, consent, mut record) = metered.into_parts();
        if !record.is_once() && !consent.is_once() {
            let mut replied = self.transport().send(permit).await;
            self.note_connected(&facts, &mut replied);
            record.replied(&replied);
            return Some(Response {
                facts,
                consent,
                replied,
                record,
            });
        }
        let (sender, receiver) = oneshot::channel();
        let pipeline = self.clone();
        tokio::spawn(async move {
            let mut replied = pipeline.transport().send(permit).await;
            pipeline.note_connected(&facts, &mut replied);
            record.replied(&replied);
            let response = Box::new(Response {
                facts,
                consent,
                replied,
                record,
            });
            if let Err(response) = sender.send(response) {
                pipeline.respond_to_nobody(*response).await;
            }
        });
        receiver.await.ok().map(|response| *response)
    }
}

impl Response {
    pub(super) fn into_parts(self) -> (Facts, Consent, Result<Reply, Failure>, CallRecord) {
        (self.facts, self.consent, self.replied, self.record)
    }
}
