//! Connections that get a request after a rest, that is, after hyper has returned them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::connections::{HEAD, NO_LIMIT, NOWHERE, connected};
use test_support::server::TestServer;
use test_support::wire::{Step, Wire, whole};

const ALIVE: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Longer than hyper keeps a connection after an answer.
const REST: Duration = Duration::from_millis(1300);

/// A client that keeps its connection.
struct Client(TcpStream);

impl Client {
    async fn connect(server: &TestServer) -> Self {
        Self(connected(server).await)
    }

    async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.expect("written");
    }

    /// Reads this many answers. Each leaves the connection open and ends with `end`.
    async fn hear(&mut self, answers: usize, end: &str) {
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while said.matches(end).count() < answers {
            let read = timeout(Duration::from_secs(5), self.0.read(&mut buffer)).await;
            let read = read.unwrap_or_else(|_| panic!("no answer after {said:?}"));
            let read = read.expect("an answer");
            assert!(read > 0, "the connection ended after {said:?}");
            said.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        assert_eq!(said.matches("HTTP/1.1 200 OK").count(), answers, "{said}");
        assert!(!said.contains("connection: close"), "{said}");
    }

    async fn alive(&mut self) {
        self.send(ALIVE).await;
        self.hear(1, "ok\n").await;
    }

    /// The time until the server ends the connection without another byte.
    async fn ended(&mut self) -> Duration {
        let start = Instant::now();
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(5), self.0.read_to_end(&mut rest)).await;
        assert_eq!(ended.expect("an end").expect("no reset"), 0, "{rest:?}");
        start.elapsed()
    }
}

fn post(body: &str) -> String {
    format!(
        "{HEAD}accept: */*\r\nlocationid: L0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn call() -> String {
    let params = json!({"name": "contacts_get-contact", "arguments": {"contactId": "c"}});
    post(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string())
}

#[tokio::test]
async fn a_connection_is_asked_again_after_each_rest() {
    let deadlines = [("HIGHLEVEL_MCP_SERVER_IDLE_TIMEOUT_MS", "2500")];
    let server = TestServer::start_with(NOWHERE, &deadlines).await;
    let mut client = Client::connect(&server).await;
    let ping = post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    // Cut in a head, at its end and in a body.
    for cut in [1, HEAD.len() - 2, ping.len() - 9] {
        client.alive().await;
        sleep(REST).await;
        client.send(&ALIVE.repeat(3)).await;
        client.hear(3, "ok\n").await;
        sleep(REST).await;
        client.send(&ping[..cut]).await;
        sleep(Duration::from_millis(100)).await;
        client.send(&ping[cut..]).await;
        client.hear(1, "\"result\":{}}").await;
        // The rest would have begun between these two.
        sleep(REST - Duration::from_millis(600)).await;
        client.send(&ping[..cut]).await;
        sleep(Duration::from_millis(600)).await;
        client.send(&ping[cut..]).await;
        client.hear(1, "\"result\":{}}").await;
    }
    let took = client.ended().await.as_millis();
    assert!((2400..3200).contains(&took), "{took} ms after the answer");
}

/// Half of a request arrives with the previous one. It is neither lost nor treated as idle.
#[tokio::test]
async fn bytes_read_before_a_rest_are_not_lost() {
    let deadlines = [("HIGHLEVEL_MCP_SERVER_HEADER_TIMEOUT_MS", "1000")];
    let server = TestServer::start_with(NOWHERE, &deadlines).await;
    let (begun, rest) = ALIVE.split_at(9);
    let mut client = Client::connect(&server).await;
    client.send(&format!("{ALIVE}{begun}")).await;
    client.hear(1, "ok\n").await;
    sleep(REST).await;
    client.send(&format!("{rest}{begun}")).await;
    client.hear(1, "ok\n").await;
    let took = client.ended().await.as_millis();
    assert!((1000..3500).contains(&took), "{took} ms after the answer");
}

/// Requests that arrive at the moment a rest begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_where_a_rest_begins() {
    let server = Arc::new(TestServer::start(NOWHERE).await);
    let clients = (0..400).map(|number| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut client = Client::connect(&server).await;
            client.alive().await;
            for round in 0..3 {
                let pause = 980_000 + 100 * (number + 17 * round) % 40_000;
                sleep(Duration::from_micros(pause)).await;
                client.alive().await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("every answer");
    }
}

/// An answer that waits for its reader is not a rest.
#[tokio::test]
async fn a_slow_reader_keeps_the_connection() {
    let server = TestServer::start(NOWHERE).await;
    let mut client = Client::connect(&server).await;
    let small = socket2::SockRef::from(&client.0).set_recv_buffer_size(65_536);
    small.expect("a small buffer");
    let list = post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    client.send(&list.repeat(300)).await;
    client.send(ALIVE).await;
    sleep(2 * REST).await;
    let (mut said, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while !said.ends_with(b"ok\n") {
        let read = client.0.read(&mut buffer).await.expect("an answer");
        assert!(read > 0, "the connection ended after {} bytes", said.len());
        said.extend_from_slice(&buffer[..read]);
    }
    println!("read slowly: {} bytes", said.len());
    let said = String::from_utf8_lossy(&said);
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 301);
    client.alive().await;
}

/// A server that is told to stop closes resting connections and finishes running calls.
#[tokio::test]
async fn a_stop_ends_a_rest_and_no_call() {
    let wire = Wire::start(|_| {
        vec![
            Step::Pause(Duration::from_millis(800)),
            whole("200 OK", "", "{}"),
        ]
    })
    .await;
    let settings = [("HIGHLEVEL_MCP_SERVER_DRAIN_MS", "0"), NO_LIMIT];
    let server = TestServer::start_with(&wire.url, &settings).await;
    let (mut idle, mut busy) = (
        Client::connect(&server).await,
        Client::connect(&server).await,
    );
    idle.alive().await;
    busy.alive().await;
    sleep(REST).await;
    busy.send(&call()).await;
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    let stop = tokio::spawn(server.stop());
    let took = idle.ended().await;
    assert!(took < Duration::from_millis(300), "{took:?}");
    let mut said = String::new();
    busy.0.read_to_string(&mut said).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    stop.await.expect("stopped");
    let took = start.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

/// A client that leaves during a call frees its place, and one that leaves during a rest frees its connection.
#[tokio::test]
async fn a_client_that_leaves_after_a_rest_is_noticed() {
    let slow = Arc::new(AtomicBool::new(true));
    let is_slow = Arc::clone(&slow);
    let wire = Wire::start(move |_| {
        let pause = if is_slow.load(Ordering::Relaxed) {
            60
        } else {
            0
        };
        vec![
            Step::Pause(Duration::from_secs(pause)),
            whole("200 OK", "", "{}"),
        ]
    })
    .await;
    let few = [
        ("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "1"),
        ("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS", "2"),
        NO_LIMIT,
    ];
    let server = TestServer::start_with(&wire.url, &few).await;
    let (mut calls, mut rests) = (
        Client::connect(&server).await,
        Client::connect(&server).await,
    );
    calls.alive().await;
    rests.alive().await;
    sleep(REST).await;
    calls.send(&call()).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(wire.requests(), 1);
    drop((calls, rests));
    sleep(Duration::from_millis(100)).await;
    slow.store(false, Ordering::Relaxed);
    let mut next = Client::connect(&server).await;
    next.send(&call()).await;
    next.hear(1, "}]").await;
    next.alive().await;
}
