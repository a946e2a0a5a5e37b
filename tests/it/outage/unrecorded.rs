//! What could not be recorded in time: what the client is told, and what is known of it afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_support::recording::Recording;
use test_support::server::TestServer;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::{Outage, call, each, is_write, respond, rules, send, serve, tag};

/// The longest that anything takes to be known, and much more.
const LONGEST: Duration = Duration::from_secs(60);

/// A server that can be ended as a whole, without a word to anybody.
struct Process {
    server: Option<TestServer>,
    runtime: Option<Runtime>,
}

impl Process {
    fn start(highlevel: &str, url: &str, rules: &str) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        // Answers wait no longer than a call may take.
        let patience = ("HIGHLEVEL_MCP_UPSTREAM_TOTAL_TIMEOUT_MS", "3000");
        let server = runtime.block_on(serve(highlevel, url, rules, &[patience]));
        Self {
            server: Some(server),
            runtime: Some(runtime),
        }
    }

    fn call(&self, tool: &str, arguments: Value) -> (Value, bool) {
        let (server, runtime) = (self.server.as_ref(), self.runtime.as_ref());
        let call = call(server.expect("runs"), tool, arguments);
        runtime.expect("runs").block_on(call)
    }

    /// Several at once.
    fn calls(&self, calls: &[(&str, Value)]) -> Vec<(Value, bool)> {
        let (server, runtime) = (self.server.as_ref(), self.runtime.as_ref());
        let server = server.expect("runs");
        let calls = calls
            .iter()
            .map(|(tool, arguments)| call(server, tool, arguments.clone()));
        runtime.expect("runs").block_on(join_all(calls))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.server.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// The server ends before the store is back: what its clients were told is all that anybody knows.
#[test]
fn unrecorded_results_are_reported_and_unknown_afterwards() {
    let Some(outage) = Outage::start() else {
        return;
    };
    let other = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let other = other.expect("a runtime");
    let noted = Arc::clone(&outage);
    // Nothing is answered before the last has begun.
    let highlevel = other.block_on(Recording::start_async(move |request| {
        let outage = Arc::clone(&noted);
        async move {
            if is_write(&request) && outage.writes.load(Ordering::Relaxed) > 0 {
                outage.note_write();
                while !outage.is_away.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(5)).await;
                }
            }
            respond(&request)
        }
    }));
    let (rules, url) = (rules(), outage.url());
    let path = rules.path().to_str().expect("UTF-8");
    let first = Process::start(&highlevel.url, &url, path);
    let confirm = |tool: &str, arguments: Value| {
        let (preview, _) = first.call(tool, arguments);
        assert!(preview["confirm"].is_string(), "{preview}");
        json!({"confirm": preview["confirm"]})
    };
    let calls = [
        ("call_write", tag("c1", json!({"idempotencyKey": "k"}))),
        ("call_send", confirm("call_send", send(&["a", "b"]))),
        ("call_write", confirm("call_write", each())),
    ];
    outage.arm(calls.len());
    let answers = first.calls(&calls);
    for (told, is_error) in &answers {
        assert!(!is_error, "{told}");
        let why = told["_unrecorded"].as_str().unwrap_or_default();
        assert!(why.contains("could not record it"), "{told}");
    }
    assert_eq!(answers[0].0["succeded"], true, "what HighLevel answered");
    for (told, _) in &answers[1..] {
        assert_eq!(
            (&told["done"], &told["notRun"]),
            (&json!(1), &json!(1)),
            "{told}"
        );
        assert!(told.to_string().contains("could not be recorded"), "{told}");
    }
    assert_eq!(highlevel.count(is_write), calls.len());
    drop(first);
    outage.end();
    let second = Process::start(&highlevel.url, &url, path);
    let since = Instant::now();
    for (tool, arguments) in &calls[..2] {
        // Until its process counts as dead.
        let told = loop {
            let (told, is_error) = second.call(tool, arguments.clone());
            assert!(is_error, "{told}");
            if told["class"] == "unknown_outcome" {
                break told;
            }
            assert!(since.elapsed() < LONGEST, "{told}");
            thread::sleep(Duration::from_millis(500));
        };
        assert!(told["remedy"].is_string(), "{told}");
    }
    assert_eq!(
        highlevel.count(is_write),
        calls.len(),
        "nothing is sent again"
    );
    // Of the rows the one that was sent is unknown, and the other is written now.
    let (told, _) = second.call(calls[2].0, calls[2].1.clone());
    assert_eq!(
        (&told["done"], &told["unknown"]["count"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!(highlevel.count(is_write), calls.len() + 1);
}
