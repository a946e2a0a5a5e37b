//! Work that is done once for all who wait for it, and completed even if nobody waits any more.

use tokio::sync::watch;

use crate::upstream::failure::{Failure, FailureClass};

/// Running or just finished. Cheap to clone.
#[derive(Clone)]
pub(super) struct SingleFlight<T>(watch::Receiver<Option<Result<T, Failure>>>);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Starts `work` in a separate task, so that waiting callers may leave.
    pub(super) fn start(work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let outcome = work.await;
            sender.send_replace(Some(outcome));
        });
        Self(receiver)
    }

    /// Whether the work has ended, well or not.
    pub(super) fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// The result of the work.
    pub(super) async fn wait(mut self) -> Result<T, Failure> {
        let outcome = self.0.wait_for(Option::is_some).await;
        // Without a result the task was ended by a panic, or with the runtime.
        let outcome = outcome.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| {
            Err(Failure::new(
                FailureClass::Upstream,
                "Getting a token from HighLevel broke off.",
            )
            .with_remedy("Try again."))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_continues_without_waiters() {
        let done = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&done);
        let flight = SingleFlight::start(async move {
            sleep(Duration::from_secs(1)).await;
            Ok(counter.fetch_add(1, Ordering::SeqCst))
        });
        let waiting = tokio::spawn(flight.clone().wait());
        sleep(Duration::from_millis(1)).await;
        waiting.abort();
        assert!(!flight.is_over());
        sleep(Duration::from_secs(2)).await;
        assert!(flight.is_over());
        assert_eq!(flight.clone().wait().await, Ok(0), "also afterwards");
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn work_that_breaks_off_is_a_failure_and_no_hang() {
        let flight = SingleFlight::<u32>::start(async { panic!("on purpose") });
        let failure = flight.clone().wait().await.expect_err("no outcome");
        assert_eq!(failure.class, FailureClass::Upstream);
        assert!(flight.is_over());
    }
}
