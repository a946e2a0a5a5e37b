//! Programs that register themselves: their requests, the answers, and how often they may.

use axum::body::Body;
use reqwest::Method;
use serde_json::{Value, json};
use state::clients::{ClientMethod, Clients, MOST_REGISTERED, NewClient};

use super::program::{field, request, send, start};
use super::{Reply, URL};
use test_support::server::TestServer;

/// Gives every request its own address.
const PROXY: (&str, &str) = ("HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES", "127.0.0.1");

async fn post(server: &TestServer, content_type: &str, body: impl Into<Body>) -> Reply {
    let body = axum::body::to_bytes(body.into(), usize::MAX).await;
    let from = format!("192.0.{}.{}", fastrand::u8(..), fastrand::u8(..));
    let request = request(server, Method::POST, "/register")
        .header("content-type", content_type)
        .header("x-forwarded-for", from)
        .body(body.expect("a body"));
    send(request).await
}

async fn register(server: &TestServer, body: &Value) -> Reply {
    post(server, "application/json", body.to_string()).await
}

#[tokio::test]
async fn a_registration_is_answered_with_the_clients_data() {
    let server = start(&[PROXY]).await;
    for (asked, method) in [
        (Value::Null, "none"),
        (json!("none"), "none"),
        (json!("client_secret_basic"), "client_secret_basic"),
        (json!("client_secret_post"), "client_secret_post"),
    ] {
        let redirects = json!([
            "http://localhost:3000/callback",
            "https://client.example/cb"
        ]);
        let body = json!({
            "redirect_uris": redirects,
            "token_endpoint_auth_method": asked,
            "software_statement": {"what": "ever"},
        });
        let reply = register(&server, &body).await;
        assert_eq!(reply.status, 201, "{asked}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        let told = reply.json();
        assert_eq!(told["token_endpoint_auth_method"], method);
        assert_eq!(told["redirect_uris"], redirects);
        assert_eq!(told["response_types"], json!(["code"]));
        let secret = told["client_secret"].as_str();
        assert_eq!(secret.is_some(), method != "none", "{told}");
        let clients = Clients::new(&server.store());
        let known = clients
            .find(&field(&told, "client_id"))
            .await
            .expect("read");
        let known = known.expect("known");
        assert_eq!(known.method.name(), method);
        if let Some(secret) = secret {
            assert_eq!(told["client_secret_expires_at"], 0);
            let is_right = clients
                .is_secret(&known.id, &secret.to_owned().into())
                .await;
            assert_eq!(is_right, Ok(true));
            for end in ["db", "db-wal"] {
                let path = server.store().path().expect("a file").with_extension(end);
                let file = std::fs::read(path).expect("read");
                let is_there = file
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!is_there, "the secret stands in {end}");
            }
        }
    }
}

/// Each as the client sends it: one refused address would keep the client out.
#[tokio::test]
async fn clients_register_all_their_redirects() {
    let server = start(&[PROXY]).await;
    for redirects in [
        &[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "http://localhost:8787/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
        ][..],
        &[
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        &[
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ],
        &["https://oauth.n8n.cloud/oauth2/callback"],
        &["http://[::1]/callback"],
    ] {
        let body = json!({
            "client_name": "A client",
            "redirect_uris": redirects,
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let reply = register(&server, &body).await;
        assert_eq!(reply.status, 201, "{redirects:?}: {}", reply.text());
        assert_eq!(reply.json()["redirect_uris"], json!(redirects));
    }
}

#[tokio::test]
async fn wrong_registrations_are_refused() {
    let server = start(&[]).await;
    let long = format!("https://client.example/{}", "a".repeat(16 << 10));
    let many: Vec<String> = (0..11)
        .map(|one| format!("https://a.example/{one}"))
        .collect();
    let redirects = |all: Value| json!({"redirect_uris": all}).to_string();
    let (redirect, metadata) = ("invalid_redirect_uri", "invalid_client_metadata");
    let mut rows = vec![
        ("application/json", redirects(json!(null)), 400, redirect),
        ("application/json", redirects(json!([])), 400, redirect),
        ("application/json", redirects(json!(many)), 400, redirect),
        ("application/json", redirects(json!([long])), 413, "invalid_request"),
        ("application/json", "{".to_owned(), 400, metadata),
        ("application/json", "[]".to_owned(), 400, metadata),
        ("application/json", String::new(), 400, metadata),
        ("text/plain", redirects(json!(["https://a.example/cb"])), 400, metadata),
        ("", redirects(json!(["https://a.example/cb"])), 400, metadata),
        (
            "application/json",
            json!({"redirect_uris": ["https://a.example/cb"], "grant_types": ["implicit"]}).to_string(),
            400,
            metadata,
        ),
        (
            "application/json",
            json!({"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "private_key_jwt"})
                .to_string(),
            400,
            metadata,
        ),
    ];
    for bad in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "\tjavascript:alert(1)",
        "\u{0}javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://a.example/x",
        "http://a.example/cb",
        "http://localhost.evil.com/cb",
        "http://127.0.0.1.nip.io/cb",
        "https://a.example/cb#x",
        "https://me@a.example/cb",
        "/cb",
        "",
    ] {
        rows.push(("application/json", redirects(json!([bad])), 400, redirect));
    }
    for (content_type, body, status, error) in rows {
        let shown = body.chars().take(100).collect::<String>();
        let reply = post(&server, content_type, body).await;
        assert_eq!(reply.status, status, "{shown}: {}", reply.text());
        let told = reply.json();
        assert_eq!(told["error"], error, "{shown}");
        assert!(!field(&told, "error_description").is_empty(), "{shown}");
        assert_eq!(reply.header("cache-control"), "no-store", "{shown}");
    }
    let all = Clients::new(&server.store()).list().await.expect("read");
    assert!(all.is_empty(), "{all:?}");
}

#[tokio::test]
async fn an_address_registers_five_in_a_minute_and_others_do_not_wait_for_it() {
    let server = start(&[PROXY]).await;
    let body = json!({"redirect_uris": ["https://a.example/cb"]}).to_string();
    let from = async |address: &str| {
        let request = request(&server, Method::POST, "/register")
            .header("content-type", "application/json")
            .header("x-forwarded-for", address)
            .body(body.clone());
        send(request).await
    };
    for number in 0..8 {
        let reply = from("192.0.2.1").await;
        let expected = if number < 5 { 201 } else { 429 };
        assert_eq!(reply.status, expected, "{number}");
        if expected == 429 {
            let wait = reply.header("retry-after").parse::<u64>().expect("seconds");
            assert!((1..=13).contains(&wait), "{wait}");
            assert_eq!(reply.json()["error"], "temporarily_unavailable");
        }
    }
    assert_eq!(from("192.0.2.2").await.status, 201);
}

/// No registration expires in the meantime, so the next client has to wait.
#[tokio::test]
async fn as_many_clients_register_as_may_be() {
    let server = start(&[]).await;
    let clients = Clients::new(&server.store());
    let new = NewClient {
        name: String::new(),
        redirects: Vec::new(),
        method: ClientMethod::None,
    };
    let all: Vec<_> = (0..MOST_REGISTERED)
        .map(|_| clients.register(new.clone()))
        .collect();
    for one in all {
        assert!(one.await.expect("written").is_some());
    }
    let reply = register(&server, &json!({"redirect_uris": ["https://a.example/cb"]})).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(reply.header("retry-after"), "901");
}

#[tokio::test]
async fn without_registration_the_path_and_the_metadata_offer_none() {
    for register_by in ["documents", "static"] {
        let server = start(&[("HIGHLEVEL_MCP_OAUTH_REGISTER", register_by)]).await;
        let reply = register(&server, &json!({"redirect_uris": ["https://a.example/cb"]})).await;
        assert_eq!(reply.status, 404, "{register_by}");
        assert_eq!(reply.json()["error"], "not_found");
        let metadata = request(
            &server,
            Method::GET,
            "/.well-known/oauth-authorization-server",
        );
        let metadata = send(metadata).await.json();
        assert_eq!(metadata["issuer"], URL);
        assert_eq!(
            metadata["registration_endpoint"],
            Value::Null,
            "{register_by}"
        );
    }
}

/// Programs in pages of any origin, without a cookie.
#[tokio::test]
async fn pages_of_any_origin_may_call() {
    let server = start(&[]).await;
    for path in ["/register", "/token", "/revoke"] {
        for origin in ["https://inspector.example", "null"] {
            let asked = request(&server, Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "content-type, authorization",
                );
            let reply = send(asked).await;
            assert_eq!(reply.status, 200, "{path}");
            assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
            assert_eq!(
                reply.header("access-control-allow-methods"),
                "POST",
                "{path}"
            );
            let headers = reply.header("access-control-allow-headers");
            assert!(headers.contains("authorization"), "{path}: {headers}");
            assert_eq!(
                reply.header("access-control-allow-credentials"),
                "",
                "{path}"
            );
            let refused = request(&server, Method::POST, path).header("origin", origin);
            let refused = send(refused.body("{")).await;
            assert_eq!(refused.status, 400, "{path}: {}", refused.text());
            assert_eq!(refused.header("access-control-allow-origin"), "*", "{path}");
        }
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let reply = send(request(&server, method.clone(), path)).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), "POST", "{method} {path}");
            assert_eq!(reply.json()["error"], "invalid_request", "{method} {path}");
        }
    }
}
