//! The body of a file that is written while it is read.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use state::StoreError;

/// The parts that come through a channel. It breaks off at an error.
pub(super) struct ExportBody(pub(super) mpsc::Receiver<Result<Bytes, StoreError>>);

impl HttpBody for ExportBody {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        let polled = self.0.poll_recv(context);
        polled.map(|part| part.map(|part| part.map(Frame::data)))
    }
}
