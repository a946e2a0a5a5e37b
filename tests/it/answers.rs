//! What clients get when HighLevel refuses, fails or answers with something else than JSON.

use std::io::Write;
use std::time::Duration;

use axum::response::IntoResponse;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use test_support::recording::{Recording, json as answer};
use test_support::server::{TestServer, VOUCHED};

/// Each tool once: arguments, HighLevel's status and message, the class that clients see.
fn refusals() -> Vec<(&'static str, Value, u16, &'static str, &'static str)> {
    let scope = "The token is not authorized for this scope.";
    let contact = json!({"contactId": "c1"});
    let window = json!({"calendarId": "a", "startTime": "1", "endTime": "2"});
    vec![
        (
            "calendars_get-appointment-notes",
            json!({"appointmentId": "a"}),
            401,
            scope,
            "scope",
        ),
        (
            "calendars_get-calendar-events",
            window,
            422,
            "startTime must be a number string",
            "invalid",
        ),
        (
            "contacts_add-tags",
            json!({"contactId": "c1", "tags": ["a"]}),
            400,
            "Contact not found for id:c1",
            "not_found",
        ),
        (
            "contacts_create-contact",
            json!({"email": "a@example.com"}),
            400,
            "This location does not allow duplicated contacts.",
            "duplicate",
        ),
        (
            "contacts_get-all-tasks",
            contact.clone(),
            401,
            "Invalid JWT",
            "auth",
        ),
        (
            "contacts_get-contact",
            contact,
            401,
            "Token's user type mismatch!",
            "token_class",
        ),
        (
            "contacts_get-contacts",
            json!({}),
            403,
            "The token does not have access to this location.",
            "location",
        ),
        (
            "contacts_remove-tags",
            json!({"contactId": "c1", "tags": ["a"]}),
            500,
            "Internal server error",
            "unknown_outcome",
        ),
        (
            "contacts_update-contact",
            json!({"contactId": "c1", "city": "Rome"}),
            422,
            "property x should not exist",
            "invalid",
        ),
        (
            "contacts_upsert-contact",
            json!({"phone": "+15550100"}),
            429,
            "Too many requests",
            "rate_limited",
        ),
        (
            "conversations_get-messages",
            json!({"conversationId": "a"}),
            404,
            "Conversation not found",
            "not_found",
        ),
        (
            "conversations_search-conversation",
            json!({}),
            401,
            "This authClass type is not allowed to access this scope.",
            "token_class",
        ),
        (
            "conversations_send-a-new-message",
            json!({"type": "SMS", "contactId": "c1", "message": "m"}),
            400,
            "Cannot send message as DND is active for SMS.",
            "dnd",
        ),
        (
            "locations_get-custom-fields",
            json!({}),
            401,
            "version header was not found.",
            "upstream",
        ),
        (
            "locations_get-location",
            json!({}),
            401,
            "This route is not yet supported by the IAM Service.",
            "refused",
        ),
        (
            "opportunities_get-opportunity",
            json!({"id": "o"}),
            400,
            "Opportunity not found",
            "not_found",
        ),
        (
            "opportunities_get-pipelines",
            json!({}),
            500,
            "Internal server error",
            "upstream",
        ),
        (
            "opportunities_search-opportunity",
            json!({}),
            401,
            scope,
            "scope",
        ),
        (
            "opportunities_update-opportunity",
            json!({"id": "o", "status": "won"}),
            503,
            "",
            "unknown_outcome",
        ),
        (
            "payments_get-order-by-id",
            json!({"orderId": "o"}),
            422,
            "altType should not be empty",
            "invalid",
        ),
        (
            "payments_list-transactions",
            json!({}),
            403,
            "Forbidden resource",
            "refused",
        ),
    ]
}

#[tokio::test]
async fn every_official_tool_passes_on_a_refusal_with_its_cause() {
    let listed: Vec<&str> = refusals().iter().map(|row| row.0).collect();
    let tools: Vec<&str> = highlevel_mcp::catalog::TOOLS
        .iter()
        .filter(|tool| tool.toolsets.contains(&"official"))
        .map(|tool| tool.name)
        .collect();
    assert_eq!(listed, tools, "a row for every official tool");
    for (tool, arguments, status, message, class) in refusals() {
        let body = json!({"statusCode": status, "message": message, "traceId": "t-1"}).to_string();
        let highlevel = Recording::start(move |_| answer(status, body.clone())).await;
        let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
        let (text, is_error) = server.call(tool, arguments).await;
        assert!(is_error, "{tool}: {text}");
        assert!(text.starts_with("{\"error\":\""), "{tool}: {text}");
        let failure: Value = serde_json::from_str(&text).expect(tool);
        assert_eq!(failure["class"], class, "{tool}: {text}");
        assert_eq!(
            (&failure["status"], &failure["traceId"]),
            (&json!(status), &json!("t-1")),
            "{tool}"
        );
        assert_eq!(failure["message"], message, "{tool}");
        assert!(failure["remedy"].is_string(), "{tool}: {text}");
        assert_eq!(
            highlevel.take().len(),
            1,
            "{tool} is sent once, never again"
        );
    }
}

const READ: &str = "contacts_get-contact";
const WRITE: &str = "contacts_add-tags";

fn arguments(tool: &str) -> Value {
    match tool {
        READ => json!({"contactId": "c1"}),
        _ => json!({"contactId": "c1", "tags": ["a"]}),
    }
}

/// A HighLevel that writes these bytes and hangs up; for what no HTTP library would send.
async fn raw(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&bytes).await;
        }
    });
    url
}

fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn check(url: &str, tool: &str, class: &str, part: &str) {
    let server = TestServer::start_with(
        url,
        &[("HIGHLEVEL_MCP_UPSTREAM_TOTAL_TIMEOUT_MS", "1500"), VOUCHED],
    )
    .await;
    let (text, is_error) = server.call(tool, arguments(tool)).await;
    let failure: Value = serde_json::from_str(&text).expect("JSON");
    assert!(is_error && failure["class"] == class, "{class}: {text}");
    let sentence = failure["error"].as_str().expect("a sentence");
    assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
}

#[tokio::test]
async fn what_is_no_json_is_an_error_that_says_what_it_is() {
    let html = response("content-type: text/html\r\n", b"<html>Just a moment</html>");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (html, "is a page of HTML"),
        (response("", b""), "is empty"),
        (response("", b"  \n"), "is empty"),
        (response("", b"{\"a\": [1, 2"), "breaks off"),
        (response("", b"{\"a\": nope}"), "is no JSON"),
        (response("", b"{\"a\": \"\xff\"}"), "is not UTF-8"),
        (
            response("content-encoding: gzip\r\n", b"not gzip"),
            "compressed in a way",
        ),
    ];
    for (bytes, part) in cases {
        let url = raw(bytes).await;
        check(&url, READ, "upstream", part).await;
        check(
            &url,
            WRITE,
            "unknown_outcome",
            if part.starts_with("compressed") {
                part
            } else {
                "success, but its answer"
            },
        )
        .await;
    }
    let mut cut_off = response("", b"{\"a\": 1}");
    cut_off.truncate(cut_off.len() - 3);
    let url = raw(cut_off).await;
    check(&url, READ, "upstream", "broke before").await;
    check(&url, WRITE, "unknown_outcome", "broke before").await;
    let url = raw(Vec::new()).await;
    check(&url, WRITE, "unknown_outcome", "broke before").await;
}

#[tokio::test]
async fn silence_distance_and_redirects_are_told_apart() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    check(&url, READ, "upstream", "did not answer in time").await;
    check(&url, WRITE, "unknown_outcome", "did not answer in time").await;
    drop(silent);
    check(&url, READ, "upstream", "cannot be reached").await;
    check(
        &url,
        WRITE,
        "upstream",
        "cannot be reached; nothing was sent",
    )
    .await;

    let elsewhere = Recording::always(200, "{}").await;
    let target = format!("{}/stolen", elsewhere.url);
    let highlevel = Recording::start(move |_| {
        let location = [("location", target.clone())];
        (axum::http::StatusCode::TEMPORARY_REDIRECT, location).into_response()
    })
    .await;
    check(
        &highlevel.url,
        READ,
        "upstream",
        "redirects this call to 127.0.0.1",
    )
    .await;
    assert!(
        elsewhere.take().is_empty(),
        "a redirect was followed, with the token"
    );
}

#[tokio::test]
async fn answers_beyond_the_limits_are_cut_at_a_row_or_refused() {
    let limits = [
        ("HIGHLEVEL_MCP_UPSTREAM_MAX_RESPONSE_BYTES", "100000"),
        ("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "4000"),
    ];
    let rows: Vec<Value> = (0..100)
        .map(|id| json!({"id": id, "text": "x".repeat(90)}))
        .collect();
    let body = json!({"contacts": rows, "meta": {"total": 100}}).to_string();
    let highlevel = Recording::start(move |_| answer(200, body.clone())).await;
    let server = TestServer::start_with(&highlevel.url, &limits).await;
    let (text, is_error) = server.call("contacts_get-contacts", json!({})).await;
    assert!(!is_error && text.len() <= 4000, "{text}");
    let shaped: Value = serde_json::from_str(&text).expect("JSON");
    let shown = shaped["contacts"].as_array().expect("rows").len();
    assert_eq!(
        (&shaped["_cut"]["shown"], &shaped["_cut"]["of"]),
        (&json!(shown), &json!(100))
    );

    // 10 MB in 10 KB of gzip: the limit is on what comes out.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(json!({"a": "x".repeat(10_000_000)}).to_string().as_bytes())
        .expect("written");
    let bomb = gzip.finish().expect("compressed");
    assert!(bomb.len() < 20_000);
    let highlevel =
        Recording::start(move |_| ([("content-encoding", "gzip")], bomb.clone()).into_response())
            .await;
    let server = TestServer::start_with(&highlevel.url, &limits).await;
    let (text, is_error) = server.call("contacts_get-contacts", json!({})).await;
    assert!(
        is_error && text.contains("larger than 100000 bytes"),
        "{text}"
    );
}

/// Closing the connection ends the call to HighLevel.
#[tokio::test]
async fn the_call_ends_when_the_client_goes_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (arrived, arrival) = oneshot::channel();
    let (closed, closing) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.expect("a request");
        arrived.send(read).expect("someone waits");
        // Ends when the server hangs up.
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        closed.send(()).expect("someone waits");
    });
    let server = TestServer::start_with(&url, &[VOUCHED]).await;
    let call = tokio::spawn({
        let request = server
            .post("/mcp")
            .header("authorization", "Bearer pit-test")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": READ, "arguments": arguments(READ)}}));
        request.send()
    });
    arrival.await.expect("the request left");
    call.abort();
    let closing = tokio::time::timeout(Duration::from_secs(5), closing).await;
    assert!(
        closing.is_ok(),
        "HighLevel still waits for a client that is gone"
    );
}
