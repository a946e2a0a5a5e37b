//! The replies to clients when HighLevel refuses, fails or answers with something other than JSON.

use std::io::Write;
use std::time::Duration;

use axum::response::IntoResponse;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use test_support::recording::{Recording, json as answer};
use test_support::server::{TestServer, VOUCHED};
use test_support::until;
use test_support::wire::{Step, Wire, send, whole};

/// A call that HighLevel refuses.
struct Refusal {
    tool: &'static str,
    arguments: Value,
    status: u16,
    message: &'static str,
    /// The class that clients see.
    class: &'static str,
}

/// One refusal for each tool.
#[rustfmt::skip]
fn refusals() -> Vec<Refusal> {
    let scope = "The token is not authorized for this scope.";
    let contact = json!({"contactId": "c1"});
    let window =
        json!({"calendarId": "a", "startTime": "1769850000000", "endTime": "1769936400000"});
    vec![
        Refusal { tool: "calendars_get-appointment-notes", arguments: json!({"appointmentId": "a"}),
            status: 401, message: scope, class: "scope" },
        Refusal { tool: "calendars_get-calendar-events", arguments: window,
            status: 422, message: "startTime must be a number string", class: "invalid" },
        Refusal { tool: "contacts_add-tags", arguments: json!({"contactId": "c1", "tags": ["a"]}),
            status: 400, message: "Contact not found for id:c1", class: "not_found" },
        Refusal { tool: "contacts_create-contact", arguments: json!({"email": "a@example.com"}),
            status: 400, message: "This location does not allow duplicated contacts.", class: "duplicate" },
        Refusal { tool: "contacts_get-all-tasks", arguments: contact.clone(),
            status: 401, message: "Invalid JWT", class: "auth" },
        Refusal { tool: "contacts_get-contact", arguments: contact,
            status: 401, message: "Token's user type mismatch!", class: "token_class" },
        Refusal { tool: "contacts_get-contacts", arguments: json!({}),
            status: 403, message: "The token does not have access to this location.", class: "location" },
        Refusal { tool: "contacts_remove-tags", arguments: json!({"contactId": "c1", "tags": ["a"]}),
            status: 500, message: "Internal server error", class: "unknown_outcome" },
        Refusal { tool: "contacts_update-contact", arguments: json!({"contactId": "c1", "city": "Rome"}),
            status: 422, message: "property x should not exist", class: "invalid" },
        Refusal { tool: "contacts_upsert-contact", arguments: json!({"phone": "+15550100"}),
            status: 429, message: "Too many requests", class: "rate_limited" },
        Refusal { tool: "conversations_get-messages", arguments: json!({"conversationId": "a"}),
            status: 404, message: "Conversation not found", class: "not_found" },
        Refusal { tool: "conversations_search-conversation", arguments: json!({}),
            status: 401, message: "This authClass type is not allowed to access this scope.", class: "token_class" },
        Refusal { tool: "conversations_send-a-new-message", arguments: json!({"type": "SMS", "contactId": "c1", "message": "m"}),
            status: 400, message: "Cannot send message as DND is active for SMS.", class: "dnd" },
        Refusal { tool: "locations_get-custom-fields", arguments: json!({}),
            status: 401, message: "version header was not found.", class: "upstream" },
        Refusal { tool: "locations_get-location", arguments: json!({}),
            status: 401, message: "This route is not yet supported by the IAM Service.", class: "refused" },
        Refusal { tool: "opportunities_get-opportunity", arguments: json!({"id": "o"}),
            status: 400, message: "Opportunity not found", class: "not_found" },
        Refusal { tool: "opportunities_get-pipelines", arguments: json!({}),
            status: 500, message: "Internal server error", class: "upstream" },
        Refusal { tool: "opportunities_search-opportunity", arguments: json!({}),
            status: 401, message: scope, class: "scope" },
        Refusal { tool: "opportunities_update-opportunity", arguments: json!({"id": "o", "status": "won"}),
            status: 503, message: "", class: "unknown_outcome" },
        Refusal { tool: "payments_get-order-by-id", arguments: json!({"orderId": "o"}),
            status: 422, message: "altType should not be empty", class: "invalid" },
        Refusal { tool: "payments_list-transactions", arguments: json!({}),
            status: 403, message: "Forbidden resource", class: "refused" },
    ]
}

#[tokio::test]
async fn every_official_tool_passes_on_a_refusal_with_its_cause() {
    let listed: Vec<&str> = refusals().iter().map(|row| row.tool).collect();
    let tools: Vec<&str> = highlevel_mcp::catalog::TOOLS
        .iter()
        .filter(|tool| tool.toolsets.contains(&"official"))
        .map(|tool| tool.name)
        .collect();
    assert_eq!(listed, tools, "a row for every official tool");
    for row in refusals() {
        let Refusal {
            tool,
            arguments,
            status,
            message,
            class,
        } = row;
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
async fn an_answer_without_json_is_an_error_that_names_its_kind() {
    let html = "<html>Just a moment</html>";
    let cases = [
        (
            whole("200 OK", "content-type: text/html\r\n", html),
            "is a page of HTML",
        ),
        (whole("200 OK", "", ""), "is empty"),
        (whole("200 OK", "", "  \n"), "is empty"),
        (whole("200 OK", "", "{\"a\": [1, 2"), "breaks off"),
        (whole("200 OK", "", "{\"a\": nope}"), "is not JSON"),
        (whole("200 OK", "", b"{\"a\": \"\xff\""), "breaks off"),
        (
            whole("200 OK", "content-type: text/html\r\n", html),
            "is a page of HTML",
        ),
        (whole("200 OK", "", ""), "is empty"),
        (whole("200 OK", "", "  \n"), "is empty"),
        (whole("200 OK", "", "{\"a\": [1, 2"), "breaks off"),
        (whole("200 OK", "", "{\"a\": nope}"), "is not JSON"),
        (
            whole("200 OK", "content-encoding: gzip\r\n", "not gzip"),
            "compressed in a way",
        ),
    ];
    for (step, part) in cases {
        let wire = Wire::start(move |_| vec![step.clone(), Step::Close]).await;
        check(&wire.url, READ, "upstream", part).await;
        let part = match part {
            "compressed in a way" => part,
            _ => "success, but its answer",
        };
        check(&wire.url, WRITE, "unknown_outcome", part).await;
    }
    let cut_off = send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\":");
    let wire = Wire::start(move |_| vec![cut_off.clone(), Step::Close]).await;
    check(&wire.url, READ, "upstream", "broke before").await;
    check(&wire.url, WRITE, "unknown_outcome", "broke before").await;
    let wire = Wire::start(|_| vec![Step::Close]).await;
    check(&wire.url, WRITE, "unknown_outcome", "broke before").await;
}

#[tokio::test]
async fn silence_distance_and_redirects_are_told_apart() {
    let silent = Wire::start(|_| vec![Step::Pause(Duration::from_secs(60))]).await;
    let url = silent.url.clone();
    check(&url, READ, "upstream", "did not answer in time").await;
    check(&url, WRITE, "unknown_outcome", "did not answer in time").await;
    silent.stop().await;
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

    // 10 MB in 10 KB of gzip: the limit applies to the decompressed answer.
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
    let highlevel = Wire::start(|_| vec![Step::Pause(Duration::from_secs(60))]).await;
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    let call = tokio::spawn({
        let request = server
            .post("/mcp")
            .header("authorization", "Bearer pit-test")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": READ, "arguments": arguments(READ)}}));
        request.send()
    });
    until("the request left", || highlevel.requests() == 1).await;
    call.abort();
    until("the server hangs up", || highlevel.open() == 0).await;
}
