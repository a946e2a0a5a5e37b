//! The body of a request, whose unread rest is read before the answer is sent. Unread bytes end the connection, and a
//! proxy that is not told so sends somebody else's next request into it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// The most that is read this way, and the longest time for it. Beyond it the connection ends, and the answer says so.
const MOST_BYTES: usize = 64 << 10;
const LONGEST: Duration = Duration::from_millis(100);

pub(super) struct WatchedBody {
    /// `None` once it was read to its end.
    body: Option<Incoming>,
    rest: Arc<Mutex<BodyState>>,
}

/// The state of a body, which outlives the body.
pub(super) struct BodyRest(Arc<Mutex<BodyState>>);

enum BodyState {
    /// Somebody reads it.
    Open,
    Read,
    /// Nobody reads it any more.
    Left(Incoming),
}

impl WatchedBody {
    pub(super) fn new(body: Incoming) -> (Self, BodyRest) {
        let rest = Arc::new(Mutex::new(BodyState::Open));
        let watched = Self {
            body: Some(body),
            rest: Arc::clone(&rest),
        };
        (watched, BodyRest(rest))
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let state = match self.body.take() {
            Some(body) if !body.is_end_stream() => BodyState::Left(body),
            _ => BodyState::Read,
        };
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl BodyRest {
    /// Reads the rest. Returns whether the whole body was read.
    pub(super) async fn read_out(self) -> bool {
        let state = std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            BodyState::Open,
        );
        match state {
            BodyState::Read => true,
            BodyState::Open => false,
            BodyState::Left(body) => timeout(LONGEST, read_rest(body)).await.unwrap_or(false),
        }
    }
}

/// Whether the end was reached.
async fn read_rest(mut body: Incoming) -> bool {
    let mut read = 0;
    loop {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
        }
        if read > MOST_BYTES {
            return false;
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.body = None;
            *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = BodyState::Read;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
