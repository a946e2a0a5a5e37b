//! Lets a call ask the person at its client while it waits. This happens in front of the protocol library, which keeps
//! no sessions: the question goes out on the stream of the call's answer, and the client posts the person's answer to
//! any process.

mod event_stream;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::call::{
    ClientAbilities, ClientAnswer, ClientLine, ClientQuestion, LONGEST_QUESTION, Pipeline,
    Principal,
};
use crate::http::stopping::Stopping;
use crate::mcp::{FrameId, PostedFrame, question_frame, withdrawal_frame};
use event_stream::EventStream;
use session::SessionSigner;
use state::questions::Questions;

pub(super) use session::SESSION;

/// Tells nginx to forward a stream without buffering, whatever its settings.
pub(super) const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// The largest frame that is parsed: handshakes and answers are small.
const LARGEST_FRAME: usize = 64 << 10;

/// The interval at which a person's answer is looked up.
const LOOK: Duration = Duration::from_millis(100);

/// Longest silence on a stream. Networks end streams that are silent for a minute.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

const STOPPED: ClientAnswer =
    ClientAnswer::Unanswered("the server stopped before the user answered");
const UNKEPT: ClientAnswer =
    ClientAnswer::Unanswered("the server cannot keep the question for the user");
const TOO_MANY: ClientAnswer =
    ClientAnswer::Unanswered("too many questions wait for their users already");

/// Everything that calls need to ask.
pub(super) struct Asking {
    pipeline: Pipeline,
    sessions: SessionSigner,
    questions: Questions,
    stopping: Stopping,
    /// The interval between two signs of life on a stream.
    silence: Duration,
}

impl Asking {
    /// `idle`: how long a connection may be silent.
    pub(super) fn new(pipeline: &Pipeline, stopping: &Stopping, idle: Duration) -> Self {
        let store = &pipeline.controls().store;
        Self {
            sessions: SessionSigner::new(store.confirm_key()),
            questions: Questions::new(store),
            stopping: stopping.clone(),
            silence: LONGEST_SILENCE.min(idle / 2).max(Duration::from_millis(1)),
            pipeline: pipeline.clone(),
        }
    }
}

/// Issues a session to a client whose user can be asked, accepts answers, and lets calls of such a session ask.
pub(super) async fn ask_along(
    State(asking): State<Arc<Asking>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // The whole body is there: the guard has read it, within its limits.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let frame = match body.len() <= LARGEST_FRAME {
        true => PostedFrame::read(&body),
        false => PostedFrame::Other,
    };
    let session = parts.headers.get(SESSION).cloned();
    let principal = match (&frame, &session) {
        // Most requests have nothing to do with a session.
        (PostedFrame::Other | PostedFrame::Withdrawal(_), None) => None,
        _ => parts.extensions.get::<Principal>(),
    };
    let principal = principal.map(|one| asking.pipeline.principal_digest(one));
    let Some(principal) = principal else {
        return next.run(Request::from_parts(parts, Body::from(body))).await;
    };
    // An expired session, or another caller's, counts as none: its client continues and cannot be asked.
    let session = session.and_then(|one| {
        let can = asking.sessions.abilities(one.as_bytes(), principal)?;
        Some((one, can))
    });
    let call = |id: &str| {
        let (session, can) = session.as_ref()?;
        let call = state::sha256(&format!("{} {id}", session.to_str().ok()?));
        Some((call, *can))
    };
    let call = match &frame {
        PostedFrame::Withdrawal(id) => call(id),
        PostedFrame::Other => call(FrameId::find(&body).as_ref().map_or("", FrameId::text)),
        PostedFrame::Handshake(_) | PostedFrame::Answer { .. } => None,
    };
    let request = Request::from_parts(parts, Body::from(body));
    match frame {
        PostedFrame::Answer { id, word } => asking.take_answer(principal, &id, &word).await,
        PostedFrame::Handshake(can) => {
            let mut answer = next.run(request).await;
            // Without sign-in there is no page to open.
            let has_pages = asking.pipeline.controls().sign_in.is_some();
            let can = ClientAbilities {
                pages: can.pages && has_pages,
                ..can
            };
            let issue = || asking.sessions.issue(principal, can);
            let session = if can.forms || can.pages {
                issue()
            } else {
                None
            };
            let session = session.filter(|_| answer.status().is_success());
            if let Some(session) = session.and_then(|id| HeaderValue::from_str(&id).ok()) {
                answer.headers_mut().insert(SESSION, session);
            }
            answer
        }
        PostedFrame::Withdrawal(_) => {
            if let Some((call, _)) = call {
                asking.withdraw(principal, &call).await;
            }
            next.run(request).await
        }
        PostedFrame::Other => match call {
            Some((call, can)) => {
                let mut request = request;
                request.extensions_mut().insert(can);
                asking.answer((principal, call), request, next).await
            }
            None => next.run(request).await,
        },
    }
}

impl Asking {
    /// Every answer gets the same response: that it was accepted.
    async fn take_answer(&self, principal: [u8; 32], id: &str, word: &str) -> Response {
        if let Err(error) = self.questions.answer(id, principal, word).await {
            tracing::warn!(%error, "an answer to a question was lost");
        }
        StatusCode::ACCEPTED.into_response()
    }

    /// A call whose client no longer waits is not made after a late yes.
    async fn withdraw(&self, principal: [u8; 32], call: &str) {
        let word = ClientAnswer::WITHDRAWN;
        if let Err(error) = self.questions.answer_for(call, principal, word).await {
            tracing::warn!(%error, "the end of a call was lost");
        }
    }

    /// The answer to a request. It becomes a stream at the moment when the person is asked. `call`: the name of the
    /// request, the same in every process.
    async fn answer(
        &self,
        (principal, call): ([u8; 32], String),
        mut request: Request,
        next: Next,
    ) -> Response {
        // A question and its end.
        let (frames, mut asked) = mpsc::channel(2);
        let (questions, stopping) = (self.questions.clone(), self.stopping.clone());
        request
            .extensions_mut()
            .insert(ClientLine::new(move |asked: ClientQuestion| {
                let question = PersonQuestion {
                    principal,
                    call: call.clone(),
                    questions: questions.clone(),
                    stopping: stopping.clone(),
                    frames: frames.clone(),
                };
                Box::pin(async move { question.ask(&asked).await })
            }));
        let mut answered = Box::pin(next.run(request));
        let first = tokio::select! {
            biased;
            Some(first) = asked.recv() => first,
            answer = &mut answered => return answer,
        };
        let stream = EventStream::start(first, asked, answered, self.silence);
        let events = HeaderValue::from_static("text/event-stream");
        let uncached = HeaderValue::from_static("no-cache");
        let headers = [
            (header::CONTENT_TYPE, events),
            (header::CACHE_CONTROL, uncached),
        ];
        (headers, [UNBUFFERED], Body::new(stream)).into_response()
    }
}

/// One question to the person at one client.
struct PersonQuestion {
    principal: [u8; 32],
    call: String,
    questions: Questions,
    stopping: Stopping,
    /// Frames to the client.
    frames: mpsc::Sender<String>,
}

impl PersonQuestion {
    async fn ask(self, asked: &ClientQuestion) -> ClientAnswer {
        let deadline = Instant::now() + LONGEST_QUESTION;
        let opened = self
            .questions
            .open(self.principal, &self.call, LONGEST_QUESTION);
        let question = match opened.await {
            Ok(Some(question)) => question,
            Ok(None) => return TOO_MANY,
            Err(error) => {
                tracing::warn!(%error, "a question cannot be kept");
                return UNKEPT;
            }
        };
        let frame = question_frame(question.id(), asked);
        if self.frames.send(frame).await.is_err() {
            return ClientAnswer::GONE;
        }
        let ended = loop {
            sleep(LOOK).await;
            match question.answer().await {
                Ok(Some(word)) if word == ClientAnswer::WITHDRAWN => {
                    break ClientAnswer::parse(&word);
                }
                Ok(Some(word)) => return ClientAnswer::parse(&word),
                Ok(None) if self.stopping.has_begun() => break STOPPED,
                Ok(None) if Instant::now() >= deadline => break ClientAnswer::LATE,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "a question cannot be read");
                    break UNKEPT;
                }
            }
        };
        // A client that has left need not be told.
        let _ = self.frames.send(withdrawal_frame(question.id())).await;
        ended
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use state::Store;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_question_is_withdrawn_after_two_minutes() {
        let store = Store::in_memory().expect("a store");
        let (frames, mut asked) = mpsc::channel(2);
        let question = PersonQuestion {
            principal: [1; 32],
            call: "call".to_owned(),
            questions: Questions::new(&store),
            stopping: Stopping::default(),
            frames,
        };
        let start = Instant::now();
        let run = ClientQuestion {
            text: "Run it?".to_owned(),
            page: None,
        };
        assert_eq!(question.ask(&run).await, ClientAnswer::LATE);
        assert_eq!(start.elapsed().as_secs(), LONGEST_QUESTION.as_secs());
        let [question, end] = [asked.recv().await, asked.recv().await].map(|frame| {
            let frame = frame.expect("a frame");
            serde_json::from_str::<Value>(&frame).expect("JSON")
        });
        assert_eq!(question["params"]["message"], "Run it?");
        assert_eq!(end["method"], "notifications/cancelled");
        assert_eq!(end["params"]["requestId"], question["id"]);
    }
}
