//! Clients' replies for answers that are not plain JSON objects: cut texts, odd numbers, files, empty bodies, lists of
//! writes.

mod files;
mod objects;
mod unreadable;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use test_support::recording::Recording;
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

/// The endpoint that lists every tool by its own name.
const PLAIN: &str = "/mcp/x/all";
const CALLS: &str = "/mcp/orchestrator";
const LEGACY: &str = "/mcp/legacy";
const COMPAT: &str = "/mcp/compat";

const READ: &str = "contacts_get-contact";
const LIST: &str = "contacts_get-contacts";
const WRITE: &str = "contacts_create-contact";
/// The document of this operation describes a success without a body.
const EMPTY_READ: &str = "conversations_get-all-custom-subtypes";
const EMPTY_WRITE: &str = "conversations_update-custom-subtype";
const RECORDING: &str = "conversations_get-message-recording";
const TRANSCRIPT: &str = "conversations_download-message-transcription";

/// A server in front of a HighLevel that answers every request in this way.
async fn before(
    status: u16,
    content_type: Option<&'static str>,
    body: impl Into<Vec<u8>>,
) -> (TestServer, Recording) {
    let body = body.into();
    let highlevel = Recording::start(move |_| response(status, content_type, body.clone())).await;
    // These tests are about bodies, not about fences.
    let unmarked = ("HIGHLEVEL_MCP_TOOLS_MARK_STRANGERS_TEXT", "off");
    let settings = [UNCONFIRMED, VOUCHED, unmarked];
    let server = TestServer::start_with(&highlevel.url, &settings).await;
    (server, highlevel)
}

fn response(status: u16, content_type: Option<&'static str>, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.remove("content-type");
    if let Some(content_type) = content_type {
        headers.insert("content-type", content_type.parse().expect("a value"));
    }
    response
}

fn arguments(tool: &str) -> Value {
    match tool {
        READ => json!({"contactId": "c1"}),
        WRITE => json!({"email": "a@example.com"}),
        EMPTY_WRITE => json!({"id": "s1", "name": "n"}),
        RECORDING | TRANSCRIPT => json!({"messageId": "m1"}),
        _ => json!({}),
    }
}

/// Calls an operation on one of the surfaces. Returns the content blocks, and whether it is an error.
async fn called(
    server: &mut TestServer,
    path: &'static str,
    tool: &str,
    output: Option<Value>,
) -> (Vec<Value>, bool) {
    server.path = path;
    let arguments = arguments(tool);
    let (name, arguments) = match path {
        CALLS => {
            let call = if [WRITE, EMPTY_WRITE].contains(&tool) {
                "call_write"
            } else {
                "call_read"
            };
            let mut given = json!({"operation": tool, "arguments": arguments});
            if let Some(output) = output {
                given["output"] = output;
            }
            (call, given)
        }
        COMPAT => {
            let place = if tool == READ { "path" } else { "body" };
            let params = json!({place: arguments});
            let given = json!({"operationId": tool, "params": params, "idempotencyKey": fastrand::u64(..).to_string()});
            ("execute_operation", given)
        }
        _ => (tool, arguments),
    };
    let params = json!({"name": name, "arguments": arguments});
    let reply = server.rpc("tools/call", params).await;
    let result = &reply["result"];
    let content = result["content"].as_array();
    let content = content.unwrap_or_else(|| panic!("{name}: {reply}"));
    (content.clone(), result["isError"] == true)
}

/// The text of an answer whose only other text block may be the note besides CSV.
fn only_text((content, is_error): (Vec<Value>, bool)) -> (String, bool) {
    let is_text = |block: &&Value| block["type"] == "text";
    let [block, beside @ ..] = content.as_slice() else {
        panic!("no block");
    };
    assert!(beside.len() <= 1 && content.iter().all(|one| is_text(&one)));
    let text = block["text"].as_str().expect("a text");
    (text.to_owned(), is_error)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
