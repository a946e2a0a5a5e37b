//! Caps over time, rows of one call each, and their bounds.

use super::*;

/// A call and what it is told: nothing, or after how many seconds to come back.
enum Step {
    Take(i64, &'static str, Result<(), Option<u64>>),
    /// Gives back what the call of that number took, counted from 0.
    Back(usize),
}
use Step::{Back, Take};

fn moment(second: i64) -> Timestamp {
    // No round time, so that moments are rounded.
    Timestamp::from_second(1_764_000_007 + second).expect("a time")
}

fn check(name: &str, caps: &[Cap], steps: &[Step]) {
    let counts = CapCounts::default();
    let mut taken: Vec<Option<Taken>> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Take(second, location, expected) => {
                let result = counts.take(caps, location, moment(*second));
                let found = result.as_ref().map(|_| ()).map_err(|denied| {
                    assert!(caps.iter().any(|cap| cap.rule == denied.rule), "{denied}");
                    denied.retry_after.map(|after| after.as_secs())
                });
                assert_eq!(found, *expected, "{name}: step {index}");
                taken.extend(result.ok().map(Some));
            }
            Back(number) => {
                let taken = taken.get_mut(*number).and_then(Option::take);
                taken.expect("something taken").give_back();
            }
        }
    }
}

fn hour(most: u32) -> Cap {
    Cap::new("[server]", Class::Send, CapWindow::Hour, most)
}

fn day(most: u32) -> Cap {
    Cap::new("[server]", Class::Send, CapWindow::Day, most)
}

#[test]
fn a_call_leaves_when_its_window_has_passed() {
    check(
        "no caps",
        &[],
        &[Take(0, "a", Ok(())), Take(0, "a", Ok(()))],
    );
    let steps = [
        Take(0, "a", Ok(())),
        Take(1_800, "a", Ok(())),
        // A call counts to the end of its second.
        Take(3_599, "a", Err(Some(2))),
        Take(3_600, "a", Err(Some(1))),
        Take(3_600, "b", Ok(())),
        Take(3_601, "a", Ok(())),
        Take(3_602, "a", Err(Some(1_799))),
    ];
    check("two an hour", &[hour(2)], &steps);
    let steps = [
        Take(0, "a", Ok(())),
        // At most the 24 seconds to which a day's calls are rounded more than a day.
        Take(60, "a", Err(Some(86_357))),
        Take(86_416, "a", Err(Some(1))),
        Take(86_417, "a", Ok(())),
    ];
    check("one a day", &[day(1)], &steps);
    let steps = [Take(0, "a", Err(None)), Take(90_000, "a", Err(None))];
    check("none", &[hour(0)], &steps);
    let steps = [
        Take(100, "a", Ok(())),
        Take(0, "a", Ok(())),
        Take(200, "a", Ok(())),
        Take(200, "a", Err(Some(3_501))),
        Back(0),
        Take(200, "a", Ok(())),
        Take(0, "a", Err(Some(3_701))),
    ];
    check("the clock is put back", &[hour(3)], &steps);
}

#[test]
fn all_caps_give_a_place_or_none_does() {
    let steps = [
        Take(0, "a", Ok(())),
        Take(0, "a", Ok(())),
        Take(10, "a", Err(Some(3_591))),
        Take(3_700, "a", Ok(())),
        // The day is used up and lasts longer; the hour has not counted the refused.
        Take(3_701, "a", Err(Some(82_716))),
        Take(86_417, "a", Ok(())),
        Take(86_417, "a", Ok(())),
        Take(86_417, "a", Err(Some(3_696))),
    ];
    check("hour and day", &[hour(2), day(3)], &steps);
    let steps = [
        Take(0, "a", Ok(())),
        Take(0, "a", Ok(())),
        Back(0),
        Take(5, "a", Ok(())),
        Take(5, "a", Err(Some(3_596))),
        Back(2),
        Back(1),
        Take(6, "a", Ok(())),
        Take(6, "a", Ok(())),
        Take(6, "a", Err(Some(3_601))),
    ];
    check("what is given back is free", &[hour(2), day(9)], &steps);
    let steps = [
        Take(0, "a", Ok(())),
        Take(3_700, "a", Ok(())),
        Back(0),
        Take(3_700, "a", Err(Some(3_601))),
    ];
    check("what has left is not given back twice", &[hour(1)], &steps);
}

#[test]
fn a_rule_that_changes_its_number_keeps_its_count() {
    let counts = CapCounts::default();
    for second in [0, 10, 20] {
        assert!(counts.take(&[hour(3)], "a", moment(second)).is_ok());
    }
    let lowered = counts.take(&[hour(2)], "a", moment(30));
    let after = lowered.expect_err("used up").retry_after;
    assert_eq!(after, Some(Duration::from_secs(3_581)));
    assert!(counts.take(&[hour(4)], "a", moment(30)).is_ok());
    let other = Cap::new("[policies.front-desk]", Class::Send, CapWindow::Hour, 1);
    assert!(counts.take(&[other], "a", moment(30)).is_ok());
}

#[test]
fn no_window_ever_holds_more_than_its_cap() {
    let mut random = fastrand::Rng::with_seed(11);
    for most in [1, 7, 40] {
        let (counts, cap) = (CapCounts::default(), [hour(most)]);
        let (mut let_in, mut second): (Vec<i64>, i64) = (Vec::new(), 0);
        let mut refused = 0;
        for _ in 0..2_000 {
            second += random.i64(0..200);
            match counts.take(&cap, "a", moment(second)) {
                Ok(_) => let_in.push(second),
                Err(denied) => {
                    refused += 1;
                    let wait = denied.retry_after.expect("a wait").as_secs();
                    second += i64::try_from(wait).expect("a wait");
                    assert!(counts.take(&cap, "a", moment(second)).is_ok());
                    let_in.push(second);
                }
            }
            let recent = let_in.iter().filter(|at| **at > second - 3_600);
            assert!(recent.count() <= most as usize, "{most} at {second}");
        }
        assert!(refused > 10 || most == 40, "{most}: {refused}");
    }
}

#[test]
fn threads_share_a_count() {
    let counts = CapCounts::default();
    let caller = || {
        (0..100)
            .filter(|_| counts.take(&[hour(300)], "a", moment(0)).is_ok())
            .count()
    };
    let let_in: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
        callers
            .into_iter()
            .map(|one| one.join().expect("a thread"))
            .sum()
    });
    assert_eq!(let_in, 300);
}

#[test]
fn memory_is_bounded_and_tokens_take_no_room_of_locations() {
    let counts = CapCounts::default();
    let take = |kind: &str, name: usize, second| {
        counts.take(&[hour(1)], &format!("{kind}:{name}"), moment(second))
    };
    let let_in = (0..MOST_LOCATIONS + 100).filter(|name| take("location", *name, 0).is_ok());
    assert_eq!(let_in.count(), MOST_LOCATIONS);
    let crowded = take("location", MOST_LOCATIONS, 1).expect_err("no room");
    assert_eq!(crowded.retry_after, Some(CROWDED));
    assert!(take("location", MOST_LOCATIONS, 3_700).is_ok());
    let left = counts.0.lock().expect("the lock").locations.len();
    assert_eq!(left, 1);

    assert!(take("token", 0, 3_700).is_ok());
    let flood = (1..3 * MOST_TOKENS).filter(|name| take("token", *name, 3_702).is_ok());
    assert_eq!(
        flood.count(),
        3 * MOST_TOKENS - 1,
        "tokens evict each other"
    );
    let counted = counts.0.lock().expect("the lock");
    let (locations, tokens) = (counted.locations.len(), counted.tokens.len());
    drop(counted);
    println!("{locations} locations and {tokens} tokens counted");
    assert!(locations == 1 && tokens <= MOST_TOKENS, "{tokens}");
    // A location keeps what was counted for it, and the newest token too.
    let denied = take("location", MOST_LOCATIONS, 3_703).expect_err("used up");
    assert!(denied.what.contains("for this location"), "{denied}");
    let denied = take("token", 3 * MOST_TOKENS - 1, 3_703).expect_err("used up");
    assert!(denied.what.contains("for this token"), "{denied}");
}
