//! Jobs of the store's threads: changes and readings that wait in the queue, and their results.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::sync::oneshot;

use super::Durability;
use super::rows::Transaction;
use crate::StoreError;

/// What comes of a change or a reading that is under way. Nobody needs to wait for it.
#[must_use]
pub struct Pending<T>(Result<oneshot::Receiver<Result<T, StoreError>>, StoreError>);

/// What the thread does: once, or again where a transaction failed that it was in with others.
pub(super) trait Job: Send {
    fn act(&mut self, transaction: &mut Transaction) -> Result<(), StoreError>;
    fn end(&mut self, committed: Result<(), StoreError>);
    fn durability(&self) -> Durability;
    fn delivery(&self) -> Delivery;
}

/// What becomes of a change that could not be written, or of which nobody heard whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Whoever asked is told so.
    Told,
    /// It is tried again before the next, until it is written: whoever waits for it waits as long.
    Owed,
    /// Whoever asked waits until it is known, and undoes it where that is too late.
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
    /// Of what was not even tried.
    pub fn failed(error: StoreError) -> Self {
        Self(Err(error))
    }

    /// Blocks; not for tasks that share a thread with others.
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

/// Goes on with a thread that waits.
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
        // Whoever asked may have gone.
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
