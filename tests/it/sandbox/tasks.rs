//! Thirty jobs of an agency's day, done over MCP from the server's own information, each within a bound of calls and
//! bytes.

mod counting;
mod money;
mod people;
mod setup;

use std::pin::Pin;

use serde_json::{Value, json};

use super::{Stack, list, text};

/// A program that works on the sandbox, with its calls and the bytes that it read.
struct Desk {
    stack: Stack,
    calls: usize,
    /// Of all returned texts.
    bytes: usize,
    errors: Vec<String>,
}

/// One job, and its limits.
#[derive(Clone, Copy)]
struct Job {
    name: &'static str,
    calls: usize,
    bytes: usize,
    run: for<'d> fn(&'d mut Desk) -> Pin<Box<dyn Future<Output = ()> + 'd>>,
}

/// All jobs together.
const MOST_CALLS: usize = 110;
const MOST_BYTES: usize = 100_000;

impl Desk {
    async fn start() -> Self {
        Self {
            stack: Stack::start().await,
            calls: 0,
            bytes: 0,
            errors: Vec::new(),
        }
    }

    /// The answer of a tool, or its error.
    async fn ask(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.stack.try_call(tool, arguments).await;
        self.note(tool, answer)
    }

    /// The same for the whole agency.
    async fn ask_as_agency(&mut self, tool: &str, arguments: Value) -> Value {
        let bearer = format!("Bearer {}", self.stack.sandbox.company_token().await);
        let headers = [("authorization", bearer.as_str())];
        let answer = self.stack.try_call_with(&headers, tool, arguments).await;
        self.note(tool, answer)
    }

    fn note(&mut self, tool: &str, answer: Result<Value, Value>) -> Value {
        self.calls += 1;
        let (value, is_error) = match answer {
            Ok(value) => (value, false),
            Err(value) => (value, true),
        };
        // A text that is not JSON, such as CSV, is counted as it is.
        self.bytes += value
            .as_str()
            .map_or_else(|| value.to_string().len(), str::len);
        if is_error {
            self.errors.push(format!("{tool}: {value}"));
        }
        value
    }

    /// Finds operations by their purpose, one for each query.
    async fn search(&mut self, queries: &[&str]) -> Value {
        let found = self
            .ask("search_operations", json!({"queries": queries, "limit": 1}))
            .await;
        assert!(found["hint"].is_null(), "{found}");
        found
    }

    async fn send(&mut self, operation: &str, arguments: Value) -> Value {
        let call = json!({"operation": operation, "arguments": arguments});
        self.ask("call_send", call).await
    }

    /// A call that has to be confirmed: previewed, then run.
    async fn destroy(&mut self, operation: &str, arguments: Value) -> Value {
        let call = json!({"operation": operation, "arguments": arguments});
        let preview = self.ask("call_destructive", call).await;
        self.confirm("call_destructive", &preview).await
    }

    async fn read(&mut self, operation: &str, arguments: Value, output: Value) -> Value {
        let call = json!({"operation": operation, "arguments": arguments, "output": output});
        self.ask("call_read", call).await
    }

    async fn write(&mut self, operation: &str, arguments: Value) -> Value {
        let call = json!({"operation": operation, "arguments": arguments});
        self.ask("call_write", call).await
    }

    /// Runs the previewed call.
    async fn confirm(&mut self, tool: &str, preview: &Value) -> Value {
        let confirm = text(preview, "/confirm").to_owned();
        self.ask(tool, json!({"confirm": confirm})).await
    }

    /// A look at the sandbox afterwards. It does not count as a call of the job.
    async fn look(&self, tool: &str, arguments: Value) -> Value {
        self.stack.call(tool, arguments).await
    }
}

/// The date `days` from today, as `YYYY-MM-DD`.
fn day(days: i64) -> String {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
    now.to_string().chars().take(10).collect()
}

#[tokio::test]
async fn thirty_jobs_take_few_calls_and_few_bytes() {
    let jobs = [
        people::JOBS.as_slice(),
        &counting::JOBS,
        &money::JOBS,
        &setup::JOBS,
    ]
    .concat();
    let (mut calls, mut bytes) = (0, 0);
    for job in &jobs {
        let mut desk = Desk::start().await;
        (job.run)(&mut desk).await;
        println!(
            "{:<55} {:>3} calls {:>6} bytes",
            job.name, desk.calls, desk.bytes
        );
        assert_eq!(desk.errors, Vec::<String>::new(), "{}", job.name);
        assert!(
            desk.calls <= job.calls && desk.bytes <= job.bytes,
            "{}: {} calls of {}, {} bytes of {}",
            job.name,
            desk.calls,
            job.calls,
            desk.bytes,
            job.bytes
        );
        calls += desk.calls;
        bytes += desk.bytes;
    }
    println!("{} jobs, {calls} calls, {bytes} bytes", jobs.len());
    assert_eq!(jobs.len(), 30);
    assert!(
        calls <= MOST_CALLS && bytes <= MOST_BYTES,
        "{calls} calls, {bytes} bytes"
    );
}
