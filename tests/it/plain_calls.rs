//! A call in its plain form, which the protocol library does not read, is answered as the library answers it.

use reqwest::header::{CONTENT_TYPE, DATE};
use serde_json::{Value, json};

use test_support::recording::{Recording, json as answer};
use test_support::server::{KEY, TestServer, UNCONFIRMED, VOUCHED};

const ALL: &str = "/mcp/x/all";
const OLD: &[(&str, &str)] = &[("mcp-protocol-version", "2025-06-18")];

/// Endpoint, headers, the text of the id, and the text of the members of the parameters.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Status, headers and body of the answer, and the requests that were sent for it.
type Outcome = (u16, Vec<(String, String)>, String, Vec<(String, Vec<u8>)>);

async fn post(
    server: &TestServer,
    highlevel: &Recording,
    (path, headers): (&str, &[(&str, &str)]),
    frame: &str,
) -> Outcome {
    let mut request = server
        .post(path)
        .header("authorization", "Bearer pit-test")
        .header("locationid", "L0")
        .header("x-access-key", KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.body(frame.to_owned()).send().await;
    let reply = reply.expect("a reply");
    let status = reply.status().as_u16();
    let mut headers: Vec<_> = reply
        .headers()
        .iter()
        .filter(|(name, _)| *name != DATE)
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    headers.sort();
    let body = reply.text().await.expect("text");
    let sent = highlevel.take();
    let sent = sent
        .into_iter()
        .map(|one| (format!("{} {}", one.method, one.target), one.body.to_vec()));
    (status, headers, body, sent.collect())
}

async fn highlevel() -> Recording {
    let long = json!({"contact": {"id": "c1", "name": "Ada \"the first\"\n\u{1}é😀\u{2028}", "notes": "x\\".repeat(600)}});
    Recording::start(move |request| match request.path() {
        "/contacts/c1" => answer(200, long.to_string()),
        "/contacts/gone" => answer(404, r#"{"message":"Contact not found"}"#),
        "/conversations/messages/m1/locations/L0/recording" => {
            let wave = [(CONTENT_TYPE, "audio/x-wav")];
            axum::response::IntoResponse::into_response((wave, vec![0, 159, 146, 150]))
        }
        _ => answer(200, "{}"),
    })
    .await
}

#[tokio::test]
async fn a_plain_call_is_answered_as_the_library_answers_it() {
    let rows: &[Row] = &[
        (
            "/mcp",
            &[],
            "1",
            r#""name":"contacts_get-contact","arguments":{"contactId":"c1"}"#,
        ),
        (
            "/mcp/",
            OLD,
            "-9007199254740993",
            r#""arguments":{"contactId":"c1"},"name":"contacts_get-contact""#,
        ),
        (
            "/mcp",
            &[("mcp-protocol-version", "2024-11-05")],
            r#""a\"\u00e9\u2028😀""#,
            r#""name":"contacts_get-contact","arguments":{"contactId":"gone"}"#,
        ),
        (
            "/mcp",
            &[(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )],
            r#""""#,
            r#""name":"contacts_get-contact""#,
        ),
        (
            "/mcp",
            &[],
            "2",
            r#""name":"contacts_get-contact","arguments":null"#,
        ),
        (
            "/mcp",
            &[],
            "3",
            r#""name":"contacts_get-contact","arguments":{"contactId":7}"#,
        ),
        (
            "/mcp",
            &[],
            "4",
            r#""name":"contacts_get-contcat","arguments":{}"#,
        ),
        (
            "/mcp",
            &[],
            "5",
            r#""name":"contacts_add-tags","arguments":{"contactId":"c1","tags":["vip","\ud83d\ude00"]}"#,
        ),
        (
            "/mcp",
            &[],
            "6",
            r#""name":"contacts_get-contact","arguments":{"contactId":"c1","contactId":"gone"}"#,
        ),
        (
            "/mcp/orchestrator",
            &[],
            "7",
            r#""name":"call_read","arguments":{"operation":"contacts_get-contact","arguments":{"contactId":"c1"},"output":{"fields":["contact.id"]}}"#,
        ),
        (
            ALL,
            &[],
            "8",
            r#""name":"opportunities_update-opportunity","arguments":{"id":"o1","monetaryValue":1.10}"#,
        ),
        (
            ALL,
            &[],
            "9",
            r#""name":"opportunities_update-opportunity","arguments":{"id":"o1","monetaryValue":12345678901234567890.5e-3}"#,
        ),
        (
            ALL,
            &[],
            "10",
            r#""name":"conversations_get-message-recording","arguments":{"messageId":"m1"}"#,
        ),
        (
            "/mcp/nothing",
            &[],
            "11",
            r#""name":"contacts_get-contact","arguments":{"contactId":"c1"}"#,
        ),
    ];
    let highlevel = highlevel().await;
    let server = TestServer::start_with(&highlevel.url, &[UNCONFIRMED, VOUCHED]).await;
    let mut asked = 0;
    for (path, headers, id, params) in rows {
        let frame = |params: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{{params}}}}}"#)
        };
        // Only the library reads a call with `_meta`, even an empty one.
        let library = frame(&format!(r#""_meta":{{}},{params}"#));
        let to = (*path, *headers);
        let expected = post(&server, &highlevel, to, &library).await;
        let found = post(&server, &highlevel, to, &frame(params)).await;
        assert_eq!(found, expected, "{params}");
        asked += found.3.len();
    }
    assert!(asked >= 8, "{asked}");
    server.stop().await;
}

/// Only the library classifies these frames. None may be taken for a call.
#[tokio::test]
async fn requests_that_are_not_plain_calls_are_refused() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"contacts_get-contact","arguments":{"contactId":"c1"}}}"#;
    let highlevel = highlevel().await;
    let server = TestServer::start(&highlevel.url).await;
    let rows: &[(&[(&str, &str)], &str, &str)] = &[
        (&[("mcp-protocol-version", "2031-01-01")], "", ""),
        // The name of a tool is also in a header.
        (&[("mcp-protocol-version", "2026-07-28")], "", ""),
        (OLD, r#""id":1,"#, r#""id":null,"#),
        (OLD, r#""id":1,"#, r#""id":1.5,"#),
        (OLD, r#""id":1,"#, ""),
        (OLD, r#""2.0""#, r#""1.0""#),
        (OLD, "tools/call", "tools/list"),
        (
            OLD,
            r#""arguments":{"contactId":"c1"}"#,
            r#""arguments":[]"#,
        ),
        (OLD, r#""name""#, r#""Name""#),
        (OLD, "}}}", "}}"),
    ];
    for (headers, from, to) in rows {
        let frame = call.replace(from, to);
        let (_, _, body, sent) = post(&server, &highlevel, ("/mcp", headers), &frame).await;
        assert_eq!(sent, [], "{headers:?} {frame}: {body}");
    }
    for method in ["PUT", "GET", "DELETE"] {
        let url = format!("{}/mcp", server.url);
        let method = method.parse().expect("a method");
        let request = server.http.request(method, url).body(call);
        let request = request.header("content-type", "application/json");
        let reply = request.bearer_auth("pit-test").send().await;
        assert_eq!(reply.expect("a reply").status(), 405);
    }
    let text = server.http.post(format!("{}/mcp", server.url)).body(call);
    let reply = text.bearer_auth("pit-test").send().await;
    assert_eq!(reply.expect("a reply").status(), 415);
    assert_eq!(highlevel.take().len(), 0);
    let known: Value = server
        .rpc(
            "tools/call",
            json!({"name": "contacts_get-contact", "arguments": {"contactId": "c1"}}),
        )
        .await;
    assert_eq!(known["result"]["isError"], false, "{known}");
    server.stop().await;
}
