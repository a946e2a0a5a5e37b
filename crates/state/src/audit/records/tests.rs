//! The audit as it is read: joined, searched, torn, and followed.

use std::fs::{self, File};

use jiff::civil::{Date, date};
use serde_json::json;
use tempfile::TempDir;

use super::super::follow::Follow;
use super::*;

const FIRST: Date = date(2026, 11, 24);
const SECOND: Date = date(2026, 11, 25);

/// A line of a file, short enough to be read in a table.
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

/// Two days: `a` and `b` are done, `c` ends the day after, `d` never, `r` was refused.
fn two_days() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let first = [
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
    ];
    let second = [
        line("done", "c", "25T00:00", &[]),
        line(
            "refused",
            "r",
            "25T09:00",
            &[("class", "location"), ("rule", "x")],
        ),
        line("begun", "d", "25T10:00", &[("tool", "payments_charge")]),
        // Its beginning is in a file that was too old.
        line("done", "z", "25T11:00", &[]),
    ];
    for (day, lines) in [(FIRST, first.as_slice()), (SECOND, &second)] {
        let text = lines.join("\n") + "\n";
        fs::write(days::file_path(folder.path(), day), text).expect("written");
    }
    folder
}

fn ids(found: &AuditRecords) -> String {
    let ids: Vec<&str> = found
        .records
        .iter()
        .map(|record| record.call.id.as_str())
        .collect();
    ids.join(" ")
}

/// A query as a row says it.
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

#[test]
fn records_are_found_by_what_is_known_of_them() {
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
    let folder = two_days();
    for (asked, expected) in rows {
        let found = records(folder.path(), &query(asked)).expect("read");
        assert_eq!(ids(&found), *expected, "{asked:?}");
    }
    let nowhere = records(&folder.path().join("none"), &AuditQuery::default());
    assert_eq!(ids(&nowhere.expect("read")), "");
}

#[test]
fn a_record_holds_beginning_and_end() {
    let folder = two_days();
    let query = query(&[("tool", "contacts_delete")]);
    let found = records(folder.path(), &query).expect("read");
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

#[test]
fn torn_lines_are_told_and_hide_no_other() {
    let whole = line("begun", "a", "24T10:00", &[]);
    let (torn, rest) = whole.split_at(40);
    let rows = [
        (format!("{whole}\n{torn}"), "a", "audit.2026-11-24.jsonl:2"),
        // The last line's end alone is missing.
        (whole.clone(), "a", ""),
        (
            format!("{torn}\n{whole}\n"),
            "a",
            "audit.2026-11-24.jsonl:1",
        ),
        // Another process wrote on behind a torn line.
        (
            format!("{torn}{whole}\n{rest}\n\n"),
            "a",
            "audit.2026-11-24.jsonl:1 audit.2026-11-24.jsonl:2",
        ),
        ("\u{fffd}\n".to_owned(), "", "audit.2026-11-24.jsonl:1"),
        (String::new(), "", ""),
    ];
    for (text, expected, unreadable) in rows {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(days::file_path(folder.path(), FIRST), &text).expect("written");
        let found = records(folder.path(), &AuditQuery::default()).expect("read");
        assert_eq!(ids(&found), expected, "{text}");
        assert_eq!(found.unreadable.join(" "), unreadable, "{text}");
    }
}

#[test]
fn a_reader_follows_into_the_next_day() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follow = Follow::new(folder.path());
    let begun = |id: &str| line("begun", id, "24T10:00", &[]) + "\n";
    let done = |id: &str| line("done", id, "24T10:01", &[]) + "\n";
    let (start, end) = (begun("e"), begun("e"));
    let rows = [
        (FIRST, String::new(), ""),
        (
            FIRST,
            begun("a") + &begun("b") + &done("b"),
            "Begun a, Done b",
        ),
        (FIRST, String::new(), ""),
        (FIRST, done("a"), "Done a"),
        (FIRST, begun("c"), "Begun c"),
        (SECOND, begun("d") + &done("c"), "Done c, Begun d"),
        // Half a line waits for its other half.
        (SECOND, start[..50].to_owned(), ""),
        (SECOND, end[50..].to_owned(), "Begun e"),
        (SECOND, done("z"), ""),
    ];
    for (day, text, expected) in rows {
        let path = days::file_path(folder.path(), day);
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .expect("open");
        file.write_all(text.as_bytes()).expect("written");
        let found = follow.more(&AuditQuery::default()).expect("read");
        let said: Vec<String> = found
            .records
            .iter()
            .map(|record| format!("{:?} {}", record.state, record.call.id))
            .collect();
        assert_eq!(said.join(", "), expected, "{text}");
    }
}
