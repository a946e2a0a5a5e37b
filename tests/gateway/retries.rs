//! Which requests are sent again and how often, and which never are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::times;
use test_support::server::{TestServer, VOUCHED};
use test_support::wire::{Step, Wire, reset, send, whole};

const NO_LIMIT: (&str, &str) = ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000");

/// Two reads, a write, and a message to a person. A read by POST counts as a read by its effect alone:
/// `Outcome::allows` does not see the method.
const TOOLS: [(&str, &str); 4] = [
    ("contacts_get-contact", r#"{"contactId":"c1"}"#),
    ("conversations_search-conversation", r#"{"limit":1}"#),
    ("contacts_create-contact", r#"{"email":"a@example.com"}"#),
    (
        "conversations_send-a-new-message",
        r#"{"contactId":"c1","type":"SMS","message":"hi"}"#,
    ),
];

/// The calls that are sent again and then succeed.
#[derive(Clone, Copy, PartialEq)]
enum Repeated {
    Nothing,
    Reads,
    Everything,
}

/// HighLevel does `first` to the first request and answers all others.
async fn check(name: &str, first: Vec<Step>, repeated: Repeated) {
    for (tool, arguments) in TOOLS {
        let first = first.clone();
        let wire = Wire::start(move |number| match number {
            0 => first.clone(),
            _ => vec![whole("200 OK", "", "{}")],
        })
        .await;
        let server = TestServer::start_with(&wire.url, &[VOUCHED]).await;
        let arguments: Value = serde_json::from_str(arguments).expect("JSON");
        let (text, is_error) = server.call(tool, arguments).await;
        let is_read = tool.contains("get") || tool.contains("search");
        let again = match repeated {
            Repeated::Reads => is_read,
            other => other == Repeated::Everything,
        };
        let outcome = (wire.requests(), !is_error);
        let expected = (1 + usize::from(again), again);
        assert_eq!(outcome, expected, "{name}, {tool}: {text}");
    }
}

#[tokio::test]
async fn reads_are_repeated_and_writes_only_if_nothing_happened() {
    use Repeated::{Everything, Nothing, Reads};
    let answer = |status: &str, headers: &str| vec![whole(status, headers, "{}")];
    let unavailable = |headers: &str| answer("503 Service Unavailable", headers);
    let too_many = |headers: &str| answer("429 Too Many Requests", headers);
    let half = send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    let without_end = "retry-after: 99999999999999999999\r\n";
    let garbled = "retry-after: Thu, 99 Foo\r\n";
    for (name, first, repeated) in [
        ("a reset", vec![Step::Reset], Reads),
        ("an end", vec![Step::Close], Reads),
        ("502", answer("502 Bad Gateway", ""), Reads),
        ("503", unavailable(""), Reads),
        ("503, 1 s", unavailable("retry-after: 1\r\n"), Reads),
        ("503, 60 s", unavailable("retry-after: 60\r\n"), Nothing),
        ("504", vec![whole("504 Gateway Timeout", "", "")], Reads),
        ("408", answer("408 Request Timeout", ""), Reads),
        ("500", answer("500 Internal Server Error", ""), Nothing),
        ("400", answer("400 Bad Request", ""), Nothing),
        ("401", answer("401 Unauthorized", ""), Nothing),
        ("half an answer", vec![half, Step::Close], Nothing),
        // Nothing was done, so everything is repeated, at the time HighLevel gives or not at all.
        ("429", too_many("retry-after: 0\r\n"), Everything),
        ("429, 1 s", too_many("retry-after: 1\r\n"), Everything),
        ("429 for an interval", too_many(""), Nothing),
        ("429, 1 h", too_many("retry-after: 3600\r\n"), Nothing),
        ("429 for ever", too_many(without_end), Nothing),
        ("429 until a garbled date", too_many(garbled), Nothing),
    ] {
        check(name, first, repeated).await;
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    #[rustfmt::skip]
    let rows = [
        ("retry-after: 7\r\n", 7_000..=7_000),
        ("retry-after: 3600\r\n", 3_600_000..=3_600_000),
        ("retry-after: 99999999999999999999\r\n", 3_600_000..=3_600_000),
        ("retry-after: Fri, 01 Jan 9999 00:00:00 GMT\r\n", 3_600_000..=3_600_000),
        ("retry-after: garbage\r\n", 9_000..=10_000),
        ("retry-after: -5\r\n", 9_000..=10_000),
        ("", 9_000..=10_000),
        ("x-ratelimit-interval-milliseconds: 20000\r\nx-ratelimit-max: 100\r\n", 19_000..=20_000),
    ];
    for (headers, expected) in rows {
        let wire = Wire::start(move |_| vec![whole("429 Too Many Requests", headers, "{}")]).await;
        let server = TestServer::start(&wire.url).await;
        for sent in [1, 1] {
            let (text, is_error) = server.call(TOOLS[0].0, json!({"contactId": "c1"})).await;
            let failure: Value = serde_json::from_str(&text).expect("JSON");
            assert!(
                is_error && failure["class"] == "rate_limited",
                "{headers:?}: {text}"
            );
            let after = failure["retryAfterMs"].as_u64().expect("a number");
            let slack = *expected.start() - 1_000..=*expected.end();
            assert!(slack.contains(&after), "{headers:?}: {after}");
            assert_eq!(
                wire.requests(),
                sent,
                "{headers:?}: the second call does not leave"
            );
        }
    }
}

/// Constant 503: two retries for a call, but at most a tenth of a tenant's calls once the reserve is used up.
#[tokio::test]
async fn retries_stay_within_their_budget() {
    let calls = times(400, 10_000);
    let wire = Wire::start(|number| match number % 4 {
        // A success among them keeps the breaker closed.
        3 => vec![whole("200 OK", "", "{}")],
        _ => vec![whole("503 Service Unavailable", "", "{}")],
    })
    .await;
    let server = TestServer::start_with(&wire.url, &[NO_LIMIT]).await;
    for _ in 0..calls {
        server.call(TOOLS[0].0, json!({"contactId": "c1"})).await;
    }
    let retries = wire.requests() - calls;
    println!("{calls} calls of one tenant against 75 % 503: {retries} retries");
    assert!(retries <= calls / 10 + 10, "{retries}");
    assert!(retries >= calls / 10, "{retries}");
}

/// The connection is reset at every point of a POST. HighLevel sees each call at most once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reset_makes_a_write_happen_twice() {
    let calls = times(3_000, 10_000);
    let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let (counts, random) = (Arc::clone(&seen), Mutex::new(fastrand::Rng::with_seed(11)));
    let wire = Wire::connections(move |mut stream| {
        let counts = Arc::clone(&counts);
        // The number of bytes read, and of the answer's bytes written, before the reset.
        let (read, written) = {
            let mut random = random.lock().expect("the lock");
            (random.usize(0..1200), random.usize(0..60))
        };
        async move {
            let mut request = Vec::new();
            let mut buffer = [0; 64];
            while request.len() < read {
                let next = timeout(Duration::from_millis(3), stream.read(&mut buffer)).await;
                match next {
                    Ok(Ok(count)) if count > 0 => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request);
            // Counted once the id was read whole; less than that makes no call.
            let id = text
                .split_once("call-")
                .and_then(|(_, rest)| rest.split_once('@'));
            if let Some((id, _)) = id {
                let id = id.to_owned();
                *counts.lock().expect("the lock").entry(id).or_default() += 1;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"contact\":{}}";
                let _ = stream.write_all(&answer[..written.min(answer.len())]).await;
            }
            reset(&stream);
        }
    })
    .await;
    let server = Arc::new(TestServer::start_with(&wire.url, &[NO_LIMIT, VOUCHED]).await);
    let callers = (0..8).map(|caller| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let (mut unknown, mut unsent, mut done) = (0, 0, 0);
            for number in 0..calls / 8 {
                let email = format!("call-{caller}-{number:06}@example.com");
                let (text, is_error) = server.call(TOOLS[2].0, json!({"email": email})).await;
                match is_error {
                    false => done += 1,
                    true if text.contains("unknown_outcome") => unknown += 1,
                    true => {
                        assert!(text.contains("othing was sent"), "{text}");
                        unsent += 1;
                    }
                }
            }
            (unknown, unsent, done)
        })
    });
    let (mut unknown, mut unsent, mut done) = (0, 0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let ended = caller.await.expect("calls");
        unknown += ended.0;
        unsent += ended.1;
        done += ended.2;
    }
    let seen = seen.lock().expect("the lock");
    let twice = seen.values().filter(|count| **count > 1).count();
    println!(
        "{calls} POSTs reset: {} seen, {twice} seen twice; {done} done, {unknown} of unknown outcome, {unsent} not sent",
        seen.len()
    );
    assert_eq!(twice, 0);
    assert!(unknown > calls / 10 && done > 0, "{unknown} {done}");
}

/// HighLevel is down: calls fail at once, and one call every five seconds probes it.
#[tokio::test]
async fn an_outage_fails_fast_and_is_probed_seldom() {
    let outage = Duration::from_secs(u64::try_from(times(11, 60)).expect("seconds"));
    let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&attempts);
    let is_up = Arc::new(AtomicBool::new(false));
    let comes_up = Arc::clone(&is_up);
    let wire = Wire::start(move |_| {
        if is_up.load(Ordering::SeqCst) {
            return vec![whole("200 OK", "", "{}")];
        }
        seen.lock().expect("the lock").push(Instant::now());
        let page = whole("503 Service Unavailable", "connection: close\r\n", "<html>");
        vec![page, Step::Close]
    })
    .await;
    let server = TestServer::start_with(&wire.url, &[NO_LIMIT]).await;
    let mut fast = Vec::new();
    let start = Instant::now();
    while start.elapsed() < outage {
        let before = attempts.lock().expect("the lock").len();
        let called = Instant::now();
        let (text, is_error) = server
            .call(TOOLS[2].0, json!({"email": "a@example.com"}))
            .await;
        assert!(is_error, "{text}");
        if attempts.lock().expect("the lock").len() == before {
            assert!(text.contains("HighLevel is down"), "{text}");
            fast.push(called.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = start.elapsed();
    comes_up.store(true, Ordering::SeqCst);
    fast.sort_unstable();
    let opened = attempts.lock().expect("the lock")[4];
    let probes = attempts
        .lock()
        .expect("the lock")
        .iter()
        .filter(|at| **at > opened)
        .count();
    let p99 = fast[fast.len() * 99 / 100];
    println!(
        "{outage:?} of outage: 5 failures, then {probes} probes; {} calls refused, p99 in {p99:?}",
        fast.len()
    );
    assert!(probes as u64 <= took.as_secs() / 5, "{probes}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (text, is_error) = server
        .call(TOOLS[2].0, json!({"email": "a@example.com"}))
        .await;
    assert!(!is_error, "{text}");
}

/// The 4xx answers of one tenant, however many, stop no other tenant. A token that HighLevel does not know is paused.
#[tokio::test]
async fn faults_of_one_tenant_stop_no_other() {
    let wire = Wire::start_with(|_, request| {
        if request.contains("pit-other") {
            return vec![whole("200 OK", "", "{}")];
        }
        vec![whole(
            "401 Unauthorized",
            "",
            r#"{"message":"Invalid JWT"}"#,
        )]
    })
    .await;
    let server = TestServer::start_with(&wire.url, &[NO_LIMIT]).await;
    for _ in 0..200 {
        let (text, is_error) = server.call(TOOLS[0].0, json!({"contactId": "c1"})).await;
        assert!(is_error && text.contains("auth"), "{text}");
    }
    println!("200 calls of a refused token: {} sent", wire.requests());
    assert!(wire.requests() <= 5, "{}", wire.requests());
    let other = [("authorization", "Bearer pit-other"), ("locationid", "L1")];
    let answered = server
        .call_with(&other, TOOLS[0].0, json!({"contactId": "c1"}))
        .await;
    assert_eq!(answered, ("{}".to_owned(), false));
}

/// HighLevel's own failures in JSON stop only a tenant that gets them in several operations.
#[tokio::test]
async fn failures_in_json_stop_no_other_tenant_and_no_other_operation() {
    let wire = Wire::start_with(|_, request| {
        let fails = request.contains("pit-test") && request.contains("/wrong");
        vec![match fails {
            true => whole("500 Internal Server Error", "", "{}"),
            false => whole("200 OK", "", "{}"),
        }]
    })
    .await;
    let server = TestServer::start_with(&wire.url, &[NO_LIMIT]).await;
    let victim = [("authorization", "Bearer pit-other"), ("locationid", "L1")];
    let contact = |id: &str| json!({"contactId": id});
    let mut refused = 0;
    for _ in 0..20 {
        let (text, _) = server.call(TOOLS[0].0, contact("wrong")).await;
        assert!(text.contains("500"), "one wrong id: {text}");
        let own = server.call(TOOLS[0].0, contact("c1")).await;
        let others = server.call_with(&victim, TOOLS[0].0, contact("c1")).await;
        refused += [own, others].iter().filter(|answer| answer.1).count();
    }
    // Also without a success in between.
    for _ in 0..20 {
        let (text, _) = server.call(TOOLS[0].0, contact("wrong")).await;
        assert!(text.contains("500"), "one wrong id: {text}");
    }
    let tagged = json!({"contactId": "wrong", "tags": ["a"]});
    for (tool, arguments) in [
        ("contacts_get-all-tasks", contact("wrong")),
        ("contacts_add-tags", tagged),
    ] {
        let (text, _) = server.call(tool, arguments).await;
        assert!(text.contains("500"), "{tool}: {text}");
    }
    let (text, _) = server.call(TOOLS[0].0, contact("c1")).await;
    assert!(
        text.contains("down for this location"),
        "three operations: {text}"
    );
    let others = server.call_with(&victim, TOOLS[0].0, contact("c1")).await;
    refused += usize::from(others.1);
    println!("20 failures of one operation, then of three: {refused} other calls refused");
    assert_eq!(refused, 0);
}
