//! What a search costs beside looking through all names and descriptions for its words, in the same run.
//!
//! Each request of `codegen/tests/` is searched by both, in turn; the answer's text is part of the search.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::surfaces::search::{Search, search};
use serde_json::Value;

const REQUESTS: [&str; 2] = [
    include_str!("../codegen/tests/requests.jsonl"),
    include_str!("../codegen/tests/requests-other-voices.jsonl"),
];
const ROUNDS: usize = 5;

fn main() {
    let lines = REQUESTS.iter().flat_map(|text| text.lines());
    let requests: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("a request"))
        .collect();
    let texts: Vec<&str> = requests
        .iter()
        .flat_map(|request| [&request["query"], &request["agent_query"]])
        .map(|text| text.as_str().expect("text"))
        .collect();
    // The index is read at the first search.
    black_box(indexed(texts[0]));
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for text in &texts {
            ours.push(timed(|| indexed(text)));
            plain.push(timed(|| linear(text)));
        }
    }
    let (ours, plain) = (figures(ours), figures(plain));
    println!(
        "{} searches, and looking through every description:",
        ROUNDS * texts.len()
    );
    println!("search   p50 {:?}, p99 {:?}", ours.0, ours.1);
    println!("baseline p50 {:?}, p99 {:?}", plain.0, plain.1);
    let ratio = |ours: Duration, plain: Duration| ours.as_secs_f64() / plain.as_secs_f64();
    println!(
        "ratio    p50 {:.2}, p99 {:.2}",
        ratio(ours.0, plain.0),
        ratio(ours.1, plain.1)
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn indexed(text: &str) -> String {
    let asked = Search {
        queries: vec![text.to_owned()],
        ..Search::default()
    };
    search(&asked, |_| true).expect("an answer").to_string()
}

/// The five operations whose names and descriptions hold most of the words.
fn linear(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let mut found: Vec<(usize, &str)> = TOOLS
        .iter()
        .map(|tool| {
            let (name, said) = (tool.name.to_lowercase(), tool.description.to_lowercase());
            let held = words
                .iter()
                .filter(|word| name.contains(**word) || said.contains(**word));
            (held.count(), tool.name)
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().take(5).map(|(_, name)| name).collect()
}

/// Median and 99th of 100.
fn figures(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    (at(50), at(99))
}
