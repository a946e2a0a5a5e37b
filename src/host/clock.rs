//! The deadlines of one connection: for its next request, and for the head of one that has begun.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// No deadline: the request is being answered.
const NEVER: u64 = u64::MAX;

/// hyper's own deadline for a head runs while a connection is idle too, so that it cannot be short for the one
/// and long for the other.
pub struct Clock {
    start: Instant,
    head: Duration,
    idle: Duration,
    /// Milliseconds after `start`.
    deadline: AtomicU64,
    is_idle: AtomicBool,
}

impl Clock {
    pub fn new(head: Duration, idle: Duration) -> Self {
        let clock = Self {
            start: Instant::now(),
            head,
            idle,
            deadline: AtomicU64::new(NEVER),
            is_idle: AtomicBool::new(true),
        };
        clock.set(idle);
        clock
    }

    /// Bytes have come in.
    pub fn read(&self) {
        if self.is_idle.swap(false, Ordering::Relaxed) {
            self.set(self.head);
        }
    }

    /// A head is complete.
    pub fn answering(&self) {
        self.is_idle.store(false, Ordering::Relaxed);
        self.deadline.store(NEVER, Ordering::Relaxed);
    }

    /// There is an answer; the client has until the idle deadline to read it and to ask again.
    pub fn answered(&self) {
        self.set(self.idle);
        self.is_idle.store(true, Ordering::Relaxed);
    }

    /// Returns when a deadline has passed, by a quarter of the head's at most: it looks now and then, for to be told
    /// of every request would cost more than that.
    pub async fn ran_out(&self) {
        loop {
            let deadline = self.deadline.load(Ordering::Relaxed);
            let now = Instant::now();
            let left = match deadline {
                NEVER => self.head,
                deadline => {
                    (self.start + Duration::from_millis(deadline)).saturating_duration_since(now)
                }
            };
            if left.is_zero() {
                return;
            }
            sleep_until(now + left.min(self.head / 4)).await;
        }
    }

    fn set(&self, after: Duration) {
        let deadline = (self.start.elapsed() + after).as_millis();
        let deadline = u64::try_from(deadline).unwrap_or(NEVER);
        self.deadline.store(deadline, Ordering::Relaxed);
    }
}

/// A connection that tells its clock when bytes come in.
pub struct Watched {
    pub stream: TcpStream,
    pub clock: Arc<Clock>,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.clock.read();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
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
        check(Clock::answered, 76).await;
        let two = |clock: &Clock| {
            clock.read();
            clock.answering();
            clock.answered();
            clock.read();
        };
        check(two, 11).await;
    }
}
