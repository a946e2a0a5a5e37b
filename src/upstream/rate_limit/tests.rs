//! The limits against HighLevel's own counting, as the sandbox does it, with a clock of the test.

mod scopes;
mod shares;

use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::{Instant, advance, sleep};

use super::rate_window::{Rate, RateWindow, Slot};
use super::wait::{Reason, Wait};
use super::*;
use crate::config::{Config, Flags};
use sandbox::CountingWindow as Counting;
use sandbox::limits;

const INTERVAL: Duration = Duration::from_secs(10);

fn settings() -> config::LimitSettings {
    Config::from_sources(&Flags::default(), [])
        .expect("defaults")
        .limits
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(&settings(), &Arc::default()))
}

/// HighLevel's counter, with the time of the test's clock.
struct HighLevel {
    limits: limits::ResourceLimits,
    limit: limits::Limit,
    start: Instant,
    refused: u32,
    counted: Vec<Duration>,
}

impl HighLevel {
    fn new(counting: Counting, limit: limits::Limit) -> Mutex<Self> {
        Mutex::new(Self {
            limits: limits::ResourceLimits::new(counting),
            limit,
            start: Instant::now(),
            refused: 0,
            counted: Vec::new(),
        })
    }

    fn answer(&mut self) -> SlotOutcome {
        let now = self.start.elapsed();
        // Windows that begin at no round time of ours.
        let millis = i64::try_from(now.as_millis()).expect("a time") + 3_456;
        let verdict = self.limits.ask("L", self.limit, millis);
        let headers: HeaderMap = verdict
            .headers
            .iter()
            .map(|(name, value)| {
                let name = name.parse().expect("a name");
                (name, HeaderValue::from_str(value).expect("a value"))
            })
            .collect();
        let reported = RateLimitHeaders::parse(&headers);
        if verdict.let_in {
            self.counted.push(now);
            SlotOutcome::Answered(reported)
        } else {
            self.refused += 1;
            SlotOutcome::Refused(reported, None)
        }
    }
}

/// Agents that call as fast as they may for a minute. Returns refusals upstream, and admitted calls.
async fn minute(
    counting: Counting,
    limit: limits::Limit,
    latency_ms: std::ops::Range<u64>,
) -> (u32, usize) {
    let highlevel = HighLevel::new(counting, limit);
    let gate = gate();
    let random = Mutex::new(fastrand::Rng::with_seed(7));
    let end = Instant::now() + Duration::from_secs(60);
    let agent = |number: u8| {
        let (gate, highlevel, random) = (Arc::clone(&gate), &highlevel, &random);
        let latency_ms = latency_ms.clone();
        async move {
            while Instant::now() < end {
                let permit = gate.admit([number; 32], true, end).await;
                let permit = match permit {
                    Ok(permit) => permit,
                    Err(wait) => {
                        sleep(wait.retry_after).await;
                        continue;
                    }
                };
                let half = || {
                    let millis = random.lock().expect("the lock").u64(latency_ms.clone());
                    Duration::from_millis(millis) / 2
                };
                let (there, back) = (half(), half());
                sleep(there).await;
                let ended = highlevel.lock().expect("the lock").answer();
                sleep(back).await;
                permit.end(ended);
            }
        }
    };
    futures_util::future::join_all((0..20).map(agent)).await;
    let highlevel = highlevel.into_inner().expect("the lock");
    let let_in = highlevel
        .counted
        .iter()
        .filter(|at| **at < Duration::from_secs(60))
        .count();
    (highlevel.refused, let_in)
}

#[tokio::test(start_paused = true)]
async fn twenty_agents_of_one_location_use_its_limit_and_never_pass_it() {
    for counting in [Counting::Fixed, Counting::Sliding] {
        for latency_ms in [0..1, 5..50, 100..400, 900..1100] {
            let name = format!("{counting:?} windows, answers in {latency_ms:?} ms");
            let (refused, let_in) = minute(counting, limits::USUAL, latency_ms).await;
            println!(
                "{name}: {refused} refused, {:.2} calls per second",
                let_in as f64 / 60.0
            );
            assert_eq!(refused, 0, "{name}");
            assert!(let_in as f64 / 60.0 >= 9.3, "{name}: {let_in}");
        }
        // The account has a quarter of the settings' limit, which HighLevel's first answer shows.
        let (refused, let_in) = minute(counting, limits::SANDBOX_ACCOUNT, 100..400).await;
        println!("{counting:?} windows of 25: {refused} refused, {let_in} let in");
        assert_eq!(refused, 0);
        assert!(let_in >= 23 * 6, "{let_in}");
    }
}

async fn admitted(gate: &Arc<Gate>, tenant: u8) -> Result<Permit, Wait> {
    gate.admit([tenant; 32], true, Instant::now() + Duration::from_secs(60))
        .await
}

fn answered_with(remaining: u64, max: u64) -> SlotOutcome {
    SlotOutcome::Answered(RateLimitHeaders {
        max: Some(max),
        remaining: Some(remaining),
        interval: Some(INTERVAL),
        ..RateLimitHeaders::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_wait_too_long_gets_the_time_to_wait() {
    let gate = gate();
    for _ in 0..95 {
        admitted(&gate, 1)
            .await
            .expect("a place")
            .end(answered_with(50, 100));
    }
    let expected = Wait {
        reason: Reason::Interval,
        retry_after: INTERVAL,
    };
    assert_eq!(admitted(&gate, 1).await.err(), Some(expected));
    advance(Duration::from_secs(8)).await;
    let start = Instant::now();
    admitted(&gate, 1).await.expect("a place after a wait");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_left_takes_no_place() {
    let gate = gate();
    for _ in 0..1000 {
        admitted(&gate, 1)
            .await
            .expect("a place")
            .end(SlotOutcome::Unsent);
    }
    for _ in 0..95 {
        drop(admitted(&gate, 1).await.expect("a place"));
    }
    assert!(
        admitted(&gate, 1).await.is_err(),
        "what was dropped may have been counted"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_take_turns_and_leaving_frees_a_slot() {
    let gate = gate();
    for _ in 0..95 {
        drop(admitted(&gate, 1).await.expect("a place"));
        advance(Duration::from_millis(10)).await;
    }
    advance(Duration::from_millis(8_000)).await;
    let served = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<_> = [1, 1, 1, 2]
        .into_iter()
        .map(|tenant| {
            let (gate, served) = (Arc::clone(&gate), Arc::clone(&served));
            tokio::spawn(async move {
                let permit = admitted(&gate, tenant).await;
                permit.expect("a place").end(SlotOutcome::NoResponse);
                served.lock().expect("the lock").push(tenant);
            })
        })
        .collect();
    tokio::task::yield_now().await;
    waiting[0].abort();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(*served.lock().expect("the lock"), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_highlevel_asks_for_is_kept() {
    let gate = gate();
    let (first, second) = (admitted(&gate, 1).await, admitted(&gate, 1).await);
    let pause = Some(Duration::from_secs(30));
    first
        .expect("a place")
        .end(SlotOutcome::Refused(RateLimitHeaders::default(), pause));
    second.expect("a place").end(answered_with(99, 100));
    let wait = admitted(&gate, 1).await.err().expect("closed");
    assert_eq!(wait.retry_after, Duration::from_secs(30));
    advance(Duration::from_secs(30)).await;
    assert!(admitted(&gate, 1).await.is_ok());
}

#[test]
fn a_window_believes_the_smaller_number_in_whatever_order_answers_come() {
    let rate = Rate {
        calls: 100,
        interval: INTERVAL,
        percent: 95,
    };
    let said = |answers: &[(usize, u64, u64)]| {
        let now = Instant::now();
        let mut window = RateWindow::new(rate);
        let places: Vec<Slot> = (0..3).map(|_| window.take(now)).collect();
        for (call, remaining, max) in answers {
            window.end(places[*call], now, answered_with(*remaining, *max));
        }
        let mut left = 0;
        while window.next(now, left, 1) <= now {
            left += 1;
        }
        left
    };
    assert_eq!(said(&[]), 92);
    assert_eq!(said(&[(0, 99, 100), (1, 98, 100), (2, 97, 100)]), 92);
    assert_eq!(said(&[(2, 10, 100)]), 10);
    assert_eq!(said(&[(0, 10, 100)]), 8, "two calls came after it");
    assert_eq!(said(&[(2, 10, 100), (0, 99, 100)]), 10, "an older answer");
    assert_eq!(
        said(&[(2, 10, 100), (0, 5, 100)]),
        3,
        "an older answer that says less"
    );
    assert_eq!(said(&[(0, 10, 100), (2, 90, 100)]), 90, "a newer answer");
    assert_eq!(said(&[(2, 0, 100), (1, 50, 100)]), 0);
    assert_eq!(said(&[(2, 22, 25), (0, 99, 100)]), 20, "95 % of 25 less 3");
    assert_eq!(
        said(&[(0, 9_999, 10_000)]),
        92,
        "the settings are the upper bound"
    );
    assert_eq!(said(&[(0, 0, 1)]), 0);
}

proptest! {
    /// However long each call travels, HighLevel never counts more calls in ten seconds than it allows.
    #[test]
    fn no_interval_sees_more_calls_than_the_rate(
        calls in prop::collection::vec((0_u64..300, 0_u64..2_000, 0_u64..2_000), 150..400),
        slowest in 1_u64..2_000,
    ) {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut window = RateWindow::new(Rate { calls: 100, interval: INTERVAL, percent: 95 });
        let mut counted: Vec<u64> = Vec::new();
        let mut answers: Vec<(u64, Slot)> = Vec::new();
        let mut clock = 0;
        // Half of the fastest round trip, each way.
        let floor = 10;
        for (gap, there, back) in calls {
            clock += gap / 20;
            loop {
                answers.sort_by_key(|(when, _)| std::cmp::Reverse(*when));
                while answers.last().is_some_and(|(when, _)| *when <= clock) {
                    let (when, place) = answers.pop().expect("an answer");
                    window.end(place, at(when), SlotOutcome::Answered(RateLimitHeaders::default()));
                }
                if window.next(at(clock), 0, 1) <= at(clock) {
                    break;
                }
                clock += 1;
            }
            let place = window.take(at(clock));
            let there = clock + floor + there % slowest;
            counted.push(there);
            answers.push((there + floor + back % slowest, place));
        }
        counted.sort_unstable();
        for (index, first) in counted.iter().enumerate() {
            let within = counted[index..].iter().take_while(|at| **at < first + 10_000).count();
            prop_assert!(within <= 100, "{within} calls within ten seconds");
        }
    }
}

fn credential(token: &str) -> Credential {
    Credential::parse(token).expect("a token")
}
