//! The two documents of discovery and the challenge: fields, addresses, hosts, web pages.

use reqwest::Method;
use serde_json::{Value, json};

use super::{HOST, Reply, URL, ask};
use test_support::server::TestServer;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn server(variables: &[(&str, &str)]) -> TestServer {
    let url = [("HIGHLEVEL_MCP_OAUTH_URL", URL)];
    let variables: Vec<_> = url.iter().chain(variables).copied().collect();
    TestServer::start_with("http://127.0.0.1:9", &variables).await
}

async fn get(server: &TestServer, path: &str) -> Reply {
    ask(server, Method::GET, path, &[], "").await
}

#[tokio::test]
async fn the_metadata_lists_the_features_of_the_authorization_server() {
    const SETTING: &str = "HIGHLEVEL_MCP_OAUTH_REGISTER";
    for (register, endpoint, takes_documents) in [
        ("open", json!(format!("{URL}/register")), true),
        ("documents", Value::Null, true),
        ("static", Value::Null, false),
    ] {
        let server = server(&[(SETTING, register)]).await;
        let reply = get(&server, "/.well-known/oauth-authorization-server").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "max-age=300");
        let methods = json!(["none", "client_secret_post", "client_secret_basic"]);
        let mut expected = json!({
            "issuer": URL,
            "authorization_endpoint": format!("{URL}/authorize"),
            "token_endpoint": format!("{URL}/token"),
            "revocation_endpoint": format!("{URL}/revoke"),
            "scopes_supported": ["read", "write", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": takes_documents,
            "authorization_response_iss_parameter_supported": true,
        });
        if !endpoint.is_null() {
            expected["registration_endpoint"] = endpoint;
        }
        assert_eq!(reply.json(), expected, "{register}");
    }
}

#[tokio::test]
async fn every_endpoint_has_its_metadata_at_its_path() {
    let server = server(&[]).await;
    for (path, expected) in [
        ("", Some("")),
        ("/", Some("")),
        ("/mcp", Some("/mcp")),
        ("/mcp/", Some("/mcp/")),
        ("/mcp/official", Some("/mcp/official")),
        ("/mcp/official/readonly/", Some("/mcp/official/readonly/")),
        (
            "/mcp/x/contacts+calendars",
            Some("/mcp/x/contacts+calendars"),
        ),
        (
            "/mcp/x/contacts%2Bcalendars",
            Some("/mcp/x/contacts%2Bcalendars"),
        ),
        // No location has this alias, and nobody is told so.
        ("/mcp/l/acme", Some("/mcp/l/acme")),
        ("/mcp/l/acme/official/", Some("/mcp/l/acme/official/")),
        ("/mcp/x/contacts+nothing", None),
        ("/mcp/l/acme/nothing", None),
        ("/mcp/nothing", None),
        ("/mcp-x", None),
        ("/mcpx/official", None),
        ("/console", None),
        ("x", None),
    ] {
        let asked = format!("/.well-known/oauth-protected-resource{path}");
        let reply = get(&server, &asked).await;
        let Some(expected) = expected else {
            assert_eq!(reply.status, 404, "{path}");
            assert_eq!(reply.json()["error"], "not_found", "{path}");
            continue;
        };
        let expected = json!({
            "resource": format!("{URL}{expected}"),
            "authorization_servers": [URL],
            "scopes_supported": ["read", "write"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(reply.json(), expected, "{path}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "max-age=300");
    }
}

#[tokio::test]
async fn other_addresses_of_the_metadata_give_the_same_bytes() {
    let server = server(&[]).await;
    let metadata = get(&server, "/.well-known/oauth-authorization-server").await;
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/oauth-authorization-server/mcp/",
        "/.well-known/openid-configuration/mcp",
        "/.well-known/openid-configuration/mcp/l/acme/official",
        "/mcp/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
    ] {
        let reply = get(&server, path).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body),
            (200, &metadata.body),
            "{path}"
        );
    }
    let resource = get(&server, "/.well-known/oauth-protected-resource/mcp").await;
    let behind = get(&server, "/mcp/.well-known/oauth-protected-resource").await;
    assert_eq!(behind.body, resource.body);
    for path in [
        "/.well-known/oauth-authorization-server/nothing",
        "/.well-known/openid-configuration/console",
        "/mcp/.well-known/nothing",
    ] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    let head = ask(
        &server,
        Method::HEAD,
        "/.well-known/oauth-protected-resource/mcp",
        &[],
        "",
    )
    .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let length = resource.body.len().to_string();
    assert_eq!(head.header("content-length"), length);
    let post = ask(
        &server,
        Method::POST,
        "/.well-known/oauth-authorization-server",
        &[],
        "",
    )
    .await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn a_401_says_where_to_sign_in_before_anything_else() {
    let server = server(&[]).await;
    let methods = [
        Method::POST,
        Method::GET,
        Method::HEAD,
        Method::DELETE,
        Method::PUT,
    ];
    for method in methods {
        for (path, metadata) in [
            ("/mcp", "/mcp"),
            ("/mcp/", "/mcp/"),
            ("/mcp/official", "/mcp/official"),
            (
                "/mcp/l/acme/x/contacts%2Bcalendars",
                "/mcp/l/acme/x/contacts%2Bcalendars",
            ),
            ("/mcp/nothing", "/mcp/nothing"),
            ("/", ""),
        ] {
            let headers = [("accept", "*/*"), ("locationid", "not an id")];
            let reply = ask(&server, method.clone(), path, &headers, "no JSON").await;
            assert_eq!(reply.status, 401, "{method} {path}");
            let expected = format!(
                "Bearer resource_metadata=\"{URL}/.well-known/oauth-protected-resource{metadata}\", scope=\"read write\""
            );
            assert_eq!(
                reply.header("www-authenticate"),
                expected,
                "{method} {path}"
            );
        }
    }
    // A wrong credential that was sent is named; a missing one is not.
    for shown in ["Bearer hla_made-up", "Bearer sk-1", "Bearer hlk_a_b"] {
        let reply = ask(
            &server,
            Method::POST,
            "/mcp",
            &[("authorization", shown)],
            PING,
        )
        .await;
        assert_eq!(reply.status, 401, "{shown}");
        let challenge = reply.header("www-authenticate");
        assert!(
            challenge.contains("/oauth-protected-resource/mcp\""),
            "{challenge}"
        );
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert!(challenge.contains("error_description=\""), "{challenge}");
        assert!(!challenge.contains("made-up"), "{challenge}");
    }
}

#[tokio::test]
async fn host_headers_change_nothing_in_the_metadata() {
    let server = server(&[("HIGHLEVEL_MCP_SERVER_TLS", "proxy")]).await;
    let paths = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
    ];
    for path in paths {
        let plain = get(&server, path).await;
        for headers in [
            &[("host", "MCP.example.test")][..],
            &[("host", "mcp.example.test:443")],
            &[("host", "mcp.example.test:8100")],
            &[
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "http"),
            ],
            &[("x-forwarded-port", "8443"), ("x-forwarded-prefix", "/x")],
            &[("forwarded", "host=evil.example;proto=http")],
            &[
                ("x-original-host", "evil.example"),
                ("x-host", "evil.example"),
            ],
            &[("origin", "https://evil.example")],
        ] {
            let reply = ask(&server, Method::GET, path, headers, "").await;
            assert_eq!(
                (reply.status.as_u16(), &reply.body),
                (200, &plain.body),
                "{headers:?}"
            );
        }
        for host in [
            "evil.example",
            "mcp.example.test.evil.example",
            "localhost.evil.com",
        ] {
            let reply = ask(&server, Method::GET, path, &[("host", host)], "").await;
            assert_eq!(reply.status, 403, "{host}");
            assert!(
                !String::from_utf8_lossy(&reply.body).contains(URL),
                "{host}"
            );
        }
        let both = [("host", HOST), ("host", "evil.example")];
        assert_eq!(ask(&server, Method::GET, path, &both, "").await.status, 400);
    }
    let forged = [("x-forwarded-host", "evil.example")];
    let reply = ask(&server, Method::POST, "/mcp", &forged, PING).await;
    let challenge = reply.header("www-authenticate");
    assert!(
        challenge.contains(URL) && !challenge.contains("evil"),
        "{challenge}"
    );
}

#[tokio::test]
async fn web_pages_may_read_what_no_cookie_guards() {
    let server = server(&[]).await;
    const PAGE: (&str, &str) = ("origin", "https://inspector.example");
    for (path, method, wanted) in [
        (
            "/.well-known/oauth-protected-resource/mcp",
            "GET",
            "mcp-protocol-version",
        ),
        (
            "/.well-known/oauth-authorization-server",
            "GET",
            "mcp-protocol-version",
        ),
        (
            "/mcp",
            "POST",
            "authorization,content-type,mcp-protocol-version",
        ),
        ("/mcp/l/acme", "DELETE", "authorization"),
        ("/", "GET", "authorization"),
    ] {
        let asked = [
            PAGE,
            ("access-control-request-method", method),
            ("access-control-request-headers", wanted),
        ];
        let reply = ask(&server, Method::OPTIONS, path, &asked, "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        let methods = reply.header("access-control-allow-methods");
        assert!(
            methods.split(',').any(|one| one == method),
            "{path}: {methods}"
        );
        assert_eq!(
            reply.header("access-control-allow-headers"),
            wanted,
            "{path}"
        );
        assert_eq!(
            reply.header("access-control-allow-credentials"),
            "",
            "{path}"
        );
    }
    let refused = ask(&server, Method::POST, "/mcp", &[PAGE], PING).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    let exposed = refused.header("access-control-expose-headers");
    for name in ["www-authenticate", "mcp-session-id"] {
        assert!(exposed.split(',').any(|one| one == name), "{exposed}");
    }
    let metadata = ask(
        &server,
        Method::GET,
        "/.well-known/oauth-authorization-server",
        &[PAGE],
        "",
    )
    .await;
    assert_eq!(metadata.header("access-control-allow-origin"), "*");
}

/// Without `oauth.url` none of this exists.
#[tokio::test]
async fn without_an_address_there_is_no_oauth() {
    let server = TestServer::start("http://127.0.0.1:9").await;
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/register",
    ] {
        let reply = ask(&server, Method::GET, path, &[("host", "localhost")], "").await;
        assert_eq!(reply.status, 404, "{path}");
        let said = reply.json()["error_description"].to_string();
        assert!(said.contains("it offers no OAuth"), "{path}: {said}");
    }
    for (path, status) in [("/mcp", 401), ("/", 404)] {
        let reply = ask(&server, Method::POST, path, &[("host", "localhost")], PING).await;
        assert_eq!(reply.status, status, "{path}");
        assert!(
            !reply
                .header("www-authenticate")
                .contains("resource_metadata")
        );
    }
}
