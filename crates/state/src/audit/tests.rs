//! Writing the audit, and failures of writing.

mod file;
mod part;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::*;
use crate::calls::{CallBegin, CallOutcome, CallStart, OpenCall};
use crate::store::for_tests::{self, TestPlace};

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn entry<'a>(tool: &'a str, arguments: &'a Map<String, Value>) -> AuditEntry<'a> {
    AuditEntry {
        who: "key:abcdefgh",
        grant: None,
        client: None,
        surface: "official",
        tool,
        effect: "write",
        bulk: false,
        location: Some("L1"),
        alias: Some("berlin"),
        arguments,
        confirmation: None,
        idempotency_key: false,
    }
}

/// A folder with an audit in it.
fn audit(full_arguments: bool) -> (TestPlace, Audit) {
    let folder = for_tests::folder();
    let audit = Audit::new(&for_tests::open(&folder), 30, full_arguments).expect("new");
    (folder, audit)
}

async fn begin(audit: &Audit, entry: &AuditEntry<'_>) -> Result<OpenCall, StoreError> {
    let start = CallStart {
        audit: Some(audit.call(entry).expect("a call")),
        ..CallStart::default()
    };
    match audit.store.begin(start).await? {
        CallBegin::Open(open) => Ok(open),
        _ => panic!("nothing is in its way"),
    }
}

fn ended(outcome: &str, status: Option<u16>, trace_id: Option<&str>) -> CallOutcome {
    CallOutcome {
        outcome: outcome.to_owned(),
        status,
        trace_id: trace_id.map(str::to_owned),
        did_nothing: false,
        kept: None,
    }
}

fn ok() -> CallOutcome {
    ended("ok", None, None)
}

/// The lines in short: call, state, outcome.
fn states(store: &Store) -> Vec<String> {
    lines_of(store)
        .iter()
        .map(|line| format!("{} {} {}", line["id"], line["state"], line["outcome"]))
        .collect()
}

/// The lines, with ids and times as words, once everything pending is written.
fn lines_of(store: &Store) -> Vec<Value> {
    let settled = store.change(Durability::System, |_| Ok(()));
    settled.wait().expect("settled");
    let mut texts = Vec::new();
    let read = lines(store, None, None, |part| {
        texts.extend(part);
        Ok(())
    });
    read.expect("read");
    parse_lines(&texts)
}

fn parse_lines(texts: &[String]) -> Vec<Value> {
    let mut ids = Vec::new();
    texts
        .iter()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            let id = line["id"].as_str().expect("an id").to_owned();
            assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let time = line["time"].as_str().expect("a time");
            assert_eq!(
                (time.len(), time.ends_with('Z')),
                ("2026-11-25T08:00:00.120Z".len(), true),
                "{time}"
            );
            let place = ids.iter().position(|other| *other == id);
            let place = place.unwrap_or_else(|| {
                ids.push(id);
                ids.len() - 1
            });
            line["id"] = place.into();
            line["time"] = "now".into();
            line
        })
        .collect()
}

/// `{"a":{"b":1,"c":2},"d":"x"}`, hashed by `sha256sum`.
const HASH: &str = "90aa4e2acd979894a05bd2d3d088ed5329051f7dc0be89f7da43f4511650d2ba";

fn check_written(full_arguments: bool, act: impl AsyncFn(&Audit, AuditEntry), expected: &[Value]) {
    let (_folder, audit) = audit(full_arguments);
    let arguments = arguments(json!({"d": "x", "a": {"c": 2, "b": 1}}));
    for_tests::on_one_thread(act(&audit, entry("contacts_create-contact", &arguments)));
    let begun = json!({
        "id": 0, "time": "now", "who": "key:abcdefgh", "surface": "official",
        "tool": "contacts_create-contact", "effect": "write", "bulk": false, "location": "L1",
        "alias": "berlin", "arguments_sha256": HASH, "arguments_bytes": 27, "idempotency_key": false,
    });
    let expected: Vec<Value> = expected
        .iter()
        .map(|line| {
            let mut whole = json!({});
            if line["state"] != "done" {
                whole = begun.clone();
            }
            whole["time"] = "now".into();
            let members = line.as_object().expect("an object").clone();
            let whole_members = whole.as_object_mut().expect("an object");
            whole_members.extend(members);
            whole_members.retain(|_, member| !member.is_null());
            whole
        })
        .collect();
    assert_eq!(lines_of(&audit.store), expected);
}

#[on_both]
fn one_line_is_written_before_a_call_and_one_after() {
    let begun = json!({"state": "begun"});
    check_written(
        false,
        async |audit, entry| {
            let open = begin(audit, &entry).await.expect("begun");
            let end = open.end(ended("ok", Some(201), Some("trace-1")));
            end.await.expect("written");
        },
        &[
            begun.clone(),
            json!({"id": 0, "state": "done", "outcome": "ok", "status": 201, "trace_id": "trace-1"}),
        ],
    );
    check_written(
        false,
        async |audit, entry| drop(begin(audit, &entry).await.expect("begun")),
        &[
            begun.clone(),
            json!({"id": 0, "state": "done", "outcome": "cut_off"}),
        ],
    );
    // As if the process died.
    check_written(
        false,
        async |audit, entry| std::mem::forget(begin(audit, &entry).await.expect("begun")),
        &[begun],
    );
    check_written(
        false,
        async |audit, entry| {
            drop(audit.refused(&entry, "location", None));
            let refused = audit.refused(&entry, "refused", Some("no-sends"));
            refused.await.expect("written");
        },
        &[
            json!({"state": "refused", "class": "location"}),
            json!({"id": 1, "state": "refused", "class": "refused", "rule": "no-sends"}),
        ],
    );
    check_written(
        true,
        async |audit, entry| {
            let entry = AuditEntry {
                client: Some(&"ü".repeat(150)),
                confirmation: Some(ConfirmationRecord {
                    mode: "approval",
                    by: Some("Ada"),
                }),
                idempotency_key: true,
                location: None,
                alias: None,
                ..entry
            };
            std::mem::forget(begin(audit, &entry).await.expect("begun"));
        },
        &[json!({
            "state": "begun", "location": null, "alias": null, "client": format!("{}…", "ü".repeat(100)),
            "arguments": {"a": {"b": 1, "c": 2}, "d": "x"}, "idempotency_key": true,
            "confirmation": {"mode": "approval", "by": "Ada"},
        })],
    );
}

#[on_both]
fn long_arguments_are_not_kept_in_full() {
    for (length, kept) in [(65_000, true), (70_000, false)] {
        let (_folder, audit) = audit(true);
        let arguments = arguments(json!({"text": "x".repeat(length)}));
        let open = for_tests::on_one_thread(begin(&audit, &entry("a", &arguments)));
        drop(open.expect("begun"));
        let line = &lines_of(&audit.store)[0];
        assert_eq!(line.get("arguments").is_some(), kept, "{length}");
        assert_eq!(line["arguments_bytes"], length + 11);
    }
}

#[on_both]
fn nothing_is_kept_for_no_days() {
    let store = for_tests::store();
    let error = Audit::new(&store, 0, false).map(drop);
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("keep it for 1 or more"), "{error}");
}

#[on_both]
fn no_call_begins_while_nothing_can_be_written_and_no_end_is_lost() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    let entry = entry("a", &arguments);
    for_tests::on_one_thread(async {
        let (first, second) = (begin(&audit, &entry).await, begin(&audit, &entry).await);
        let stuck = for_tests::stick(&folder);
        let end = first.expect("begun").end(ok());
        drop(second);
        let begun = begin(&audit, &entry).await;
        assert!(begun.map(drop).expect_err("held").is_busy());
        drop(stuck);
        end.await.expect("told once it is written");
        drop(begin(&audit, &entry).await.expect("begun"));
    });
    let states = states(&audit.store);
    let expected = [
        "0 \"begun\" null",
        "1 \"begun\" null",
        "0 \"done\" \"ok\"",
        "1 \"done\" \"cut_off\"",
    ];
    assert_eq!(states[..4], expected);
    // A refused call may have been running: it says that it was cut off, like the last one.
    let count = |part: &str| {
        states[4..]
            .iter()
            .filter(|line| line.contains(part))
            .count()
    };
    let begun = count("begun");
    assert!(begun == 1 || begun == 2, "{states:?}");
    assert_eq!(count("\"done\" \"cut_off\""), begun, "{states:?}");
}

/// As if the process ended right after there was room again.
#[on_both]
fn owed_lines_are_written_at_the_end_of_the_process() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    let open = for_tests::on_one_thread(begin(&audit, &entry("a", &arguments))).expect("begun");
    let stuck = for_tests::stick(&folder);
    drop(open.end(ok()));
    let refused = for_tests::on_one_thread(begin(&audit, &entry("b", &arguments)));
    let error = refused.map(drop).expect_err("held");
    assert!(error.is_busy(), "{error}");
    drop(stuck);
    drop(audit);
    let states = states(&for_tests::open(&folder));
    // What was refused may have been on its way.
    assert_eq!(states[..2], ["0 \"begun\" null", "0 \"done\" \"ok\""]);
}

#[on_both]
fn a_store_that_is_stuck_stops_nobody_else() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    let entry = entry("a", &arguments);
    let open = for_tests::on_one_thread(begin(&audit, &entry)).expect("begun");
    let stuck = for_tests::stick(&folder);
    let before = Instant::now();
    for_tests::on_one_thread(async {
        drop(open.end(ok()));
        drop(audit.refused(&entry, "scope", None));
        let begun = begin(&audit, &entry);
        let (begun, longest) = tokio::join!(begun, for_tests::longest_tick());
        let error = begun.map(drop).expect_err("stuck");
        assert!(error.is_busy(), "{error}");
        println!(
            "a tick of 10 ms took {longest:?} at most; refused after {:?}",
            before.elapsed()
        );
        assert!(longest < Duration::from_secs(1) && before.elapsed() < Duration::from_secs(9));
    });
    drop(stuck);
    let refused = audit.refused(&entry, "scope", None).wait();
    refused.expect("written");
    let states = states(&audit.store);
    assert_eq!(states[..2], ["0 \"begun\" null", "0 \"done\" \"ok\""]);
    let last = states.last().expect("a line");
    assert!(last.contains("refused"), "{states:?}");
}

/// Dropping the last handle waits for pending lines, as at the end of a command.
#[on_both]
fn an_orderly_end_of_the_process_loses_nothing() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    for_tests::on_one_thread(async {
        for _ in 0..500 {
            let open = begin(&audit, &entry("a", &arguments)).await;
            drop(open.expect("begun").end(ok()));
        }
    });
    drop(audit);
    let count = for_tests::number(&folder, "SELECT COUNT(*) AS n FROM audit");
    assert_eq!(count, 1_000);
}

#[on_both]
fn a_call_waits_for_its_lines_only_shortly() {
    let (_folder, audit) = audit(false);
    let arguments = arguments(json!({"text": "x".repeat(200)}));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let calls = 500;
        let before = Instant::now();
        for _ in 0..calls {
            let open = begin(&audit, &entry("a", &arguments)).await;
            open.expect("begun").end(ok()).await.expect("written");
        }
        let one = before.elapsed() / calls;
        let before = Instant::now();
        let many = (0..20).map(|_| {
            let (audit, arguments) = (audit.clone(), arguments.clone());
            tokio::spawn(async move {
                for _ in 0..25 {
                    let open = begin(&audit, &entry("a", &arguments)).await;
                    open.expect("begun").end(ok()).await.expect("written");
                }
            })
        });
        for one in many.collect::<Vec<_>>() {
            one.await.expect("no failure");
        }
        let together = before.elapsed() / calls;
        println!(
            "two lines of a call, acknowledged: {one:?} alone, {together:?} where twenty write at once"
        );
        assert!(one < Duration::from_millis(100), "{one:?}");
    });
}

/// Several instances like several processes, each with threads.
#[on_both]
fn lines_of_many_writers_stay_whole() {
    let folder = for_tests::folder();
    let arguments = arguments(json!({"text": "x".repeat(20_000)}));
    thread::scope(|scope| {
        for _ in 0..3 {
            let audit = Audit::new(&for_tests::open(&folder), 30, true).expect("new");
            for _ in 0..2 {
                let (audit, arguments) = (audit.clone(), &arguments);
                scope.spawn(move || {
                    for_tests::on_one_thread(async {
                        for _ in 0..20 {
                            let open = begin(&audit, &entry("a", arguments)).await;
                            open.expect("begun").end(ok()).await.expect("written");
                        }
                    });
                });
            }
        }
    });
    let found = records(&for_tests::open(&folder), &AuditQuery::default()).expect("read");
    let done = |record: &&AuditRecord| record.state == RecordState::Done;
    assert_eq!(found.unreadable, Vec::<i64>::new());
    assert_eq!(found.records.iter().filter(done).count(), 120);
}

/// By the writing thread, some seconds after the start of a process.
#[on_both]
fn old_days_are_removed_only_by_a_process_that_writes_the_audit() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    for_tests::sql(
        &folder,
        "INSERT INTO meta (name, value) VALUES ('audit_seen', date('now'))",
    );
    for_tests::sql(&folder, "INSERT INTO audit (at, line) VALUES (0, '{}')");
    let count = || for_tests::number(&folder, "SELECT COUNT(*) AS n FROM audit");
    let audit = Audit::new(&store, 30, false).expect("new");
    for_tests::comes("removed", || {
        thread::sleep(Duration::from_millis(100));
        count() == 0
    });
    drop(audit);
}
