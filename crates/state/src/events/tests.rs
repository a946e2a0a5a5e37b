//! Writing and reading events, and their retention.

use std::time::{Duration, Instant};

use jiff::ToSpan;

use super::*;
use crate::audit::{Retention, today};
use crate::store::for_tests;

fn new(detail: &str) -> NewEvent {
    NewEvent {
        kind: EventKind::GrantAllowed,
        actor: Some("per_1".to_owned()),
        subject: Some("gra_1".to_owned()),
        detail: detail.to_owned(),
    }
}

#[on_both]
fn every_process_reads_the_newest_first() {
    let folder = for_tests::folder();
    let (one, other) = [(); 2]
        .map(|()| Events::new(&for_tests::open(&folder)))
        .into();
    for detail in ["first", "second", "third"] {
        one.add(new(detail)).wait().expect("written");
    }
    let read = |newest| {
        let events: Vec<Event> = other.list(newest).wait().expect("read");
        events
    };
    let details: Vec<String> = read(2).into_iter().map(|event| event.detail).collect();
    assert_eq!(details, ["third", "second"]);
    let event = read(1).remove(0);
    assert!(Timestamp::now().duration_since(event.at).as_secs().abs() < 60);
    let expected = Event {
        at: event.at,
        kind: "grant allowed".to_owned(),
        actor: Some("per_1".to_owned()),
        subject: Some("gra_1".to_owned()),
        detail: "third".to_owned(),
    };
    assert_eq!(event, expected);
    // A later version's kind is shown as it is.
    for_tests::sql(&folder, "UPDATE event SET kind = 'passkey added'");
    assert_eq!(read(1)[0].kind, "passkey added");
}

#[test]
fn event_texts_have_a_largest_length() {
    for (detail, length) in [
        ("a".repeat(500), 500),
        ("a".repeat(501), 503),
        ("é".repeat(251), 503),
    ] {
        assert_eq!(cut(detail).len(), length);
    }
}

/// As old as the audit may become, and no older.
#[on_both]
fn events_are_kept_as_long_as_the_audit() {
    for_tests::in_memory(|transaction| {
        for days in [0, 1, 399, 401, 500] {
            let at = Timestamp::now() - (days * 24).hours();
            let insert = sqlx::query("INSERT INTO event (at, kind, detail) VALUES ($1, 'k', 'd')");
            transaction
                .run(insert.bind(at.as_millisecond()))
                .expect("written");
        }
        let mut retention = Retention::default();
        let mut sweep_after = |hours: u64| {
            let at = Instant::now() + Duration::from_secs(hours * 3_600);
            let first = retention.remove_old(transaction, 400, today(), at);
            sweep(transaction, first.expect("removed")).expect("swept");
            let count = sqlx::query("SELECT COUNT(*) AS n FROM event");
            let row = transaction.one(count).expect("read").expect("a row");
            row.integer("n").expect("a number")
        };
        assert_eq!((sweep_after(0), sweep_after(25)), (3, 3));
        sweep(transaction, None).expect("swept");
    });
}

#[on_both]
fn so_many_events_are_kept_the_newest() {
    for_tests::in_memory(|transaction| {
        let fill =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 107000)
            INSERT INTO event (at, kind, detail) SELECT 1, 'k', i FROM n";
        transaction.run(sqlx::query(fill)).expect("written");
        for (first, left) in [(5_001, 102_000), (7_001, 100_000), (7_001, 100_000)] {
            sweep(transaction, None).expect("swept");
            let count = sqlx::query("SELECT COUNT(*) AS n, MIN(id) AS first FROM event");
            let row = transaction.one(count).expect("read").expect("a row");
            assert_eq!(
                (row.integer("n"), row.integer("first")),
                (Ok(left), Ok(first))
            );
        }
        write(transaction, new("another")).expect("written");
        sweep(transaction, None).expect("swept");
        let last = sqlx::query("SELECT MIN(id) AS first, MAX(id) AS last FROM event");
        let row = transaction.one(last).expect("read").expect("a row");
        assert_eq!(
            (row.integer("first"), row.integer("last")),
            (Ok(7_002), Ok(107_001))
        );
    });
}
