//! Sends what may be sent.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::meter::CallRecord;
use super::usage::{SendPurpose, SendTally};
use super::{CallContext, Consent, Facts, Metered, Pipeline};
use crate::upstream::{Failure, Reply, SendPermit};

/// What HighLevel answered to one request.
pub(super) struct Response {
    facts: Facts,
    consent: Consent,
    replied: Result<Reply, Failure>,
    record: CallRecord,
}

impl Pipeline {
    /// Dropping the future ends the call to HighLevel, and its record then says that it was cut off. A call that happens
    /// once is made to its end all the same: a client that lost its connection hears the outcome when it repeats the call.
    pub(super) async fn send(
        &self,
        metered: Metered,
        purpose: SendPurpose,
        context: &CallContext,
    ) -> Option<Response> {
        let (facts, permit, consent, mut record) = metered.into_parts();
        if !record.is_once() && !consent.is_once() {
            let tally = SendTally::new(self, &facts, &context.principal, purpose);
            let replied = self.send_counted(permit, &facts, tally).await;
            record.replied(&replied);
            return Some(Response {
                facts,
                consent,
                replied,
                record,
            });
        }
        let (sender, receiver) = oneshot::channel();
        let (pipeline, principal) = (self.clone(), context.principal.clone());
        tokio::spawn(async move {
            let tally = SendTally::new(&pipeline, &facts, &principal, purpose);
            let replied = pipeline.send_counted(permit, &facts, tally).await;
            record.replied(&replied);
            let response = Box::new(Response {
                facts,
                consent,
                replied,
                record,
            });
            drop(sender.send(ResponseOnItsWay {
                pipeline,
                response: Some(response),
            }));
        });
        let mut arrived = receiver.await.ok()?;
        arrived.response.take().map(|response| *response)
    }

    async fn send_counted(
        &self,
        permit: SendPermit,
        facts: &Facts,
        mut tally: SendTally<'_>,
    ) -> Result<Reply, Failure> {
        let mut replied = self.transport().send(permit, tally.requests()).await;
        self.note_connected(facts, &mut replied);
        tally.replied(&replied);
        replied
    }
}

/// A response until its caller has it. A sent one may still be dropped unread, because the client may leave at any time.
struct ResponseOnItsWay {
    pipeline: Pipeline,
    /// `None`: it arrived.
    response: Option<Box<Response>>,
}

impl Drop for ResponseOnItsWay {
    fn drop(&mut self) {
        if let (Some(response), Ok(runtime)) = (self.response.take(), Handle::try_current()) {
            let pipeline = self.pipeline.clone();
            runtime.spawn(async move { pipeline.respond_to_nobody(*response).await });
        }
    }
}

impl Response {
    pub(super) fn into_parts(self) -> (Facts, Consent, Result<Reply, Failure>, CallRecord) {
        (self.facts, self.consent, self.replied, self.record)
    }
}
