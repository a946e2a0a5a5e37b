//! The host decides. At every host except the address for sign-in, clients that send a credential in a header notice no
//! change.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOST, URL, ask};
use test_support::recording::Recording;
use test_support::server::TestServer;

const HEADER_HOST: &str = "keys.example.test";

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn server(highlevel: &str) -> TestServer {
    let variables = [
        ("HIGHLEVEL_MCP_OAUTH_URL", URL),
        ("HIGHLEVEL_MCP_OAUTH_HEADER_HOST", HEADER_HOST),
    ];
    TestServer::start_with(highlevel, &variables).await
}

#[tokio::test]
async fn elsewhere_nothing_leads_to_a_sign_in() {
    let server = server("http://127.0.0.1:9").await;
    for host in [HEADER_HOST, "localhost:8100", "127.0.0.1", "[::1]:8100"] {
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/mcp",
            "/.well-known/openid-configuration",
            "/register",
            "/authorize",
            "/token",
            "/revoke",
            "/console",
            "/",
        ] {
            for method in [Method::GET, Method::POST] {
                let headers = [("host", host), ("accept", "*/*")];
                let reply = ask(&server, method.clone(), path, &headers, PING).await;
                assert_eq!(reply.status, 404, "{host} {method} {path}");
                assert_eq!(reply.json()["error"], "not_found", "{host} {path}");
                if path.starts_with("/.well-known/") || path == "/register" {
                    let said = reply.json()["error_description"].to_string();
                    let there = format!("Sign in at https://{HOST}/mcp.");
                    assert!(said.contains(&there), "{host} {path}: {said}");
                }
            }
        }
        for method in [Method::POST, Method::GET, Method::DELETE, Method::HEAD] {
            let reply = ask(&server, method.clone(), "/mcp", &[("host", host)], PING).await;
            assert_eq!(reply.status, 401, "{host} {method}");
            let challenge = reply.header("www-authenticate");
            assert!(
                !challenge.contains("resource_metadata"),
                "{host}: {challenge}"
            );
            assert!(
                challenge.starts_with("Bearer realm="),
                "{host}: {challenge}"
            );
        }
    }
}

/// The pages that exist only at that address.
#[tokio::test]
async fn people_sign_in_at_the_address_for_it() {
    let server = server("http://127.0.0.1:9").await;
    for path in ["/authorize", "/console", "/console/first", "/"] {
        let headers = [("accept", "text/html")];
        let reply = ask(&server, Method::GET, path, &headers, "").await;
        assert_ne!(reply.status, 404, "{path}");
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
}

/// The requests of clients that HighLevel's own page explains, with a token and a location in headers.
#[tokio::test]
async fn clients_that_send_a_token_in_a_header_go_on() {
    struct Client {
        name: &'static str,
        protocol: &'static str,
        /// Before and beside the calls: GET for a stream, and a request for metadata.
        looks: &'static [(Method, &'static str, u16)],
        headers: &'static [(&'static str, &'static str)],
    }
    const STREAM: (Method, &str, u16) = (Method::GET, "/mcp", 405);
    const METADATA: (Method, &str, u16) = (
        Method::GET,
        "/.well-known/oauth-protected-resource/mcp",
        404,
    );
    #[rustfmt::skip]
    let clients = [
        Client { name: "n8n", protocol: "2025-03-26", looks: &[], headers: &[("locationId", "L0")] },
        Client { name: "LangGraph", protocol: "2025-06-18", looks: &[STREAM], headers: &[("locationId", "L0")] },
        Client { name: "Cursor", protocol: "2025-06-18", looks: &[METADATA, STREAM], headers: &[("locationId", "L0"), ("user-agent", "Cursor/1.0")] },
    ];
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c1"}}"#).await;
    let server = server(&highlevel.url).await;
    for client in &clients {
        for host in [HEADER_HOST, "localhost:8100"] {
            let name = client.name;
            let mut headers = vec![
                ("host", host),
                ("authorization", "Bearer pit-of-a-client"),
                ("accept", "application/json, text/event-stream"),
                ("content-type", "application/json"),
            ];
            headers.extend(client.headers);
            let rpc = async |body: Value| {
                let body = body.to_string().leak();
                ask(&server, Method::POST, "/mcp", &headers, body).await
            };
            for (method, path, status) in client.looks {
                let reply = ask(&server, method.clone(), path, &headers, "").await;
                assert_eq!(reply.status, *status, "{name} {host} {path}");
            }
            let begun = rpc(json!({
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {"protocolVersion": client.protocol, "capabilities": {}, "clientInfo": {"name": name, "version": "1"}},
            }))
            .await
            .json();
            assert_eq!(
                begun["result"]["protocolVersion"], client.protocol,
                "{name}"
            );
            let ready = rpc(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
            assert_eq!(ready.status, 202, "{name} {host}");
            let list = rpc(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
                .await
                .json();
            let tools = list["result"]["tools"].as_array().expect("tools");
            assert!(tools.len() >= 21, "{name} {host}");
            let call = json!({"name": "contacts_get-contact", "arguments": {"contactId": "c1"}});
            let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call});
            let answer = rpc(call).await.json();
            assert_ne!(answer["result"]["isError"], true, "{name} {host}: {answer}");
            let sent = highlevel.take();
            let [sent] = &sent[..] else {
                panic!("{name} {host}: {} requests", sent.len());
            };
            assert_eq!(sent.path(), "/contacts/c1", "{name} {host}");
            assert_eq!(sent.token(), "pit-of-a-client", "{name} {host}");
        }
    }
}

#[tokio::test]
async fn pages_of_others_call_only_where_people_sign_in() {
    let server = server("http://127.0.0.1:9").await;
    const PAGE: &str = "https://inspector.example";
    for (host, method, path, origin, status) in [
        (HOST, Method::POST, "/mcp", PAGE, 401),
        (
            HOST,
            Method::GET,
            "/.well-known/oauth-authorization-server",
            PAGE,
            200,
        ),
        (HOST, Method::POST, "/mcp", "null", 401),
        (HOST, Method::GET, "/console", PAGE, 403),
        (HOST, Method::POST, "/authorize/decide", PAGE, 403),
        (HOST, Method::POST, "/authorize/decide", "null", 403),
        (HEADER_HOST, Method::POST, "/mcp", PAGE, 403),
        (
            HEADER_HOST,
            Method::GET,
            "/.well-known/oauth-authorization-server",
            PAGE,
            403,
        ),
        ("localhost", Method::POST, "/mcp", PAGE, 403),
    ] {
        let headers = [("host", host), ("origin", origin)];
        let reply = ask(&server, method, path, &headers, PING).await;
        assert_eq!(reply.status, status, "{host} {path} {origin}");
    }
    // A page of the server itself, even if a proxy left the port out of the host.
    let variables = [("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.test:8443")];
    let server = TestServer::start_with("http://127.0.0.1:9", &variables).await;
    let own = [("origin", "https://mcp.example.test:8443")];
    let reply = ask(&server, Method::POST, "/authorize/decide", &own, "").await;
    assert_ne!(reply.status, 403);
}

#[tokio::test]
async fn origins_that_the_settings_name_are_the_only_ones() {
    let variables = [
        ("HIGHLEVEL_MCP_OAUTH_URL", URL),
        (
            "HIGHLEVEL_MCP_SERVER_ALLOWED_ORIGINS",
            "https://app.example",
        ),
    ];
    let server = TestServer::start_with("http://127.0.0.1:9", &variables).await;
    for (origin, status) in [
        ("https://app.example", 401),
        (URL, 401),
        ("https://other.example", 403),
    ] {
        let reply = ask(&server, Method::POST, "/mcp", &[("origin", origin)], PING).await;
        assert_eq!(reply.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_person_who_opens_the_address_gets_a_page() {
    let server = server("http://127.0.0.1:9").await;
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (method, accept, status) in [
        (Method::GET, BROWSER, 200),
        (Method::HEAD, BROWSER, 200),
        (Method::GET, "*/*", 401),
        (Method::GET, "text/event-stream", 401),
        (Method::GET, "application/json", 401),
        (Method::POST, BROWSER, 401),
    ] {
        let reply = ask(&server, method.clone(), "/", &[("accept", accept)], "").await;
        assert_eq!(reply.status, status, "{method} {accept}");
        let is_page = reply.header("content-type").starts_with("text/html");
        assert_eq!(is_page, status == 200, "{method} {accept}");
    }
    let page = ask(&server, Method::GET, "/", &[("accept", BROWSER)], "").await;
    let text = String::from_utf8_lossy(&page.body);
    assert!(
        text.contains(&format!("{URL}/mcp")) && text.contains("href=\"/console\""),
        "{text}"
    );
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
}
