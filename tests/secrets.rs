//! Tokens and keys in all of the server's output, with full logging in every library: none may be found.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "secrets/sign_in.rs"]
mod sign_in;

use std::io::Write;
use std::sync::{Arc, Mutex};

use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::upstream::caller::Credential;
use highlevel_mcp::upstream::{Caller, LocationBinding, TenantId};
use serde_json::json;
use test_support::recording::{Recording, json as answer};
use test_support::server::TestServer;
use tracing_subscriber::fmt::MakeWriter;

const CLIENT: &str = "pit-canary-client-5f0c";
const OAUTH: &str = "eyJjYW5hcnkiOjF9.eyJjYW5hcnkiOiJvYXV0aC04YjFkIn0.canary-signature-77aa";
const OWN: &str = "pit-canary-own-93be";
const KEY: &str = "canary-access-key-2d4e-7f1b";
const SECRETS: [&str; 5] = [CLIENT, OAUTH, "canary-signature-77aa", OWN, KEY];

/// All logged text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn check(place: &str, text: &str) {
    check_for(&SECRETS, place, text);
}

fn check_for(secrets: &[&str], place: &str, text: &str) {
    for secret in secrets {
        if let Some(at) = text.find(secret) {
            let around: String = text[..at].chars().rev().take(200).collect();
            let around: String = around.chars().rev().collect();
            panic!("{place} holds {secret} after: {around}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_anything_the_server_says() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    // HighLevel repeats the token in every possible way.
    let highlevel = Recording::start(|request| {
        let token = request.header("authorization").unwrap_or_default().replace("Bearer ", "");
        let status = request.target.split("status=").nth(1).and_then(|status| status[..3].parse().ok());
        let status = status.unwrap_or(if request.target.contains("ok") { 200 } else { 401 });
        let mut answer = match status {
            200 => answer(200, "{}"),
            500 => answer(500, format!("<html><title>{token}</title></html>")),
            status => answer(status, json!({"message": [format!("Invalid JWT {token}")], "error": token, "traceId": token}).to_string()),
        };
        answer.headers_mut().insert("x-trace-id", token.parse().expect("a header"));
        answer
    })
    .await;
    let settings = [
        ("HIGHLEVEL_TOKEN", OWN),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
        ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", KEY),
    ];
    let server = TestServer::start_with(&highlevel.url, &settings).await;
    let gone = TestServer::start_with("http://127.0.0.1:9", &settings).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let (client, oauth, key) = (bearer(CLIENT), bearer(OAUTH), bearer(KEY));
    let callers: [&[(&str, &str)]; 6] = [
        &[("authorization", &client)],
        &[("authorization", &client), ("locationid", "L0")],
        &[("authorization", &oauth), ("locationid", "L0")],
        &[("authorization", &key)],
        &[("x-access-key", KEY)],
        &[("x-forwarded-for", "1.2.3.4"), ("authorization", &client)],
    ];
    for headers in callers {
        // The protocol's library answers it, and logs; it sees no call in its plain form.
        let listed = server.rpc_with(headers, "tools/list", json!({})).await;
        check("a list", &listed.to_string());
        for (tool, arguments) in [
            ("contacts_get-contact", json!({"contactId": "ok"})),
            ("contacts_get-contact", json!({"contactId": "c1"})),
            ("contacts_get-contacts", json!({"query": "status=500"})),
            ("contacts_get-contacts", json!({"query": "status=429"})),
            ("contacts_create-contact", json!({"email": "a@example.com"})),
            ("contacts_create-contact", json!({"nothing": 1})),
            ("contacts_get-contacts", json!({"locationId": "another"})),
        ] {
            for server in [&server, &gone] {
                let params = json!({"name": tool, "arguments": arguments});
                let reply = server.rpc_with(headers, "tools/call", params).await;
                check("an answer", &reply.to_string());
            }
        }
    }
    for (header, value) in [
        ("authorization", format!("Bearer {CLIENT} and more")),
        ("authorization", format!("Basic {CLIENT}")),
        ("authorization", format!("Bearer {KEY}x")),
        ("x-access-key", format!("{KEY}x")),
        ("locationid", "a b".to_owned()),
    ] {
        let reply = server
            .post("/mcp")
            .header(header, value)
            .body("{")
            .send()
            .await
            .expect("a reply");
        check("a refusal", &format!("{:?}", reply.headers()));
        check("a refusal", &reply.text().await.expect("text"));
    }
    let variables = settings
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_sources(&Flags::default(), variables).expect("settings");
    check("the settings", &format!("{config:#?}"));
    for token in [CLIENT, OAUTH] {
        let caller = Caller {
            credential: Credential::parse(token).expect("a token"),
            location: TenantId::parse("L0").map(LocationBinding::Pin),
            company: TenantId::parse("C0"),
            configured: None,
            home: None,
        };
        check("a caller", &format!("{caller:#?}"));
        let panicked = tokio::spawn(async move { panic!("{caller:?}") }).await;
        check(
            "a panic",
            &format!("{:?}", panicked.err().map(|error| error.to_string())),
        );
    }
    let sent = highlevel.take();
    assert!(
        sent.iter()
            .any(|request| request.header("authorization") == Some(&client))
    );
    assert!(
        sent.iter()
            .all(|request| !format!("{request:?}").contains(KEY)),
        "the key stays here"
    );
    let mut tokens = sign_in::use_tokens(&highlevel.url).await;
    tokens.extend(sign_in::use_pages(&highlevel.url).await);
    let log = log.0.lock().expect("the lock");
    let log = String::from_utf8_lossy(&log);
    println!(
        "{} lines of log at TRACE, from {} libraries, without a secret",
        log.lines().count(),
        libraries(&log)
    );
    assert!(
        log.contains("TRACE hyper") && log.contains("rmcp::"),
        "the libraries log nothing"
    );
    check("the log", &log);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    assert!(log.contains("a client got tokens"), "nothing of signing in");
    check_for(&tokens, "the log", &log);
}

fn libraries(log: &str) -> usize {
    let targets = log
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.split("::").next());
    targets.collect::<std::collections::BTreeSet<_>>().len()
}
