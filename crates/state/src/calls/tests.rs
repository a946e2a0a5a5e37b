//! Calls from their beginning to their end: what is known, counted and recorded, each time in one transaction.

mod caps;
mod ends;

use serde_json::Map;
use sqlx::AssertSqlSafe;

use super::*;
use crate::audit::Audit;
use crate::store::for_tests::{self, TestPlace};

const DAY: i64 = 24 * 60 * 60;

fn key(id: u8) -> OnceKey {
    OnceKey {
        kind: OnceKind::Key,
        id: [id; 32],
        principal: [1; 32],
        call: [2; 32],
        expires_at: crate::now() + jiff::SignedDuration::from_secs(DAY),
    }
}

fn confirm(id: u8) -> OnceKey {
    OnceKey {
        kind: OnceKind::Confirm,
        ..key(id)
    }
}

fn other_call(key: OnceKey) -> OnceKey {
    OnceKey {
        call: [3; 32],
        ..key
    }
}

fn under(key: OnceKey) -> CallStart {
    CallStart {
        once: vec![key],
        ..CallStart::default()
    }
}

/// A place that counts from this many seconds ago, in a cap of `most`.
fn place(bucket: &str, ago: i64, most: i64) -> CapPlace {
    let now = crate::now().as_second();
    CapPlace {
        bucket: bucket.as_bytes().to_vec(),
        now,
        moment: now - ago,
        window: DAY,
        most,
    }
}

fn written_down() -> AuditedCall {
    let store = for_tests::store();
    let arguments = Map::new();
    let entry = for_tests::entry(&arguments);
    let audit = Audit::new(&store, 30, false).expect("new");
    audit.call(&entry).expect("a call")
}

fn begin_of(store: &Store, start: CallStart) -> CallBegin {
    for_tests::on_one_thread(store.begin(start)).expect("asked")
}

#[track_caller]
fn opened(store: &Store, start: CallStart) -> OpenCall {
    match begin_of(store, start) {
        CallBegin::Open(open) => open,
        other => panic!("{}", word(&other)),
    }
}

/// The result in a word.
fn word(begun: &CallBegin) -> String {
    match begun {
        CallBegin::Open(_) => "open".to_owned(),
        CallBegin::GrantEnded => "grant ended".to_owned(),
        CallBegin::Known(_, known) => known_word(Some(known)),
        CallBegin::TooManyKeys => "too many keys".to_owned(),
        CallBegin::NoPlace(index, wait) => {
            let wait = wait.map_or("never".to_owned(), |wait| {
                // Some seconds may have passed.
                format!("in {} h", (wait.as_secs() + 1_800) / 3_600)
            });
            format!("no place {index}, {wait}")
        }
    }
}

fn known_word(known: Option<&KnownCall>) -> String {
    match known {
        None => "unknown to all".to_owned(),
        Some(KnownCall::Other) => "other".to_owned(),
        Some(KnownCall::UnderWay) => "under way".to_owned(),
        Some(KnownCall::Unknown) => "unknown".to_owned(),
        Some(KnownCall::Done(answer)) => format!("done {}", String::from_utf8_lossy(answer)),
    }
}

fn known(store: &Store, key: &OnceKey) -> String {
    let known = store.known_call(key).wait().expect("read");
    known_word(known.as_ref())
}

fn made(answer: Option<&str>) -> CallOutcome {
    CallOutcome {
        outcome: "ok".to_owned(),
        status: Some(200),
        trace_id: None,
        did_nothing: false,
        kept: answer.map(|answer| AnswerCopy {
            whole: answer.as_bytes().to_vec(),
            short: b"too long".to_vec(),
        }),
    }
}

fn did_nothing() -> CallOutcome {
    CallOutcome {
        did_nothing: true,
        ..made(None)
    }
}

fn end(open: OpenCall, outcome: CallOutcome) {
    open.end(outcome).wait().expect("ended");
}

/// Everything queued is written when it returns.
fn settle(store: &Store) {
    let settled = store.change(Durability::System, |_| Ok(()));
    settled.wait().expect("settled");
}

fn number(store: &Store, query: &str) -> i64 {
    let query = query.to_owned();
    let read = store.read(move |transaction| {
        let row = transaction.one(sqlx::query(AssertSqlSafe(query.clone())))?;
        row.expect("a row").integer("n")
    });
    read.wait().expect("read")
}

/// The number of rows, and of taken places.
fn counts(store: &Store) -> [i64; 3] {
    [
        "SELECT COUNT(*) AS n FROM once",
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS n FROM cap",
        "SELECT COUNT(*) AS n FROM audit",
    ]
    .map(|query| number(store, query))
}

type Act<'a> = &'a dyn Fn(&Store);

/// What is known of a call after others, and the result of beginning the same again. It is the same for the mark of a
/// confirm token and for every process.
#[track_caller]
fn check(name: &str, act: Act, asked: &OnceKey, expected: &str) {
    let folder = for_tests::folder();
    let (store, other) = (for_tests::open(&folder), for_tests::open(&folder));
    act(&store);
    settle(&store);
    let begins = match expected {
        "unknown to all" => "open",
        expected => expected,
    };
    for store in [&store, &other] {
        assert_eq!(known(store, asked), expected, "{name}");
    }
    let begun = begin_of(&other, under(asked.clone()));
    assert_eq!(word(&begun), begins, "{name}");
}

#[on_both]
fn a_call_happens_once() {
    let open = |store: &Store, key: OnceKey| opened(store, under(key));
    let long = "x".repeat(MOST_KEPT_BYTES);
    let too_long = "x".repeat(MOST_KEPT_BYTES + 1);
    for key in [key, confirm] {
        let rows: &[(&str, Act, OnceKey, String)] = &[
            ("free", &|_| {}, key(7), "unknown to all".to_owned()),
            (
                "another key",
                &|store| end(open(store, key(8)), made(Some("a"))),
                key(7),
                "unknown to all".to_owned(),
            ),
            (
                "under way",
                &|store| std::mem::forget(open(store, key(7))),
                key(7),
                "under way".to_owned(),
            ),
            (
                "another call that is under way",
                &|store| std::mem::forget(open(store, key(7))),
                other_call(key(7)),
                "other".to_owned(),
            ),
            (
                "done",
                &|store| end(open(store, key(7)), made(Some("the answer"))),
                key(7),
                "done the answer".to_owned(),
            ),
            (
                "done without a word",
                &|store| end(open(store, key(7)), made(Some(""))),
                key(7),
                "done ".to_owned(),
            ),
            (
                "another call that is done",
                &|store| end(open(store, key(7)), made(Some("a"))),
                other_call(key(7)),
                "other".to_owned(),
            ),
            (
                "a long answer",
                &|store| end(open(store, key(7)), made(Some(&long))),
                key(7),
                format!("done {long}"),
            ),
            (
                "an answer that is too long",
                &|store| end(open(store, key(7)), made(Some(&too_long))),
                key(7),
                "done too long".to_owned(),
            ),
            (
                "without an answer",
                &|store| end(open(store, key(7)), made(None)),
                key(7),
                "unknown".to_owned(),
            ),
            (
                "did nothing",
                &|store| end(open(store, key(7)), did_nothing()),
                key(7),
                "unknown to all".to_owned(),
            ),
            (
                "did nothing, and another call",
                &|store| end(open(store, key(7)), did_nothing()),
                other_call(key(7)),
                "unknown to all".to_owned(),
            ),
            (
                "did nothing, then done",
                &|store| {
                    end(open(store, key(7)), did_nothing());
                    end(open(store, key(7)), made(Some("a")));
                },
                key(7),
                "done a".to_owned(),
            ),
            (
                "dropped",
                &|store| drop(open(store, key(7))),
                key(7),
                "unknown".to_owned(),
            ),
        ];
        for (name, act, asked, expected) in rows {
            check(name, *act, asked, expected);
        }
    }
}

/// As if this many seconds had passed since its row was written.
fn pass(folder: &TestPlace, seconds: i64) {
    let change = "UPDATE once SET alive_until = alive_until - {ms}, expires_at = expires_at - {ms}";
    for_tests::sql(
        folder,
        &change.replace("{ms}", &(seconds * 1_000).to_string()),
    );
}

#[on_both]
fn keys_become_unknown_and_expire_with_time() {
    let alive = i64::try_from(ALIVE.as_secs()).expect("short");
    let rows: &[(&str, Option<CallOutcome>, i64, &str)] = &[
        ("while it may be under way", None, alive - 5, "under way"),
        ("its process gives no word", None, alive, "unknown"),
        ("expired, and perhaps under way still", None, DAY, "unknown"),
        ("done", Some(made(Some("a"))), DAY - 5, "done a"),
        (
            "done, and expired",
            Some(made(Some("a"))),
            DAY,
            "unknown to all",
        ),
        ("unknown", Some(made(None)), DAY - 5, "unknown"),
        (
            "unknown, and expired",
            Some(made(None)),
            DAY,
            "unknown to all",
        ),
    ];
    for (name, outcome, seconds, expected) in rows {
        let folder = for_tests::folder();
        let store = for_tests::open(&folder);
        let open = opened(&store, under(key(7)));
        match outcome {
            Some(outcome) => end(open, outcome.clone()),
            None => std::mem::forget(open),
        }
        pass(&folder, *seconds);
        assert_eq!(known(&store, &key(7)), *expected, "{name}");
        let begins = expected.replace("unknown to all", "open");
        let begun = begin_of(&store, under(key(7)));
        assert_eq!(word(&begun), begins, "{name}");
    }
}

/// A sweep deletes only what is over.
#[on_both]
fn only_expired_rows_are_removed() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    end(opened(&store, under(key(1))), made(Some("a")));
    end(opened(&store, under(confirm(2))), made(Some("a")));
    std::mem::forget(opened(&store, under(key(3))));
    std::mem::forget(opened(&store, under(key(4))));
    let caps = vec![place("new", 0, 1), place("old", DAY, 1)];
    std::mem::forget(opened(
        &store,
        CallStart {
            caps,
            ..CallStart::default()
        },
    ));
    // The fourth expires while its process says that it is running.
    let fourth = format!(
        "UPDATE once SET expires_at = 1 WHERE id = x'{}'",
        "04".repeat(32)
    );
    for_tests::sql(&folder, &fourth);
    let swept = store.change(Durability::System, sweep);
    assert_eq!(swept.wait(), Ok(true));
    assert_eq!(counts(&store)[..2], [4, 1]);
    pass(&folder, DAY);
    let swept = store.change(Durability::System, sweep);
    assert_eq!(swept.wait(), Ok(true));
    assert_eq!(counts(&store)[..2], [0, 1]);
}

/// This many keys of that principal.
fn fill(store: &Store, principal: u8, count: i64) {
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        INSERT INTO once (id, kind, principal, call, state, bytes, alive_until, expires_at)
        SELECT CAST('fill' || {principal} || i AS BLOB), 'key', x'{id}', x'00', 'done', 0, 0, 9000000000000 FROM n";
    let fill = fill
        .replace("{count}", &count.to_string())
        .replace("{principal}", &principal.to_string())
        .replace("{id}", &format!("{principal:02x}").repeat(32));
    let fill = for_tests::dialect(&fill);
    let filled = store.change(Durability::System, move |transaction| {
        transaction.run(sqlx::query(AssertSqlSafe(fill.clone())))
    });
    assert_eq!(filled.wait(), Ok(count.unsigned_abs()));
}

#[on_both]
fn nobody_uses_up_the_keys_of_another() {
    let store = for_tests::store();
    end(opened(&store, under(confirm(99))), made(Some("its mark")));
    end(opened(&store, under(key(1))), made(Some("a")));
    fill(&store, 1, MOST_OF_PRINCIPAL - 1);
    let of_other = |id| OnceKey {
        principal: [2; 32],
        ..key(id)
    };
    let before = counts(&store);
    let rows = [
        ("a new key", key(2), "too many keys"),
        ("one that is known", key(1), "done a"),
        ("with another call", other_call(key(1)), "other"),
        ("a confirm token", confirm(3), "open"),
        ("a token that was used", confirm(99), "done its mark"),
        ("another principal", of_other(4), "open"),
    ];
    for (name, key, expected) in rows {
        assert_eq!(word(&begin_of(&store, under(key))), expected, "{name}");
    }
    assert_eq!(counts(&store)[0], before[0] + 2);
    // A call that did nothing returns its room.
    let one = for_tests::dialect("DELETE FROM once WHERE id = CAST('fill11' AS BLOB)");
    let swept = store.change(Durability::System, move |transaction| {
        transaction.run(sqlx::query(AssertSqlSafe(one.clone())))
    });
    assert_eq!(swept.wait(), Ok(1));
    end(opened(&store, under(key(5))), did_nothing());
    end(opened(&store, under(key(6))), made(Some("a")));
    let last = begin_of(&store, under(key(7)));
    assert_eq!(word(&last), "too many keys");
}

/// Its whole room is used up: an answer is stored in short form, and stays so.
#[on_both]
fn answers_of_one_principal_have_so_much_room() {
    let store = for_tests::store();
    end(opened(&store, under(key(1))), made(Some("first")));
    let full = store.change(Durability::System, |transaction| {
        transaction.run(sqlx::query("UPDATE once SET bytes = 67108864"))
    });
    full.wait().expect("written");
    end(opened(&store, under(key(2))), made(Some("second")));
    let of_other = OnceKey {
        principal: [2; 32],
        ..key(3)
    };
    end(opened(&store, under(of_other.clone())), made(Some("third")));
    for (key, expected) in [
        (key(1), "done first"),
        (key(2), "done too long"),
        (of_other, "done third"),
    ] {
        assert_eq!(known(&store, &key), expected);
    }
}

/// The writing thread counts them now and then.
#[on_both]
fn confirm_tokens_work_when_all_idempotency_keys_are_used_up() {
    let store = for_tests::store();
    end(opened(&store, under(key(1))), made(Some("a")));
    let ring = store.ring();
    let begun = store.change(Durability::System, move |transaction| {
        let mut words = Vec::new();
        for key in [key(2), key(1), confirm(3)] {
            let begun = begin(transaction, &ring, false, &under(key))?;
            words.push(matches!(begun, Begun::TooManyKeys));
        }
        Ok(words)
    });
    assert_eq!(begun.wait(), Ok(vec![true, true, false]));
}
