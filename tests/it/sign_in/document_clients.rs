//! Clients whose id is the address of a document: the documents accepted at `/authorize`, and their redirect addresses.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;
use state::clients::{Clients, PutDocument};

use super::program::sql;
use super::{Reply, URL, ask};
use test_support::server::TestServer;

/// Pinned, so that nothing is fetched.
const PINNED: &str = "https://client.example/client.json";

/// Its name resolves to this computer, which is not a public address, so it can never be fetched.
const UNREACHABLE: &str = "https://localhost:1/client.json";

/// In milliseconds.
const MINUTE: i64 = 60 * 1_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A server with `PINNED`, whose document names `http://localhost/callback`.
async fn server(variables: &[(&str, &str)]) -> (TestServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let document = json!({
        "client_id": PINNED,
        "client_name": "Pinned",
        "redirect_uris": ["http://localhost/callback", "https://client.example/callback"],
    });
    fs::write(folder.path().join("client.json"), document.to_string()).expect("a file");
    let path = folder.path().to_str().expect("UTF-8");
    let own = [
        ("HIGHLEVEL_MCP_OAUTH_URL", URL),
        ("HIGHLEVEL_MCP_OAUTH_PINNED_DOCUMENTS", path),
    ];
    let variables: Vec<_> = own.iter().chain(variables).copied().collect();
    let server = TestServer::start_with("http://127.0.0.1:9", &variables).await;
    (server, folder)
}

/// Stores a copy as an earlier fetch would have, fresh for `hours` from now.
async fn keep(server: &TestServer, id: &str, redirect: &str, hours: i64) {
    let copy = PutDocument {
        id: id.to_owned(),
        name: "Copy".to_owned(),
        redirects: vec![redirect.to_owned()],
        document: "{}".to_owned(),
        fresh_until: Timestamp::now() + SignedDuration::from_hours(hours),
    };
    let kept = Clients::new(&server.store()).put_document(copy).await;
    kept.expect("a copy");
}

async fn authorize(server: &TestServer, id: &str, redirect: &str) -> Reply {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", redirect),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
        ("state", "s1"),
    ]);
    let path = format!("/authorize?{}", query.finish());
    ask(server, Method::GET, &path, &[], "").await
}

/// A page that shows the client, or one that names the fault. It never redirects to an address without a voucher.
async fn check(server: &TestServer, id: &str, redirect: &str, status: u16, part: &str) {
    let reply = authorize(server, id, redirect).await;
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{id} {redirect}: {text}");
    assert_eq!(reply.header("location"), "", "{id} {redirect}");
    assert!(
        text.contains(part),
        "{id} {redirect}: no {part:?} in {text}"
    );
}

#[tokio::test]
async fn a_documents_redirects_are_taken_up_to_a_port_of_this_computer() {
    let (server, _folder) = server(&[]).await;
    for (redirect, status) in [
        ("http://localhost/callback", 200),
        ("http://localhost:51789/callback", 200),
        ("https://client.example/callback", 200),
        ("http://localhost:51789/callback/", 400),
        ("http://localhost:51789/callback?x=1", 400),
        ("http://127.0.0.1:51789/callback", 400),
        ("http://localhost.evil.com:51789/callback", 400),
        ("http://localhost:51789@evil.example/callback", 400),
        ("https://client.example:8443/callback", 400),
        ("https://CLIENT.example/callback", 400),
        ("https://evil.example/callback", 400),
        ("javascript:alert(1)", 400),
    ] {
        let part = if status == 200 {
            "Pinned"
        } else {
            "has not registered"
        };
        check(&server, PINNED, redirect, status, part).await;
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_had_leaves_its_last_copy_or_a_page() {
    let (server, _folder) = server(&[]).await;
    let redirect = "https://copy.example/callback";
    check(&server, UNREACHABLE, redirect, 400, "localhost").await;
    keep(&server, UNREACHABLE, redirect, -1).await;
    check(&server, UNREACHABLE, redirect, 200, "Copy").await;
    for id in [
        "https://127.0.0.1/client.json",
        "https://[::1]/client.json",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost:1/client.json",
        "https://localhost:1/a/../client.json",
        "https://me@localhost:1/client.json",
    ] {
        check(&server, id, redirect, 400, "cannot be connected").await;
    }
}

/// A document that cannot be fetched leaves its copy for thirty days after the last fetch, and no longer.
#[tokio::test]
async fn a_copy_of_a_document_is_used_for_thirty_days() {
    let (server, _folder) = server(&[]).await;
    let redirect = "https://copy.example/callback";
    for (name, age, status, part) in [
        ("a minute before", 30 * DAY - MINUTE, 200, "Copy"),
        ("a minute after", 30 * DAY + MINUTE, 400, "localhost"),
        ("fetched again", 0, 200, "Copy"),
        ("years", 3_000 * DAY, 400, "localhost"),
    ] {
        keep(&server, UNREACHABLE, redirect, -1).await;
        let aged = format!("UPDATE client SET fetched_at = fetched_at - {age}");
        sql(&server, &aged).await;
        println!("{name}");
        check(&server, UNREACHABLE, redirect, status, part).await;
    }
}

#[tokio::test]
async fn a_pin_is_taken_before_a_copy_that_is_fresh() {
    let (server, _folder) = server(&[]).await;
    let before = "https://client.example/before";
    keep(&server, PINNED, before, 24).await;
    check(&server, PINNED, before, 400, "has not registered").await;
    check(
        &server,
        PINNED,
        "http://localhost:4000/callback",
        200,
        "Pinned",
    )
    .await;
}

#[tokio::test]
async fn the_settings_say_whether_documents_count() {
    const SETTING: &str = "HIGHLEVEL_MCP_OAUTH_REGISTER";
    let redirect = "http://localhost:4000/callback";
    for (register, status) in [("open", 200), ("documents", 200), ("static", 400)] {
        let (server, _folder) = server(&[(SETTING, register)]).await;
        let part = if status == 200 {
            "Pinned"
        } else {
            "does not know the program"
        };
        check(&server, PINNED, redirect, status, part).await;
    }
}

#[tokio::test]
async fn a_blocked_client_is_not_shown() {
    let (server, _folder) = server(&[]).await;
    let redirect = "http://localhost:4000/callback";
    check(&server, PINNED, redirect, 200, "Pinned").await;
    let blocked = Clients::new(&server.store()).block(PINNED, true).await;
    blocked.expect("a client");
    check(&server, PINNED, redirect, 403, "has blocked it").await;
}
