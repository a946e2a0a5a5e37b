//! A confirm alone runs the request that was previewed under it: one call, the items of a batch, or the
//! rows of a read.

use std::time::Duration;

use super::batch::LONGEST;
use super::each::RowRun;
use super::prepared_request::StoredWork;
use super::{Answer, CallContext, OnError, Options, Pipeline, PreparedRequest, Progress, Request};
use crate::call::output::Output;

impl Pipeline {
    /// Runs a previewed request exactly as shown.
    pub async fn run_prepared(
        &self,
        prepared: PreparedRequest,
        output: Option<Output>,
        context: &CallContext,
        progress: &Progress,
    ) -> Answer {
        self.run_prepared_within(prepared, output, LONGEST, (context, progress))
            .await
    }

    /// Like `run_prepared`, but runs many rows for at most `longest`.
    pub(super) async fn run_prepared_within(
        &self,
        prepared: PreparedRequest,
        output: Option<Output>,
        longest: Duration,
        (context, progress): (&CallContext, &Progress),
    ) -> Answer {
        let stored = prepared.stored;
        let (rows, items, idempotency_key) = match stored.work {
            StoredWork::Rows(rows) => (Some(rows), None, None),
            StoredWork::Calls {
                items,
                idempotency_key,
            } => (None, items, idempotency_key),
        };
        let request = Request {
            tool: prepared.tool,
            arguments: stored.arguments,
            options: Options {
                output,
                location: stored.location,
                items,
                confirm: Some(prepared.confirm),
                on_error: OnError::new(stored.goes_on),
                idempotency_key,
                ..Options::default()
            },
            context,
            progress,
        };
        let Some(rows) = rows else {
            return self.execute(request).await;
        };
        let run = RowRun {
            rows,
            id: prepared.id,
            confirmed: prepared.confirmed,
            consent: None,
            longest,
        };
        let mut answer = Box::pin(self.run_rows(&request, run)).await;
        answer.tell_unrecorded();
        answer
    }
}
