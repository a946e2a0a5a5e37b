//! The deadlines of one connection, for its next request and for the head of a request, and the time when it rests.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// No deadline: the request is being answered.
const NEVER: u64 = u64::MAX;

/// A connection rests this long after its last answer. A client that asks again sooner finds everything as it was.
const REST: Duration = Duration::from_secs(1);

/// hyper's own deadline for a head also runs on an idle connection, so it cannot be short for one and long for the
/// other.
pub(super) struct Clock {
    start: Instant,
    head: Duration,
    idle: Duration,
    /// Milliseconds after `start`.
    deadline: AtomicU64,
    is_idle: AtomicBool,
    /// Whether the last answer was complete when it was returned.
    is_whole: AtomicBool,
    /// Whether hyper has nothing left to write: it flushes only then.
    is_written: AtomicBool,
}

impl Clock {
    pub(super) fn new(head: Duration, idle: Duration) -> Self {
        let clock = Self {
            start: Instant::now(),
            head,
            idle,
            deadline: AtomicU64::new(NEVER),
            is_idle: AtomicBool::new(true),
            is_whole: AtomicBool::new(false),
            is_written: AtomicBool::new(false),
        };
        clock.set(idle);
        clock
    }

    /// Bytes have arrived.
    pub(super) fn read(&self) {
        if self.is_idle.swap(false, Ordering::Relaxed) {
            self.set(self.head);
        }
    }

    /// A head is complete.
    pub(super) fn answering(&self) {
        self.is_idle.store(false, Ordering::Relaxed);
        self.deadline.store(NEVER, Ordering::Relaxed);
    }

    /// There is an answer. The client has until the idle deadline to read it and to ask again. The end of an answer
    /// that is not `whole` is unknown.
    pub(super) fn answered(&self, whole: bool) {
        self.set(self.idle);
        self.is_whole.store(whole, Ordering::Relaxed);
        self.is_idle.store(true, Ordering::Relaxed);
    }

    /// Returns once a deadline has passed, late by at most a quarter of the head's: it polls, because a notification
    /// for every request would cost more.
    pub(super) async fn ran_out(&self) {
        loop {
            let left = self.left();
            if left.is_zero() {
                return;
            }
            sleep(left.min(self.head / 4)).await;
        }
    }

    /// Returns once the connection rests, or up to `REST` later.
    pub(super) async fn rests(&self) {
        loop {
            let flags = [&self.is_idle, &self.is_whole, &self.is_written];
            let since = match flags.iter().all(|flag| flag.load(Ordering::Relaxed)) {
                true => self.idle.saturating_sub(self.left()),
                false => Duration::ZERO,
            };
            if since >= REST {
                return;
            }
            sleep(REST - since).await;
        }
    }

    /// The time until the deadline.
    pub(super) fn left(&self) -> Duration {
        match self.deadline.load(Ordering::Relaxed) {
            NEVER => Duration::MAX,
            deadline => Duration::from_millis(deadline).saturating_sub(self.start.elapsed()),
        }
    }

    fn set(&self, after: Duration) {
        let deadline = (self.start.elapsed() + after).as_millis();
        let deadline = u64::try_from(deadline).unwrap_or(NEVER);
        self.deadline.store(deadline, Ordering::Relaxed);
    }
}

/// A connection that tells its clock when bytes arrive, and when all are written.
pub(super) struct WatchedStream {
    pub stream: TcpStream,
    /// Bytes that were read from it before.
    pub read: Bytes,
    pub clock: Arc<Clock>,
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = if this.read.is_empty() {
            Pin::new(&mut this.stream).poll_read(context, buffer)
        } else {
            let next = this.read.len().min(buffer.remaining());
            buffer.put_slice(&this.read.split_to(next));
            Poll::Ready(Ok(()))
        };
        if buffer.filled().len() > before {
            this.clock.read();
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.clock.is_written.store(false, Ordering::Relaxed);
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.clock.is_written.store(false, Ordering::Relaxed);
        Pin::new(&mut this.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.clock.is_written.store(true, Ordering::Relaxed);
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_part_of_a_connection_has_its_own_deadline() {
        async fn check(steps: impl Fn(&Clock), seconds: u64) {
            let clock = Clock::new(Duration::from_secs(10), Duration::from_secs(75));
            let start = Instant::now();
            tokio::time::advance(Duration::from_secs(1)).await;
            steps(&clock);
            tokio::select! {
                () = clock.ran_out() => {}
                () = tokio::time::sleep(Duration::from_secs(1000)) => {}
            }
            let late = start.elapsed().as_secs() - seconds;
            assert!(late <= 2, "{late} seconds too late");
        }
        check(|_| {}, 75).await;
        check(Clock::read, 11).await;
        check(Clock::answering, 1001).await;
        check(|clock| clock.answered(true), 76).await;
        let two = |clock: &Clock| {
            clock.read();
            clock.answering();
            clock.answered(true);
            clock.read();
        };
        check(two, 11).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_rests_after_a_whole_answer_only() {
        async fn rests(answer: Option<bool>, is_written: bool, reads: bool) -> bool {
            let clock = Clock::new(Duration::from_secs(10), Duration::from_secs(75));
            if let Some(whole) = answer {
                clock.read();
                clock.answering();
                clock.answered(whole);
            }
            clock.is_written.store(is_written, Ordering::Relaxed);
            if reads {
                clock.read();
            }
            timeout(Duration::from_millis(1100), clock.rests())
                .await
                .is_ok()
        }
        assert!(rests(Some(true), true, false).await);
        assert!(!rests(None, true, false).await, "nothing was asked");
        assert!(!rests(Some(false), true, false).await, "more may follow");
        assert!(!rests(Some(true), false, false).await, "not written");
        assert!(!rests(Some(true), true, true).await, "the next has begun");
    }
}
