//! Gives clients JSON where the protocol library answers with a line of text.

use axum::body::{Bytes, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::IgnoredAny;
use serde_json::json;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;

/// The library's own words are a sentence; its limit is ours.
const LONGEST_TEXT: usize = 4096;

/// How the library begins where the body is no request.
const NO_REQUEST: &str = "fail to deserialize request body";

/// `response`, or what it says as a JSON-RPC error to the request `body`.
pub(super) async fn in_json(body: &Bytes, response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE);
    let is_json = is_json.is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
    if response.status().is_success() || is_json {
        return response;
    }
    let (mut parts, text) = response.into_parts();
    let text = to_bytes(text, LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (code, message) = match text.strip_prefix(NO_REQUEST) {
        Some(why) => {
            parts.status = StatusCode::BAD_REQUEST;
            not_a_request(body, why.trim())
        }
        None => (INVALID_REQUEST, text.trim().to_owned()),
    };
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut answer = (parts.status, axum::Json(error)).into_response();
    answer.headers_mut().extend(parts.headers);
    answer
}

fn not_a_request(body: &[u8], why: &str) -> (i32, String) {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(error) => (PARSE_ERROR, format!("The request is no JSON: {error}.")),
        Ok(_) if first == Some(&b'[') => {
            let what = "The protocol has no batches; send one request at a time.";
            (INVALID_REQUEST, what.to_owned())
        }
        Ok(_) => {
            let what = format!("This is no JSON-RPC 2.0 request: {why}.");
            (INVALID_REQUEST, what)
        }
    }
}
