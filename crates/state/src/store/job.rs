//! Jobs of the store's threads: queued changes and reads, and their results.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::sync::oneshot;

use super::Durability;
use super::rows::Transaction;
use crate::StoreError;

/// The result of a queued change or read. Nobody has to wait for it.
#[must_use]
pub struct Pending<T>(Result<oneshot::Receiver<Result<T, StoreError>>, StoreError>);

/// The work of the thread: it runs once, or again if the transaction that it shared with others failed.
pub(super) trait Job: Send {
    fn act(&mut self, transaction: &mut Transaction) -> Result<(), StoreError>;
    fn end(&mut self, committed: Result<(), StoreError>);
    fn durability(&self) -> Durability;
    fn delivery(&self) -> Delivery;
}

/// The handling of a change that could not be written, or whose commit was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The caller gets the error.
    Told,
    /// It is tried again before the next, until it is written: whoever waits for it waits as long.
    Owed,
    /// The caller waits until the fate is known, and undoes the change if that is too late.
    Known,
}

pub(super) struct QueuedChange<T, F> {
    change: F,
    durability: Durability,
    delivery: Delivery,
    value: Option<T>,
    sender: Option<oneshot::Sender<Result<T, StoreError>>>,
}

impl<T> Pending<T> {
    /// The result of work that was not even tried.
    pub fn failed(error: StoreError) -> Self {
        Self(Err(error))
    }

    /// Blocks; do not call it in tasks that share a thread with others.
    pub fn wait(self) -> Result<T, StoreError> {
        let mut pending = std::pin::pin!(self);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match pending.as_mut().poll(&mut context) {
                Poll::Ready(done) => return done,
                Poll::Pending => thread::park(),
            }
        }
    }
}

/// Wakes a waiting thread.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|received| received.unwrap_or_else(|_| Err(StoreError::closed()))),
        }
    }
}

impl<T, F> QueuedChange<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
{
    pub(super) fn boxed(
        durability: Durability,
        delivery: Delivery,
        change: F,
    ) -> (Box<dyn Job>, Pending<T>) {
        let (sender, receiver) = oneshot::channel();
        let change = Self {
            change,
            durability,
            delivery,
            value: None,
            sender: Some(sender),
        };
        (Box::new(change), Pending(Ok(receiver)))
    }
}

impl<T, F> Job for QueuedChange<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
{
    fn act(&mut self, transaction: &mut Transaction) -> Result<(), StoreError> {
        self.value = Some((self.change)(transaction)?);
        Ok(())
    }

    fn end(&mut self, committed: Result<(), StoreError>) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        let value = self.value.take();
        // The caller may have left.
        let _ = match (committed, value) {
            (Ok(()), Some(value)) => sender.send(Ok(value)),
            (Ok(()), None) => sender.send(Err(StoreError::closed())),
            (Err(error), _) => sender.send(Err(error)),
        };
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn delivery(&self) -> Delivery {
        self.delivery
    }
}
