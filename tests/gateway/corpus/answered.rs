//! Invariants for every answer of HighLevel.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use highlevel_mcp::budget::Budget;
use highlevel_mcp::call::output::{Format, GatheredRows, Output};
use highlevel_mcp::call::shape::shape;
use highlevel_mcp::config::LimitSettings;
use highlevel_mcp::upstream::rate_limit::{
    Gate, Permit, RateLimitHeaders, Reason, SlotOutcome, Wait, retry_after,
};
use highlevel_mcp::upstream::{Failure, answer, errors};
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::runtime;
use tokio::time::{Instant, advance};
use tool::Tool;

use super::input::{headers, parted, tool};

const TOKEN: &str = "pit-secret";

/// An operation whose answers are shown as rows.
const LIST: &str = "contacts_get-contacts";

/// Longest text of a failure, in bytes. Most of it is HighLevel's escaped text.
const LONGEST_FAILURE: usize = 16_000;

/// The longest pause that is accepted. A daily limit resets after 24 hours.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
const LONGEST_DAY: Duration = Duration::from_hours(24);

const INTERVAL: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(100);
const LIMITS: LimitSettings = LimitSettings {
    calls_per_interval: 20,
    interval_ms: 10_000,
    percent: 100,
    calls_per_day: 1000,
    max_wait_ms: 0,
    queue: 0,
};

/// Answers in sequence: each a status line and header lines, followed by an empty line. No window opens wider than the
/// settings say, or stays closed longer than the accepted maximum.
pub(super) fn rate_headers(input: &[u8]) {
    let mut builder = runtime::Builder::new_current_thread();
    let paused = builder.enable_time().start_paused(true).build();
    paused.expect("a runtime").block_on(async {
        let gate = Arc::new(Gate::new(&LIMITS, &Arc::default()));
        let mut begun = Vec::new();
        let (mut answer, mut rest) = parted(input);
        while let Some((status, lines)) = answer.split_first() {
            let Some(permit) = admitted(&gate, &mut begun).await else {
                break;
            };
            // Two more calls end without an answer: one that runs meanwhile, and one whose client hangs up at once.
            let other = admitted(&gate, &mut begun).await;
            drop(admitted(&gate, &mut begun).await);
            advance(TICK).await;
            permit.end(ended(status, &headers(lines)));
            drop(other);
            (answer, rest) = parted(rest);
        }
        let start = Instant::now();
        while start.elapsed() < 3 * INTERVAL {
            let mut permits = Vec::new();
            while let Some(permit) = admitted(&gate, &mut begun).await {
                permits.push(permit);
            }
            advance(TICK).await;
            for permit in permits {
                permit.end(SlotOutcome::Answered(RateLimitHeaders::default()));
            }
        }
        for (index, first) in begun.iter().enumerate() {
            let within = begun[index..]
                .iter()
                .take_while(|at| **at < *first + INTERVAL);
            let within = within.count() as u64;
            assert!(within <= LIMITS.calls_per_interval, "{within} calls");
        }
        advance(LONGEST_WAIT).await;
        let again = gate.admit(Default::default(), true, Instant::now()).await;
        let day = |wait: &Wait| wait.reason != Reason::Interval;
        assert!(again.as_ref().err().is_none_or(day), "shut for good");
    });
}

async fn admitted(gate: &Arc<Gate>, begun: &mut Vec<Instant>) -> Option<Permit> {
    let now = Instant::now();
    match gate.admit(Default::default(), true, now).await {
        Ok(permit) => {
            begun.push(now);
            Some(permit)
        }
        Err(wait) => {
            let longest = match wait.reason {
                Reason::Interval => LONGEST_WAIT,
                Reason::Day | Reason::ReadsOnly => LONGEST_DAY,
            };
            assert!(wait.retry_after <= longest, "{wait:?}");
            None
        }
    }
}

/// The outcome of a call answered with this status and these headers. The caller is told no longer wait either.
fn ended(status: &[u8], headers: &HeaderMap) -> SlotOutcome {
    let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::OK);
    let secret = SecretString::from(TOKEN);
    let failure = errors::classify_error(tool(LIST), &secret, status, headers, b"{}");
    let wait = Duration::from_millis(failure.retry_after_ms.unwrap_or(0));
    assert!(wait <= LONGEST_WAIT, "{failure:?}");
    check_failure(&failure);
    SlotOutcome::with(
        status,
        RateLimitHeaders::parse(headers),
        retry_after(headers),
    )
}

/// HighLevel's answer to a call. An error tells only what it may. A success is valid and within the limit in each
/// format, or refused.
pub(super) fn answers(input: &[u8]) {
    for tool in [LIST, "contacts_get-contact", "contacts_create-contact"].map(tool) {
        for status in [StatusCode::BAD_REQUEST, StatusCode::BAD_GATEWAY] {
            let secret = SecretString::from(TOKEN);
            check_failure(&errors::classify_error(
                tool,
                &secret,
                status,
                &HeaderMap::new(),
                input,
            ));
        }
        match answer::accepted(tool, 200, None, input.to_vec(), Budget::default().charge()) {
            Ok(reply) => [64, 800, 1 << 17]
                .into_iter()
                .for_each(|limit| shaped(tool, &reply.body, limit)),
            Err(failure) => check_failure(&failure),
        }
    }
}

fn shaped(tool: &Tool, body: &str, limit: usize) {
    let check = |given: Result<String, Failure>, is_json: bool| match given {
        Ok(text) => {
            assert!(
                text.len() <= limit,
                "{} bytes, not {limit}: {text}",
                text.len()
            );
            let read = serde_json::from_str::<IgnoredAny>(&text).map_err(|error| error.to_string());
            assert!(!is_json || read.is_ok(), "{read:?}: {text}");
            let read = serde_json::from_str::<Value>(&text).map_err(|error| error.to_string());
            assert!(
                !read.is_err_and(|error| error.contains("recursion")),
                "{text}"
            );
        }
        Err(failure) => check_failure(&failure),
    };
    check(shape(tool, body.to_owned(), limit), true);
    let Ok(answer) = serde_json::from_str(body) else {
        return;
    };
    for format in [Format::Json, Format::Table, Format::Csv] {
        let output = Output {
            format,
            ..Output::default()
        };
        let mut gathered = GatheredRows::default();
        match output.gather(tool, &answer, &mut gathered) {
            Ok(true) => {
                let list = output.list(tool, gathered, limit);
                check(list.map(|list| list.text), format == Format::Json);
            }
            Ok(false) => {
                let record = output.record(tool, &answer, None);
                check(record.and_then(|(text, _)| shape(tool, text, limit)), true);
            }
            Err(failure) => check_failure(&failure),
        }
    }
}

/// A failure is short and does not contain the token.
fn check_failure(failure: &Failure) {
    let text = failure.text();
    assert!(text.len() < LONGEST_FAILURE, "{} bytes", text.len());
    assert!(!text.contains(TOKEN), "{text}");
}
