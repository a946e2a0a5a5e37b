//! Two events a second apart, which show whether a proxy forwards a stream as it comes or buffers it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::time::{Sleep, sleep};

use crate::http::elicitation::UNBUFFERED;

/// The pause between the two.
const PAUSE: Duration = Duration::from_secs(1);

const FIRST: &[u8] = b"data: first\n\n";
const SECOND: &[u8] = b"data: second\n\n";

struct TwoEvents {
    is_begun: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

/// At `GET /streamz`. It costs as much as an idle connection, and counts as one.
pub(super) async fn stream_probe() -> Response {
    let events = TwoEvents {
        is_begun: false,
        pause: Some(Box::pin(sleep(PAUSE))),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, [UNBUFFERED], Body::new(events)).into_response()
}

impl HttpBody for TwoEvents {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let event = if !self.is_begun {
            self.is_begun = true;
            FIRST
        } else if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
            SECOND
        } else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(event)))))
    }
}
