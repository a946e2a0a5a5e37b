//! Ends of connections: by their clients, by time, and the delay until every process knows.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::Reply;
use super::program::{
    Form, Program, allow, field, grants, new_grant, number, ping, post, register, request, send,
    sql, start, start_before,
};
use state::grants::EndedGrants;
use test_support::recording::Recording;
use test_support::server::TestServer;

/// Whether the program's connection is alive: its access token opens MCP, and its refresh token returns another.
async fn lives(server: &TestServer, program: &Program) -> [bool; 2] {
    let access = ping(server, &program.access).await.status == 200;
    let refresh = program.refresh(server, &program.refresh).await.status == 200;
    [access, refresh]
}

#[tokio::test]
async fn a_client_gives_back_any_of_its_tokens() {
    let server = start(&[]).await;
    let (other, _) = register(&server, "none").await;
    type Pick = fn(&Program) -> &str;
    let rows: &[(&str, Pick, bool, bool)] = &[
        ("the access token", |program| &program.access, false, false),
        (
            "the refresh token",
            |program| &program.refresh,
            false,
            false,
        ),
        (
            "another client's access token",
            |program| &program.access,
            true,
            true,
        ),
        (
            "another client's refresh token",
            |program| &program.refresh,
            true,
            true,
        ),
        ("an unknown token", |_| "hlr_unknown", false, true),
        ("a HighLevel token", |_| "pit-unknown", false, true),
    ];
    for (name, pick, by_other, expected) in rows {
        let program = Program::connect(&server).await;
        let client = if *by_other { &other } else { &program.id };
        let form = Form::token(client, pick(&program)).with("token_type_hint", "access_token");
        let reply = post(&server, "/revoke", &[], &form).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), "no-store", "{name}");
        assert!(reply.body.is_empty(), "{name}");
        assert_eq!(lives(&server, &program).await, [*expected; 2], "{name}");
    }
    for (name, form, expected) in [
        (
            "no token",
            Form::new(&[("client_id", &other)]),
            (400, "invalid_request"),
        ),
        (
            "no client",
            Form::new(&[("token", "hla_x")]),
            (401, "invalid_client"),
        ),
        (
            "an unknown client",
            Form::token("cli_x", "hla_x"),
            (401, "invalid_client"),
        ),
        (
            "two tokens",
            Form::token(&other, "hla_x").with("token", "hla_y"),
            (400, "invalid_request"),
        ),
    ] {
        let reply = post(&server, "/revoke", &[], &form).await;
        let told = (reply.status.as_u16(), field(&reply.json(), "error"));
        assert_eq!(told, (expected.0, expected.1.to_owned()), "{name}");
    }
}

/// A client with a secret must send it.
#[tokio::test]
async fn nobody_gives_back_for_a_client_with_a_secret() {
    let server = start(&[]).await;
    let (id, secret) = register(&server, "client_secret_post").await;
    let secret = secret.expect("a secret");
    let code = allow(&server, new_grant(&server, &id)).await;
    let form = Form::code(&id, &code).with("client_secret", &secret);
    let tokens = post(&server, "/token", &[], &form).await.json();
    let access = field(&tokens, "access_token");
    let reply = post(&server, "/revoke", &[], &Form::token(&id, &access)).await;
    assert_eq!(reply.status, 401);
    assert_eq!(ping(&server, &access).await.status, 200);
    let form = Form::token(&id, &access).with("client_secret", &secret);
    assert_eq!(post(&server, "/revoke", &[], &form).await.status, 200);
    assert_eq!(ping(&server, &access).await.status, 401);
}

/// Three processes on one store: reads stop within a fifth of a second, and writes at once.
#[tokio::test]
async fn every_process_knows_of_an_end() {
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c1"},"tags":["x"]}"#).await;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let settings = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
        ("ACME_TOKEN", "pit-acme"),
        // Reads are repeated until they stop.
        ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "100000"),
        (
            "HIGHLEVEL_MCP_LOCATIONS",
            r#"{"acme":{"location_id":"L1","token":{"env":"ACME_TOKEN"}}}"#,
        ),
        test_support::server::UNCONFIRMED,
    ];
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(start_before(&highlevel.url, &settings).await);
    }
    let [one, two, three] = &servers[..] else {
        panic!("three");
    };
    let call = async |server: &TestServer, token: &str, tool: &str| -> Reply {
        let arguments = json!({"contactId": "c1", "tags": ["x"], "location": "acme"});
        let mut arguments = arguments.as_object().expect("an object").clone();
        if tool == "contacts_get-contact" {
            arguments.remove("tags");
        }
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        let asked = request(server, Method::POST, "/mcp")
            .bearer_auth(token)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(frame.to_string());
        send(asked).await
    };
    let succeeds = |reply: &Reply| reply.status == 200 && reply.json()["result"]["isError"] != true;
    for round in 0..5 {
        let program = Program::connect(one).await;
        for server in &servers {
            let since = Instant::now();
            // One of the processes created the key behind the connection a moment ago.
            loop {
                let reply = call(server, &program.access, "contacts_add-tags").await;
                if succeeds(&reply) {
                    break;
                }
                let is_early = since.elapsed() < Duration::from_secs(5);
                assert!(is_early, "{round}: {} {}", reply.status, reply.text());
            }
        }
        highlevel.take();
        let reply = post(
            one,
            "/revoke",
            &[],
            &Form::token(&program.id, &program.refresh),
        )
        .await;
        assert_eq!(reply.status, 200);
        let since = Instant::now();
        // Whatever those processes know by now.
        for server in [two, three, one] {
            let reply = call(server, &program.access, "contacts_add-tags").await;
            assert!(!succeeds(&reply), "{round}: {}", reply.text());
        }
        assert!(highlevel.take().is_empty(), "{round}: a write was sent");
        for server in &servers {
            while succeeds(&call(server, &program.access, "contacts_get-contact").await) {
                // Not a bound for this machine, which may be busy. The measured figure is printed.
                assert!(since.elapsed() < Duration::from_secs(5), "{round}");
            }
        }
        println!("reads stopped everywhere after {:.0?}", since.elapsed());
        assert_eq!(ping(one, &program.access).await.status, 401, "at once");
    }
}

#[tokio::test]
async fn a_token_that_is_over_sends_its_client_to_the_refresh() {
    let server = start(&[]).await;
    let program = Program::connect(&server).await;
    sql(&server, "UPDATE access SET expires_at = 1").await;
    let mut reply = ping(&server, &program.access).await;
    let since = Instant::now();
    while reply.status == 200 && since.elapsed() < Duration::from_secs(5) {
        reply = ping(&server, &program.access).await;
    }
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["error"], "invalid_token");
    let challenge = reply.header("www-authenticate");
    for part in ["Bearer ", "resource_metadata=", "error=\"invalid_token\""] {
        assert!(challenge.contains(part), "no {part} in {challenge}");
    }
    let next = program.refresh(&server, &program.refresh).await.json();
    let opened = ping(&server, &field(&next, "access_token")).await;
    assert_eq!(opened.status, 200);
}

/// Refresh tokens and codes open nothing, and no token is read from an address.
#[tokio::test]
async fn nothing_but_an_access_token_opens_mcp() {
    let highlevel = Recording::always(200, "{}").await;
    let accept = ("HIGHLEVEL_MCP_OAUTH_HIGHLEVEL_TOKENS", "accept");
    for variables in [&[][..], &[accept]] {
        let server = start_before(&highlevel.url, variables).await;
        let (id, _) = register(&server, "none").await;
        let code = allow(&server, new_grant(&server, &id)).await;
        let program = Program::connect(&server).await;
        for (name, token) in [
            ("a refresh token", program.refresh.as_str()),
            ("a code", &code),
            ("an unknown token", "hla_unknown"),
            ("a client's secret", "hlcs_unknown"),
        ] {
            let reply = ping(&server, token).await;
            assert_eq!(reply.status, 401, "{name}: {}", reply.text());
            assert!(
                reply
                    .header("www-authenticate")
                    .contains("resource_metadata="),
                "{name}"
            );
        }
        for query in ["access_token", "token"] {
            let path = format!("/mcp?{query}={}", program.access);
            let asked = request(&server, Method::POST, &path)
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream")
                .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
            let reply = send(asked).await;
            assert!(reply.status.is_client_error(), "{query}: {}", reply.status);
        }
        assert!(highlevel.take().is_empty(), "HighLevel saw none of them");
    }
}

#[tokio::test]
async fn whatever_ends_a_grant_ends_its_tokens() {
    let server = start(&[]).await;
    type End = fn(&Program) -> EndedGrants;
    let ends: &[(&str, End)] = &[
        ("its client", |program| {
            EndedGrants::Client(program.id.clone())
        }),
        ("all", |_| EndedGrants::All),
    ];
    for (name, end) in ends {
        let program = Program::connect(&server).await;
        assert_eq!(lives(&server, &program).await, [true; 2], "{name}");
        let ended = grants(&server).end(end(&program), "because", None);
        assert_eq!(ended.await, Ok(1), "{name}");
        assert_eq!(lives(&server, &program).await, [false; 2], "{name}");
    }
    let events = "SELECT COUNT(*) FROM event WHERE kind = 'grant ended'";
    assert_eq!(number(&server, events).await, 2);
}
