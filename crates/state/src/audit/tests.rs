//! The audit as it is written, and as writing fails.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;

use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;
use crate::logged;

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn entry<'a>(tool: &'a str, arguments: &'a Map<String, Value>) -> AuditEntry<'a> {
    AuditEntry {
        who: "key:abcdefgh",
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
fn audit(full_arguments: bool) -> (TempDir, Audit) {
    let folder = tempfile::tempdir().expect("a folder");
    let audit = Audit::open(folder.path(), 30, full_arguments).expect("open");
    (folder, audit)
}

fn today(folder: &Path) -> PathBuf {
    days::file_path(folder, days::day_at(now()))
}

/// Waits until what is in the queue now is written, or was tried.
async fn settled(audit: &Audit) {
    let (job, written) = Job::end(Vec::new());
    audit.writer.send(job).await.expect("a writer");
    drop(written.await);
}

/// Today's lines in short: which call, in which state, with which outcome.
fn states(folder: &Path) -> Vec<String> {
    lines(folder)
        .iter()
        .map(|line| format!("{} {} {}", line["id"], line["state"], line["outcome"]))
        .collect()
}

/// Today's lines, with ids and times as words.
fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(today(folder)).expect("a file");
    let mut ids = Vec::new();
    text.lines()
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

/// `{"a":{"b":1,"c":2},"d":"x"}`, as `sha256sum` has it.
const HASH: &str = "90aa4e2acd979894a05bd2d3d088ed5329051f7dc0be89f7da43f4511650d2ba";

async fn check_written(
    full_arguments: bool,
    act: impl AsyncFn(&Audit, AuditEntry),
    expected: &[Value],
) {
    let (folder, audit) = audit(full_arguments);
    let arguments = arguments(json!({"d": "x", "a": {"c": 2, "b": 1}}));
    act(&audit, entry("contacts_create-contact", &arguments)).await;
    settled(&audit).await;
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
    assert_eq!(lines(folder.path()), expected);
    let mode = fs::metadata(today(folder.path())).expect("there").mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[tokio::test]
async fn a_line_stands_before_a_call_and_one_after() {
    let begun = json!({"state": "begun"});
    check_written(
        false,
        async |audit, entry| {
            let open = audit.begin(&entry).await.expect("begun");
            open.end("ok", Some(201), Some("trace-1")).await;
        },
        &[
            begun.clone(),
            json!({"id": 0, "state": "done", "outcome": "ok", "status": 201, "trace_id": "trace-1"}),
        ],
    )
    .await;
    check_written(
        false,
        async |audit, entry| drop(audit.begin(&entry).await.expect("begun")),
        &[
            begun.clone(),
            json!({"id": 0, "state": "done", "outcome": "cut_off"}),
        ],
    )
    .await;
    // As where the process dies.
    check_written(
        false,
        async |audit, entry| std::mem::forget(audit.begin(&entry).await.expect("begun")),
        &[begun],
    )
    .await;
    check_written(
        false,
        async |audit, entry| {
            drop(audit.refused(&entry, "location", None));
            audit.refused(&entry, "refused", Some("no-sends")).await;
        },
        &[
            json!({"state": "refused", "class": "location"}),
            json!({"id": 1, "state": "refused", "class": "refused", "rule": "no-sends"}),
        ],
    )
    .await;
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
            std::mem::forget(audit.begin(&entry).await.expect("begun"));
        },
        &[json!({
            "state": "begun", "location": null, "alias": null, "client": format!("{}…", "ü".repeat(100)),
            "arguments": {"a": {"b": 1, "c": 2}, "d": "x"}, "idempotency_key": true,
            "confirmation": {"mode": "approval", "by": "Ada"},
        })],
    )
    .await;
}

#[tokio::test]
async fn long_arguments_are_not_kept_in_full() {
    for (length, kept) in [(65_000, true), (70_000, false)] {
        let (folder, audit) = audit(true);
        let arguments = arguments(json!({"text": "x".repeat(length)}));
        let open = audit.begin(&entry("a", &arguments)).await;
        drop(open.expect("begun"));
        let line = &lines(folder.path())[0];
        assert_eq!(line.get("arguments").is_some(), kept, "{length}");
        assert_eq!(line["arguments_bytes"], length + 11);
    }
}

#[test]
fn nothing_is_kept_for_no_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Audit::open(folder.path(), 0, false).map(drop);
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("keep them for 1 or more"), "{error}");
}

/// Writes to it fail as on a full disk.
#[cfg(target_os = "linux")]
fn full() -> File {
    File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device")
}

#[test]
#[cfg(target_os = "linux")]
fn a_failure_is_logged_once_and_so_is_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = DayFile::open(folder.path(), 30, days::day_at(now())).expect("open");
    let mut out = Out::new(file);
    let line = || vec![Job::acknowledged(b"{}\n".to_vec()).0];
    let log = logged(|| {
        for _ in 0..2 {
            out.file.stand_in(full());
            out.write(line());
            out.write(line());
            let file = File::options().append(true).open(today(folder.path()));
            out.file.stand_in(file.expect("open"));
            out.write(line());
            out.write(line());
        }
    });
    assert_eq!(
        log.matches("the audit cannot be written").count(),
        2,
        "{log}"
    );
    assert_eq!(log.matches("can be written again").count(), 2, "{log}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn no_call_begins_while_nothing_can_be_written_and_no_end_is_lost() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    let entry = entry("a", &arguments);
    let (first, second) = (audit.begin(&entry).await, audit.begin(&entry).await);
    audit.out().file.stand_in(full());
    first.expect("begun").end("ok", None, None).await;
    drop(second);
    audit.refused(&entry, "scope", None).await;
    for _ in 0..2 {
        let begun = audit.begin(&entry).await;
        let error = begun.map(drop).expect_err("full").to_string();
        assert!(
            error.contains("jsonl cannot be written: No space left"),
            "{error}"
        );
    }
    let file = File::options().append(true).open(today(folder.path()));
    audit.out().file.stand_in(file.expect("open"));
    drop(audit.begin(&entry).await.expect("begun"));
    settled(&audit).await;
    let expected = [
        "0 \"begun\" null",
        "1 \"begun\" null",
        "0 \"done\" \"ok\"",
        "1 \"done\" \"cut_off\"",
        "2 \"begun\" null",
        "2 \"done\" \"cut_off\"",
    ];
    assert_eq!(states(folder.path()), expected);
}

/// On one thread: whoever blocked it would stop the timer, too.
#[tokio::test]
async fn a_disk_that_is_stuck_stops_nobody_else() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    let entry = entry("a", &arguments);
    let open = audit.begin(&entry).await.expect("begun");
    let stuck = Arc::clone(&audit.writer);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (holds, held) = std::sync::mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let _out = stuck.out();
        holds.send(()).expect("heard");
        released.recv().expect("released");
    });
    held.recv().expect("held");
    let before = Instant::now();
    drop(open.end("ok", None, None));
    drop(audit.refused(&entry, "scope", None));
    let begun = audit.begin(&entry);
    let ticks = async {
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            let tick = Instant::now();
            tokio::time::sleep(Duration::from_millis(10)).await;
            longest = longest.max(tick.elapsed());
        }
        longest
    };
    let (begun, longest) = tokio::join!(begun, ticks);
    let error = begun.map(drop).expect_err("stuck").to_string();
    assert!(error.contains("slow or stuck"), "{error}");
    println!(
        "a tick of 10 ms took {longest:?} at most; refused after {:?}",
        before.elapsed()
    );
    assert!(longest < Duration::from_secs(1) && before.elapsed() < Duration::from_secs(9));
    release.send(()).expect("heard");
    holder.join().expect("ended");
    settled(&audit).await;
    // What was refused had been on its way: it says that it was cut off.
    let expected = [
        "0 \"begun\" null",
        "0 \"done\" \"ok\"",
        "1 \"refused\" null",
        "2 \"begun\" null",
        "2 \"done\" \"cut_off\"",
    ];
    assert_eq!(states(folder.path()), expected);
}

/// The last handle waits for what is on its way, as at the end of a command.
#[tokio::test]
async fn nothing_is_lost_where_the_process_ends_in_order() {
    let (folder, audit) = audit(false);
    let arguments = Map::new();
    for _ in 0..500 {
        let open = audit.begin(&entry("a", &arguments)).await.expect("begun");
        drop(open.end("ok", None, None));
    }
    drop(audit);
    assert_eq!(lines(folder.path()).len(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_its_lines_only_shortly() {
    let (_folder, audit) = audit(false);
    let arguments = arguments(json!({"text": "x".repeat(200)}));
    let calls = 2_000;
    let before = Instant::now();
    for _ in 0..calls {
        let open = audit.begin(&entry("a", &arguments)).await.expect("begun");
        open.end("ok", None, None).await;
    }
    let one = before.elapsed() / calls;
    let before = Instant::now();
    let many = (0..20).map(|_| {
        let (audit, arguments) = (audit.clone(), arguments.clone());
        tokio::spawn(async move {
            for _ in 0..100 {
                let open = audit.begin(&entry("a", &arguments)).await.expect("begun");
                open.end("ok", None, None).await;
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
    assert!(one < Duration::from_millis(50), "{one:?}");
}

#[test]
fn a_link_in_place_of_the_file_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::NamedTempFile::new().expect("a file");
    let path = today(folder.path());
    std::os::unix::fs::symlink(elsewhere.path(), &path).expect("a link");
    let error = Audit::open(folder.path(), 30, false).map(drop);
    let error = error.expect_err("a link").to_string();
    assert!(error.contains("is a symbolic link"), "{error}");
    let dangling = folder.path().join("nowhere");
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink(&dangling, &path).expect("a link");
    assert!(Audit::open(folder.path(), 30, false).is_err());
    assert!(!dangling.exists());
    assert_eq!(fs::read(elsewhere.path()).expect("read"), b"");
}

/// Several instances as of several processes, each with threads.
#[test]
fn lines_of_many_writers_stay_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = arguments(json!({"text": "x".repeat(20_000)}));
    thread::scope(|scope| {
        for _ in 0..3 {
            let audit = Audit::open(folder.path(), 30, true).expect("open");
            for _ in 0..2 {
                let (audit, arguments) = (audit.clone(), &arguments);
                scope.spawn(move || {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_time().build().expect("a runtime");
                    runtime.block_on(async {
                        for _ in 0..20 {
                            let open = audit.begin(&entry("a", arguments)).await;
                            open.expect("begun").end("ok", None, None).await;
                        }
                    });
                });
            }
        }
    });
    let found = records(folder.path(), &AuditQuery::default()).expect("read");
    let done = |record: &&AuditRecord| record.state == RecordState::Done;
    assert_eq!(found.unreadable, Vec::<String>::new());
    assert_eq!(found.records.iter().filter(done).count(), 120);
}

const FIRST: Date = date(2026, 11, 24);
const SECOND: Date = date(2026, 11, 25);

#[test]
fn each_day_has_a_file_and_old_ones_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let other = [
        "audit.2026-01-01.jsonl.bak",
        "audit.20260101.jsonl",
        "keys.json",
    ];
    for name in other {
        fs::write(path.join(name), "").expect("written");
    }
    let mut file = DayFile::open(path, 2, date(2026, 11, 23)).expect("open");
    for (day, left) in [
        (date(2026, 11, 23), vec![date(2026, 11, 23)]),
        (FIRST, vec![date(2026, 11, 23), FIRST]),
        (SECOND, vec![date(2026, 11, 23), FIRST, SECOND]),
        (date(2026, 11, 26), vec![FIRST, SECOND, date(2026, 11, 26)]),
        // Nothing was written for a month, or the clock is wrong: nobody knows yet.
        (
            date(2026, 12, 26),
            vec![FIRST, SECOND, date(2026, 11, 26), date(2026, 12, 26)],
        ),
    ] {
        file.append(day, b"{}\n").expect("written");
        assert_eq!(days::days_with_files(path).expect("listed"), left, "{day}");
        // A second process that starts takes nothing away.
        drop(DayFile::open(path, 2, day).expect("open"));
        assert_eq!(days::days_with_files(path).expect("listed"), left, "{day}");
        let held = fs::read_to_string(days::file_path(path, day)).expect("read");
        assert_eq!(held, "{}\n");
    }
    for name in other {
        assert!(path.join(name).exists(), "{name}");
    }
}

#[track_caller]
fn check_file(before: Option<&str>, act: impl Fn(&mut DayFile, &Path), after: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = days::file_path(folder.path(), FIRST);
    if let Some(text) = before {
        fs::write(&path, text).expect("written");
    }
    let mut file = DayFile::open(folder.path(), 2, FIRST).expect("open");
    act(&mut file, &path);
    file.append(FIRST, b"new\n").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("read"), after);
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
}

#[test]
fn a_new_line_is_never_joined_to_a_torn_one_or_lost_with_its_file() {
    check_file(None, |_, _| {}, "new\n");
    check_file(Some("old\n"), |_, _| {}, "old\nnew\n");
    check_file(Some("ol"), |_, _| {}, "ol\nnew\n");
    check_file(
        Some("old\n"),
        |_, path| fs::remove_file(path).expect("removed"),
        "new\n",
    );
}
