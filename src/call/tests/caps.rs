//! Caps over time: rows of one call each, counted by the store.

use std::time::Duration;

use jiff::Timestamp;
use state::Store;
use state::calls::{CallBegin, CallOutcome, CallStart, OpenCall};

use crate::call::meter::place;
use policy::{Cap, CapWindow, Class};

/// A call and what it is told: nothing, or after how many seconds to come back.
enum Step {
    Take(i64, &'static str, Result<(), Option<u64>>),
    /// Gives back what the call of that number took, counted from 0.
    Back(usize),
}
use Step::{Back, Take};

fn moment(second: i64) -> Timestamp {
    // No round time, so that moments are rounded; one to come, so that nothing is swept meanwhile.
    Timestamp::from_second(2_764_080_007 + second).expect("a time")
}

async fn take(
    store: &Store,
    caps: &[Cap],
    under: &str,
    now: Timestamp,
) -> Result<OpenCall, Option<Duration>> {
    let start = CallStart {
        caps: caps.iter().map(|cap| place(cap, under, now)).collect(),
        ..CallStart::default()
    };
    match store.begin(start).await.expect("a store") {
        CallBegin::Open(open) => Ok(open),
        CallBegin::NoPlace(_, wait) => Err(wait),
        _ => panic!("no key was given"),
    }
}

async fn give_back(open: OpenCall) {
    let nothing = CallOutcome {
        did_nothing: true,
        ..CallOutcome::cut_off()
    };
    open.end(nothing).await.expect("written");
}

async fn check(name: &str, caps: &[Cap], steps: &[Step]) {
    let store = Store::in_memory().expect("a store");
    let mut taken: Vec<Option<OpenCall>> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Take(second, location, expected) => {
                let result = take(&store, caps, location, moment(*second)).await;
                let found = result.as_ref().map(|_| ());
                let found = found.map_err(|wait| wait.map(|wait| wait.as_secs()));
                assert_eq!(found, *expected, "{name}: step {index}");
                taken.extend(result.ok().map(Some));
            }
            Back(number) => {
                let open = taken.get_mut(*number).and_then(Option::take);
                give_back(open.expect("something taken")).await;
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

#[tokio::test]
async fn a_call_leaves_when_its_window_has_passed() {
    check(
        "no caps",
        &[],
        &[Take(0, "a", Ok(())), Take(0, "a", Ok(()))],
    )
    .await;
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
    check("two an hour", &[hour(2)], &steps).await;
    let steps = [
        Take(0, "a", Ok(())),
        // At most the 24 seconds to which a day's calls are rounded more than a day.
        Take(60, "a", Err(Some(86_357))),
        Take(86_416, "a", Err(Some(1))),
        Take(86_417, "a", Ok(())),
    ];
    check("one a day", &[day(1)], &steps).await;
    let steps = [Take(0, "a", Err(None)), Take(90_000, "a", Err(None))];
    check("none", &[hour(0)], &steps).await;
    let steps = [
        Take(100, "a", Ok(())),
        Take(0, "a", Ok(())),
        Take(200, "a", Ok(())),
        Take(200, "a", Err(Some(3_401))),
        Back(0),
        Take(200, "a", Ok(())),
        Take(0, "a", Err(Some(3_601))),
    ];
    check("the clock is put back", &[hour(3)], &steps).await;
}

#[tokio::test]
async fn all_caps_give_a_place_or_none_does() {
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
    check("hour and day", &[hour(2), day(3)], &steps).await;
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
    check("what is given back is free", &[hour(2), day(9)], &steps).await;
    let steps = [
        Take(0, "a", Ok(())),
        Take(3_700, "a", Ok(())),
        Back(0),
        Take(3_700, "a", Err(Some(3_601))),
    ];
    check("what has left is not given back twice", &[hour(1)], &steps).await;
}

#[tokio::test]
async fn a_rule_that_changes_its_number_keeps_its_count() {
    let store = Store::in_memory().expect("a store");
    let take = async |cap, second| take(&store, &[cap], "a", moment(second)).await.err();
    for second in [0, 10, 20] {
        assert_eq!(take(hour(3), second).await, None);
    }
    let lowered = take(hour(2), 30).await;
    assert_eq!(lowered, Some(Some(Duration::from_secs(3_581))));
    assert_eq!(take(hour(4), 30).await, None);
    let other = Cap::new("[policies.front-desk]", Class::Send, CapWindow::Hour, 1);
    assert_eq!(take(other, 30).await, None);
}

#[tokio::test]
async fn no_window_ever_holds_more_than_its_cap() {
    let mut random = fastrand::Rng::with_seed(11);
    for most in [1, 7, 40] {
        let (store, cap) = (Store::in_memory().expect("a store"), [hour(most)]);
        let (mut let_in, mut second): (Vec<i64>, i64) = (Vec::new(), 0);
        let mut refused = 0;
        for _ in 0..300 {
            second += random.i64(0..200);
            match take(&store, &cap, "a", moment(second)).await {
                Ok(_) => let_in.push(second),
                Err(wait) => {
                    refused += 1;
                    let wait = wait.expect("a wait").as_secs();
                    second += i64::try_from(wait).expect("a wait");
                    assert!(take(&store, &cap, "a", moment(second)).await.is_ok());
                    let_in.push(second);
                }
            }
            let recent = let_in.iter().filter(|at| **at > second - 3_600);
            assert!(recent.count() <= most as usize, "{most} at {second}");
        }
        assert!(refused > 1 || most == 40, "{most}: {refused}");
    }
}
