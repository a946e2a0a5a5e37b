//! What a tool call costs beside a bare axum and reqwest relay of the same answer, in the same run.
//!
//! Server and relay are processes of their own, so that their CPU time is theirs alone; HighLevel and
//! the callers run in this one. Rounds alternate; the ratio is the median of the rounds. `RELAY_BEFORE` names an earlier
//! build of the server to put beside this one, `RELAY_SERVER` another build of this one, such as `cargo build --release`
//! makes it, and `RELAY_TRACES=1` has every call traced. A write is written down before and after it, on a disk whose
//! speed is told, too.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking"
)]

#[expect(
    dead_code,
    reason = "shared with the other benchmark, which uses more of it"
)]
mod process;

use std::future::ready;
use std::io::Write;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use process::{Process, STATE};
use serde_json::{Value, json};
use test_support::recording::{Recording, json as answer};
use tokio::net::TcpListener;
use tokio::process::Command;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 7;

struct Case {
    name: &'static str,
    /// Of HighLevel's answer.
    path: &'static str,
    tool: &'static str,
    arguments: &'static str,
    /// In a round.
    calls: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "2 KB contact",
        path: "/contacts/c1",
        tool: "contacts_get-contact",
        arguments: r#"{"contactId":"c1"}"#,
        calls: 4000,
    },
    Case {
        name: "100 KB list",
        path: "/contacts/?locationId=L0",
        tool: "contacts_get-contacts",
        arguments: "{}",
        calls: 800,
    },
    Case {
        name: "2 KB write",
        path: "/contacts/c1",
        tool: "contacts_add-tags",
        arguments: r#"{"contactId":"c1","tags":["vip"]}"#,
        calls: 2000,
    },
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(upstream) = std::env::var_os("RELAY_UPSTREAM") {
        relay(upstream.into_string().expect("text")).await;
        return;
    }
    let upstream = highlevel().await;
    let serve = |program: &str| {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--base-url", &upstream]);
        command
    };
    let usual = env!("CARGO_BIN_EXE_highlevel-mcp").to_owned();
    let mut command = serve(&std::env::var("RELAY_SERVER").unwrap_or(usual));
    command.env(STATE.0, STATE.1);
    command.env("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000");
    command.env("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", "1000000000");
    if std::env::var_os("RELAY_TRACES").is_some() {
        let collector = format!("{upstream}/v1/traces");
        command.env("HIGHLEVEL_MCP_TRACES_ENDPOINT", collector);
    }
    let server = Process::start(&mut command).await;
    let before = match std::env::var("RELAY_BEFORE") {
        Ok(program) => Some(Process::start(&mut serve(&program)).await),
        Err(_) => None,
    };
    let own = std::env::current_exe().expect("a path");
    let relay = Process::start(Command::new(own).env("RELAY_UPSTREAM", &upstream)).await;
    println!("Server beside relay, {CONNECTIONS} connections, median of {ROUNDS} rounds:");
    for case in CASES {
        let Case {
            name,
            path,
            tool,
            arguments,
            calls,
        } = case;
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        let (mcp, plain) = (
            (format!("{}/mcp", server.url), call.to_string()),
            (relay.url.clone(), path.to_owned()),
        );
        let earlier = before
            .as_ref()
            .map(|before| (before, (format!("{}/mcp", before.url), call.to_string())));
        for target in [&mcp, &plain]
            .into_iter()
            .chain(earlier.as_ref().map(|(_, target)| target))
        {
            load(target, CONNECTIONS, calls / 4).await;
        }
        let (mut since, mut more, mut alone) = (vec![], vec![], vec![]);
        let (mut cpu, mut latency, mut server_cpu, mut relay_cpu) =
            (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let ours = cpu_per_call(&server, &mcp, calls).await;
            let bare = cpu_per_call(&relay, &plain, calls).await;
            if let Some((before, target)) = &earlier {
                let earlier = cpu_per_call(before, target, calls).await;
                since.push(ours / earlier);
                more.push(ours - earlier);
            }
            cpu.push(ours / bare);
            server_cpu.push(ours);
            relay_cpu.push(bare);
            let ours = load(&mcp, 1, calls / 8).await;
            let bare = load(&plain, 1, calls / 8).await;
            latency.push(ours.as_secs_f64() / bare.as_secs_f64());
            alone.push(ours.as_secs_f64() * 1e6);
        }
        println!(
            "  {name:<13} CPU per call {:.2} x ({:.0} beside {:.0} microseconds), latency of one caller {:.2} x ({:.0} microseconds)",
            median(cpu),
            median(server_cpu),
            median(relay_cpu),
            median(latency),
            median(alone),
        );
        if !since.is_empty() {
            println!(
                "  {name:<13} CPU per call {:.2} x that of the earlier build, {:.0} microseconds more",
                median(since),
                median(more)
            );
        }
    }
    println!(
        "  a write of 4 KB that waits for the disk: {:.0} microseconds",
        median((0..51).map(|_| sync()).collect())
    );
}

/// Microseconds that the disk takes for what has to be on it, where the server keeps its state.
fn sync() -> f64 {
    std::fs::create_dir_all(STATE.1).expect("a folder");
    let mut file = tempfile::tempfile_in(STATE.1).expect("a file");
    let start = Instant::now();
    file.write_all(&[7; 4096]).expect("written");
    file.sync_data().expect("on the disk");
    start.elapsed().as_secs_f64() * 1e6
}

/// Microseconds of CPU time that one call costs a process.
async fn cpu_per_call(process: &Process, target: &(String, String), calls: usize) -> f64 {
    let before = process.cpu();
    load(target, CONNECTIONS, calls).await;
    (process.cpu() - before).as_secs_f64() * 1e6 / calls as f64
}

/// Sends `calls` posts over `connections` connections; the time of one call.
async fn load(target: &(String, String), connections: usize, calls: usize) -> Duration {
    let start = Instant::now();
    let callers = (0..connections).map(|_| {
        let (url, body) = target.clone();
        tokio::spawn(async move {
            let http = reqwest::Client::builder()
                .pool_max_idle_per_host(1)
                .build()
                .unwrap();
            for _ in 0..calls / connections {
                let reply = http
                    .post(&url)
                    .header("content-type", "application/json")
                    .header("accept", "application/json, text/event-stream")
                    .header("authorization", "Bearer pit-bench")
                    .header("locationid", "L0")
                    .body(body.clone())
                    .send()
                    .await
                    .expect("a reply");
                assert!(reply.status().is_success());
                assert!(reply.bytes().await.expect("a body").len() > 1500);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("calls");
    }
    start.elapsed() / u32::try_from(calls / connections).unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// HighLevel with one contact of 2 KB and one list of 100 KB.
async fn highlevel() -> String {
    let contact = |id: usize| {
        json!({
            "id": format!("contact-{id}"), "firstName": "Ada", "lastName": "Lovelace \"the first\"",
            "email": format!("ada{id}@example.com"), "tags": ["vip", "newsletter", "2026"],
            "customFields": (0..34).map(|field| json!({"id": format!("field-{field}"), "value": "Some value of a field\n"})).collect::<Vec<_>>(),
            "address1": "12 St James's Square", "dnd": false, "dateAdded": "2026-01-31T09:00:00.000Z",
        })
    };
    let one = json!({"contact": contact(1)}).to_string();
    let list = json!({"contacts": (0..50).map(contact).collect::<Vec<_>>(), "meta": {"total": 50}})
        .to_string();
    assert!(
        (1_500..2_500).contains(&one.len()) && (90_000..115_000).contains(&list.len()),
        "{} {}",
        one.len(),
        list.len()
    );
    let recording = Recording::unrecorded(move |request| {
        ready(match request.path() {
            "/contacts/c1" | "/contacts/c1/tags" => answer(200, &*one),
            "/contacts/" => answer(200, &*list),
            _ => answer(404, ""),
        })
    });
    recording.await.url
}

/// The baseline: takes a path as a post, gets it from HighLevel with a token, gives the bytes back.
async fn relay(upstream: String) {
    let router = Router::new()
        .route("/", post(forward))
        .with_state((reqwest::Client::new(), upstream));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    eprintln!(
        "relay at http://{}",
        listener.local_addr().expect("an address")
    );
    axum::serve(listener, router).await.expect("served");
}

async fn forward(
    State((http, upstream)): State<(reqwest::Client, String)>,
    path: String,
) -> ([(&'static str, &'static str); 1], Bytes) {
    let request = http
        .get(format!("{upstream}{path}"))
        .bearer_auth("pit-bench");
    let reply = request.send().await.expect("a reply");
    let header = [("content-type", "application/json")];
    (header, reply.bytes().await.expect("a body"))
}
