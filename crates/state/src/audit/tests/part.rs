//! The audit in parts, as pages read it.

use super::*;
use crate::audit::part::{AuditPart, AuditReader, call, part};
use crate::store::for_tests::on_one_thread;
use jiff::SignedDuration;

/// This many calls, each by a separate person in a separate location. First lines have odd numbers.
fn many(audit: &Audit, calls: usize) {
    let arguments = arguments(json!({"n": 1}));
    let mut lines = Vec::new();
    for number in 0..calls {
        let (location, alias) = (format!("L{number}"), format!("b{number}"));
        let entry = AuditEntry {
            location: Some(&location),
            alias: Some(&alias),
            effect: if number % 2 == 0 { "send" } else { "write" },
            ..entry("contacts_add-tags", &arguments)
        };
        let begun = audit.call(&entry).expect("a call");
        let end = AuditEnd::new(begun.id.clone(), "ok", Some(200), None);
        lines.extend([AuditLine::Begun(begun), AuditLine::Done(end)]);
    }
    let put = audit.store.change(Durability::System, move |transaction| {
        AuditLine::write_all(&lines, transaction)
    });
    put.wait().expect("written");
}

fn read(audit: &Audit, query: &AuditQuery, before: Option<i64>, most: usize) -> AuditPart {
    on_one_thread(part(&audit.store, query, None, before, most)).expect("read")
}

#[on_both]
fn parts_follow_on_each_other_and_each_call_has_its_end() {
    let (_folder, audit) = audit(false);
    many(&audit, 25);
    let (mut before, mut seen) = (None, Vec::new());
    for expected in [10, 10, 5] {
        let part = read(&audit, &AuditQuery::default(), before, 10);
        assert_eq!(part.calls.len(), expected);
        for (_, record) in &part.calls {
            assert_eq!(record.state, RecordState::Done, "{record:?}");
            seen.push(record.call.alias.clone().unwrap_or_default());
        }
        before = part.before;
    }
    let newest_first: Vec<_> = (0..25).rev().map(|number| format!("b{number}")).collect();
    assert_eq!(seen, newest_first);
    assert_eq!(before, None);
    // A call whose end is after the part still has it: the number is that of the next call's first line.
    let first = read(&audit, &AuditQuery::default(), Some(2), 10);
    assert_eq!(first.calls.len(), 1);
    assert_eq!(first.calls[0].1.state, RecordState::Done);
}

#[on_both]
fn conditions_apply_to_every_part() {
    let (_folder, audit) = audit(false);
    many(&audit, 40);
    let query = |change: &dyn Fn(&mut AuditQuery)| {
        let mut query = AuditQuery::default();
        change(&mut query);
        read(&audit, &query, None, 100).calls.len()
    };
    for (what, found, expected) in [
        (
            "effect",
            query(&|one| one.effect = Some("send".to_owned())),
            20,
        ),
        (
            "no effect",
            query(&|one| one.effect = Some("money".to_owned())),
            0,
        ),
        (
            "alias",
            query(&|one| one.location = Some("b7".to_owned())),
            1,
        ),
        (
            "aliases",
            query(&|one| one.location = Some("b1*".to_owned())),
            11,
        ),
        (
            "key",
            query(&|one| one.who = Some("key:abcdefgh".to_owned())),
            40,
        ),
        (
            "id of the key",
            query(&|one| one.who = Some("abcdefgh".to_owned())),
            40,
        ),
        (
            "client",
            query(&|one| one.client = Some("claude*".to_owned())),
            0,
        ),
        (
            "outcome",
            query(&|one| one.outcome = Some("ok".to_owned())),
            40,
        ),
        (
            "later",
            query(&|one| {
                one.since = Timestamp::now()
                    .checked_add(SignedDuration::from_hours(1))
                    .ok()
            }),
            0,
        ),
    ] {
        assert_eq!(found, expected, "{what}");
    }
}

#[on_both]
fn members_see_only_their_own_calls_and_locations() {
    let (_folder, audit) = audit(false);
    let of_ada = arguments(json!({}));
    let grant = GrantEntry {
        client: "cli_1",
        person: Some("per_ada"),
        key: None,
    };
    on_one_thread(async {
        for (grant, alias) in [
            (Some(grant), "shared"),
            (None, "shared"),
            (None, "own"),
            (None, "other"),
        ] {
            let entry = AuditEntry {
                grant,
                alias: Some(alias),
                ..entry("contacts_add-tags", &of_ada)
            };
            drop(begin(&audit, &entry).await.expect("begun"));
        }
    });
    let check = |since: Timestamp, expected: &[i64]| {
        let reader = AuditReader {
            person: "per_ada".to_owned(),
            locations: vec![("own".to_owned(), since)],
        };
        let query = AuditQuery::default();
        let seen = on_one_thread(part(&audit.store, &query, Some(&reader), None, 100));
        let ids = |record: &AuditRecord| record.call.alias.clone().unwrap_or_default();
        let seen = seen.expect("read").calls;
        let found: Vec<_> = seen.iter().map(|(_, record)| ids(record)).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        // One by one as well.
        let all = read(&audit, &query, None, 100);
        for (id, record) in &all.calls {
            let one = on_one_thread(call(&audit.store, *id, Some(&reader))).expect("read");
            let is_seen = seen.iter().any(|(other, _)| other == id);
            assert_eq!(one.is_some(), is_seen, "{record:?}");
        }
    };
    check(Timestamp::UNIX_EPOCH, &[1, 3]);
    // The alias was another's when the call was made.
    let later = Timestamp::now().checked_add(SignedDuration::from_hours(1));
    check(later.expect("a time"), &[1]);
}

#[on_both]
fn one_call_is_found_with_its_end_however_far_that_is() {
    let (folder, audit) = audit(true);
    many(&audit, 1);
    let found = |id| on_one_thread(call(&audit.store, id, None)).expect("read");
    let one = found(1).expect("a call");
    assert_eq!(
        (one.state, one.outcome.as_deref()),
        (RecordState::Done, Some("ok"))
    );
    assert!(one.call.arguments.is_some(), "{one:?}");
    assert_eq!(found(2), None, "an end is no call");
    assert_eq!(found(3), None);
    // An end that is far away, and one that never comes.
    for_tests::sql(&folder, "UPDATE audit SET id = 60000 WHERE id = 2");
    assert_eq!(found(1).expect("a call").state, RecordState::Done);
    for_tests::sql(&folder, "DELETE FROM audit WHERE id = 60000");
    assert_eq!(found(1).expect("a call").state, RecordState::Begun);
}
