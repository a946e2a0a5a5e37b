//! Many tenants at once, some of which hang up, in front of a HighLevel that fails. No tenant gets another's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use state::sha256;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::times;
use test_support::server::TestServer;
use test_support::wire::{Step, Wire, read_request, reset, whole};

const CREDENTIALS: usize = 64;
const LOCATIONS: usize = 8;

/// Concurrent clients, each with its own connection and one running call.
const CLIENTS: usize = 256;

const UNLIMITED: [(&str, &str); 2] = [
    ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "1000000000"),
    ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", "1000000000"),
];

/// The outcomes of calls.
#[derive(Debug, Default)]
struct Count {
    answered: usize,
    /// Failed with a class.
    refused: usize,
    /// Cancelled by the client before there was a reply.
    cancelled: usize,
    mismatches: usize,
}

/// What HighLevel received.
struct Seen {
    /// The last call of each client.
    last: Vec<AtomicUsize>,
    repeated: AtomicUsize,
}

/// HighLevel's answer to every request. It names the credential, the location and the query, so that no other call can
/// have the same answer.
fn echo(bearer: &str, location: &str, query: &str) -> String {
    sha256(&format!("{bearer} {location} {query}"))
}

/// Of every 50 requests, one is refused for good, one refused for now, one rate-limited, and one left without an
/// answer.
fn answered(seen: &Seen, number: usize, request: &str) -> Vec<Step> {
    let after = |name: &str, end: &[char]| {
        let found = request.split_once(name).map(|(_, rest)| rest);
        found
            .and_then(|rest| rest.split(end).next())
            .unwrap_or_default()
    };
    let query = after("query=", &['&', ' ']);
    let echoed = echo(
        after("authorization: Bearer ", &['\r']),
        after("locationId=", &['&', ' ']),
        query,
    );
    let ids = query.split_once('-').and_then(|(client, call)| {
        Some((client.parse::<usize>().ok()?, call.parse::<usize>().ok()?))
    });
    let (client, call) = ids.expect("the ids of a call");
    if seen.last[client].swap(call, Ordering::Relaxed) == call {
        seen.repeated.fetch_add(1, Ordering::Relaxed);
    }
    let body = format!(r#"{{"message":"{echoed}"}}"#);
    match number % 50 {
        5 => vec![whole("400 Bad Request", "", body)],
        15 => vec![whole("503 Service Unavailable", "", body)],
        25 => vec![whole("429 Too Many Requests", "retry-after: 0\r\n", body)],
        35 => vec![Step::Reset],
        _ => vec![whole("200 OK", "", body)],
    }
}

/// One client. All its calls use one credential, for any of the locations.
struct Client {
    number: usize,
    bearer: String,
    address: String,
    connection: Option<TcpStream>,
    random: Rng,
}

impl Client {
    async fn calls(mut self, calls: usize) -> Count {
        let mut count = Count::default();
        let mut took = Duration::from_millis(10);
        // A call with the number 0 would look like no call in HighLevel's count.
        for call in 1..=calls {
            let location = format!("loc{}", self.random.usize(..LOCATIONS));
            let query = format!("{}-{call}", self.number);
            let expected = echo(&self.bearer, &location, &query);
            let start = Instant::now();
            // Some calls are given up within the duration of the last one.
            let patience = match self.random.u8(..7) {
                0 => took.mul_f64(self.random.f64()),
                _ => Duration::from_mins(1),
            };
            let reply = timeout(patience, self.call(call, &location, &query)).await;
            let Ok(reply) = reply else {
                assert!(patience < Duration::from_mins(1), "no reply");
                count.cancelled += 1;
                if let Some(connection) = self.connection.take() {
                    reset(&connection);
                }
                continue;
            };
            took = start.elapsed();
            let result = &reply["result"];
            let text = result["content"][0]["text"].as_str().unwrap_or_default();
            let said: Value = serde_json::from_str(text).unwrap_or_default();
            let own = said["message"] == expected;
            match result["isError"].as_bool().filter(|_| reply["id"] == call) {
                Some(false) if own => count.answered += 1,
                // Without HighLevel's text if HighLevel gave none.
                Some(true) if said["class"].is_string() && (own || said["message"].is_null()) => {
                    count.refused += 1;
                }
                // A busy machine takes longer than a token without an answer waits for its turn.
                None if reply["error"] == "temporarily_unavailable" => count.refused += 1,
                _ => {
                    println!("{query} of {} at {location} got {reply}", self.bearer);
                    count.mismatches += 1;
                }
            }
        }
        count
    }

    async fn call(&mut self, id: usize, location: &str, query: &str) -> Value {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"contacts_get-contacts","arguments":{{"query":"{query}"}}}}}}"#
        );
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nlocationid: {location}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.bearer,
            body.len()
        );
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(
                TcpStream::connect(&self.address)
                    .await
                    .expect("a connection"),
            ),
        };
        let written = connection.write_all(request.as_bytes()).await;
        written.expect("sent");
        let reply = read_request(connection).await.expect("a reply");
        let body = String::from_utf8_lossy(&reply);
        let (_, body) = body.split_once("\r\n\r\n").expect("a head");
        serde_json::from_str(body).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interleaved_calls_of_64_credentials_never_mix() {
    let calls = times(10_000, 1_000_000) / CLIENTS + 1;
    let seen = Arc::new(Seen {
        last: (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect(),
        repeated: AtomicUsize::new(0),
    });
    let script = Arc::clone(&seen);
    let wire = Wire::start_with(move |number, request| answered(&script, number, request)).await;
    let server = TestServer::start_with(&wire.url, &UNLIMITED).await;
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|number| {
        let client = Client {
            number,
            bearer: format!("pit-{}", number % CREDENTIALS),
            address: server.url.replace("http://", ""),
            connection: None,
            random: Rng::with_seed(number as u64),
        };
        tokio::spawn(client.calls(calls))
    });
    let mut sum = Count::default();
    for client in clients.collect::<Vec<_>>() {
        let count = client.await.expect("calls");
        sum.answered += count.answered;
        sum.refused += count.refused;
        sum.cancelled += count.cancelled;
        sum.mismatches += count.mismatches;
    }
    let asked = calls * CLIENTS;
    let repeated = seen.repeated.load(Ordering::Relaxed);
    println!(
        "{asked} calls of {CREDENTIALS} credentials in {LOCATIONS} locations, {:?}: {} cancelled, {repeated} repeated, {} answered, {} refused, {} mismatches",
        start.elapsed(),
        sum.cancelled,
        sum.answered,
        sum.refused,
        sum.mismatches
    );
    assert_eq!(sum.mismatches, 0);
    assert_eq!(sum.answered + sum.refused + sum.cancelled, asked);
    assert!(sum.cancelled > asked / 20 && repeated > asked / 50 && sum.answered > asked * 3 / 4);
}
