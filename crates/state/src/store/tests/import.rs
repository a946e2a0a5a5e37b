//! Files of a version before the store: taken over once, completely or not at all, and never while an older program
//! still runs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::SANDBOX;
use crate::approvals::{ApprovalState, Claim};
use crate::audit::{AuditQuery, RecordState};
use crate::identity::Identity;
use crate::keys::KeyRefusal;

const KEYS: &str = "keys.json";
const PAUSES: &str = "pause.json";
const MARKER: &str = "moved_to";

/// A client's key, as it showed it to the older program and still does.
const SHOWN: &str = "hlk_abcdefgh_secret-of-the-client";

const HANDLES: [&str; 2] = ["apr_aaaaaaaaaaaaaaaaaaaa", "apr_bbbbbbbbbbbbbbbbbbbb"];

/// The files that an older version left.
fn old_folder() -> TestPlace {
    let folder = for_tests::folder();
    let key = |id: &str, name: &str, secret: &str, more: Value| {
        let mut key = json!({"id": id, "name": name, "sha256": crate::sha256(secret), "locations": "all",
            "policy": null, "created": "2026-11-01T08:00:00Z", "expires": null, "revoked": null});
        for (name, value) in more.as_object().expect("members") {
            key[name] = value.clone();
        }
        key
    };
    let berlin = json!({"locations": {"only": ["berlin"]}, "policy": "careful", "agency": true});
    let gone = json!({"revoked": "2026-11-02T08:00:00.123Z"});
    let keys = json!({"keys": [
        key("abcdefgh", "n8n", "secret-of-the-client", json!({})),
        key("bbbbbbbb", "berlin", "b", berlin),
        key("cccccccc", "n8n", "c", gone),
    ]});
    write(&folder, KEYS, &keys.to_string());
    let pauses = json!({"pauses": [
        {"location": "berlin", "reason": "wrong texts", "since": "2026-11-28T00:00:00Z"},
    ]});
    write(&folder, PAUSES, &pauses.to_string());
    write(&folder, "identity.key", &"i".repeat(32));
    write(&folder, "audit.seen", "2026-11-25\n");
    for name in ["keys.lock", "pause.lock", "approvals/lock", "notes.txt"] {
        write(&folder, name, "");
    }
    let (waits, done) = (
        json!({"state": "pending"}),
        json!({
            "state": "done", "decided_at": "2026-11-25T08:00:00Z", "decided_by": "Ada", "outcome": "the answer",
            "claimed_at": "2026-11-25T08:01:00Z", "is_error": true,
        }),
    );
    for (handle, more) in HANDLES.into_iter().zip([waits, done]) {
        write(
            &folder,
            &format!("approvals/{handle}.json"),
            &approval(handle, &more),
        );
    }
    let begun = |id: &str| {
        json!({"state": "begun", "id": id, "time": "2026-11-24T10:00:00.000Z", "who": "w", "surface": "s", "tool": "t",
            "effect": "e", "bulk": false, "arguments_sha256": "h", "arguments_bytes": 2, "idempotency_key": false})
        .to_string()
    };
    let done =
        json!({"state": "done", "id": "a", "time": "2026-11-25T10:00:00.000Z", "outcome": "ok"});
    let first = format!("{}\n{}\n{{\"state\":\"beg", begun("a"), begun("b"));
    write(&folder, "audit.2026-11-24.jsonl", &first);
    write(&folder, "audit.2026-11-25.jsonl", &format!("{done}\n"));
    folder
}

fn approval(handle: &str, more: &Value) -> String {
    let mut approval = json!({"handle": handle, "digest": "d", "tool": "t", "effect": "e", "location": null,
        "alias": null, "who": "w", "preview": {"amount": 5}, "created": "2026-11-25T08:00:00Z",
        "expires": "2099-01-01T00:00:00Z", "state": "pending", "decided_at": null, "decided_by": null, "note": null,
        "claimed_at": null, "outcome": null});
    for (name, value) in more.as_object().expect("members") {
        approval[name] = value.clone();
    }
    approval.to_string()
}

fn write(folder: &TestPlace, name: &str, text: &str) {
    let path = folder.path().join(name);
    let parent = path.parent().expect("a folder");
    fs::create_dir_all(parent).expect("made");
    fs::write(path, text).expect("written");
}

/// Every file that is not the store's own, with its content.
fn held(folder: &TestPlace) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(of) = folders.pop() {
        for entry in fs::read_dir(of).expect("read") {
            let path = entry.expect("read").path();
            let name = path.strip_prefix(folder.path()).expect("inside");
            let name = name.to_str().expect("a name").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains(".db") && name != KEY_FILE {
                found.insert(name, fs::read_to_string(&path).expect("read"));
            }
        }
    }
    found
}

fn open(folder: &TestPlace) -> Result<Store, StoreError> {
    Store::open(&for_tests::options(folder))
}

#[track_caller]
fn refused(folder: &TestPlace, parts: &[&str]) {
    let error = open(folder).map(drop).expect_err("refused").to_string();
    for part in parts {
        assert!(error.contains(part), "{error}");
    }
}

/// Everything of the old folder is there, once.
#[track_caller]
fn check_taken(store: &Store) {
    let keys = Keys::new(store);
    let found = keys.find(SHOWN).expect("taken").expect("known");
    assert_eq!((found.name.as_str(), found.agency), ("n8n", false));
    let shown = keys.find("hlk_cccccccc_c");
    assert!(
        matches!(shown, Err(KeyRefusal::Revoked { .. })),
        "{shown:?}"
    );
    let listed = keys.list().wait().expect("read");
    assert_eq!(listed.len(), 3);
    let berlin = listed
        .iter()
        .find(|key| key.id == "bbbbbbbb")
        .expect("there");
    assert_eq!(
        berlin.locations,
        KeyLocations::Only(vec!["berlin".to_owned()])
    );
    assert_eq!(
        (berlin.policy.as_deref(), berlin.agency),
        (Some("careful"), true)
    );
    let gone = listed
        .iter()
        .find(|key| key.id == "cccccccc")
        .expect("there");
    let revoked = gone.revoked.map(|time| time.to_string());
    assert_eq!(revoked.as_deref(), Some("2026-11-02T08:00:00.123Z"));
    let pauses = Pauses::new(store);
    let pause = pauses.paused(Some("berlin")).expect("paused");
    assert_eq!(pause.reason.as_deref(), Some("wrong texts"));
    assert_eq!(pauses.paused(None), None);
    let approvals = Approvals::new(store);
    let states: Vec<ApprovalState> = approvals
        .list()
        .wait()
        .expect("read")
        .iter()
        .map(|approval| approval.state)
        .collect();
    assert_eq!(states, [ApprovalState::Pending, ApprovalState::Done]);
    let done = for_tests::on_one_thread(approvals.claim(HANDLES[1], "d"));
    let outcome = "the answer".to_owned();
    assert_eq!(
        done,
        Ok(Claim::Done {
            outcome,
            is_error: true
        })
    );
    let name = Identity::new("i".repeat(32).as_bytes()).digest("pit-a");
    assert_eq!(store.identity().digest("pit-a"), name);
    let records = crate::audit::records(store, &AuditQuery::default()).expect("read");
    let records: Vec<_> = records
        .records
        .iter()
        .map(|record| (record.call.id.as_str(), record.state))
        .collect();
    assert_eq!(
        records,
        [("a", RecordState::Done), ("b", RecordState::Begun)]
    );
}

#[on_sqlite("files of an earlier version are taken over into a file")]
fn the_files_of_an_earlier_version_are_imported_once() {
    let folder = old_folder();
    let before = held(&folder);
    let store = open(&folder).expect("open");
    assert_eq!(
        store.imported(),
        Some(
            "3 keys, 1 pauses, 2 approvals and 3 lines of the audit were taken over from files of an earlier version; \
             those have names that end with .imported now"
        )
    );
    check_taken(&store);
    let seen = "SELECT COUNT(*) AS n FROM meta WHERE name = 'audit_seen' AND value = '2026-11-25'";
    assert_eq!(for_tests::number(&folder, seen), 1);
    // Unchanged, under other names; two of them are replaced by markers that the older version refuses.
    let after = held(&folder);
    for (name, text) in &before {
        let kept = match name.strip_prefix("approvals/") {
            Some(rest) => format!("approvals.imported/{rest}"),
            None if name.ends_with(".lock") || name == "notes.txt" => name.clone(),
            None => format!("{name}.imported"),
        };
        assert_eq!(after.get(&kept), Some(text), "{kept}");
    }
    assert_eq!(after.len(), before.len() + 2);
    for name in [KEYS, PAUSES] {
        let marker: Value = serde_json::from_str(&after[name]).expect("JSON");
        assert!(
            marker[MARKER].is_string() && marker.get("keys").is_none(),
            "{marker}"
        );
        assert_eq!(mode(&folder.path().join(name)), 0o600);
    }
    drop(store);
    for _ in 0..2 {
        let again = open(&folder).expect("open");
        assert_eq!(again.imported(), None);
        check_taken(&again);
        assert_eq!(held(&folder), after);
    }
}

/// Lines of files are not written as new ones, and an answer stored in plain text is now sealed.
#[on_sqlite("files of an earlier version are taken over into a file")]
fn imported_lines_are_not_written_to_the_audit_file_and_answers_are_sealed() {
    let folder = old_folder();
    let lines = folder.path().join("lines");
    let store = Store::open(&StoreOptions {
        audit_file: Some(&lines),
        ..for_tests::options(&folder)
    });
    drop(store.expect("open"));
    assert!(!lines.exists());
    let file = bytes(&for_tests::file(&folder));
    for secret in ["the answer", "secret-of-the-client", &"i".repeat(32)] {
        let found = file
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[on_sqlite("files of an earlier version are taken over into a file")]
fn a_folder_without_old_files_is_left_as_it_is() {
    let folder = for_tests::folder();
    // Names that resemble those of old files.
    for name in [
        "audit.2026-13-01.jsonl",
        "audit.jsonl",
        "keys.json.bak",
        "approvals/lock",
    ] {
        write(&folder, name, "x");
    }
    let before = held(&folder);
    let store = open(&folder).expect("open");
    assert_eq!(store.imported(), None);
    assert_eq!(held(&folder), before);
}

#[on_sqlite("files of an earlier version are taken over into a file")]
fn the_sandbox_takes_nothing_over() {
    let folder = old_folder();
    let before = held(&folder);
    let options = StoreOptions {
        upstream: SANDBOX,
        ..for_tests::options(&folder)
    };
    let store = Store::open(&options).expect("open");
    assert_eq!(store.imported(), None);
    assert!(!Keys::new(&store).has_any());
    drop(store);
    assert_eq!(held(&folder), before);
    check_taken(&open(&folder).expect("open"));
}

#[on_sqlite("files of an earlier version are taken over into a file")]
fn an_older_program_that_was_started_afterwards_is_noticed() {
    let later = [
        ("audit.2026-11-29.jsonl", ""),
        ("audit.2026-11-24.jsonl", "{}\n"),
        (KEYS, "{\"keys\":[]}"),
        (PAUSES, "{\"pauses\":[]}"),
        ("identity.key", "x"),
        ("approvals/apr_cccccccccccccccccccc.json", "{}"),
    ];
    for (name, text) in later {
        for is_new in [false, true] {
            let folder = if is_new {
                for_tests::folder()
            } else {
                old_folder()
            };
            drop(open(&folder).expect("open"));
            write(&folder, name, text);
            let named = name.split('/').next().expect("a name");
            refused(
                &folder,
                &[
                    named,
                    "was written by an older version",
                    "stop the older one",
                ],
            );
            // Only somebody who opens it knows its value.
            assert_eq!(
                fs::read_to_string(folder.path().join(name)).expect("read"),
                text
            );
            fs::remove_file(folder.path().join(name)).expect("removed");
            drop(open(&folder).expect("open"));
        }
    }
}

/// The rows are on the disk, but the files still have their old names.
#[on_sqlite("files of an earlier version are taken over into a file")]
fn the_next_process_renames_the_files_of_one_that_died() {
    let names = [
        KEYS,
        PAUSES,
        "identity.key",
        "audit.seen",
        "approvals",
        "audit.2026-11-24.jsonl",
        "audit.2026-11-25.jsonl",
    ];
    // The number of files that were renamed before it died.
    for count in 0..=names.len() {
        let folder = old_folder();
        drop(open(&folder).expect("open"));
        let after = held(&folder);
        for name in [KEYS, PAUSES] {
            fs::remove_file(folder.path().join(name)).expect("removed");
        }
        for name in &names[count..] {
            let path = folder.path().join(name);
            let renamed = folder.path().join(format!("{name}.imported"));
            fs::rename(renamed, path).expect("renamed");
        }
        let store = open(&folder).expect("open");
        assert_eq!(store.imported(), None);
        check_taken(&store);
        assert_eq!(held(&folder), after, "{count}");
    }
}

/// In the reverse order: it died before the rows were on the disk.
#[on_sqlite("files of an earlier version are taken over into a file")]
fn a_broken_file_takes_over_nothing() {
    let broken = [
        (KEYS, "{\"keys\":"),
        (KEYS, "{\"keys\":[],\"version\":2}"),
        (KEYS, "{\"keys\":[{\"id\":\"a\"}]}"),
        (PAUSES, ""),
        ("identity.key", "short"),
        ("approvals/apr_aaaaaaaaaaaaaaaaaaaa.json", "{"),
    ];
    for (name, text) in broken {
        let folder = old_folder();
        let whole = fs::read_to_string(folder.path().join(name)).expect("read");
        write(&folder, name, text);
        let before = held(&folder);
        for _ in 0..2 {
            refused(&folder, &[name]);
            assert_eq!(held(&folder), before, "{name}");
        }
        write(&folder, name, &whole);
        check_taken(&open(&folder).expect("open"));
    }
}

#[on_sqlite("files of an earlier version are taken over into a file")]
#[cfg(target_os = "linux")]
fn an_older_program_that_still_runs_is_noticed() {
    let folder = old_folder();
    let before = held(&folder);
    let day = fs::File::open(folder.path().join("audit.2026-11-25.jsonl")).expect("open");
    // Open in a child, which is another process.
    let mut older = std::process::Command::new("sleep");
    let started = older.arg("600").stdin(day).spawn();
    drop(older);
    let older = for_tests::Running(started.expect("started"));
    let process = format!("process {}", older.0.id());
    let parts = ["audit.2026-11-25.jsonl is in use", &process, "stop it"];
    for_tests::comes("noticed", || open(&folder).is_err());
    refused(&folder, &parts);
    assert_eq!(held(&folder), before);
    drop(older);
    check_taken(&open(&folder).expect("open"));
}

#[on_sqlite("files of an earlier version are taken over into a file")]
fn many_that_open_an_old_folder_at_once_take_it_over_once() {
    let folder = old_folder();
    let imported: usize = std::thread::scope(|scope| {
        let opened: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| open(&folder).expect("open").imported().is_some()))
            .collect();
        let opened = opened.into_iter();
        opened
            .map(|one| usize::from(one.join().expect("ended")))
            .sum()
    });
    assert_eq!(imported, 1);
    check_taken(&open(&folder).expect("open"));
}
