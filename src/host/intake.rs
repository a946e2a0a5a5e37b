//! Takes in a request's body, whole and in time, and no more calls at once than the server carries.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use memchr::memchr2;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config;
use crate::host::malformed::in_json;
use crate::host::problem::Problem;

/// When to come back after a refusal for lack of room, in seconds.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// Values that one request may hold: a hundred items of two hundred fields each. Every layer behind builds a tree of
/// them; a hundred thousand took 32 to 57 ms of a core.
const MOST_VALUES: usize = 20_000;

/// What one server takes.
pub struct Intake {
    max_body_bytes: usize,
    body_timeout: Duration,
    places: Semaphore,
}

impl Intake {
    pub fn new(settings: &config::Server) -> Self {
        Self {
            max_body_bytes: settings.max_body_bytes,
            body_timeout: Duration::from_millis(settings.body_timeout_ms),
            places: Semaphore::new(settings.max_calls.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Hands the request on. Its body is read before a place is taken: who sends slowly takes no place from others.
    pub async fn pass(&self, request: Request, next: Next) -> Response {
        let (request, body) = match self.whole(request).await {
            Ok(taken) => taken,
            Err(problem) => return problem.into_response(),
        };
        let Ok(_place) = self.places.try_acquire() else {
            return busy();
        };
        in_json(&body, next.run(request).await).await
    }

    async fn whole(&self, request: Request) -> Result<(Request, Bytes), Problem> {
        let (parts, body) = request.into_parts();
        let too_large = || {
            let what = format!("The request is larger than {} bytes.", self.max_body_bytes);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", what)
        };
        let announced = parts.headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.max_body_bytes) {
            return Err(too_large());
        }
        match timeout(self.body_timeout, to_bytes(body, self.max_body_bytes)).await {
            Ok(Ok(bytes)) if values(&bytes) > MOST_VALUES => {
                let what = format!(
                    "The request holds more than {MOST_VALUES} values; send fewer at a time."
                );
                Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "invalid_request",
                    what,
                ))
            }
            Ok(Ok(bytes)) => Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes)),
            Ok(Err(error)) => Err(match is_limit(&error) {
                true => too_large(),
                false => Problem::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_request",
                    "The request breaks off.",
                ),
            }),
            Err(_) => {
                let what = "The request took too long to come in.";
                Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "invalid_request",
                    what,
                ))
            }
        }
    }
}

/// How many values `json` holds, or nothing where it is too short for more than are allowed.
fn values(json: &[u8]) -> usize {
    // A value takes two bytes at least, itself and what parts it from the next.
    if json.len() < 2 * MOST_VALUES {
        return 0;
    }
    let (mut values, mut rest) = (1, json);
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b',' | b'[' | b'{' => values += 1,
            b'"' => rest = after_string(rest),
            _ => {}
        }
    }
    values
}

/// What follows the string that `rest` is within.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let escapes = rest.get(at) == Some(&b'\\');
        rest = rest
            .get(at + 1 + usize::from(escapes)..)
            .unwrap_or_default();
        if !escapes {
            return rest;
        }
    }
    &[]
}

fn busy() -> Response {
    let what = "The server has more calls than it carries; come back in a second.";
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        what,
    );
    let mut response = problem.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, SOON);
    response
}

fn is_limit(error: &axum::Error) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |cause| {
        cause.source()
    });
    causes
        .into_iter()
        .any(|cause| cause.is::<http_body_util::LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_not_what_strings_hold() {
        let check = |item: &str, times: usize, expected: usize| {
            let list = format!("[{}]", vec![item; times].join(","));
            assert_eq!(values(list.as_bytes()), expected, "{item} × {times}");
        };
        check("1", MOST_VALUES / 2, 0);
        check("1", 3 * MOST_VALUES, 3 * MOST_VALUES + 1);
        check(r#""a,b[\"{,\\""#, MOST_VALUES, MOST_VALUES + 1);
        check(r#"{"k":[]}"#, MOST_VALUES, 3 * MOST_VALUES + 1);
    }
}
