//! Requests that no honest client sends. Each gets the right error soon, and the server keeps running.

use std::time::Instant;

use serde_json::{Value, json};

use test_support::recording::{Recording, json as highlevel_answer};
use test_support::server::{KEY, TestServer, VOUCHED};

/// Name, headers, body, HTTP status, and a part of the answer.
type Row = (
    &'static str,
    Vec<(&'static str, &'static str)>,
    String,
    u16,
    &'static str,
);

fn requests() -> Vec<Row> {
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"contacts_get-contact","arguments":{arguments}}}}}"#
        )
    };
    let keys = |number: u32| {
        let keys: Vec<String> = (0..number).map(|key| format!("\"k{key}\":1")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let plain = Vec::new;
    let modern = |method, name| {
        vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
            ("mcp-name", name),
        ]
    };
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    let modern_call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"contacts_get-contact","arguments":{{"contactId":"c"}},{meta}}}}}"#
    );
    vec![
        ("nothing", plain(), String::new(), 400, ""),
        ("no JSON", plain(), "{".to_owned(), 400, ""),
        ("a number", plain(), "1".to_owned(), 400, ""),
        ("an empty batch", plain(), "[]".to_owned(), 400, ""),
        (
            "a batch",
            plain(),
            format!("[{},{}]", call("{}"), call("{}")),
            400,
            "",
        ),
        (
            "no version",
            plain(),
            r#"{"id":1,"method":"ping"}"#.to_owned(),
            400,
            "",
        ),
        (
            "another version",
            plain(),
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_owned(),
            400,
            "",
        ),
        (
            "an id that is not an id",
            plain(),
            r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#.to_owned(),
            400,
            "",
        ),
        (
            "no UTF-8 escape",
            plain(),
            r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.to_owned(),
            400,
            "",
        ),
        (
            "an unknown method",
            plain(),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/destroy"}"#.to_owned(),
            200,
            "-32601",
        ),
        (
            "arguments that are a list",
            plain(),
            call("[]"),
            200,
            "-32602",
        ),
        (
            "100,000 keys",
            plain(),
            call(&keys(100_000)),
            413,
            "more than 20000 values",
        ),
        ("19,000 keys", plain(), call(&keys(19_000)), 200, "k0"),
        (
            "nested 10,000 deep",
            plain(),
            call(&format!(r#"{{"contactId":{}}}"#, nested(10_000))),
            400,
            "",
        ),
        (
            "nested 100 deep",
            plain(),
            call(&format!(r#"{{"contactId":{}}}"#, nested(100))),
            200,
            "contactId",
        ),
        (
            "4 MiB and a byte",
            plain(),
            " ".repeat((4 << 20) + 1),
            413,
            "larger than 4194304",
        ),
        (
            "a version from the future",
            vec![("mcp-protocol-version", "2199-01-01")],
            call("{}"),
            400,
            "",
        ),
        (
            "a method that the body contradicts",
            modern("tools/list", "contacts_get-contact"),
            modern_call.clone(),
            400,
            "",
        ),
        (
            "a name that the body contradicts",
            modern("tools/call", "contacts_delete-contact"),
            modern_call.clone(),
            400,
            "",
        ),
        (
            "a version that the body contradicts",
            vec![
                ("mcp-protocol-version", "2025-06-18"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "contacts_get-contact"),
            ],
            modern_call,
            400,
            "",
        ),
    ]
}

#[tokio::test]
async fn hostile_requests_are_refused_and_never_reach_highlevel() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    let mut wrong = Vec::new();
    for (name, headers, body, status, says) in requests() {
        let mut request = server
            .post("/mcp")
            .header("authorization", "Bearer pit-a")
            .header("x-access-key", KEY)
            .header("locationid", "L0");
        for (header, value) in headers {
            request = request.header(header, value);
        }
        let length = body.len();
        let request = request.body(body);
        let start = Instant::now();
        let reply = request.send().await.expect(name);
        let took = start.elapsed();
        let got = reply.status().as_u16();
        let text = reply.text().await.expect(name);
        let shown: String = text.chars().take(160).collect();
        println!("{name:<38} {length:>8} bytes  {got} in {took:>9.2?}  {shown}");
        if got != status || !text.contains(says) || text.len() > 5_000 {
            wrong.push(format!("{name}: {got} with {} bytes, {shown}", text.len()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(highlevel.take().is_empty());
    assert!(!server.tool_names().await.is_empty(), "the server goes on");
}

/// A key given twice: the checked value is the value that is sent.
#[tokio::test]
async fn of_a_key_given_twice_one_value_is_checked_and_sent() {
    let highlevel = Recording::start(|_| highlevel_answer(200, "{}")).await;
    let server = TestServer::start(&highlevel.url).await;
    for arguments in [
        r#"{"locationId":"L0","locationId":"L1"}"#,
        r#"{"locationId":"L1","locationId":"L0"}"#,
        r#"{"locationId":"L1","location_id":"L0"}"#,
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"contacts_get-contacts","arguments":{arguments}}}}}"#
        );
        let request = server
            .post("/mcp")
            .header("authorization", "Bearer pit-a")
            .header("locationid", "L0");
        let reply = request.body(body).send().await.expect("a reply");
        let text = reply.text().await.expect("text");
        // Whichever value is read, the pinned one is sent or the other one is refused.
        let sent = highlevel.take();
        assert_eq!(
            sent.is_empty(),
            text.contains("\"isError\":true"),
            "{arguments}: {text}"
        );
        for request in sent {
            assert_eq!(request.target, "/contacts/?locationId=L0", "{arguments}");
        }
    }
}

/// A web page that rebinds its name to this machine, and probes of clients after a 401.
#[tokio::test]
async fn foreign_pages_and_probes_get_json_errors() {
    let server = TestServer::start("http://127.0.0.1:9").await;
    for (path, headers, status, error) in [
        ("/mcp", vec![("host", "evil.example")], 403, "forbidden"),
        (
            "/mcp",
            vec![("host", "localhost.evil.example")],
            403,
            "forbidden",
        ),
        (
            "/mcp",
            vec![("host", "127.0.0.1.nip.io:80")],
            403,
            "forbidden",
        ),
        (
            "/mcp",
            vec![("origin", "https://evil.example")],
            403,
            "forbidden",
        ),
        ("/mcp", vec![("origin", "null")], 403, "forbidden"),
        (
            "/register",
            vec![("host", "evil.example")],
            403,
            "forbidden",
        ),
        ("/register", vec![], 404, "not_found"),
        (
            "/.well-known/oauth-protected-resource",
            vec![],
            404,
            "not_found",
        ),
        (
            "/.well-known/oauth-authorization-server/mcp",
            vec![],
            404,
            "not_found",
        ),
        (
            "/.well-known/openid-configuration",
            vec![],
            404,
            "not_found",
        ),
        ("/mcp/%2e%2e/%2e%2e/etc/passwd", vec![], 404, "not_found"),
        (
            "/mcp/x/%00",
            vec![("authorization", "Bearer pit-a")],
            404,
            "not_found",
        ),
    ] {
        let mut request = server
            .post(path)
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
        for (header, value) in headers {
            request = request.header(header, value);
        }
        let reply = request.send().await.expect("a reply");
        let got = reply.status().as_u16();
        let body: Value = reply.json().await.expect("JSON");
        assert_eq!(
            (got, &body["error"]),
            (status, &json!(error)),
            "{path}: {body}"
        );
        assert!(body["error_description"].is_string(), "{path}: {body}");
    }
}
