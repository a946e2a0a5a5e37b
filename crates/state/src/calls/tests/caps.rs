//! Places in caps: sliding windows, caps that change, and the time to come back.

use super::*;

fn with(caps: Vec<CapPlace>) -> CallStart {
    CallStart {
        caps,
        ..CallStart::default()
    }
}

const HOUR: i64 = 60 * 60;

/// Calls of this many seconds ago, and the result of one more with this cap.
#[track_caller]
fn check(before: &[i64], most: i64, expected: &str) {
    let store = for_tests::store();
    for ago in before {
        end(
            opened(&store, with(vec![place("a", *ago, 1_000)])),
            made(None),
        );
    }
    // Of another rule, or of another caller.
    end(opened(&store, with(vec![place("b", 0, 1_000)])), made(None));
    let begun = begin_of(&store, with(vec![place("a", 0, most)]));
    assert_eq!(word(&begun), expected, "{before:?} of {most}");
    let is_open = matches!(begun, CallBegin::Open(_));
    let taken = i64::try_from(before.len()).expect("few") + 1 + i64::from(is_open);
    assert_eq!(counts(&store)[1], taken, "{before:?} of {most}");
}

#[on_both]
fn a_window_slides() {
    check(&[], 1, "open");
    check(&[0], 1, "no place 0, in 24 h");
    check(&[0], 2, "open");
    check(&[HOUR], 1, "no place 0, in 23 h");
    check(&[DAY - HOUR], 1, "no place 0, in 1 h");
    check(&[DAY], 1, "open");
    check(&[DAY, 2 * DAY, 0], 2, "open");
    check(&[0, 2 * HOUR, HOUR], 3, "no place 0, in 22 h");
    // Several of one moment.
    check(&[HOUR, HOUR, HOUR], 3, "no place 0, in 23 h");
}

#[on_both]
fn a_cap_that_was_lowered_waits_for_as_many_as_are_too_many() {
    let before = [4 * HOUR, 3 * HOUR, 2 * HOUR, HOUR];
    check(&before, 5, "open");
    check(&before, 4, "no place 0, in 20 h");
    check(&before, 3, "no place 0, in 21 h");
    check(&before, 1, "no place 0, in 23 h");
    check(&before, 0, "no place 0, never");
    check(&[], 0, "no place 0, never");
}

#[on_both]
fn a_call_takes_a_place_under_every_cap_or_under_none() {
    let store = for_tests::store();
    let caps = |a, b, c| with(vec![place("a", 0, a), place("b", 0, b), place("c", 0, c)]);
    end(
        opened(&store, with(vec![place("b", 2 * HOUR, 9)])),
        made(None),
    );
    end(opened(&store, with(vec![place("c", HOUR, 9)])), made(None));
    let rows = [
        (caps(1, 9, 1), "no place 2, in 23 h"),
        (caps(9, 1, 9), "no place 1, in 22 h"),
        // The one that lasts longest: coming back sooner helps nobody.
        (caps(9, 1, 1), "no place 2, in 23 h"),
        (caps(0, 1, 1), "no place 0, never"),
    ];
    for (start, expected) in rows {
        assert_eq!(word(&begin_of(&store, start)), expected);
        assert_eq!(counts(&store)[1], 2, "nothing is taken");
    }
    end(opened(&store, caps(9, 9, 9)), made(None));
    assert_eq!(counts(&store)[1], 5);
}

/// A refusal is not a call: it leaves neither a key nor a line.
#[on_both]
fn a_call_without_a_place_leaves_nothing() {
    let store = for_tests::store();
    let start = CallStart {
        once: vec![key(1)],
        caps: vec![place("a", 0, 1), place("b", 0, 0)],
        audit: Some(written_down()),
        grant: None,
    };
    assert_eq!(word(&begin_of(&store, start)), "no place 1, never");
    assert_eq!(counts(&store), [0, 0, 0]);
    assert_eq!(known(&store, &key(1)), "unknown to all");
}

/// A call that was made before takes no second place.
#[on_both]
fn a_call_that_is_known_takes_no_place() {
    let store = for_tests::store();
    let start = || CallStart {
        once: vec![key(1)],
        caps: vec![place("a", 0, 1)],
        audit: Some(written_down()),
        grant: None,
    };
    end(opened(&store, start()), made(Some("a")));
    let before = counts(&store);
    for _ in 0..3 {
        assert_eq!(word(&begin_of(&store, start())), "done a");
    }
    assert_eq!(counts(&store), before);
}

#[on_both]
fn calls_that_did_nothing_give_their_places_back() {
    let store = for_tests::store();
    let start = || with(vec![place("a", HOUR, 1), place("b", 0, 1)]);
    for _ in 0..3 {
        let open = opened(&store, start());
        assert_eq!(counts(&store)[1], 2);
        assert!(matches!(
            begin_of(&store, start()),
            CallBegin::NoPlace(1, _)
        ));
        end(open, did_nothing());
        assert_eq!(counts(&store)[1], 0);
    }
    end(opened(&store, start()), made(None));
    assert!(matches!(
        begin_of(&store, start()),
        CallBegin::NoPlace(1, _)
    ));
}

/// Each is like a process of its own.
#[on_both]
fn no_more_are_given_than_there_are() {
    let folder = for_tests::folder();
    let given = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let store = for_tests::open(&folder);
                scope.spawn(move || {
                    let mut given = 0;
                    for _ in 0..20 {
                        if let CallBegin::Open(open) =
                            begin_of(&store, with(vec![place("a", 0, 30)]))
                        {
                            end(open, made(None));
                            given += 1;
                        }
                    }
                    given
                })
            })
            .collect();
        let takers = takers.into_iter();
        takers
            .map(|taker| taker.join().expect("ended"))
            .sum::<i32>()
    });
    assert_eq!(given, 30);
}
