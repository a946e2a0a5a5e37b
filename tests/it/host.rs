//! The HTTP interface: access, both generations of the protocol, slow and large requests, the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use test_support::recording::{Recording, json as answer};
use test_support::server::TestServer;
use test_support::until;

async fn server() -> TestServer {
    TestServer::start("http://127.0.0.1:9").await
}

fn ping() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})
}

#[tokio::test]
async fn every_refusal_has_a_status_and_a_remedy() {
    let server = server().await;
    struct Row {
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        status: u16,
        says: &'static str,
    }
    const PIT: (&str, &str) = ("authorization", "Bearer pit-a");
    #[rustfmt::skip]
    let rows = [
        Row { path: "/mcp", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/official", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/official/", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/x/contacts+calendars", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/x/all/", headers: &[PIT], status: 200, says: "" },
        Row { path: "/mcp/x/contacts+nothing", headers: &[PIT], status: 404, says: "there is no toolset nothing; there are ad-manager, " },
        Row { path: "/mcp/x/all", headers: &[], status: 401, says: "Authorization: Bearer pit-" },
        Row { path: "/mcp", headers: &[], status: 401, says: "Authorization: Bearer pit-" },
        Row { path: "/mcp/", headers: &[("authorization", "Bearer sk-1")], status: 401, says: "not a HighLevel token" },
        Row { path: "/mcp", headers: &[PIT, ("locationid", "a b")], status: 400, says: "locationid header" },
        Row { path: "/mcp", headers: &[PIT, ("host", "evil.example")], status: 403, says: "--allowed-host evil.example" },
        Row { path: "/mcp", headers: &[PIT, ("origin", "https://evil.example")], status: 403, says: "--allowed-origin https://evil.example" },
        Row { path: "/elsewhere", headers: &[PIT], status: 404, says: "MCP is at /mcp" },
        Row { path: "/.well-known/oauth-protected-resource", headers: &[], status: 404, says: "it offers no OAuth" },
        Row { path: "/.well-known/oauth-authorization-server/mcp", headers: &[], status: 404, says: "it offers no OAuth" },
        Row { path: "/register", headers: &[], status: 404, says: "it offers no OAuth" },
    ];
    for row in rows {
        let Row {
            path,
            headers,
            status,
            says,
        } = row;
        let mut request = server.post(path).json(&ping());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = request.send().await.expect("a reply");
        assert_eq!(reply.status().as_u16(), status, "{path} {headers:?}");
        let challenge = reply.headers().contains_key("www-authenticate");
        assert_eq!(challenge, status == 401, "{path}");
        let body: Value = reply.json().await.expect("JSON");
        if status != 200 {
            let told = body["error_description"].as_str().expect("a description");
            assert!(told.contains(says), "{path}: {told}");
            assert!(told.matches("did you mean").count() < 2, "{path}: {told}");
        }
    }
    let reply = server.http.get(format!("{}/mcp", server.url));
    let reply = reply.header("authorization", PIT.1).send().await;
    let reply = reply.expect("a reply");
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.headers()["allow"], "POST");
    let body: Value = reply.json().await.expect("JSON");
    let told = body["error_description"].as_str().expect("a description");
    assert!(told.contains("by POST"), "{told}");
    for probe in ["/livez", "/readyz"] {
        let reply = server
            .http
            .get(format!("{}{probe}", server.url))
            .header("host", "10.0.0.7:8100");
        assert_eq!(
            reply.send().await.expect("a reply").status(),
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn both_generations_of_the_protocol_are_spoken() {
    let server = server().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let reply = server.rpc("initialize", params).await;
        assert_eq!(reply["result"]["protocolVersion"], version, "{reply}");
        assert_eq!(reply["result"]["serverInfo"]["name"], "highlevel");
        let instructions = reply["result"]["instructions"]
            .as_str()
            .expect("instructions");
        assert!((1..=2048).contains(&instructions.chars().count()));
    }
    let version = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    });
    for (method, params, at, expected) in [
        (
            "server/discover",
            json!({"_meta": meta}),
            "/cacheScope",
            json!("public"),
        ),
        (
            "tools/list",
            json!({"_meta": meta}),
            "/tools/0/name",
            json!("calendars_get-appointment-notes"),
        ),
        (
            "tools/call",
            json!({"_meta": meta, "name": "contacts_get-contact", "arguments": {}}),
            "/isError",
            json!(true),
        ),
    ] {
        let headers = [
            ("authorization", "Bearer pit-a"),
            ("mcp-protocol-version", version),
            ("mcp-method", method),
            ("mcp-name", "contacts_get-contact"),
        ];
        let headers = if method == "tools/call" {
            &headers[..]
        } else {
            &headers[..3]
        };
        let reply = server.rpc_with(headers, method, params).await;
        assert_eq!(reply["result"].pointer(at), Some(&expected), "{reply}");
    }
    let list = server.rpc("tools/list", json!({})).await;
    assert_eq!(list["result"]["cacheScope"], "public");
    assert_eq!(list["result"]["ttlMs"], 3_600_000);
    assert!(list["result"].get("nextCursor").is_none());
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_that_names_the_nearest() {
    let reply = server()
        .await
        .rpc("tools/call", json!({"name": "contact_get-contact"}))
        .await;
    assert_eq!(reply["error"]["code"], -32602);
    let message = reply["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("did you mean contacts_get-contact?"),
        "{message}"
    );
}

#[tokio::test]
async fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    let server = TestServer::start_with(
        "http://127.0.0.1:9",
        &[("HIGHLEVEL_MCP_SERVER_HEADER_TIMEOUT_MS", "200")],
    )
    .await;
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .expect("written");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused() {
    let server = TestServer::start_with(
        "http://127.0.0.1:9",
        &[("HIGHLEVEL_MCP_SERVER_MAX_BODY_BYTES", "1000")],
    )
    .await;
    let request = server
        .post("/mcp")
        .header("authorization", "Bearer pit-a")
        .body("x".repeat(2000));
    assert_eq!(
        request.send().await.expect("a reply").status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn a_call_under_way_is_finished_before_the_server_stops() {
    let finish = Arc::new(Notify::new());
    let finished = Arc::clone(&finish);
    let highlevel = Recording::start_async(move |_| {
        let finished = Arc::clone(&finished);
        async move {
            finished.notified().await;
            answer(200, r#"{"late":true}"#)
        }
    })
    .await;
    let server = TestServer::start(&highlevel.url).await;
    let request = server
        .post("/mcp")
        .header("authorization", "Bearer pit-a")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "contacts_get-contact", "arguments": {"contactId": "c"}}}));
    let url = server.url.clone();
    let call = tokio::spawn(request.send());
    until("the call is under way", || highlevel.count(|_| true) == 1).await;
    let asked = Instant::now();
    let stopping = tokio::spawn(server.stop());
    // The listener is closed before the call is finished.
    while test_support::server::client()
        .get(format!("{url}/livez"))
        .send()
        .await
        .is_ok()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!stopping.is_finished(), "the call was cut off");
    finish.notify_one();
    stopping.await.expect("stopped");
    assert!(asked.elapsed() < Duration::from_secs(5));
    let reply: Value = call
        .await
        .expect("a call")
        .expect("a reply")
        .json()
        .await
        .expect("JSON");
    assert_eq!(reply["result"]["content"][0]["text"], r#"{"late":true}"#);
}

#[tokio::test]
async fn an_allowed_web_page_may_call() {
    let page = "https://app.example.com";
    let server = TestServer::start_with(
        "http://127.0.0.1:9",
        &[("HIGHLEVEL_MCP_SERVER_ALLOWED_ORIGINS", page)],
    )
    .await;
    let preflight = server
        .http
        .request(reqwest::Method::OPTIONS, format!("{}/mcp", server.url))
        .header("origin", page)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,locationid",
        );
    let reply = preflight.send().await.expect("a reply");
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.headers()["access-control-allow-origin"], page);
    assert_eq!(
        reply.headers()["access-control-allow-headers"],
        "authorization,content-type,locationid"
    );
    let call = server
        .post("/mcp")
        .header("origin", page)
        .header("authorization", "Bearer pit-a")
        .json(&ping());
    let reply = call.send().await.expect("a reply");
    assert_eq!(
        (
            reply.status(),
            &reply.headers()["access-control-allow-origin"]
        ),
        (StatusCode::OK, &page.parse().expect("a value"))
    );
    // The page may read the session id, which it has to send again.
    let exposed = &reply.headers()["access-control-expose-headers"];
    assert_eq!(exposed, "mcp-session-id");
}

/// curl sends `Accept: */*`, which the protocol library would refuse.
#[tokio::test]
async fn any_accept_header_is_taken() {
    let server = server().await;
    for accept in ["*/*", "application/json", "text/event-stream"] {
        let request = server.http.post(format!("{}/mcp", server.url));
        let request = request
            .header("accept", accept)
            .header("authorization", "Bearer pit-a");
        let reply = request.json(&ping()).send().await.expect("a reply");
        assert_eq!(reply.status(), StatusCode::OK, "{accept}");
    }
}

#[tokio::test]
async fn a_toolset_has_an_endpoint_of_its_own() {
    let server = server().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "contacts_get-contact"}});
    let ask = |path: &str, body: &Value| {
        let request = server
            .post(path)
            .header("authorization", "Bearer pit-a")
            .json(body);
        async {
            request
                .send()
                .await
                .expect("a reply")
                .json::<Value>()
                .await
                .expect("JSON")
        }
    };
    let listed = ask("/mcp/x/calendars", &list).await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(59));
    // An endpoint does not call tools that it does not list.
    assert_eq!(
        ask("/mcp/x/calendars", &call).await["error"]["code"],
        -32602
    );
    assert_eq!(
        ask("/mcp/x/contacts", &call).await["result"]["isError"],
        true
    );
}
