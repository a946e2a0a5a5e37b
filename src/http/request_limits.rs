//! Takes in a request's body, whole and in time, and no more calls and bytes at once than the caller's share.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout, timeout_at};

use crate::background::Background;
use crate::call::PrincipalId;
use crate::call::shares::{Busy, ByteLoan, MOST_NEWCOMER_BYTES, Shares};
use crate::catalog::decoding::{MOST_VALUES, is_too_much};
use crate::catalog::uploads;
use crate::config;
use crate::http::json_rpc_errors::in_json;
use crate::http::problem::HttpProblem;

/// When to come back after a refusal for lack of room, in seconds.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// To read a megabyte of JSON takes milliseconds, so many bytes a fraction of one.
const LARGE: usize = 64 << 10;

/// The largest body that is read to its end although it is refused, in bytes.
const MOST_DISCARDED: usize = 128 << 20;

/// JSON may begin with it, and the library does not take it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// So much of a body has the time that the settings give: who sends files needs longer, and who sends nothing has no more.
const PIECE: usize = 4 << 20;

/// What one server takes.
pub(super) struct Intake {
    background: Background,
    max_body_bytes: usize,
    /// Of an operation that takes files.
    largest_request: usize,
    body_timeout: Duration,
    shares: Shares,
}

/// Whose share a request is charged to.
pub(super) struct ShareHolder {
    pub id: PrincipalId,
    /// The address of one whose token HighLevel has not answered yet.
    pub newcomer: Option<Option<IpAddr>>,
}

/// A body whose bytes are held until it is sent.
struct BodyWithLoan {
    body: Body,
    _loan: ByteLoan,
}

impl Intake {
    pub(super) fn new(settings: &config::ServerSettings, shares: Shares) -> Self {
        Self {
            background: Background::default(),
            max_body_bytes: settings.max_body_bytes,
            largest_request: settings.largest_request(),
            body_timeout: Duration::from_millis(settings.body_timeout_ms),
            shares,
        }
    }

    /// Hands the request on. Its body is read before a place is taken: who sends slowly takes no place from others.
    /// The place goes on in the request's extensions, for calls that wait to give it back meanwhile.
    pub(super) async fn pass(&self, request: Request, who: &ShareHolder, next: Next) -> Response {
        // Until HighLevel has answered a token, anybody may have made it up: its bytes are its address's.
        let share = match who.newcomer {
            Some(address) => self.shares.address(address),
            None => self.shares.caller(&who.id),
        };
        let mut loan = Arc::new(share).loan();
        let most = match who.newcomer {
            Some(_) => self.largest_request.min(MOST_NEWCOMER_BYTES),
            None => self.largest_request,
        };
        let (mut request, body) = match self.read(request, most, &mut loan).await {
            Ok(taken) => taken,
            Err(problem) => return with_retry_after(problem),
        };
        let place = match self.shares.enter(&who.id, who.newcomer).await {
            Ok(place) => place,
            Err(busy) => return with_retry_after(no_place(busy)),
        };
        request.extensions_mut().insert(place.clone());
        // Nobody waits for what another caller sends much of, or for who is not known yet.
        let steps_back = body.len() >= LARGE || who.newcomer.is_some() || place.is_one_of_many();
        let answer = match steps_back {
            true => self.background.run(next.run(request)).await,
            false => next.run(request).await,
        };
        let answer = in_json(&body, answer).await;
        drop((body, place));
        holding(answer, loan)
    }

    async fn read(
        &self,
        request: Request,
        most: usize,
        loan: &mut ByteLoan,
    ) -> Result<(Request, Bytes), HttpProblem> {
        let (parts, body) = request.into_parts();
        let announced = parts.headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if let Some(length) = announced.filter(|length| *length > most) {
            if length <= MOST_DISCARDED {
                discard(body, self.body_timeout).await;
            }
            return Err(self.too_large(most));
        }
        let mut body = body;
        let bytes = match self.chunks(&mut body, announced, most, loan).await {
            Ok(bytes) => bytes,
            Err(problem) => {
                loan.shrink(loan.bytes());
                let ends = announced.is_some_and(|length| length <= MOST_DISCARDED);
                if ends && problem.status != StatusCode::REQUEST_TIMEOUT {
                    discard(body, self.body_timeout).await;
                }
                return Err(problem);
            }
        };
        if bytes.len() > self.max_body_bytes && !uploads::names_one(&bytes) {
            let what = format!(
                "The request is larger than {} bytes, the most for an operation that takes no files.",
                self.max_body_bytes
            );
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(HttpProblem::new(status, "invalid_request", what));
        }
        let bytes = match bytes.starts_with(BYTE_ORDER_MARK) {
            true => bytes.slice(BYTE_ORDER_MARK.len()..),
            false => bytes,
        };
        if is_too_much(&bytes) {
            let what =
                format!("The request holds more than {MOST_VALUES} values; send fewer at a time.");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(HttpProblem::new(status, "invalid_request", what));
        }
        Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes))
    }

    /// Every chunk is charged when it comes, and each piece of the body has as long as a whole one that is no larger.
    async fn chunks(
        &self,
        body: &mut Body,
        announced: Option<usize>,
        most: usize,
        loan: &mut ByteLoan,
    ) -> Result<Bytes, HttpProblem> {
        let (mut first, mut rest) = (Bytes::new(), Vec::new());
        let mut until = Instant::now() + self.body_timeout;
        let mut pieces = 0;
        loop {
            let frame = timeout_at(until, body.frame()).await.map_err(|_| {
                let what = "The request took too long to come in.";
                HttpProblem::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", what)
            })?;
            let Some(frame) = frame else { break };
            let broken = |_| {
                let what = "The request breaks off.";
                HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
            };
            let Ok(chunk) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            if loan.bytes() + chunk.len() > most {
                return Err(self.too_large(most));
            }
            loan.grow(chunk.len()).map_err(|_| {
                let what = "More bytes of requests and answers are under way than the server carries, or than your \
                            share of them; come back in a second.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                HttpProblem::new(status, "temporarily_unavailable", what)
            })?;
            if loan.bytes() / PIECE > pieces {
                pieces = loan.bytes() / PIECE;
                until = Instant::now() + self.body_timeout;
            }
            // Most requests are one chunk, which needs no copy.
            if first.is_empty() {
                first = chunk;
            } else {
                if rest.is_empty() {
                    rest.extend_from_slice(&first);
                }
                if pieces > 0 && rest.capacity() < rest.len() + chunk.len() {
                    // Once, where the client says how much comes: a vector that grows holds twice as much meanwhile.
                    let whole = announced.unwrap_or_default().saturating_sub(rest.len());
                    rest.reserve_exact(whole.max(rest.len() / 2).max(chunk.len()));
                }
                rest.extend_from_slice(&chunk);
            }
        }
        Ok(if rest.is_empty() { first } else { rest.into() })
    }

    fn too_large(&self, most: usize) -> HttpProblem {
        let new = match most < self.largest_request {
            true => {
                ", the most for a token that HighLevel has not answered yet: make a small call with it first"
            }
            false => "",
        };
        let what = format!("The request is larger than {most} bytes{new}.");
        HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", what)
    }
}

/// Reads a body that is not taken, so that its client sees the answer and not a broken connection.
async fn discard(mut body: Body, longest: Duration) {
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    drop(timeout(longest, read).await);
}

/// `answer`, whose bytes are held in place of the request's until it is sent.
fn holding(answer: Response, mut loan: ByteLoan) -> Response {
    if let Some(bytes) = answer.body().size_hint().exact() {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match bytes.checked_sub(loan.bytes()) {
            // What was done must be told, whether there is room or not.
            Some(more) => drop(loan.grow(more)),
            None => loan.shrink(loan.bytes() - bytes),
        }
    }
    answer.map(|body| Body::new(BodyWithLoan { body, _loan: loan }))
}

impl HttpBody for BodyWithLoan {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn no_place(busy: Busy) -> HttpProblem {
    let (status, error) = match busy {
        Busy::Caller => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        Busy::Server | Busy::Newcomer => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    };
    HttpProblem::new(status, error, busy.to_string())
}

fn with_retry_after(problem: HttpProblem) -> Response {
    let waits = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ]
    .contains(&problem.status);
    let mut response = problem.into_response();
    if waits {
        response.headers_mut().insert(header::RETRY_AFTER, SOON);
    }
    response
}

#[cfg(test)]
mod tests;
