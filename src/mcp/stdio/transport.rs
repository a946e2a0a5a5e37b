//! Requests from lines and answers as lines. Frames that rmcp's own reader drops are answered here.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerNotification,
};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::StdioLimits;
use super::lines::{BoundedLine, BoundedLines};
use crate::catalog::decoding::{MOST_VALUES, is_too_much};
use crate::mcp::frame::{FrameFault, FrameId, FrameRefusal};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Both ends of the stream. Every clone is the same, because the library drops a transport when a handshake fails.
pub(super) struct StdioTransport<R, W>(Arc<StdioTransportInner<R, W>>);

struct StdioTransportInner<R, W> {
    input: tokio::sync::Mutex<StdinReader<R>>,
    output: Arc<StdoutWriter<W>>,
    limits: StdioLimits,
}

struct StdinReader<R> {
    lines: BoundedLines<R>,
    /// Answers to frames that are not requests, being written.
    refusing: Option<JoinHandle<()>>,
    /// The end of the wait for running calls, after stdin has ended.
    until: Option<Instant>,
}

struct StdoutWriter<W> {
    writer: tokio::sync::Mutex<W>,
    open: Mutex<OpenRequests>,
    /// Notified when an open request is answered.
    answered: Notify,
}

/// Unanswered requests, by the number that the library sees: it keeps one request per id, but a client may send two of
/// the same id.
#[derive(Default)]
struct OpenRequests {
    last: i64,
    requests: HashMap<i64, OpenRequest>,
    /// Questions that the client has not answered: at most as many as open requests.
    questions: HashSet<RequestId>,
}

struct OpenRequest {
    /// The client's id.
    id: RequestId,
    /// Size of its frame.
    bytes: usize,
}

impl<R, W> StdioTransport<R, W>
where
    R: AsyncRead + Unpin,
{
    pub(super) fn new(input: R, output: W, limits: StdioLimits) -> Self {
        Self(Arc::new(StdioTransportInner {
            input: tokio::sync::Mutex::new(StdinReader {
                lines: BoundedLines::new(input, limits.frame_bytes),
                refusing: None,
                until: None,
            }),
            output: Arc::new(StdoutWriter {
                writer: tokio::sync::Mutex::new(output),
                open: Mutex::default(),
                answered: Notify::new(),
            }),
            limits,
        }))
    }
}

impl<R, W> Clone for StdioTransport<R, W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R, W> Transport<RoleServer> for StdioTransport<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = Arc::clone(&self.0.output);
        async move { output.send(message).await }
    }

    /// The library drops this future whenever something else happens, so bytes already read are kept.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let inner = &*self.0;
        let mut input = inner.input.lock().await;
        loop {
            if let Some(refusing) = &mut input.refusing {
                // It fails only by a panic, which is logged.
                let _ = refusing.await;
                input.refusing = None;
            }
            if let Some(until) = input.until {
                // Nobody is left to answer them, and their calls end with a sentence.
                if let Some(id) = inner.output.take_question() {
                    let gone = ErrorData::internal_error("stdin has ended", None);
                    return Some(JsonRpcMessage::error(gone, Some(id)));
                }
                inner.output.finish(until).await;
                return None;
            }
            inner
                .output
                .wait_for_room(inner.limits.bytes_in_flight)
                .await;
            let refusal = match input.lines.next().await {
                Ok(BoundedLine::Whole(line)) => match read(&line) {
                    Ok(message) => {
                        match message.and_then(|read| inner.output.open(read, line.len())) {
                            Some(message) => return Some(message),
                            None => continue,
                        }
                    }
                    Err(refusal) => refusal,
                },
                Ok(BoundedLine::TooLong(id)) => {
                    let most = inner.limits.frame_bytes;
                    FrameRefusal::invalid(id, format!("The request is larger than {most} bytes."))
                }
                Ok(BoundedLine::End) => {
                    input.until = Some(Instant::now() + inner.limits.grace);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "stdin cannot be read");
                    input.until = Some(Instant::now() + inner.limits.grace);
                    continue;
                }
            };
            let reason = refusal.message.as_str();
            tracing::info!(code = refusal.code, reason, "refused");
            let output = Arc::clone(&inner.output);
            input.refusing = Some(tokio::spawn(async move { output.refuse(&refusal).await }));
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.output.writer.lock().await.flush().await
    }
}

/// The message of a line; `None` if nobody expects an answer.
fn read(line: &[u8]) -> Result<Option<ClientJsonRpcMessage>, FrameRefusal> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    if is_too_much(line) {
        let what =
            format!("The request holds more than {MOST_VALUES} values; send fewer at a time.");
        return Err(FrameRefusal::invalid(FrameId::find(line), what));
    }
    let error = match serde_json::from_slice(line) {
        Ok(message) => return Ok(Some(message)),
        Err(error) => error,
    };
    match FrameFault::find(line, &error.to_string()) {
        FrameFault::Refused(refusal) => Err(refusal),
        FrameFault::Unanswered => {
            tracing::debug!(%error, "a message that nobody waits for is passed over");
            Ok(None)
        }
    }
}

impl<W: AsyncWrite + Unpin> StdoutWriter<W> {
    /// Registers a request as open, under a number of its own.
    fn open(&self, message: ClientJsonRpcMessage, bytes: usize) -> Option<ClientJsonRpcMessage> {
        let mut open = self.open_requests();
        match message {
            JsonRpcMessage::Request(mut request) => {
                open.last += 1;
                let number = open.last;
                let id = std::mem::replace(&mut request.id, RequestId::Number(number));
                open.requests.insert(number, OpenRequest { id, bytes });
                Some(JsonRpcMessage::Request(request))
            }
            JsonRpcMessage::Notification(mut notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    // The library does not answer cancelled requests. The newest is usually the only one.
                    let found = open.requests.iter().filter(|(_, one)| one.id == *id);
                    let number = found.map(|(number, _)| *number).max()?;
                    open.requests.remove(&number);
                    cancelled.params.request_id = Some(RequestId::Number(number));
                    self.answered.notify_waiters();
                }
                Some(JsonRpcMessage::Notification(notification))
            }
            answer => {
                let id = match &answer {
                    JsonRpcMessage::Response(response) => Some(&response.id),
                    JsonRpcMessage::Error(error) => error.id.as_ref(),
                    _ => None,
                };
                if let Some(id) = id {
                    open.questions.remove(id);
                }
                Some(answer)
            }
        }
    }

    /// Any unanswered question, which will get no answer.
    fn take_question(&self) -> Option<RequestId> {
        let mut open = self.open_requests();
        let id = open.questions.iter().next()?.clone();
        open.questions.take(&id)
    }

    /// Notes whether an outgoing message is a question, or the end of the wait for its answer.
    fn note_question(&self, message: &ServerJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.open_requests().questions.insert(request.id.clone());
            }
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.open_requests().questions.remove(id);
                }
            }
            _ => {}
        }
    }

    async fn send(&self, mut message: ServerJsonRpcMessage) -> io::Result<()> {
        self.note_question(&message);
        let id = match &mut message {
            JsonRpcMessage::Response(response) => Some(&mut response.id),
            JsonRpcMessage::Error(error) => error.id.as_mut(),
            _ => None,
        };
        let mut answered = None;
        if let Some(id) = id
            && let RequestId::Number(number) = *id
            && let Some(open) = self.open_requests().requests.get(&number)
        {
            *id = open.id.clone();
            answered = Some(number);
        }
        let frame = serde_json::to_string(&message);
        drop(message);
        let sent = match frame {
            Ok(frame) => self.write(frame).await,
            Err(error) => Err(error.into()),
        };
        if let Some(number) = answered {
            self.open_requests().requests.remove(&number);
            self.answered.notify_waiters();
        }
        sent
    }

    async fn refuse(&self, refusal: &FrameRefusal) {
        for frame in refusal.frames() {
            if let Err(error) = self.write(frame).await {
                tracing::warn!(%error, "stdout cannot be written");
                return;
            }
        }
    }

    async fn write(&self, mut frame: String) -> io::Result<()> {
        frame.push('\n');
        let mut writer = self.writer.lock().await;
        writer.write_all(frame.as_bytes()).await?;
        writer.flush().await
    }

    /// Waits until every request is answered, or the time is over.
    async fn finish(&self, until: Instant) {
        let done = self.wait(|open| open.requests.is_empty());
        if timeout_at(until, done).await.is_err() {
            let left = self.open_requests().requests.len();
            tracing::warn!(left, "calls under way were cut off: stdin has ended");
        }
    }

    async fn wait_for_room(&self, most: usize) {
        self.wait(|open| {
            let bytes: usize = open.requests.values().map(|one| one.bytes).sum();
            bytes < most
        })
        .await;
    }

    async fn wait(&self, is_met: impl Fn(&OpenRequests) -> bool) {
        loop {
            let answered = self.answered.notified();
            if is_met(&self.open_requests()) {
                return;
            }
            answered.await;
        }
    }

    fn open_requests(&self) -> MutexGuard<'_, OpenRequests> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
