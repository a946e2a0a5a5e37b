//! Reads HighLevel's answers to the end, and accepts only complete ones: JSON, a file, or an empty body where that is
//! an answer.

use std::error::Error;
use std::time::Duration;

use reqwest::Response;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::budget::{Charge, Full};
use crate::catalog::decoding::repaired;
use crate::upstream::content_type::{ContentKind, media_type};
use crate::upstream::failure::{Failure, FailureClass};
use crate::upstream::retry::Outcome;
use tool::{Effect, Tool};

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// HighLevel's own id of the call, if a header has it.
    pub trace_id: Option<String>,
    /// JSON text; for a file, its description.
    pub body: String,
    /// An answer that is not JSON: a recording, an image, a text.
    pub file: Option<UpstreamFile>,
    /// Attempts beyond the first.
    pub retries: u8,
    /// The charge for the body's bytes, released on drop.
    pub charge: Charge,
}

/// An answer of another media type than JSON.
#[derive(Debug)]
pub struct UpstreamFile {
    /// In lower case, without parameters: `audio/x-wav`.
    pub media_type: String,
    pub bytes: Vec<u8>,
    /// The tool that it answers.
    pub operation: &'static str,
}

impl UpstreamFile {
    pub fn is_text(&self) -> bool {
        self.media_type.starts_with("text/")
    }
}

/// The wait before an answer without room is requested again.
const ROOM_AFTER: Duration = Duration::from_secs(1);

/// At most this much is allocated before bytes have arrived, whatever an answer announces.
const MOST_AT_FIRST: usize = 256 * 1024;

/// The decompressed body, up to `most` bytes, charged as they arrive.
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

/// The answer arrived and had no room.
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

/// The reason that an answer has no head, and the fate of the request.
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

/// No answer, or only a part of one.
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

/// The most specific cause: reqwest's own words name only the failed step.
pub fn innermost(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// hyper drops requests that wait for a connection which turns out to be closed.
fn was_never_written(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        let hyper = cause.downcast_ref::<hyper::Error>();
        hyper.is_some_and(hyper::Error::is_canceled)
    })
}

/// reqwest calls every error of a body a decoding error. Those of the connection are hyper's.
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

/// A 2xx answer, if it is genuine: proxies answer 200 with an HTML page. `content_type` is the raw header.
pub fn accepted(
    tool: &Tool,
    status: u16,
    content_type: Option<&str>,
    body: Vec<u8>,
    charge: Charge,
) -> Result<Reply, Failure> {
    let reply = |body, file| Reply {
        status,
        trace_id: None,
        body,
        file,
        retries: 0,
        charge,
    };
    let text = body.trim_ascii();
    let is_blank = text.is_empty() || text == b"null" && tool.may_answer_nothing();
    if is_blank && may_be_empty(tool, status) {
        return Ok(reply(json!({"status": status}).to_string(), None));
    }
    let media_type = media_type(content_type, tool.answers_media());
    if !is_blank && is_file(tool, &media_type, text) {
        let about = json!({"mediaType": media_type, "bytes": body.len()});
        let file = UpstreamFile {
            media_type,
            bytes: body,
            operation: tool.name,
        };
        return Ok(reply(about.to_string(), Some(file)));
    }
    let what = match json_text(body) {
        _ if is_blank => "is empty",
        // Writes may answer `true` or a text; reads only if their document describes no answer.
        Ok(body) if tool.effect != Effect::Read || takes_anything(tool, &body) => {
            return Ok(reply(body, None));
        }
        Ok(_) => "is a single value",
        Err(what) => what,
    };
    let class = answered_badly(tool);
    let mut failure = Failure::new(
        class,
        format!("HighLevel says success, but its answer {what}."),
    )
    .with_remedy(match class {
        FailureClass::UnknownOutcome => "Read the record to see whether the change is there.",
        _ => "Try again. If this happens again, check upstream.base_url and proxies in between.",
    });
    failure.status = Some(status);
    Err(failure)
}

/// Whether an empty body is an answer: the document describes none, or the status says so. A bare 200 in place of JSON
/// may be a proxy's.
fn may_be_empty(tool: &Tool, status: u16) -> bool {
    let is_write = tool.effect != Effect::Read;
    tool.may_answer_nothing()
        || matches!(status, 204 | 205)
        || is_write && matches!(status, 201 | 202)
}

/// Whether the answer of this media type is passed on unchanged. `text` is its body.
fn is_file(tool: &Tool, media_type: &str, text: &[u8]) -> bool {
    match ContentKind::of_media_type(media_type) {
        // Some servers label JSON as another type.
        ContentKind::Text | ContentKind::Binary => {
            tool.answers_media().is_some() || !text.starts_with(b"{") && !text.starts_with(b"[")
        }
        // Node frameworks send a bare text, such as `OK`, as HTML.
        ContentKind::Page => {
            (tool.effect != Effect::Read || tool.answer_media.is_none())
                && media_type == "text/html"
                && !text.starts_with(b"<")
        }
        ContentKind::Json | ContentKind::Unknown => false,
    }
}

/// `body` as JSON, repaired if necessary. Fails with a description of what it is instead.
fn json_text(body: Vec<u8>) -> Result<String, &'static str> {
    let check = |text: &str| serde_json::from_str::<IgnoredAny>(text);
    let text = match String::from_utf8(body) {
        Ok(text) => match check(&text) {
            Ok(_) => return Ok(text),
            Err(_) => text.into_bytes(),
        },
        Err(error) => error.into_bytes(),
    };
    let repaired = repaired(&text);
    match check(&repaired) {
        Ok(_) => Ok(repaired),
        Err(_) if repaired.trim_start().starts_with('<') => Err("is a page of HTML, not JSON"),
        Err(error) if error.is_eof() => Err("is JSON that breaks off"),
        Err(_) => Err("is not JSON"),
    }
}

/// Whether a read may answer `json`.
fn takes_anything(tool: &Tool, json: &str) -> bool {
    tool.answer_media.is_none() || json.trim_start().starts_with(['{', '['])
}
