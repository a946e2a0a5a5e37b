//! Clients that are slow, idle, too many or gone, and servers that are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::times;
use test_support::server::{KEY, TestServer, VOUCHED, client};
use test_support::wire::{Step, Wire, read_request, whole};

pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";
pub(crate) const NO_LIMIT: (&str, &str) = ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000");
pub(crate) const HEAD: &str = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer pit-a\r\ncontent-type: application/json\r\n";

pub(crate) async fn connected(server: &TestServer) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    TcpStream::connect(address).await.expect("a connection")
}

/// The reply to `sent`, and the time until the server ends the connection.
async fn answer(server: &TestServer, sent: &str) -> (String, Duration) {
    let mut stream = connected(server).await;
    let start = Instant::now();
    stream.write_all(sent.as_bytes()).await.expect("written");
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open after {sent:?}");
    (String::from_utf8_lossy(&rest).into_owned(), start.elapsed())
}

#[tokio::test]
async fn each_part_of_a_request_has_its_time() {
    let deadlines = [
        ("HIGHLEVEL_MCP_SERVER_HEADER_TIMEOUT_MS", "300"),
        ("HIGHLEVEL_MCP_SERVER_BODY_TIMEOUT_MS", "500"),
        ("HIGHLEVEL_MCP_SERVER_IDLE_TIMEOUT_MS", "800"),
    ];
    let server = TestServer::start_with(NOWHERE, &deadlines).await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let request = format!(
        "{HEAD}accept: */*\r\ncontent-length: {}\r\n\r\n{ping}",
        ping.len()
    );
    let short_body = format!("{HEAD}content-length: 10\r\n\r\n{{");
    for (sent, says, millis) in [
        ("", "", 800..1500),
        ("POST /mcp HT", "", 300..700),
        (HEAD, "", 300..700),
        (&short_body, "408 Request Timeout", 500..1200),
        (&request, "200 OK", 800..1500),
        (&format!("{request}POST"), "200 OK", 300..1500),
    ] {
        let (said, took) = answer(&server, sent).await;
        assert!(
            said.contains(says) && said.is_empty() == says.is_empty(),
            "{sent:?}: {said}"
        );
        let took = u64::try_from(took.as_millis()).expect("a time");
        assert!(millis.contains(&took), "{sent:?}: {took} ms");
    }
}

#[tokio::test]
async fn too_many_connections_get_503_and_room_when_others_leave() {
    let most = [("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS", "3")];
    let server = TestServer::start_with(NOWHERE, &most).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(connected(&server).await);
    }
    sleep(Duration::from_millis(50)).await;
    let (said, took) = answer(&server, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(
        said.starts_with("HTTP/1.1 503 ") && said.contains("retry-after: 1"),
        "{said}"
    );
    let (_, body) = said.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["error"], "temporarily_unavailable");
    println!("a connection too many: refused in {took:?}");
    drop(open.pop());
    sleep(Duration::from_millis(50)).await;
    let (said, _) = answer(
        &server,
        "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test]
async fn more_calls_than_the_server_carries_get_503() {
    let wire = Wire::start(|_| {
        vec![
            Step::Pause(Duration::from_millis(400)),
            whole("200 OK", "", "{}"),
        ]
    })
    .await;
    let server = TestServer::start_with(
        &wire.url,
        &[("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "4"), NO_LIMIT, VOUCHED],
    )
    .await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "contacts_get-contact", "arguments": {"contactId": "c"}}});
    let calls = (0..12).map(|_| {
        let request = server
            .post("/mcp")
            .header("authorization", "Bearer pit-a")
            .header("x-access-key", KEY)
            .json(&call);
        tokio::spawn(async move { request.send().await.expect("a reply") })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        let reply = call.await.expect("a call");
        if reply.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(reply.headers()["retry-after"], "1");
        }
        statuses.push(reply.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 4], vec![503; 8]].concat());
}

/// Clients that disconnect while HighLevel works. Each upstream call ends, its connection is released, and its place is
/// free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_frees_its_place() {
    const CALLERS: usize = 8;
    let rounds = times(2_000, 100_000) / CALLERS;
    let (highlevel, seen) = waiting(CALLERS).await;
    // As many places as callers, so that a place that is not freed is missing for another call.
    let few = [("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "8"), NO_LIMIT];
    let server = Arc::new(TestServer::start_with(&highlevel.url, &few).await);
    // A token that HighLevel has not answered yet may have only a few running calls.
    let first = json!({"contactId": ANSWERED});
    let own = [("authorization", "Bearer pit-a"), ("locationid", "L0")];
    let (text, is_error) = server.call_with(&own, "contacts_get-contact", first).await;
    assert!(!is_error, "{text}");
    let held = connected(&server).await;
    assert_ne!(open_sockets([&server.url, &highlevel.url]), 0);
    drop(held);
    let callers = seen.into_iter().enumerate().map(|(caller, mut seen)| {
        let server = Arc::clone(&server);
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "contacts_get-contact", "arguments": {"contactId": caller.to_string()}}}).to_string();
        let length = call.len();
        let request = format!("{HEAD}accept: */*\r\nlocationid: L0\r\ncontent-length: {length}\r\n\r\n{call}");
        tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..rounds {
                let mut stream = connected(&server).await;
                stream.write_all(request.as_bytes()).await.expect("written");
                let mut next = async || timeout(Duration::from_secs(5), seen.recv()).await;
                assert_eq!(next().await, Ok(Some(Seen::Asked)));
                sleep(Duration::from_micros(fastrand::u64(..2_000))).await;
                let gone = Instant::now();
                drop(stream);
                assert_eq!(next().await, Ok(Some(Seen::Gone)));
                took.push(gone.elapsed());
            }
            took
        })
    });
    let mut took = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        took.extend(caller.await.expect("calls"));
    }
    took.sort_unstable();
    println!(
        "{} clients went away in mid-call; HighLevel saw it after {:?}, p99 {:?}, at most {:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1],
    );
    sleep(Duration::from_millis(100)).await;
    let open = open_sockets([&server.url, &highlevel.url]);
    assert!(open <= 4, "{open} sockets are open");
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Asked,
    Gone,
}

/// The only contact with an answer.
const ANSWERED: &str = "answered";

/// A HighLevel that answers no other call, and what it sees of the call for each contact, by its number.
async fn waiting(contacts: usize) -> (Wire, Vec<UnboundedReceiver<Seen>>) {
    let (tell, seen): (Vec<_>, Vec<_>) = (0..contacts).map(|_| unbounded_channel()).unzip();
    let wire = Wire::connections(move |mut stream| {
        let tell = tell.clone();
        async move {
            let request = read_request(&mut stream).await.expect("a request");
            let head = String::from_utf8_lossy(&request);
            let path = head.split(' ').nth(1).expect("a path");
            let contact = path.rsplit('/').next().expect("an id");
            if contact == ANSWERED {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = stream.write_all(answer).await;
                return;
            }
            let contact: usize = contact.parse().expect("a number");
            let _ = tell[contact].send(Seen::Asked);
            let _ = stream.read(&mut [0]).await;
            let _ = tell[contact].send(Seen::Gone);
        }
    })
    .await;
    (wire, seen)
}

/// The number of sockets open from or to these URLs in any process. Other tests have their own at the same time.
fn open_sockets(urls: [&str; 2]) -> usize {
    let of = |address: &str, radix| {
        let port = address.rsplit(':').next().expect("a port");
        u16::from_str_radix(port, radix).expect("a port")
    };
    let ours = urls.map(|url| of(url, 10));
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let is_open = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (from, to, listens) = (of(fields[1], 16), of(fields[2], 16), fields[3] == "0A");
        // A socket without an inode has no owner left. The system keeps it for late packets.
        (ours.contains(&from) || ours.contains(&to)) && !listens && fields[9] != "0"
    };
    table.lines().skip(1).filter(is_open).count()
}

/// Two instances behind a balancer that checks `/readyz`, restarted in turn under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_cuts_no_call() {
    let wire = Wire::start(|_| {
        vec![
            Step::Pause(Duration::from_millis(50)),
            whole("200 OK", "", "{}"),
        ]
    })
    .await;
    let settings = [("HIGHLEVEL_MCP_SERVER_DRAIN_MS", "500"), NO_LIMIT];
    let start = || TestServer::start_with(&wire.url, &settings);
    let ready: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let known: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let (seen, instances) = (Arc::clone(&ready), Arc::clone(&known));
    let balancer = tokio::spawn(async move {
        let http = client();
        loop {
            let urls = instances.lock().expect("the lock").clone();
            let mut up = Vec::new();
            for url in urls {
                let reply = http.get(format!("{url}/readyz")).send().await;
                if reply.is_ok_and(|reply| reply.status().is_success()) {
                    up.push(url);
                }
            }
            *seen.lock().expect("the lock") = up;
            sleep(Duration::from_millis(20)).await;
        }
    });
    let (mut one, mut two) = (start().await, start().await);
    known
        .lock()
        .expect("the lock")
        .extend([one.url.clone(), two.url.clone()]);
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..16)
        .map(|caller: usize| {
            let (ready, done) = (Arc::clone(&ready), Arc::clone(&done));
            tokio::spawn(async move {
                let (http, mut calls) = (client(), 0_usize);
                let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "contacts_get-contact", "arguments": {"contactId": "c"}}});
                while !done.load(Ordering::Relaxed) {
                    let up = ready.lock().expect("the lock").clone();
                    let Some(url) = up.get((caller + calls) % up.len().max(1)) else {
                        sleep(Duration::from_millis(5)).await;
                        continue;
                    };
                    let request = http.post(format!("{url}/mcp")).header("authorization", "Bearer pit-a").json(&call);
                    let reply = request.send().await.expect("no call is cut");
                    let reply: Value = reply.json().await.expect("JSON");
                    assert_eq!(reply["result"]["content"][0]["text"], "{}", "{reply}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for round in 0..2 {
        sleep(Duration::from_millis(300)).await;
        let fresh = start().await;
        let old = std::mem::replace(if round == 0 { &mut one } else { &mut two }, fresh);
        let new = if round == 0 {
            one.url.clone()
        } else {
            two.url.clone()
        };
        known.lock().expect("the lock").push(new);
        let url = old.url.clone();
        old.stop().await;
        known
            .lock()
            .expect("the lock")
            .retain(|other| *other != url);
    }
    sleep(Duration::from_millis(300)).await;
    done.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.expect("no call is cut");
    }
    balancer.abort();
    println!("{calls} calls over the restart of two instances, none cut");
    assert!(calls > 200, "{calls}");
}
