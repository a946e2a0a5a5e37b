//! Reads what HighLevel answers to the end, and takes it only where it is whole and JSON.

use std::error::Error;
use std::time::Duration;

use reqwest::Response;
use serde::de::IgnoredAny;

use crate::budget::{Charge, Full};
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::retry::Outcome;
use tool::{Effect, Tool};

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// HighLevel's own id of the call, where a header tells it.
    pub trace_id: Option<String>,
    /// JSON text.
    pub body: String,
    /// Attempts beyond the first.
    pub retries: u8,
    /// The body's bytes, given back when the answer is dropped.
    pub charge: Charge,
}

/// When an answer that found no room may be asked for again.
const ROOM_AFTER: Duration = Duration::from_secs(1);

/// No more room is made before bytes have come, whatever an answer announces.
const MOST_AT_FIRST: usize = 256 * 1024;

/// The decompressed body, up to `most` bytes, charged as they come.
pub async fn body(
    tool: &Tool,
    response: &mut Response,
    most: usize,
    charge: &mut Charge,
) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        let what = format!("HighLevel's answer is larger than {most} bytes and was dropped.");
        let class = answered_badly(tool);
        Failure::new(class, what).with_remedy(match class {
            FailureClass::UnknownOutcome => "Read the record to see whether the change is there.",
            _ => "Ask for less, for example with a smaller limit.",
        })
    };
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > most {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.min(MOST_AT_FIRST));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| incomplete(tool, &error))?
    {
        if body.len() + chunk.len() > most {
            return Err(too_large());
        }
        charge
            .grow(chunk.len())
            .map_err(|full| crowded(tool, full))?;
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The answer came and found no room.
fn crowded(tool: &Tool, full: Full) -> Failure {
    match answered_badly(tool) {
        FailureClass::UnknownOutcome => Failure::new(
            FailureClass::UnknownOutcome,
            format!("HighLevel's answer was dropped: {full}."),
        )
        .with_remedy(
            "Read the record to see whether the change is there before you repeat the call.",
        ),
        _ => Failure::new(
            FailureClass::RateLimited,
            format!("HighLevel's answer was dropped: {full}."),
        )
        .with_remedy("This call only reads: repeat it after retryAfterMs milliseconds.")
        .with_retry_after(ROOM_AFTER),
    }
}

/// Why there is no head of an answer, and what became of the request.
pub fn unanswered(tool: &Tool, error: &reqwest::Error) -> (Failure, Outcome) {
    if error.is_connect() || was_never_written(error) {
        let mut failure = Failure::new(
            FailureClass::Upstream,
            "HighLevel cannot be reached; nothing was sent.",
        )
        .with_remedy("Check the network and upstream.base_url, then try again.");
        failure.message = Some(innermost(error));
        return (failure, Outcome::Unsent);
    }
    let outcome = if error.is_timeout() {
        Outcome::Final
    } else {
        Outcome::Broken
    };
    (incomplete(tool, error), outcome)
}

/// No answer, or not all of one.
fn incomplete(tool: &Tool, error: &reqwest::Error) -> Failure {
    let what = if error.is_timeout() {
        "HighLevel did not answer in time"
    } else if error.is_decode() && !lost_connection(error) {
        "HighLevel's answer is compressed in a way that cannot be read"
    } else {
        "the connection to HighLevel broke before its answer was complete"
    };
    let class = answered_badly(tool);
    let (sentence, remedy) = match class {
        FailureClass::UnknownOutcome => (
            format!("It is not known whether this happened: {what}."),
            "Read the record to see whether the change is there before you repeat the call.",
        ),
        _ => (
            format!("There is no answer: {what}."),
            "This call only reads, it may be repeated.",
        ),
    };
    Failure::new(class, sentence).with_remedy(remedy)
}

/// The cause that says most: reqwest's own words name only the step that failed.
pub fn innermost(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// hyper gives up requests that wait for a connection which turns out to be closed.
fn was_never_written(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        let hyper = cause.downcast_ref::<hyper::Error>();
        hyper.is_some_and(hyper::Error::is_canceled)
    })
}

/// reqwest calls every fault of a body a decoding fault; those of the connection are hyper's.
fn lost_connection(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<hyper::Error>())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| {
        Error::source(*cause)
    })
}

/// The class of a call that was sent and got no usable answer.
pub fn answered_badly(tool: &Tool) -> FailureClass {
    match tool.effect {
        Effect::Read => FailureClass::Upstream,
        _ => FailureClass::UnknownOutcome,
    }
}

/// A 2xx answer, if it is one: proxies answer 200 with a page of HTML.
pub fn accepted(tool: &Tool, status: u16, body: Vec<u8>, charge: Charge) -> Result<Reply, Failure> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    let reply = |body| Reply {
        status,
        trace_id: None,
        body,
        retries: 0,
        charge,
    };
    if blank && tool.effect != Effect::Read && status == 204 {
        return Ok(reply(r#"{"status":204}"#.to_owned()));
    }
    let what = match String::from_utf8(body) {
        _ if blank => "is empty",
        Err(_) => "is not UTF-8 text",
        Ok(body) => match serde_json::from_str::<IgnoredAny>(&body) {
            // Two operations that write answer `true` or a text; none that reads does.
            Ok(_) if tool.effect == Effect::Read && !is_list_or_object(&body) => {
                "is a single value"
            }
            Ok(_) => return Ok(reply(body)),
            Err(_) if body.starts_with('\u{feff}') => "opens with a byte order mark",
            Err(_) if body.trim_start().starts_with('<') => "is a page of HTML, no JSON",
            Err(error) if error.is_eof() => "is JSON that breaks off",
            Err(_) => "is no JSON",
        },
    };
    let class = answered_badly(tool);
    let mut failure = Failure::new(
        class,
        format!("HighLevel says success, but its answer {what}."),
    )
    .with_remedy(match class {
        FailureClass::UnknownOutcome => "Read the record to see whether the change is there.",
        _ => "Try again; if it stays so, check upstream.base_url and proxies in between.",
    });
    failure.status = Some(status);
    Err(failure)
}

fn is_list_or_object(json: &str) -> bool {
    json.trim_start().starts_with(['{', '['])
}
