//! The requests by which clients find out where to sign in, as each client makes them, and the values that each
//! compares.

use reqwest::Method;
use serde_json::{Value, json};

use super::{URL, ask};
use test_support::server::TestServer;

/// A client with its given address.
struct Client {
    name: &'static str,
    /// The path of that address.
    given: &'static str,
    /// The first request.
    method: Method,
    accept: &'static str,
    body: &'static str,
    resource: Comparison,
    /// Where it looks for the resource's metadata, in this order: the challenge's address, or a path.
    resource_paths: &'static [&'static str],
    /// Where it looks for the server's metadata; each address must work by itself.
    server_paths: &'static [&'static str],
}

/// How a client compares `resource` with its given address.
#[derive(Clone, Copy, Debug)]
enum Comparison {
    Exact,
    /// The given address begins with it.
    Prefix,
}

/// The address in the challenge.
const CHALLENGE: &str = "";

const DISCOVER: &str = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"client","version":"1"}}}"#;
const BOTH: &str = "application/json, text/event-stream";

const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const ROOT: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

#[rustfmt::skip]
const CLIENTS: [Client; 14] = [
    Client { name: "claude.ai", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Exact, resource_paths: &[CHALLENGE, PATH, ROOT], server_paths: &[SERVER, OPENID] },
    Client { name: "claude.ai, the bare address", given: "/", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Prefix, resource_paths: &[CHALLENGE, ROOT], server_paths: &[SERVER, OPENID] },
    Client { name: "Claude Code", given: "/mcp", method: Method::POST, accept: BOTH, body: DISCOVER, resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH], server_paths: &[SERVER] },
    Client { name: "ChatGPT", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH], server_paths: &[SERVER] },
    Client { name: "Codex", given: "/mcp", method: Method::GET, accept: "*/*", body: "", resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH], server_paths: &[SERVER] },
    Client { name: "VS Code", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Exact, resource_paths: &[CHALLENGE, PATH, ROOT], server_paths: &[SERVER, OPENID] },
    Client { name: "VS Code, with a slash", given: "/mcp/", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Exact, resource_paths: &[CHALLENGE], server_paths: &[SERVER] },
    Client { name: "Cursor", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH, ROOT], server_paths: &[SERVER, OPENID, "/.well-known/oauth-authorization-server/mcp"] },
    Client { name: "Gemini", given: "/mcp", method: Method::HEAD, accept: "*/*", body: "", resource: Comparison::Exact, resource_paths: &[CHALLENGE, PATH], server_paths: &[SERVER, OPENID] },
    Client { name: "Gemini, with a slash", given: "/mcp/l/acme/", method: Method::HEAD, accept: "*/*", body: "", resource: Comparison::Exact, resource_paths: &[CHALLENGE], server_paths: &[SERVER] },
    Client { name: "Python", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH, ROOT], server_paths: &[SERVER, OPENID] },
    Client { name: "n8n", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Exact, resource_paths: &[PATH], server_paths: &[SERVER] },
    Client { name: "mcp-remote", given: "/mcp", method: Method::GET, accept: "text/event-stream", body: "", resource: Comparison::Prefix, resource_paths: &[CHALLENGE, PATH], server_paths: &[SERVER] },
    Client { name: "Open WebUI", given: "/mcp", method: Method::POST, accept: BOTH, body: INITIALIZE, resource: Comparison::Prefix, resource_paths: &[CHALLENGE], server_paths: &["/mcp/.well-known/oauth-authorization-server", "/mcp/.well-known/openid-configuration"] },
];

#[tokio::test]
async fn each_client_finds_where_to_sign_in() {
    let variables = [("HIGHLEVEL_MCP_OAUTH_URL", URL)];
    let server = TestServer::start_with("http://127.0.0.1:9", &variables).await;
    for client in &CLIENTS {
        client.check(&server).await;
    }
}

impl Client {
    async fn check(&self, server: &TestServer) {
        let name = self.name;
        let headers = [
            ("accept", self.accept),
            ("content-type", "application/json"),
        ];
        let first = ask(server, self.method.clone(), self.given, &headers, self.body).await;
        assert_eq!(first.status, 401, "{name}");
        let challenge = first.header("www-authenticate");
        let scheme = challenge.get(..7).unwrap_or_default();
        assert!(
            scheme.eq_ignore_ascii_case("bearer "),
            "{name}: {challenge}"
        );
        assert_eq!(parameter(challenge, "scope"), Some("read write"), "{name}");
        let told = parameter(challenge, "resource_metadata").expect("an address");
        let told = told.strip_prefix(URL).expect("an absolute address of ours");
        for path in self.resource_paths {
            let path = if *path == CHALLENGE { told } else { path };
            let metadata = self.document(server, path).await;
            let resource = metadata["resource"].as_str().expect("a resource");
            let given = format!("{URL}{}", self.given);
            match self.resource {
                // A client that asks at the root accepts the whole origin.
                Comparison::Exact if path != ROOT => assert_eq!(resource, given, "{name} {path}"),
                _ => assert!(given.starts_with(resource), "{name} {path}: {resource}"),
            }
            // As exact strings, without a slash: Python and Claude Desktop compare them this way.
            assert_eq!(
                metadata["authorization_servers"],
                json!([URL]),
                "{name} {path}"
            );
        }
        for path in self.server_paths {
            let metadata = self.document(server, path).await;
            assert_eq!(metadata["issuer"], URL, "{name} {path}");
            for (field, guess) in [
                ("authorization_endpoint", "/authorize"),
                ("token_endpoint", "/token"),
                ("registration_endpoint", "/register"),
            ] {
                // The address guessed by a client that reads no metadata.
                assert_eq!(metadata[field], format!("{URL}{guess}"), "{name} {path}");
            }
            let none = &metadata["token_endpoint_auth_methods_supported"][0];
            let documents = &metadata["client_id_metadata_document_supported"];
            // claude.ai sends the address of its document if both are there; LibreChat takes the first method.
            assert_eq!((none, documents), (&json!("none"), &json!(true)), "{name}");
            let challenges = &metadata["code_challenge_methods_supported"];
            assert_eq!(challenges, &json!(["S256"]), "{name}");
            let scopes = metadata["scopes_supported"].as_array().expect("scopes");
            // ChatGPT asks for refresh tokens only if this scope is listed.
            assert!(scopes.contains(&json!("offline_access")), "{name}");
        }
    }

    async fn document(&self, server: &TestServer, path: &str) -> Value {
        let version = [
            ("mcp-protocol-version", "2025-11-25"),
            ("accept", "application/json"),
        ];
        let reply = ask(server, Method::GET, path, &version, "").await;
        assert_eq!(reply.status, 200, "{} {path}", self.name);
        assert_eq!(reply.header("content-type"), "application/json");
        reply.json()
    }
}

/// A quoted parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let start = challenge.find(&format!("{name}=\""))? + name.len() + 2;
    challenge[start..].split('"').next()
}
