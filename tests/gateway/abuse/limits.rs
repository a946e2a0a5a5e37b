//! Access to /metrics, and the address that counts for a client.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::agency::bearer;
use super::budgets::unfinished;
use super::highlevel::highlevel;
use super::program::{Headers, Program};
use super::setup::Setup;

async fn metrics(program: &Program) -> TcpStream {
    let address = program.metrics.trim_start_matches("http://");
    let address = address.split('/').next().expect("an address");
    TcpStream::connect(address).await.expect("a connection")
}

/// The reply to a request, and the time until the connection ends.
async fn reply_to(program: &Program, sent: &str) -> (String, Duration) {
    let mut stream = metrics(program).await;
    let start = Instant::now();
    stream.write_all(sent.as_bytes()).await.expect("written");
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
    (String::from_utf8_lossy(&rest).into_owned(), start.elapsed())
}

#[tokio::test]
async fn e12_metrics_have_the_same_door() {
    let setup = Setup::new()
        .set("HIGHLEVEL_MCP_SERVER_HEADER_TIMEOUT_MS", "400")
        .set("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "20");
    let program = setup.serve("http://127.0.0.1:9").await;
    let get =
        |host: &str| format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let (text, _) = reply_to(&program, &get("127.0.0.1")).await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let (text, took) = reply_to(&program, "GET /metrics HTT").await;
    println!("half a request at /metrics: ended after {took:?}");
    assert!(
        took < Duration::from_secs(2),
        "half a request: {took:?} {text}"
    );
    let mut open = Vec::new();
    for _ in 0..60 {
        let mut stream = metrics(&program).await;
        let _ = stream.write_all(b"GET /metrics HTT").await;
        open.push(stream);
    }
    sleep(Duration::from_millis(100)).await;
    let mut held = 0;
    for stream in &mut open {
        let mut byte = [0; 16];
        let ended = timeout(Duration::from_millis(5), stream.read(&mut byte)).await;
        held += usize::from(ended.is_err());
    }
    println!("{held} of 60 half requests held at /metrics");
    assert!(held <= 20, "{held} held");
    drop(open);
    sleep(Duration::from_millis(600)).await;
    let (text, _) = reply_to(&program, &get("evil.example")).await;
    assert!(
        text.starts_with("HTTP/1.1 403 "),
        "a foreign Host: {text:.60}"
    );
}

/// Sends 31 unknown tokens as this client, then an accepted token and a new one as another.
async fn outcome(program: &Program, stranger: &Headers<'_>, other: &Headers<'_>) -> bool {
    for number in 0..40 {
        let token = bearer(&format!("pit-made-up-{number}"));
        let headers = [
            &[("authorization", token.as_str()), ("locationid", "L1")],
            stranger,
        ]
        .concat();
        program
            .call(&headers, "/mcp", "contacts_get-contacts", json!({}))
            .await;
    }
    let token = bearer("pit-of-L7");
    let headers = [
        &[("authorization", token.as_str()), ("locationid", "L7")],
        other,
    ]
    .concat();
    let reply = program
        .call(&headers, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    reply.ok
}

#[tokio::test]
async fn behind_trusted_proxies_an_address_is_the_hop_before_them() {
    let highlevel = highlevel().await;
    let setup = Setup::new()
        .set(
            "HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES",
            "127.0.0.0/8,10.0.0.0/8",
        )
        .arguments(&["--tls", "proxy", "--allowed-host", "localhost"]);
    let rows: [(&str, &str); 3] = [
        ("203.0.113.1", "203.0.113.2"),
        // What the client wrote itself is on the left and is ignored.
        (
            "203.0.113.2, 203.0.113.1, 10.0.0.5",
            "203.0.113.2, 10.0.0.5",
        ),
        ("2001:db8:1:1::1", "2001:db8:1:2::1"),
    ];
    for (stranger, other) in rows {
        let program = setup.serve(&highlevel.url).await;
        highlevel.take();
        let (from, to) = (
            [("x-forwarded-for", stranger)],
            [("x-forwarded-for", other)],
        );
        assert!(
            outcome(&program, &from, &to).await,
            "{stranger} beside {other}"
        );
        let made_up = highlevel.count(|seen| seen.token().starts_with("pit-made-up"));
        println!("{made_up} of 40 made-up tokens of {stranger} reached HighLevel");
        assert!((25..=31).contains(&made_up), "{made_up}");
    }
}

#[tokio::test]
async fn a_forged_address_in_a_header_is_ignored() {
    let highlevel = highlevel().await;
    for arguments in [&[][..], &["--tls", "proxy", "--allowed-host", "localhost"]] {
        let program = Setup::new()
            .arguments(arguments)
            .serve(&highlevel.url)
            .await;
        highlevel.take();
        for number in 0..120 {
            let token = bearer(&format!("pit-made-up-{number}"));
            let address = format!("198.51.100.{number}");
            let headers = [
                ("authorization", token.as_str()),
                ("locationid", "L1"),
                ("x-forwarded-for", &address),
            ];
            program
                .call(&headers, "/mcp", "contacts_get-contacts", json!({}))
                .await;
        }
        let reached = highlevel.seen().len();
        println!(
            "{reached} of 120 made-up tokens with made-up addresses reached HighLevel ({arguments:?})"
        );
        assert!((25..=62).contains(&reached), "{reached}");
    }
}

#[tokio::test]
async fn a_caller_without_room_for_its_bytes_is_refused_at_once() {
    let highlevel = highlevel().await;
    let setup = Setup::new()
        .set("HIGHLEVEL_MCP_SERVER_MAX_BYTES_IN_FLIGHT", "16777216")
        .set("HIGHLEVEL_MCP_SERVER_MAX_BYTES_PER_CALLER", "6291456");
    let program = setup.serve(&highlevel.url).await;
    let caller = |token: &str| bearer(&format!("pit-of-{token}"));
    let read = async |place: &str| {
        let token = caller(place);
        let headers = [("authorization", token.as_str()), ("locationid", place)];
        program
            .call(&headers, "/mcp", "contacts_get-contacts", json!({}))
            .await
    };
    assert!(read("L1").await.ok && read("L2").await.ok);
    let open = unfinished(&program, 1, "authorization: Bearer pit-of-L1\r\n").await;
    sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    let arguments = json!({"contactId": "c1", "tags": ["x".repeat(3_000_000)]});
    let mut told = Vec::new();
    for place in ["L1", "L2"] {
        let token = caller(place);
        let headers = [("authorization", token.as_str()), ("locationid", place)];
        let reply = program
            .call(&headers, "/mcp", "contacts_add-tags", arguments.clone())
            .await;
        told.push((place, reply.ok, reply.status, reply.class().to_owned()));
    }
    println!(
        "beside 4 MiB of L1's own under way: {told:?} in {:?}",
        start.elapsed()
    );
    let refused = !told[0].1 && (told[0].2 == 503 || told[0].3 == "rate_limited");
    assert!(
        refused && told[1].1 && start.elapsed() < Duration::from_secs(5),
        "{told:?}"
    );
    drop(open);
    sleep(Duration::from_millis(300)).await;
    assert!(read("L1").await.ok, "given back");
}
