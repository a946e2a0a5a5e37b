//! Findings of the protocol's conformance suite: pages of the server itself, an invalid handshake, unknown cursors.

use serde_json::{Value, json};

use test_support::recording::Recording;
use test_support::server::TestServer;

const MODERN: &str = "2026-07-28";

fn handshake() -> Value {
    json!({"protocolVersion": MODERN, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// The status of an answer, and the code of its error. 0 is a result.
async fn ask(
    server: &TestServer,
    headers: &[(&str, &str)],
    method: &str,
    params: Value,
) -> (u16, i64) {
    let mut request = server
        .post("/mcp")
        .header("authorization", "Bearer pit-test")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.send().await.expect("a reply");
    let status = reply.status().as_u16();
    let reply: Value = reply.json().await.expect("JSON");
    (status, reply["error"]["code"].as_i64().unwrap_or(0))
}

#[tokio::test]
async fn pages_of_the_server_itself_are_served_and_others_are_not() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start(&highlevel.url).await;
    let (_, port) = server.url.rsplit_once(':').expect("a port");
    let own = format!("http://127.0.0.1:{port}");
    let named = format!("http://localhost:{port}");
    let foreign = format!("http://evil.example:{port}");
    for (origin, expected) in [
        (own.as_str(), 200),
        (&named, 200),
        ("http://127.0.0.1:1", 403),
        ("http://evil.example", 403),
        (&foreign, 403),
        ("null", 403),
    ] {
        let (status, _) = ask(&server, &[("origin", origin)], "tools/list", json!({})).await;
        assert_eq!(status, expected, "{origin}");
    }
    // A name that was rebound to this server, whose page has the same origin.
    let host = foreign.trim_start_matches("http://");
    let rebound = [("host", host), ("origin", foreign.as_str())];
    let (status, _) = ask(&server, &rebound, "tools/list", json!({})).await;
    assert_eq!(status, 403);
    server.stop().await;
}

#[tokio::test]
async fn a_stateless_request_has_no_handshake() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start(&highlevel.url).await;
    let mut whole = handshake();
    whole["_meta"] = meta();
    for (method, params) in [
        ("initialize", json!({"_meta": meta()})),
        ("initialize", whole),
        ("ping", json!({"_meta": meta()})),
    ] {
        let headers = [("mcp-protocol-version", MODERN), ("mcp-method", method)];
        let found = ask(&server, &headers, method, params.clone()).await;
        assert_eq!(found, (404, -32601), "{method} {params}");
    }
    // A handshake of the versions that have one, whatever version it requests.
    let found = ask(&server, &[], "initialize", handshake()).await;
    assert_eq!(found, (200, 0));
    server.stop().await;
}

#[tokio::test]
async fn a_cursor_that_was_never_given_is_refused() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start(&highlevel.url).await;
    let modern = [
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/list"),
    ];
    for (headers, params, expected) in [
        (&[][..], json!({"cursor": "page-2"}), (200, -32602)),
        (&[], json!({}), (200, 0)),
        (&[], json!({"cursor": null}), (200, 0)),
        (&[], json!({"cursor": ""}), (200, 0)),
        (
            &modern,
            json!({"cursor": "page-2", "_meta": meta()}),
            (200, -32602),
        ),
        (&modern, json!({"_meta": meta()}), (200, 0)),
    ] {
        let found = ask(&server, headers, "tools/list", params.clone()).await;
        assert_eq!(found, expected, "{params}");
    }
    server.stop().await;
}
