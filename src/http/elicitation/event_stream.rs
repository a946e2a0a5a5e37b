//! The answer to a call that asks: its frames as server-sent events, with signs of life while a person thinks.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody, to_bytes};
use axum::http::header;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::interval;

/// Lines that begin with a colon are comments.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b": waiting\n\n");

/// A call's future answer.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Ends the call on drop, such as when the client leaves.
pub(super) struct EventStream(mpsc::Receiver<Bytes>);

impl EventStream {
    /// Starts with the first frame; then come the other `frames`, and last the answer.
    pub(super) fn start(
        first: String,
        frames: mpsc::Receiver<String>,
        answer: impl Future<Output = Response> + Send + 'static,
        silence: Duration,
    ) -> Self {
        let (events, received) = mpsc::channel(1);
        let writer = EventWriter {
            events,
            frames,
            silence,
        };
        // The call stays on its runtime: a call at low priority keeps it.
        tokio::spawn(async move {
            // A client that has left wants nothing more.
            let _ = writer.write(first, Box::pin(answer)).await;
        });
        Self(received)
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let received = self.0.poll_recv(context);
        received.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

struct EventWriter {
    events: mpsc::Sender<Bytes>,
    frames: mpsc::Receiver<String>,
    silence: Duration,
}

/// The client has left.
struct Left;

impl EventWriter {
    async fn write(mut self, first: String, mut answer: Answering) -> Result<(), Left> {
        self.send(event(first.as_bytes())).await?;
        let mut signs = interval(self.silence);
        signs.reset();
        let answer = loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(Left),
                Some(frame) = self.frames.recv() => self.send(event(frame.as_bytes())).await?,
                answer = &mut answer => break answer,
                _ = signs.tick() => self.send(SIGN_OF_LIFE).await?,
            }
        };
        // The end of a question may arrive together with the answer.
        while let Ok(frame) = self.frames.try_recv() {
            self.send(event(frame.as_bytes())).await?;
        }
        self.finish(answer).await
    }

    /// The library's answer: one frame as JSON, or events of its own, for a call that reports its progress.
    async fn finish(self, answer: Response) -> Result<(), Left> {
        let media = answer.headers().get(header::CONTENT_TYPE);
        let is = |name: &[u8]| media.is_some_and(|media| media.as_bytes().starts_with(name));
        let (json, events) = (is(b"application/json"), is(b"text/event-stream"));
        let mut body = answer.into_body();
        if json {
            // No larger than answers are.
            let frame = to_bytes(body, usize::MAX).await.unwrap_or_default();
            return self.send(event(&frame)).await;
        }
        while events && let Some(Ok(frame)) = body.frame().await {
            if let Ok(bytes) = frame.into_data() {
                self.send(bytes).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Left> {
        self.events.send(bytes).await.map_err(|_| Left)
    }
}

/// An event with a frame of one line, as all unindented JSON is.
fn event(frame: &[u8]) -> Bytes {
    [b"event: message\ndata: ", frame, b"\n\n"].concat().into()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use tokio::time::sleep;

    use super::*;

    const SILENCE: Duration = Duration::from_secs(15);

    /// The text of a stream whose call answers after a minute.
    async fn text(answer: Response) -> String {
        let (frames, asked) = mpsc::channel(2);
        frames
            .send("{\"second\":2}".to_owned())
            .await
            .expect("room");
        let answer = async {
            sleep(Duration::from_secs(40)).await;
            drop(frames);
            answer
        };
        let stream = EventStream::start("{\"first\":1}".to_owned(), asked, answer, SILENCE);
        let all = to_bytes(Body::new(stream), usize::MAX).await;
        String::from_utf8(all.expect("a stream").to_vec()).expect("UTF-8")
    }

    #[tokio::test(start_paused = true)]
    async fn frames_come_first_and_the_answer_last_with_signs_of_life_between() {
        let start = "event: message\ndata: {\"first\":1}\n\nevent: message\ndata: {\"second\":2}\n\n\
                     : waiting\n\n: waiting\n\n";
        let media = |name: &'static str| [(header::CONTENT_TYPE, name)];
        let rows = [
            (
                media("application/json"),
                "{\"id\":1}",
                "event: message\ndata: {\"id\":1}\n\n",
            ),
            (
                media("text/event-stream"),
                "data: 1\n\ndata: 2\n\n",
                "data: 1\n\ndata: 2\n\n",
            ),
            (media("text/plain"), "it broke", ""),
        ];
        for (media, body, end) in rows {
            let found = text((media, body).into_response()).await;
            assert_eq!(found, format!("{start}{end}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_call_ends_when_its_client_has_left() {
        let (call, mut under_way) = mpsc::channel::<()>(1);
        let (_frames, asked) = mpsc::channel(1);
        let answer = async move {
            let _call = call;
            std::future::pending::<Response>().await
        };
        let stream = EventStream::start(String::new(), asked, answer, SILENCE);
        sleep(Duration::from_secs(20)).await;
        assert!(under_way.try_recv() == Err(mpsc::error::TryRecvError::Empty));
        drop(stream);
        assert_eq!(under_way.recv().await, None);
    }
}
