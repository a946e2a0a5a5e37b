//! Several instances in front of one HighLevel, which counts the calls that reach it.

mod away;
mod equal;
mod exact;
mod keys;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::response::Response;
use futures_util::future::join_all;
use serde_json::{Value, json};
use test_services::{ServiceChange, ServiceKind, TestService};
use test_support::recording::{self, Recording};
use test_support::server::{TestServer, VOUCHED};
use tokio::time::{Instant, sleep};

/// HighLevel's limit, which is also in the settings.
const CALLS: usize = 40;
const INTERVAL: Duration = Duration::from_secs(2);

/// The share of it that is used. The rest allows for a busy machine that delays one call more than another.
const PERCENT: &str = "75";

/// The daily limit.
const CALLS_OF_DAY: usize = 100_000;

/// Callers of each instance that call as fast as they can.
const AGENTS: usize = 6;

/// HighLevel's delay for an answer.
const LATENCY: Duration = Duration::from_millis(30);

/// A HighLevel with a sliding window, and the calls that reached it.
#[derive(Clone, Default)]
struct HighLevelCount(Arc<Mutex<Arrivals>>);

#[derive(Default)]
struct Arrivals {
    times: Vec<Instant>,
    refused: usize,
    /// If set, the next call is refused, and its instance is asked to wait this many seconds.
    pause: Option<u32>,
    /// Whether its answers omit the remaining calls.
    is_silent: bool,
}

/// Instances in front of one HighLevel.
struct Fleet {
    highlevel: HighLevelCount,
    instances: Vec<TestServer>,
    _recording: Recording,
}

/// The results of the calls in a period.
#[derive(Debug, Default)]
struct Load {
    answered: usize,
    /// The longest duration of a call.
    slowest: Duration,
}

impl HighLevelCount {
    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.0.lock().expect("the lock")
    }

    fn answer(&self) -> Response {
        let now = Instant::now();
        let mut arrivals = self.arrivals();
        if let Some(seconds) = arrivals.pause.take() {
            arrivals.refused += 1;
            let mut response = recording::json(429, "{}");
            response.headers_mut().insert("retry-after", seconds.into());
            return response;
        }
        arrivals.times.push(now);
        let recent = arrivals.times.iter().rev();
        let recent = recent.take_while(|at| now - **at < INTERVAL).count();
        let status = match recent <= CALLS {
            true => 200,
            false => 429,
        };
        arrivals.refused += usize::from(status == 429);
        let mut response = recording::json(status, r#"{"contact": {"id": "c1"}}"#);
        if arrivals.is_silent {
            return response;
        }
        let headers = [
            ("x-ratelimit-max", CALLS),
            ("x-ratelimit-remaining", CALLS.saturating_sub(recent)),
            ("x-ratelimit-interval-milliseconds", 2_000),
            ("x-ratelimit-limit-daily", CALLS_OF_DAY),
            (
                "x-ratelimit-daily-remaining",
                CALLS_OF_DAY.saturating_sub(arrivals.times.len()),
            ),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(name, value.into());
        }
        response
    }

    /// The most calls that reached it in any interval.
    fn most(&self) -> usize {
        let arrivals = self.arrivals();
        let starts = arrivals.times.iter().enumerate();
        let within = starts.map(|(index, start)| {
            let later = arrivals.times[index..].iter();
            later.take_while(|at| **at - *start < INTERVAL).count()
        });
        within.max().unwrap_or_default()
    }

    fn refused(&self) -> usize {
        self.arrivals().refused
    }

    fn total(&self) -> usize {
        self.arrivals().times.len()
    }

    /// Forgets all calls so far.
    fn forget(&self) {
        *self.arrivals() = Arrivals::default();
    }
}

impl Fleet {
    /// Three instances that know of each other. Each has made one call, so HighLevel knows their token.
    async fn start(windows_url: &str) -> Self {
        Self::start_before(HighLevelCount::default(), windows_url, CALLS_OF_DAY).await
    }

    async fn start_before(highlevel: HighLevelCount, windows_url: &str, of_day: usize) -> Self {
        let counting = highlevel.clone();
        let recording = Recording::unrecorded(move |_| {
            let response = counting.answer();
            async move {
                sleep(LATENCY).await;
                response
            }
        });
        let recording = recording.await;
        let (calls, interval) = (CALLS.to_string(), INTERVAL.as_millis().to_string());
        let of_day = of_day.to_string();
        let mut instances = Vec::new();
        for _ in 0..3 {
            let variables = [
                VOUCHED,
                ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", calls.as_str()),
                ("HIGHLEVEL_MCP_LIMITS_INTERVAL_MS", interval.as_str()),
                ("HIGHLEVEL_MCP_LIMITS_PERCENT", PERCENT),
                ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", of_day.as_str()),
                ("HIGHLEVEL_MCP_WINDOWS_URL", windows_url),
            ];
            let instance = TestServer::start_with(&recording.url, &variables).await;
            instance.pipeline.transport().instances().set(3);
            read(&instance).await.expect("an answer");
            instances.push(instance);
        }
        Self {
            highlevel,
            instances,
            _recording: recording,
        }
    }

    /// Agents of these instances call for `lasts`.
    async fn load(&self, instances: &[usize], lasts: Duration) -> Load {
        let end = Instant::now() + lasts;
        let agent = |instance: usize| async move {
            let mut load = Load::default();
            while Instant::now() < end {
                let start = Instant::now();
                match read(&self.instances[instance]).await {
                    Ok(()) => load.answered += 1,
                    Err(wait) => sleep(wait.min(end - Instant::now().min(end))).await,
                }
                load.slowest = load.slowest.max(start.elapsed());
            }
            load
        };
        let agents = instances
            .iter()
            .flat_map(|instance| [*instance; AGENTS])
            .map(agent);
        let loads = join_all(agents).await;
        loads.iter().fold(Load::default(), |all, one| Load {
            answered: all.answered + one.answered,
            slowest: all.slowest.max(one.slowest),
        })
    }

    /// Waits for at most a minute until all instances know whether their Valkey is up.
    async fn wait_for_valkey(&self, is_up: bool) {
        for _ in 0..600 {
            let states = self.instances.iter().map(|instance| {
                let (_, valkey) = instance.pipeline.transport().sharing();
                valkey.and_then(|valkey| valkey.is_up)
            });
            if states.clone().all(|state| state == Some(is_up)) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the instances do not see their Valkey as up: {is_up}");
    }
}

/// The Valkey after the change.
async fn change(mut valkey: TestService, change: ServiceChange) -> TestService {
    let changed = tokio::task::spawn_blocking(move || {
        valkey.change(change);
        valkey
    });
    changed.await.expect("changed")
}

/// One read as the usual caller. `Err` is the time to wait if there is no place.
async fn read(instance: &TestServer) -> Result<(), Duration> {
    let arguments = json!({"contactId": "c1"});
    let (text, is_error) = instance.call("contacts_get-contact", arguments).await;
    if !is_error {
        return Ok(());
    }
    let error: Value = serde_json::from_str(&text).expect("JSON");
    assert!(text.contains("rate_limited"), "{text}");
    let wait = error["retryAfterMs"].as_u64();
    Err(Duration::from_millis(
        wait.unwrap_or_else(|| panic!("{text}")),
    ))
}
