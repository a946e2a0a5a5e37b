//! Reading the audit: joined, searched, broken, and followed.

use serde_json::json;

use super::super::follow::Follow;
use super::*;
use crate::store::for_tests;

/// A line, short enough for a table.
fn line(state: &str, id: &str, time: &str, more: &[(&str, &str)]) -> String {
    let mut line = json!({"state": state, "id": id, "time": format!("2026-11-{time}:00.000Z")});
    if state == "done" {
        line["outcome"] = "ok".into();
    } else {
        for name in ["who", "surface", "effect", "arguments_sha256"] {
            line[name] = "w".into();
        }
        line["tool"] = "contacts_get".into();
        line["bulk"] = false.into();
        line["idempotency_key"] = false.into();
        line["arguments_bytes"] = 2.into();
    }
    for (name, value) in more {
        line[name] = (*value).into();
    }
    line.to_string()
}

/// Writes them unchanged, valid or not. The time of a row is that of its line.
fn write(store: &Store, lines: &[String]) {
    let lines = lines.to_vec();
    let written = store.change(crate::store::Durability::System, move |transaction| {
        for line in &lines {
            let time = AuditLine::parse(line).map(|line| line.time().as_millisecond());
            let insert = sqlx::query("INSERT INTO audit (at, line) VALUES ($1, $2)");
            transaction.run(insert.bind(time.unwrap_or_default()).bind(line.clone()))?;
        }
        Ok(())
    });
    written.wait().expect("written");
}

fn in_memory(lines: &[String]) -> Store {
    let store = for_tests::store();
    write(&store, lines);
    store
}

/// Two days: `a` and `b` are done, `c` ends the day after, `d` never, `r` was refused.
fn two_days() -> Vec<String> {
    vec![
        line(
            "begun",
            "a",
            "24T10:00",
            &[("location", "L1"), ("alias", "berlin")],
        ),
        line(
            "begun",
            "b",
            "24T11:00",
            &[("tool", "contacts_delete"), ("location", "L2")],
        ),
        line("done", "b", "24T11:01", &[("outcome", "not_found")]),
        line("done", "a", "24T11:02", &[]),
        line("begun", "c", "24T23:59", &[("who", "key:abcdefgh")]),
        line("done", "c", "25T00:00", &[]),
        line(
            "refused",
            "r",
            "25T09:00",
            &[("class", "location"), ("rule", "x")],
        ),
        line("begun", "d", "25T10:00", &[("tool", "payments_charge")]),
        // Its beginning was too old.
        line("done", "z", "25T11:00", &[]),
    ]
}

fn ids(found: &AuditRecords) -> String {
    let ids: Vec<&str> = found
        .records
        .iter()
        .map(|record| record.call.id.as_str())
        .collect();
    ids.join(" ")
}

/// A query in the notation of a row.
fn query(asked: &[(&str, &str)]) -> AuditQuery {
    let mut query = AuditQuery::default();
    let time = |time: &str| Some(format!("2026-11-{time}:00Z").parse().expect("a time"));
    for (name, value) in asked {
        let text = Some((*value).to_owned());
        match *name {
            "tool" => query.tool = text,
            "location" => query.location = text,
            "who" => query.who = text,
            "outcome" => query.outcome = text,
            "since" => query.since = time(value),
            "until" => query.until = time(value),
            "last" => query.last = value.parse().ok(),
            _ => {
                let states = [RecordState::Begun, RecordState::Done, RecordState::Refused];
                let mut states = states.into_iter();
                query.state = states.find(|state| format!("{state:?}") == *value);
            }
        }
    }
    query
}

#[on_both]
fn records_are_found_by_each_known_field() {
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[], "a b c r d"),
        (&[("tool", "contacts_delete")], "b"),
        (&[("tool", "contacts_")], ""),
        (&[("tool", "contacts_*")], "a b c r"),
        (&[("location", "L1")], "a"),
        (&[("location", "berlin")], "a"),
        (&[("who", "key:*")], "c"),
        (&[("outcome", "ok")], "a c"),
        (&[("outcome", "not_found")], "b"),
        (&[("outcome", "location")], "r"),
        (&[("since", "24T11:00")], "b c r d"),
        (&[("since", "25T00:00")], "r d"),
        (&[("until", "24T23:59"), ("outcome", "ok")], "a c"),
        (&[("state", "Begun")], "d"),
        (&[("state", "Refused")], "r"),
        (&[("state", "Done"), ("last", "2")], "b c"),
        (&[("last", "0")], ""),
        (&[("last", "9")], "a b c r d"),
    ];
    let store = in_memory(&two_days());
    for (asked, expected) in rows {
        let found = records(&store, &query(asked)).expect("read");
        assert_eq!(ids(&found), *expected, "{asked:?}");
    }
    let nothing = records(&in_memory(&[]), &AuditQuery::default());
    assert_eq!(ids(&nothing.expect("read")), "");
}

#[on_both]
fn a_record_holds_beginning_and_end() {
    let store = in_memory(&two_days());
    let query = query(&[("tool", "contacts_delete")]);
    let found = records(&store, &query).expect("read");
    let expected = json!([{
        "state": "done", "id": "b", "time": "2026-11-24T11:00:00.000Z", "who": "w", "surface": "w",
        "tool": "contacts_delete", "effect": "w", "bulk": false, "location": "L2", "arguments_sha256": "w",
        "arguments_bytes": 2, "idempotency_key": false, "ended": "2026-11-24T11:01:00.000Z",
        "outcome": "not_found",
    }]);
    assert_eq!(
        serde_json::to_value(&found.records).expect("JSON"),
        expected
    );
}

#[on_both]
fn broken_lines_are_reported_and_hide_no_others() {
    let whole = line("begun", "a", "24T10:00", &[]);
    let torn = whole[..40].to_owned();
    let later = whole.replace("begun", "forgotten");
    let rows: &[(&[&String], &str, &[i64])] = &[
        (&[&whole, &torn], "a", &[2]),
        (&[&whole], "a", &[]),
        (&[&torn, &later, &whole, &torn], "a", &[4, 2, 1]),
        (&[&"\u{fffd}".to_owned()], "", &[1]),
        (&[&String::new()], "", &[1]),
        (&[], "", &[]),
    ];
    for (lines, expected, unreadable) in rows {
        let lines: Vec<String> = lines.iter().map(|line| (*line).clone()).collect();
        let found = records(&in_memory(&lines), &AuditQuery::default()).expect("read");
        assert_eq!(ids(&found), *expected, "{lines:?}");
        assert_eq!(found.unreadable, *unreadable, "{lines:?}");
    }
}

/// More lines than are read at once: `a` is the first, and ends last.
fn many() -> Store {
    let mut lines = vec![line("begun", "a", "20T10:00", &[("tool", "first")])];
    for number in 0..6_000 {
        let (hour, minute) = (10 + number / 600, number / 10 % 60);
        let time = format!("24T{hour}:{minute:02}");
        lines.push(line("begun", &number.to_string(), &time, &[]));
        lines.push(line("done", &number.to_string(), &time, &[]));
    }
    lines.push(line("done", "a", "24T22:00", &[("outcome", "late")]));
    in_memory(&lines)
}

#[on_both]
fn a_long_audit_is_read_in_parts_and_whole() {
    let store = many();
    let rows: &[(&[(&str, &str)], usize, &str, &str)] = &[
        (&[], 6_001, "a", "5999"),
        (&[("outcome", "late")], 1, "a", "a"),
        (&[("tool", "first")], 1, "a", "a"),
        (&[("state", "Begun")], 0, "", ""),
        (&[("last", "3")], 3, "5997", "5999"),
        (&[("last", "5500")], 5_500, "500", "5999"),
        // The lines of the four days before are not read for it, and not needed.
        (&[("since", "24T19:58")], 20, "5980", "5999"),
        (&[("until", "24T10:00")], 11, "a", "9"),
    ];
    for (asked, count, first, last) in rows {
        let found = records(&store, &query(asked)).expect("read").records;
        let id = |record: Option<&AuditRecord>| {
            record
                .map(|record| record.call.id.clone())
                .unwrap_or_default()
        };
        let (of_first, of_last) = (id(found.first()), id(found.last()));
        assert_eq!(
            (found.len(), of_first.as_str(), of_last.as_str()),
            (*count, *first, *last),
            "{asked:?}"
        );
    }
    let mut all = Vec::new();
    let mut parts = 0;
    let read = lines(&store, None, None, |part| {
        parts += 1;
        all.extend(part);
        Ok(())
    });
    read.expect("read");
    assert_eq!((parts, all.len()), (3, 12_002));
    assert!(all[0].contains("20T10:00") && all[12_001].contains("late"));
}

#[on_both]
fn lines_are_given_as_they_were_written_between_two_times() {
    let store = in_memory(&two_days());
    let rows = [
        (None, None, 9),
        (Some("24T11:01"), None, 7),
        (None, Some("24T11:01"), 3),
        (Some("24T11:02"), Some("25T00:00"), 3),
        (Some("26T00:00"), None, 0),
    ];
    for (since, until, count) in rows {
        let time = |time: Option<&str>| {
            time.map(|time| format!("2026-11-{time}:00Z").parse().expect("a time"))
        };
        let mut found = Vec::new();
        let read = lines(&store, time(since), time(until), |part| {
            found.extend(part);
            Ok(())
        });
        read.expect("read");
        assert_eq!(found.len(), count, "{since:?} {until:?}");
        let all = two_days();
        assert!(all.windows(count.max(1)).any(|some| some == found) || count == 0);
    }
    let stopped = lines(&store, None, None, |_| {
        Err(StoreError::from("enough".to_owned()))
    });
    assert_eq!(stopped.expect_err("stopped").to_string(), "enough");
}

/// Lines of another process, for one that shows them.
#[on_both]
fn a_reader_follows() {
    let folder = for_tests::folder();
    let (store, other) = (for_tests::open(&folder), for_tests::open(&folder));
    let mut follow = Follow::new(&store);
    let begun = |id: &str| line("begun", id, "24T10:00", &[]);
    let done = |id: &str| line("done", id, "24T10:01", &[]);
    let rows = [
        (vec![], ""),
        (vec![begun("a"), begun("b"), done("b")], "Begun a, Done b"),
        (vec![], ""),
        (vec![done("a")], "Done a"),
        (vec![begun("c")], "Begun c"),
        (vec![begun("d"), done("c")], "Done c, Begun d"),
        (vec!["{".to_owned(), begun("e")], "Begun e"),
        (vec![done("z")], ""),
        (vec![line("refused", "r", "24T10:02", &[])], "Refused r"),
    ];
    for (lines, expected) in rows {
        write(&other, &lines);
        let found = follow.more(&AuditQuery::default()).expect("read");
        let said: Vec<String> = found
            .records
            .iter()
            .map(|record| format!("{:?} {}", record.state, record.call.id))
            .collect();
        assert_eq!(said.join(", "), expected, "{lines:?}");
        assert_eq!(
            found.unreadable.len(),
            usize::from(lines.iter().any(|line| line == "{"))
        );
    }
    // A later reader starts with the last lines, and shows the matching ones.
    let found = Follow::new(&store)
        .more(&query(&[("state", "Refused")]))
        .expect("read");
    assert_eq!(ids(&found), "r");
    let found = Follow::new(&many())
        .more(&AuditQuery::default())
        .expect("read");
    assert_eq!(found.records.len(), 999, "of the last 2,000 lines");
}
