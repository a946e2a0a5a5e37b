//! The gateway under load: figures of one run on this machine, each beside its own baseline in the same run.
//!
//! The server is a process of its own; HighLevel and all clients run in this one, on the same cores. A word on the
//! command line runs the cases whose name holds it.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

mod client;
#[path = "../process/mod.rs"]
#[expect(
    dead_code,
    reason = "shared with the other benchmark, which uses more of it"
)]
mod process;

use std::time::{Duration, Instant};

use client::{Client, hold, percentile};
use process::{Process, STATE};
use test_support::recording::{Recording, json};
use tokio::process::Command;
use tokio::time::sleep;

const NO_LIMIT: (&str, &str) = ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000");

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with("--"));
    let runs = |name: &str| {
        wanted
            .as_ref()
            .is_none_or(|word| name.contains(word.as_str()))
    };
    if runs("slow") {
        slow_highlevel().await;
    }
    if runs("idle") {
        idle_connections().await;
    }
    if runs("loris") {
        slow_loris().await;
    }
    if runs("neighbour") {
        loud_neighbour().await;
    }
    if runs("refusal") {
        refusals().await;
    }
    if runs("overload") {
        overload().await;
    }
}

/// 1,000 calls of 50 locations at once while HighLevel takes five seconds.
async fn slow_highlevel() {
    let server = serve(&highlevel(Duration::from_secs(5)).await, &[]).await;
    let before = server.memory("VmRSS");
    let start = Instant::now();
    let calls = (0..1000).map(|call| {
        let client = Client::new(&server.url, call % 50);
        tokio::spawn(async move {
            let mut client = client;
            client.call().await
        })
    });
    let mut done = 0;
    for call in calls.collect::<Vec<_>>() {
        done += usize::from(call.await.expect("a call") == 200);
    }
    println!(
        "1,000 calls of 50 locations at once, HighLevel takes 5 s: {done} done, all after {:.2} s; {} MiB at most, {} MiB before",
        start.elapsed().as_secs_f64(),
        server.memory("VmHWM") / 1024,
        before / 1024,
    );
}

/// What an idle connection costs, without and with a request before.
async fn idle_connections() {
    for asked in [false, true] {
        let server = serve(
            &highlevel(Duration::ZERO).await,
            &[("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "16384")],
        )
        .await;
        Client::new(&server.url, 0).call().await;
        let before = server.memory("VmRSS");
        let mut open = Vec::new();
        for _ in 0..9_500 {
            let mut client = Client::new(&server.url, 0);
            if asked {
                client.get("/livez").await;
            } else {
                client.connect().await;
            }
            open.push(client);
        }
        // Until all of them rest.
        sleep(Duration::from_secs(3)).await;
        let each = (server.memory("VmRSS") - before) as f64 / open.len() as f64;
        let kind = if asked {
            "after a request each"
        } else {
            "without a request"
        };
        println!("{} idle connections {kind}: {each:.1} KiB each", open.len());
    }
}

/// A healthy client beside 5,000 that send a header and no more.
async fn slow_loris() {
    let server = serve(&highlevel(Duration::ZERO).await, &[NO_LIMIT]).await;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        alone.push(p99(&server.url, 1, 100.0, Duration::from_secs(4)).await);
        let held = hold(&server.url, 5_000).await;
        beside.push(p99(&server.url, 1, 100.0, Duration::from_secs(4)).await);
        drop(held);
        sleep(Duration::from_millis(500)).await;
    }
    report("a healthy client beside 5,000 slow ones", alone, beside);
}

/// Tenant B at 10 calls per second beside tenant A at 1,000.
async fn loud_neighbour() {
    let server = serve(&highlevel(Duration::from_millis(20)).await, &[]).await;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..3 {
        // A location of its own every round: none has used up its interval.
        let quiet = 10 + 2 * round;
        alone.push(p99(&server.url, quiet, 9.0, Duration::from_secs(9)).await);
        let url = server.url.clone();
        let loud = tokio::spawn(async move { p99(&url, 1, 1000.0, Duration::from_secs(12)).await });
        sleep(Duration::from_secs(1)).await;
        beside.push(p99(&server.url, quiet + 1, 9.0, Duration::from_secs(9)).await);
        loud.await.expect("calls");
    }
    report(
        "a tenant beside one that calls 110 times as often",
        alone,
        beside,
    );
}

/// How soon a call is told that it may not go.
async fn refusals() {
    let server = serve(&highlevel(Duration::ZERO).await, &[]).await;
    let mut client = Client::new(&server.url, 1);
    for _ in 0..100 {
        client.call().await;
    }
    println!(
        "refused by the location's limit: p99 {:.2?}",
        timed(&mut client, 2_000).await
    );
    let down = serve("http://127.0.0.1:9", &[]).await;
    let mut client = Client::new(&down.url, 2);
    for _ in 0..10 {
        client.call().await;
    }
    println!(
        "refused while HighLevel is down: p99 {:.2?}",
        timed(&mut client, 2_000).await
    );
}

/// Twice the calls of which the server carries the most.
async fn overload() {
    let settings = [NO_LIMIT, ("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "128")];
    let server = serve(&highlevel(Duration::from_millis(50)).await, &settings).await;
    let peak = goodput(&server.url, 128, 1e9, Duration::from_secs(10)).await;
    let twice = goodput(&server.url, 1024, 2.0 * peak.good, Duration::from_secs(60)).await;
    println!(
        "128 calls at once, HighLevel takes 50 ms: {:.0} calls per second; offered twice that for a minute: {:.0} ({:.0} %), {:.0} refused per second, p99 of a refusal {:.2?}",
        peak.good,
        twice.good,
        100.0 * twice.good / peak.good,
        twice.refused,
        twice.refusal,
    );
}

struct Goodput {
    good: f64,
    refused: f64,
    refusal: Duration,
}

/// `rate` calls per second in all, over so many connections.
async fn goodput(url: &str, connections: usize, rate: f64, lasts: Duration) -> Goodput {
    let start = Instant::now();
    let callers = (0..connections).map(|number| {
        let mut client = Client::new(url, number);
        tokio::spawn(async move {
            let (mut good, mut refused) = (0, Vec::new());
            let pause = Duration::from_secs_f64(connections as f64 / rate);
            let mut next = start + pause.mul_f64(number as f64 / connections as f64);
            while start.elapsed() < lasts {
                tokio::time::sleep_until(next.into()).await;
                next = (next + pause).max(Instant::now());
                let asked = Instant::now();
                match client.call().await {
                    200 => good += 1,
                    _ => refused.push(asked.elapsed()),
                }
            }
            (good, refused)
        })
    });
    let (mut good, mut refused) = (0, Vec::new());
    for caller in callers.collect::<Vec<_>>() {
        let (done, not) = caller.await.expect("calls");
        good += done;
        refused.extend(not);
    }
    let seconds = start.elapsed().as_secs_f64();
    Goodput {
        good: f64::from(good) / seconds,
        refused: refused.len() as f64 / seconds,
        refusal: percentile(refused, 99),
    }
}

/// The slowest but one in a hundred of calls at `rate` per second.
async fn p99(url: &str, tenant: usize, rate: f64, lasts: Duration) -> Duration {
    let mut client = Client::new(url, tenant);
    let start = Instant::now();
    let mut taken = Vec::new();
    let mut next = start;
    while start.elapsed() < lasts {
        tokio::time::sleep_until(next.into()).await;
        next += Duration::from_secs_f64(1.0 / rate);
        let asked = Instant::now();
        client.call().await;
        taken.push(asked.elapsed());
    }
    percentile(taken, 99)
}

async fn timed(client: &mut Client, calls: usize) -> Duration {
    let mut taken = Vec::new();
    for _ in 0..calls {
        let asked = Instant::now();
        client.call().await;
        taken.push(asked.elapsed());
    }
    percentile(taken, 99)
}

/// The middle one of the rounds.
fn report(what: &str, mut alone: Vec<Duration>, mut beside: Vec<Duration>) {
    alone.sort_unstable();
    beside.sort_unstable();
    let (alone, beside) = (alone[1], beside[1]);
    println!(
        "{what}: p99 {beside:.2?} beside {alone:.2?} alone, {:.2} x",
        beside.as_secs_f64() / alone.as_secs_f64()
    );
}

async fn serve(upstream: &str, settings: &[(&str, &str)]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--base-url", upstream]);
    command.env("HIGHLEVEL_MCP_METRICS_LISTEN", "");
    command.env(STATE.0, STATE.1);
    command.envs(settings.iter().copied());
    Process::start(&mut command).await
}

/// Answers everything after `latency`.
async fn highlevel(latency: Duration) -> String {
    let recording = Recording::unrecorded(move |_| async move {
        sleep(latency).await;
        json(200, r#"{"contact":{"id":"c1"}}"#)
    });
    recording.await.url
}
