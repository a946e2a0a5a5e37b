//! The time of a page of a location with 20,000 contacts, over HTTP, and the time to fill the sandbox.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sandbox::{LOCATION, SandboxOptions, TOKEN, serve};
use serde_json::{Value, json};

const ROUNDS: usize = 20;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let options = SandboxOptions {
        contacts: Some(20_000),
        calls_per_interval: Some(usize::MAX),
        ..SandboxOptions::default()
    };
    let begun = Instant::now();
    runtime.spawn(serve(listener, options));
    let search = |more: Value| {
        let mut body = json!({"locationId": LOCATION, "pageLimit": 100});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        ("POST /contacts/search".to_owned(), body)
    };
    let filter = |field: &str, operator: &str, value: &str| {
        search(json!({"filters": [{"field": field, "operator": operator, "value": value}]}))
    };
    let get = |target: String| (format!("GET {target}"), Value::Null);
    let requests = [
        search(json!({})),
        search(json!({"page": 100})),
        search(json!({"query": "ada"})),
        filter("tags", "eq", "vip"),
        filter("phone", "not_exists", ""),
        search(json!({"sort": [{"field": "email", "direction": "asc"}]})),
        get(format!("/contacts/?locationId={LOCATION}&limit=100")),
        get(format!(
            "/conversations/search?locationId={LOCATION}&limit=100"
        )),
        get(format!(
            "/opportunities/search?location_id={LOCATION}&limit=100"
        )),
        get(format!(
            "/payments/transactions?altId={LOCATION}&altType=location&limit=100"
        )),
    ];
    let (first, body) = search(json!({}));
    ask(address, &first, &body);
    eprintln!("filled and answered after {:?}", begun.elapsed());
    for (request, body) in requests {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            ask(address, &request, &body);
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let [median, most] =
            [ROUNDS / 2, ROUNDS - 1].map(|place| times.get(place).expect("a time"));
        eprintln!("median {median:?}, at most {most:?}: {request} {body}");
    }
}

/// Sends a request on a separate connection and reads a success to its end.
fn ask(address: SocketAddr, request: &str, body: &Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let head = format!(
        "{request} HTTP/1.1\r\nhost: sandbox\r\nversion: 2021-07-28\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 2"), "{request}: {answer}");
}
