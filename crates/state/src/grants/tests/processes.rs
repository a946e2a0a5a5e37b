//! Processes that are killed while they refresh: no client loses its connection.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::*;

const WORKER: &str = "grants::tests::processes::a_process";

/// Precedes each received token, for the parent process.
const SAID: &str = "got ";

/// A process of these tests; it does nothing when run alone.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_process() {
    let Some((token, place)) = for_tests::role() else {
        return;
    };
    let grants = opened_in(&place, TIMES);
    let mut token = SecretString::from(token);
    loop {
        token = refresh(&grants, &token).expect("refreshed").refresh;
        println!("\n{SAID}{}", token.expose_secret());
    }
}

/// Kills a process this many times during refreshes, and continues with its client's last token.
fn kill(times: u64) {
    let folder = for_tests::folder();
    let grants = opened_in(&folder, TIMES);
    let mut token = connected(&grants).refresh;
    for round in 0..times {
        let mut child = for_tests::child(WORKER, token.expose_secret(), &folder);
        child.stdout(Stdio::piped());
        let mut child = for_tests::Running(child.spawn().expect("started"));
        let mut output = BufReader::new(child.0.stdout.take().expect("an output"));
        let mut line = String::new();
        while !line.contains(SAID) {
            line.clear();
            assert!(output.read_line(&mut line).expect("read") > 0, "it ended");
        }
        let pause = Duration::from_micros(round * 7_919 % 20_000);
        std::thread::sleep(pause);
        child.0.kill().expect("killed");
        let said = output.lines().map_while(Result::ok);
        let said = std::iter::once(line).chain(said);
        // The last line may be truncated.
        let whole = said.filter_map(|line| {
            let (_, token) = line.trim_end().split_once(SAID)?;
            (token.len() == 4 + 43).then(|| token.to_owned())
        });
        token = whole.last().expect("a token").into();
        token = refresh(&grants, &token).expect("goes on").refresh;
    }
    assert_eq!(
        number(
            &folder,
            "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL"
        ),
        1
    );
}

#[on_both]
fn a_killed_process_takes_no_connection_with_it() {
    kill(10);
}

#[on_both]
#[ignore = "takes minutes"]
fn a_thousand_kills_take_no_connection() {
    kill(1_000);
}
