//! Stored inputs and random changes of them, through every entry point for outside bytes.
//!
//! `cargo test` makes the same few hundred changes each time, so that no commit fails by chance. `FUZZ_SECONDS=600
//! cargo test --release --test gateway corpus` makes new changes, for that time for each entry point. `FUZZ_SEED`
//! repeats a run.

mod answered;
mod asked;
mod input;
mod sign_in;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use state::sha256;

/// Changed inputs of each entry in every run.
const CHANGED: usize = 400;

/// Most changes to one stored input.
const MOST_CHANGES: usize = 8;

/// Longest changed input, in bytes.
const LONGEST: usize = 1 << 16;

/// Tokens with a meaning for some parser on the way.
const TOKENS: [&str; 48] = [
    "\0",
    "\r\n",
    "\n\n",
    "\t",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[",
    "{\"\":",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "-0.0",
    "18446744073709551615",
    "99999999999999999999",
    ".",
    "..",
    "/",
    "%2e%2e",
    "%2F",
    "%00",
    "%",
    "?",
    "#",
    "&",
    "=",
    "@",
    "\u{feff}",
    "\u{202e}é漢😀",
    "__proto__",
    "<html>",
    "locationId",
    "location_id",
    "L1",
    "2026-02-30T25:61:61Z",
    "retry-after: ",
    "x-ratelimit-remaining: ",
    "x-ratelimit-interval-milliseconds: ",
    "content-type: ",
];

#[test]
fn every_request_gets_an_answer() {
    check("router", asked::router);
}

#[test]
fn arguments_are_refused_or_make_the_request_of_their_tool() {
    check("arguments", asked::arguments);
}

#[test]
fn a_url_has_the_segments_of_its_template() {
    check("urls", asked::urls);
}

#[test]
fn no_header_of_limits_opens_or_closes_a_window() {
    check("rate_headers", answered::rate_headers);
}

#[test]
fn an_answer_is_valid_and_within_its_limit() {
    check("answers", answered::answers);
}

#[test]
fn a_redirect_is_one_that_was_named() {
    check("redirects", sign_in::redirects);
}

#[test]
fn invariants_of_client_inputs() {
    check("clients", sign_in::clients);
}

#[test]
fn a_request_for_a_code_is_refused_or_answered() {
    check("authorize", sign_in::authorize);
}

#[test]
fn a_request_for_tokens_shows_no_secret() {
    check("tokens", sign_in::tokens);
}

#[test]
fn a_challenge_is_one_header() {
    check("challenges", sign_in::challenges);
}

/// Runs `run` on every stored input of `entry`, and on changes of them.
fn check(entry: &str, run: fn(&[u8])) {
    let stored = stored(entry);
    for (file, input) in &stored {
        let kept = failure(entry, run, input);
        assert!(kept.is_none(), "{} fails, as said above", file.display());
    }
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        )
    };
    let until = number("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seed = number("FUZZ_SEED").unwrap_or_else(|| until.map_or(0, |_| fastrand::u64(..)));
    println!("{entry}: {} stored inputs, seed {seed}", stored.len());
    let mut random = Rng::with_seed(seed);
    let mut count = 0;
    while until.map_or(count < CHANGED, |until| Instant::now() < until) {
        if let Some(kept) = failure(entry, run, &changed(&mut random, &stored)) {
            panic!(
                "{} fails, as said above. Move it to tests/gateway/corpus/{entry}/ under a name for what it holds, then mend what it broke.",
                kept.display()
            );
        }
        count += 1;
    }
    println!("{entry}: {count} changed inputs");
}

/// The stored inputs, by name.
fn stored(entry: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("tests/gateway/corpus").join(entry);
    let files = fs::read_dir(&folder).expect("a folder");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let read = files.into_iter().map(|file| {
        let input = fs::read(&file).expect("a file");
        (file, input)
    });
    read.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file of the input if `run` fails.
fn failure(entry: &str, run: fn(&[u8]), input: &[u8]) -> Option<PathBuf> {
    let folder = root().join("target/corpus-failures");
    fs::create_dir_all(&folder).expect("a folder");
    // Written before the run, since a stack overflow ends the process, and an endless loop is ended by hand.
    let running = folder.join(format!("{entry}-running"));
    fs::write(&running, input).expect("a file");
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_ok() {
        fs::remove_file(&running).expect("a file");
        return None;
    }
    let name = sha256(&String::from_utf8_lossy(input));
    let kept = folder.join(format!("{entry}-{}", &name[..12]));
    fs::rename(&running, &kept).expect("a file");
    Some(kept)
}

fn token(random: &mut Rng) -> &'static str {
    TOKENS[random.usize(..TOKENS.len())]
}

/// One of `stored` with a few changes.
fn changed(random: &mut Rng, stored: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let (_, input) = &stored[random.usize(..stored.len())];
    let mut input = input.clone();
    // Usually one change: after many changes the input is rarely valid.
    for change in 0..MOST_CHANGES {
        if change > 0 && random.bool() {
            break;
        }
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..=16)).min(input.len());
        match random.u8(..8) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 if at < input.len() => input[at] = random.u8(..),
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            // The tail is replaced by the tail of another input.
            4 => {
                let (_, other) = &stored[random.usize(..stored.len())];
                input.truncate(at);
                input.extend_from_slice(&other[random.usize(..=other.len())..]);
            }
            5 => drop(input.splice(at..at, token(random).bytes())),
            // The text between two delimiters is replaced, so that its surroundings stay intact.
            _ => {
                let is_mark = |byte: &u8| b"\",:{}[]/?&=\r\n ".contains(byte);
                let start = input[..at]
                    .iter()
                    .rposition(is_mark)
                    .map_or(0, |mark| mark + 1);
                let end = input[at..]
                    .iter()
                    .position(is_mark)
                    .map_or(input.len(), |mark| at + mark);
                drop(input.splice(start..end, token(random).bytes()));
            }
        }
    }
    input.truncate(LONGEST);
    input
}
