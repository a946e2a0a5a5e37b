//! Ends of calls: explicit, cut off, or after everybody has left. Each beginning and end is one transaction.

use std::time::{Duration, Instant};

use super::*;

/// Everything that a call can need.
fn whole(id: u8) -> CallStart {
    CallStart {
        once: vec![confirm(id + 100), key(id)],
        caps: vec![place("a", 0, 100), place("b", 0, 100)],
        audit: Some(written_down()),
        grant: None,
    }
}

/// The outcomes of the calls that ended.
fn outcomes(store: &Store) -> Vec<String> {
    let records = crate::audit::records(store, &Default::default()).expect("read");
    let records = records.records.into_iter();
    records
        .map(|record| record.outcome.unwrap_or_default())
        .collect()
}

#[on_both]
fn an_end_records_the_result_of_the_call() {
    let rows: [(&str, fn(OpenCall), &str, [i64; 3], &str); 5] = [
        (
            "made",
            |open| end(open, made(Some("a"))),
            "done a",
            [2, 2, 2],
            "ok",
        ),
        (
            "without an answer",
            |open| end(open, made(None)),
            "unknown",
            [2, 2, 2],
            "ok",
        ),
        (
            "did nothing",
            |open| end(open, did_nothing()),
            "unknown to all",
            [0, 0, 2],
            "ok",
        ),
        ("nobody ended it", drop, "unknown", [2, 2, 2], "cut_off"),
        (
            "it is under way",
            std::mem::forget,
            "under way",
            [2, 2, 1],
            "",
        ),
    ];
    for (name, act, expected, rows, outcome) in rows {
        let store = for_tests::store();
        act(opened(&store, whole(7)));
        settle(&store);
        assert_eq!(known(&store, &key(7)), expected, "{name}");
        assert_eq!(counts(&store), rows, "{name}");
        assert_eq!(outcomes(&store), [outcome], "{name}");
    }
}

/// It cannot have been sent: it is as if it had never begun.
#[on_both]
fn a_call_whose_caller_has_gone_before_it_began_did_nothing() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    for_tests::on_one_thread(async {
        let stuck = for_tests::stick(&folder);
        let caller = store.begin(whole(7));
        // It waits, and is dropped.
        let left = timeout(Duration::from_millis(300), caller).await;
        assert!(left.is_err());
        drop(stuck);
        // Its task goes on alone.
        let before = Instant::now();
        while before.elapsed() < for_tests::LONGEST {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let lines = "SELECT COUNT(*) AS n FROM audit";
            if number(&store, lines) == 2 {
                break;
            }
        }
    });
    assert_eq!(counts(&store), [0, 0, 2]);
    assert_eq!(known(&store, &key(7)), "unknown to all");
    assert_eq!(outcomes(&store), ["cut_off"]);
    end(opened(&store, whole(7)), made(Some("a")));
}

/// At whatever moment that is.
#[on_both]
fn a_caller_that_leaves_at_any_moment_leaves_nothing_open() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    for_tests::on_one_thread(async {
        for step in 0..40 {
            let caller = store.begin(whole(step));
            let _ = timeout(Duration::from_micros(100 * u64::from(step)), caller).await;
        }
        let open = "SELECT COUNT(*) AS n FROM once WHERE state = 'running'";
        let before = Instant::now();
        while number(&store, open) > 0 && before.elapsed() < for_tests::LONGEST {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    });
    let [keys, places, lines] = counts(&store);
    let outcomes = outcomes(&store);
    // Calls that reached their callers may have been sent. The others leave only their lines.
    assert_eq!(places, keys, "each has two of either");
    assert_eq!(lines, 2 * i64::try_from(outcomes.len()).expect("few"));
    assert!(
        outcomes.iter().all(|outcome| outcome == "cut_off"),
        "{outcomes:?}"
    );
}

/// Where the store is stuck, a call is refused, and its end is owed: whoever waits for it hears nothing before it is written.
#[on_both]
fn a_store_that_cannot_be_written_refuses_calls_and_owes_ends() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let (first, second) = (opened(&store, whole(1)), opened(&store, whole(2)));
    for_tests::on_one_thread(async {
        let stuck = for_tests::stick(&folder);
        let before = Instant::now();
        let mut ends = [first.end(made(Some("a"))), second.end(did_nothing())];
        let (begun, longest) = tokio::join!(store.begin(whole(3)), for_tests::longest_tick());
        assert!(begun.map(drop).expect_err("held").is_busy());
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        assert!(before.elapsed() < Duration::from_secs(9));
        for end in &mut ends {
            let told = timeout(Duration::from_millis(20), end).await;
            assert!(told.is_err(), "told before it was written: {told:?}");
        }
        drop(stuck);
        for end in ends {
            let told = timeout(for_tests::LONGEST, end).await;
            told.expect("it comes").expect("written");
        }
    });
    for (id, expected) in [(1, "done a"), (2, "unknown to all")] {
        assert_eq!(known(&store, &key(id)), expected, "{id}");
    }
    drop(opened(&store, whole(4)));
    settle(&store);
    for (id, expected) in [(1, "done a"), (2, "unknown to all"), (4, "unknown")] {
        assert_eq!(known(&store, &key(id)), expected, "{id}");
    }
}

/// Without a next call, too, and though nobody waits for it.
#[on_both]
fn owed_ends_are_written_after_some_seconds() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let open = opened(&store, whole(1));
    let stuck = for_tests::stick(&folder);
    drop(open.end(made(Some("a"))));
    let refused = for_tests::on_one_thread(store.begin(whole(2)));
    assert!(refused.is_err(), "the store is stuck");
    drop(stuck);
    for_tests::comes("written", || known(&store, &key(1)) == "done a");
}

/// Nobody is told that it was written where it could not be.
#[on_both]
fn owed_ends_are_reported_as_not_written_when_the_store_closes() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let open = opened(&store, whole(1));
    let stuck = for_tests::stick(&folder);
    let end = open.end(made(Some("a")));
    drop(store);
    let error = end.wait().expect_err("it was closed");
    assert!(error.to_string().contains("is closed"), "{error}");
    drop(stuck);
    assert_eq!(known(&for_tests::open(&folder), &key(1)), "under way");
}

/// Frames of the log of SQLite that end a transaction.
fn commits(folder: &TestPlace) -> usize {
    let log = folder.path().join("services.example.com.db-wal");
    let log = std::fs::read(log).expect("read");
    let number = |bytes: &[u8], from: usize| {
        let bytes = bytes.get(from..from + 4).expect("four bytes");
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    };
    // https://www.sqlite.org/fileformat2.html#walformat
    let page = usize::try_from(number(&log, 8)).expect("a size");
    let frames = log.get(32..).expect("frames").chunks_exact(24 + page);
    let of_this_log = frames.take_while(|frame| number(frame, 8) == number(&log, 16));
    of_this_log.filter(|frame| number(frame, 4) > 0).count()
}

#[on_sqlite("transactions are counted in SQLite's log")]
fn a_beginning_is_one_transaction_and_so_is_an_end() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let outcomes: [fn() -> CallOutcome; 3] = [|| made(Some("a")), || made(None), did_nothing];
    for (round, outcome) in (0..).zip(outcomes) {
        let before = commits(&folder);
        let open = opened(&store, whole(round));
        let begun = commits(&folder);
        end(open, outcome());
        let ended = commits(&folder);
        // The writing thread checks running calls every five seconds.
        let beside = usize::from(ended - before > 2);
        assert_eq!(begun - before + ended - begun, 2 + beside, "{round}");
    }
    let before = commits(&folder);
    let refused = CallStart {
        caps: vec![place("a", 0, 0)],
        ..whole(9)
    };
    drop(begin_of(&store, refused));
    drop(begin_of(&store, whole(0)));
    assert_eq!(
        commits(&folder),
        before,
        "nothing is written where nothing begins"
    );
}

/// Waiting ones share one transaction.
#[on_sqlite("transactions are counted in SQLite's log")]
fn waiting_ends_are_written_together() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let open: Vec<OpenCall> = (0..100).map(|id| opened(&store, whole(id))).collect();
    let before = commits(&folder);
    let ends: Vec<_> = open
        .into_iter()
        .map(|open| open.end(made(Some("a"))))
        .collect();
    for end in ends {
        end.wait().expect("ended");
    }
    let together = commits(&folder) - before;
    println!("100 ends were {together} transactions");
    assert!(together < 50, "{together}");
}
