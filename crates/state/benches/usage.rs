//! The cost of counting a call, compared with none, and the number of rows that are written per second.
//!
//! Rounds alternate. Each figure is the median of the rounds, in nanoseconds per call.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::io::{Write, stdout};
use std::thread;
use std::time::{Duration, Instant};

use state::identity::Identity;
use state::usage::{Usage, UsageCounts, UsageEntry};
use state::{Store, StoreOptions};

const CALLS: usize = 1_000_000;
const ROUNDS: usize = 7;

/// Callers and locations of the larger case, with a separate location for each caller.
const PAIRS: usize = 10_000;

fn count(usage: Option<&Usage>, names: &[(String, String)]) -> Duration {
    let begun = Instant::now();
    for (id, location) in names.iter().cycle().take(CALLS) {
        let entry = UsageEntry {
            kind: "key",
            id,
            location,
            effect: "read",
            counts: UsageCounts {
                calls: 1,
                failed: 0,
                requests: 1,
            },
        };
        match usage {
            Some(usage) => usage.count(black_box(&entry)),
            None => drop(black_box(&entry)),
        }
    }
    begun.elapsed()
}

/// The median of the rounds, per call.
fn nanoseconds(mut rounds: Vec<Duration>) -> u128 {
    rounds.sort();
    let middle = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    middle.as_nanos() / u128::try_from(CALLS).unwrap_or(1)
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&StoreOptions {
        folder: Some(folder.path()),
        url: None,
        outage_reads: Duration::ZERO,
        upstream: "bench",
        keys: &[],
        audit_file: None,
    });
    let store = store.expect("a store");
    let usage = Usage::new(&store, 400).expect("counted");
    let names = |count: usize| -> Vec<(String, String)> {
        let one = |number| (format!("{number:08}"), format!("location-{number:011}"));
        (0..count).map(one).collect()
    };
    for (what, names) in [("one pair", names(1)), ("10,000 pairs", names(PAIRS))] {
        let (mut without, mut with, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(count(None, &names));
            // The first call of a pair creates its row.
            count(Some(&usage), &names);
            with.push(count(Some(&usage), &names));
            thread::scope(|scope| {
                let other = scope.spawn(|| count(Some(&usage), &names));
                beside.push(count(Some(&usage), &names));
                beside.push(other.join().expect("counted"));
            });
        }
        writeln!(
            stdout(),
            "{what}: {} ns without, {} ns counted, {} ns counted on two threads at once",
            nanoseconds(without),
            nanoseconds(with),
            nanoseconds(beside),
        )
        .expect("printed");
    }
    let begun = Instant::now();
    let identity = store.identity();
    for _ in 0..CALLS {
        let digest = identity.digest(black_box("pit-00000000-0000-4000-8000-000000000000"));
        black_box(Identity::shown(&digest));
    }
    writeln!(
        stdout(),
        "the name of a token, for callers without a key: {} ns",
        nanoseconds(vec![begun.elapsed()])
    )
    .expect("printed");
    let mut parts = Vec::new();
    for _ in 0..ROUNDS {
        count(Some(&usage), &names(PAIRS));
        loop {
            let begun = Instant::now();
            let has_more = usage.write().wait().expect("written");
            parts.push(begun.elapsed());
            if !has_more {
                break;
            }
        }
    }
    parts.sort();
    let part = parts.get(parts.len() / 2).copied().unwrap_or_default();
    writeln!(stdout(), "a part of 1,000 rows is written in {part:?}").expect("printed");
}
