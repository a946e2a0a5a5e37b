//! Turns the protocol library's text errors into JSON.

use axum::body::{Bytes, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::mcp::{FrameFault, FrameId, FrameRefusal};

const INVALID_REQUEST: i32 = -32600;

/// The library's own errors are one sentence. This limit is ours.
const LONGEST_TEXT: usize = 4096;

/// The beginning of the library's error for a body that is not a request.
const NO_REQUEST: &str = "fail to deserialize request body";

/// `response`, or its text as a JSON-RPC error for the request `body`.
pub(super) async fn in_json(body: &Bytes, response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE);
    let is_json = is_json.is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
    if response.status().is_success() || is_json {
        return response;
    }
    let (mut parts, text) = response.into_parts();
    let text = to_bytes(text, LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let invalid = |message: &str| FrameRefusal {
        ids: FrameId::find(body).into_iter().collect(),
        code: INVALID_REQUEST,
        message: message.trim().to_owned(),
    };
    let refusal = match text.strip_prefix(NO_REQUEST) {
        Some(why) => {
            parts.status = StatusCode::BAD_REQUEST;
            match FrameFault::find(body, why.trim()) {
                FrameFault::Refused(refusal) => refusal,
                FrameFault::Unanswered => invalid(why),
            }
        }
        None => invalid(&text),
    };
    // One request has one answer; several ids belong to a batch.
    let id = match &*refusal.ids {
        [id] => Some(id),
        _ => None,
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut answer = (parts.status, json, refusal.frame(id)).into_response();
    answer.headers_mut().extend(parts.headers);
    answer
}
