//! Reads a request's body, completely and in time, within the caller's share of calls and bytes.

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

/// The wait after a refusal for lack of room, in seconds.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// Parsing a megabyte of JSON takes milliseconds, and this many bytes a fraction of one.
const LARGE: usize = 64 << 10;

/// The largest refused body that is read to its end, in bytes.
const MOST_DISCARDED: usize = 128 << 20;

/// JSON may begin with it, but the library does not accept it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The settings' time is for a piece of this size: a client that sends files gets more time, and one that sends nothing
/// does not.
const PIECE: usize = 4 << 20;

/// The limits of one server.
pub(super) struct Intake {
    background: Background,
    max_body_bytes: usize,
    /// For an operation that takes files.
    largest_request: usize,
    body_timeout: Duration,
    shares: Shares,
}

/// The holder of the share that a request is charged to.
pub(super) struct ShareHolder {
    pub id: PrincipalId,
    /// The address of a caller whose token HighLevel has not answered yet.
    pub newcomer: Option<Option<IpAddr>>,
}

/// A body whose bytes stay charged until it is sent.
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

    /// Passes the request on. Its body is read before a place is taken, so that a slow sender takes no place from
    /// others. The place goes into the request's extensions, for calls that release it while they wait.
    pub(super) async fn pass(&self, request: Request, who: &ShareHolder, next: Next) -> Response {
        // Until HighLevel has answered a token, anybody may have invented it: its bytes are charged to its address.
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
        // Large requests and unverified callers must not delay others.
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
                "The request is larger than {} bytes, the limit of operations without files.",
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

    /// Every chunk is charged on arrival, and each piece of the body has the time of a whole body of that size.
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
                let what = "The request took too long to arrive.";
                HttpProblem::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", what)
            })?;
            let Some(frame) = frame else { break };
            let broken = |_| {
                let what = "The request is incomplete.";
                HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what)
            };
            let Ok(chunk) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            if loan.bytes() + chunk.len() > most {
                return Err(self.too_large(most));
            }
            loan.grow(chunk.len()).map_err(|_| {
                let what = "The requests and answers under way have reached the server's limit, or your share of it. \
                            Try again in a second.";
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
                    // Allocated once if the client gives the length: a growing vector takes twice as much meanwhile.
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
                ", the limit for a token that HighLevel has not answered yet. Make a small call with it first"
            }
            false => "",
        };
        let what = format!("The request is larger than {most} bytes{new}.");
        HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", what)
    }
}

/// Reads a refused body, so that its client sees the answer instead of a broken connection.
async fn discard(mut body: Body, longest: Duration) {
    let read = async { while let Some(Ok(_)) = body.frame().await {} };
    drop(timeout(longest, read).await);
}

/// `answer`, whose bytes are charged in place of the request's until it is sent.
fn holding(answer: Response, mut loan: ByteLoan) -> Response {
    if let Some(bytes) = answer.body().size_hint().exact() {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match bytes.checked_sub(loan.bytes()) {
            // Finished work must be reported even without room.
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
