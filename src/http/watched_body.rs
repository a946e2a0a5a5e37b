//! The body of a request, which knows whether all of it was read. What is left over ends the connection, and a proxy that is
//! not told so sends the next request of anybody into its end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

pub(super) struct WatchedBody {
    body: Incoming,
    is_read: Arc<AtomicBool>,
}

/// Whether a body was read to its end; it outlives the body.
pub(super) struct BodyEnd(Arc<AtomicBool>);

impl WatchedBody {
    pub(super) fn new(body: Incoming) -> (Self, BodyEnd) {
        let is_read = Arc::new(AtomicBool::new(body.is_end_stream()));
        let end = BodyEnd(Arc::clone(&is_read));
        (Self { body, is_read }, end)
    }
}

impl BodyEnd {
    pub(super) fn is_read(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
