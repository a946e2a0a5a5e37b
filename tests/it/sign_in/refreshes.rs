//! Refresh tokens are exchanged for the next tokens: by their client, again if an answer was lost, and until their end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::HOST;
use super::program::{Form, Program, field, number, ping, post, register, sql, start};
use super::tokens::check;

const SHORT: Duration = Duration::from_millis(1_100);

#[tokio::test]
async fn tokens_are_refreshed_for_their_client_and_for_no_more_than_was_allowed() {
    type Change = fn(Form) -> Form;
    let rows: &[(&str, Change, (u16, &str))] = &[
        ("as it is", |form| form, (200, "")),
        ("for less", |form| form.with("scope", "read"), (200, "")),
        (
            "for as much",
            |form| form.with("scope", "read write offline_access"),
            (200, ""),
        ),
        (
            "for unknown scopes",
            |form| form.with("scope", "openid claudeai"),
            (200, ""),
        ),
        (
            "for its resource",
            |form| form.with("resource", "https://mcp.example.test/mcp"),
            (200, ""),
        ),
        (
            "for another resource",
            |form| form.with("resource", "https://mcp.example.test"),
            (400, "invalid_target"),
        ),
        (
            "an unknown token",
            |form| form.set("refresh_token", "hlr_x"),
            (400, "invalid_grant"),
        ),
        (
            "no token",
            |form| form.without("refresh_token"),
            (400, "invalid_request"),
        ),
        (
            "two tokens",
            |form| form.with("refresh_token", "hlr_x"),
            (400, "invalid_request"),
        ),
    ];
    let server = start(&[]).await;
    let (other, _) = register(&server, "none").await;
    for (name, change, expected) in rows {
        let program = Program::connect(&server).await;
        let form = change(Form::refresh(&program.id, &program.refresh));
        let reply = post(&server, "/token", &[], &form).await;
        check(name, &reply, *expected);
        if expected.0 == 200 {
            let body = reply.json();
            let scope = if *name == "for less" {
                "read"
            } else {
                "read write"
            };
            assert_eq!(body["scope"], scope, "{name}");
            assert_ne!(field(&body, "refresh_token"), program.refresh, "{name}");
            let opened = ping(&server, &field(&body, "access_token")).await;
            assert_eq!(opened.status, 200, "{name}");
        } else {
            let right = program.refresh(&server, &program.refresh).await;
            check(&format!("{name}, then the right one"), &right, (200, ""));
        }
    }
    let program = Program::connect(&server).await;
    let form = Form::refresh(&other, &program.refresh);
    check(
        "another client's",
        &post(&server, "/token", &[], &form).await,
        (400, "invalid_grant"),
    );
    assert_eq!(ping(&server, &program.access).await.status, 200);
    sql(&server, "UPDATE oauth_grant SET scope = 'read'").await;
    let form = Form::refresh(&program.id, &program.refresh).with("scope", "read write");
    check(
        "for more",
        &post(&server, "/token", &[], &form).await,
        (400, "invalid_scope"),
    );
    check(
        "then as it is",
        &program.refresh(&server, &program.refresh).await,
        (200, ""),
    );
}

/// A lost answer and a race of two processes are the most common reasons for a second request.
#[tokio::test]
async fn a_replaced_refresh_token_gets_the_current_one_again() {
    let server = start(&[]).await;
    let program = Program::connect(&server).await;
    let second = program.refresh(&server, &program.refresh).await.json();
    let second = field(&second, "refresh_token");
    let again = program.refresh(&server, &program.refresh).await;
    check("again", &again, (200, ""));
    assert_eq!(field(&again.json(), "refresh_token"), second);
    let all = join_all((0..20).map(|_| program.refresh(&server, &second))).await;
    let given: BTreeSet<String> = all
        .iter()
        .map(|reply| field(&reply.json(), "refresh_token"))
        .collect();
    assert_eq!(given.len(), 1, "{given:?}");
    assert_eq!(number(&server, "SELECT seq FROM oauth_grant").await, 2);
    let third = given.first().expect("one");
    for token in [&program.refresh, &second] {
        let reply = program.refresh(&server, token).await;
        assert_eq!(&field(&reply.json(), "refresh_token"), third);
    }
}

/// The connection breaks after the store has the next generation, and the client did not receive it.
#[tokio::test]
async fn an_answer_that_was_lost_costs_nothing() {
    let server = start(&[]).await;
    let program = Program::connect(&server).await;
    let body = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={}",
        program.id, program.refresh
    );
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "POST /token HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    while number(&server, "SELECT seq FROM oauth_grant").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    let reply = program.refresh(&server, &program.refresh).await;
    check("asked again", &reply, (200, ""));
    assert_eq!(number(&server, "SELECT seq FROM oauth_grant").await, 1);
    let next = field(&reply.json(), "refresh_token");
    check("and on", &program.refresh(&server, &next).await, (200, ""));
}

#[tokio::test]
async fn a_replaced_token_after_its_grace_ends_the_connection() {
    for (grace, wait) in [("1s", SHORT), ("0s", Duration::ZERO)] {
        let server = start(&[("HIGHLEVEL_MCP_OAUTH_REFRESH_GRACE", grace)]).await;
        let program = Program::connect(&server).await;
        let next = program.refresh(&server, &program.refresh).await;
        check(grace, &next, (200, ""));
        let next = next.json();
        tokio::time::sleep(wait).await;
        check(
            grace,
            &program.refresh(&server, &program.refresh).await,
            (400, "invalid_grant"),
        );
        let then = program
            .refresh(&server, &field(&next, "refresh_token"))
            .await;
        check("the next", &then, (400, "invalid_grant"));
        assert_eq!(
            ping(&server, &field(&next, "access_token")).await.status,
            401
        );
        let told = "SELECT COUNT(*) FROM event WHERE kind = 'token replayed'";
        assert_eq!(number(&server, told).await, 1, "{grace}");
    }
}

#[tokio::test]
async fn a_connection_ends_unused_and_it_ends_by_itself() {
    for (idle, whole) in [("1s", "90d"), ("90d", "1s")] {
        let server = start(&[
            ("HIGHLEVEL_MCP_OAUTH_REFRESH_IDLE", idle),
            ("HIGHLEVEL_MCP_OAUTH_REFRESH_FOR", whole),
        ])
        .await;
        let program = Program::connect(&server).await;
        tokio::time::sleep(SHORT).await;
        let reply = program.refresh(&server, &program.refresh).await;
        check("too late", &reply, (400, "invalid_grant"));
    }
}
