//! The store as a file: its readers, its plain text, its key, its tables, and several processes on it.

mod bad_times;
mod bouncer;
mod disk;
mod import;
mod keys;
mod processes;
mod statements;
mod upkeep;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::for_tests::TestPlace;
use super::*;
use crate::SANDBOX;
use crate::approvals::{Approvals, Claim, NewApproval};
use crate::calls::{AnswerCopy, CallBegin, CallOutcome, CallStart, OnceKey, OnceKind, OpenCall};
use crate::keys::{KeyLocations, Keys};
use crate::pause::Pauses;

const DAY: i64 = 24 * 60 * 60;

/// A key for this call alone.
fn once(kind: OnceKind, id: u8) -> OnceKey {
    OnceKey {
        kind,
        id: [id; 32],
        principal: [1; 32],
        call: [2; 32],
        expires_at: crate::now() + jiff::SignedDuration::from_secs(DAY),
    }
}

fn begin(store: &Store, start: CallStart) -> Result<OpenCall, StoreError> {
    match for_tests::on_one_thread(store.begin(start))? {
        CallBegin::Open(open) => Ok(open),
        _ => panic!("it was free"),
    }
}

fn begin_once(store: &Store, id: u8) -> Result<OpenCall, StoreError> {
    let once = vec![once(OnceKind::Key, id)];
    begin(
        store,
        CallStart {
            once,
            ..CallStart::default()
        },
    )
}

/// It was made, with this answer.
fn answered(answer: &str) -> CallOutcome {
    CallOutcome {
        outcome: "ok".to_owned(),
        status: Some(200),
        trace_id: None,
        did_nothing: false,
        kept: Some(AnswerCopy {
            whole: answer.as_bytes().to_vec(),
            short: b"short".to_vec(),
        }),
    }
}

fn create(store: &Store, name: &str) -> Result<SecretString, StoreError> {
    let made = Keys::new(store).create(name, KeyLocations::All, None, None);
    made.wait().map(|(_, text)| text)
}

fn approval(request: &[u8]) -> NewApproval {
    NewApproval {
        digest: "d".to_owned(),
        tool: "payments_charge".to_owned(),
        effect: "money".to_owned(),
        location: None,
        alias: None,
        locations: Vec::new(),
        who: "w".to_owned(),
        preview: json!({"amount": 5}),
        holder_decides: false,
        lasts: std::time::Duration::from_secs(3600),
        request: Some(request.to_vec()),
    }
}

/// Stores something of every kind. Returns what must not be readable in a file.
fn fill(store: &Store) -> Vec<Vec<u8>> {
    let key = create(store, "n8n").expect("made");
    let paused = Pauses::new(store).pause(Some("berlin"), None).wait();
    paused.expect("paused");
    let approvals = Approvals::new(store);
    let request = approvals.request(approval(b"the sealed request"));
    let handle = request.wait().expect("asked").0.handle;
    let decided = approvals.decide(&handle, true, "Ada", None).wait();
    decided.expect("decided");
    let run = for_tests::on_one_thread(approvals.claim(&handle, "d"));
    assert_eq!(run, Ok(Claim::Run));
    let finished = approvals.finish(&handle, "the sealed outcome", false);
    finished.wait().expect("finished");
    let other = NewApproval {
        digest: "e".to_owned(),
        ..approval(b"the other sealed request")
    };
    approvals.request(other).wait().expect("asked");
    let open = begin_once(store, 7).expect("begun");
    let ended = open.end(answered("the sealed answer")).wait();
    ended.expect("ended");
    let (_, secret) = key.expose_secret().split_at(13);
    vec![
        secret.as_bytes().to_vec(),
        b"sealed request".to_vec(),
        b"sealed outcome".to_vec(),
        b"sealed answer".to_vec(),
        store.confirm_key().to_vec(),
        crate::hex(store.confirm_key()).into_bytes(),
    ]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o777
}

/// Through another program: if this process closed such a file, it would lose its locks on it.
fn bytes(path: &Path) -> Vec<u8> {
    let read = std::process::Command::new("cat").arg(path).output();
    read.expect("read").stdout
}

#[on_sqlite("modes of files")]
fn the_files_are_for_their_owner() {
    let around = for_tests::folder();
    let path = around.path().join("a/state");
    let options = StoreOptions {
        folder: Some(&path),
        url: None,
        outage_reads: std::time::Duration::ZERO,
        ..for_tests::options(&around)
    };
    let store = Store::open(&options).expect("open");
    fill(&store);
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).expect("read") {
        let entry = entry.expect("read");
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().expect("a name"));
    }
    names.sort();
    let file = "services.example.com.db";
    let beside = ["", "-shm", "-wal"].map(|end| format!("{file}{end}"));
    assert_eq!(names[..3], beside);
    assert_eq!(names[3..], ["store.key"]);
    assert_eq!(mode(&path), 0o700);
    assert_eq!(store.path(), Some(path.join(file).as_path()));
    assert!(store.is_durable());
    drop(store);
    // One file alone is a complete backup when nobody has it open.
    let left = fs::read_dir(&path).expect("read").count();
    assert_eq!(left, 2, "the file and its key");
    // A file that others could open is made private again.
    let file = path.join(file);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("set");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("set");
    Store::open(&options).expect("open");
    assert_eq!((mode(&file), mode(&path)), (0o600, 0o700));
}

#[on_sqlite("a link in place of the file")]
fn a_link_in_place_of_the_file_is_not_followed() {
    for is_there in [true, false] {
        let (folder, elsewhere) = (for_tests::folder(), for_tests::folder());
        let target = elsewhere.path().join("target");
        if is_there {
            fs::write(&target, "").expect("written");
        }
        symlink(&target, for_tests::file(&folder)).expect("a link");
        let error = Store::open(&for_tests::options(&folder)).map(drop);
        let error = error.expect_err("a link").to_string();
        assert!(error.contains("is not a regular file"), "{error}");
        let held = fs::read(&target).unwrap_or_default();
        assert!(held.is_empty() && target.exists() == is_there);
    }
}

#[on_sqlite("bytes of the files")]
fn no_secret_is_in_clear_text_in_any_file() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let secrets = fill(&store);
    let of_key = fs::read_to_string(folder.path().join(KEY_FILE)).expect("read");
    let check = |present: &[&str], when: &str| {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.path()).expect("read") {
            let path = entry.expect("read").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.expect("a name").to_owned();
            if name == KEY_FILE {
                continue;
            }
            let held = bytes(&path);
            let of_key = vec![of_key.trim().as_bytes().to_vec()];
            for secret in secrets.iter().chain(&of_key) {
                let holds = held.windows(secret.len()).any(|part| part == secret);
                let secret = String::from_utf8_lossy(secret);
                assert!(!holds, "{secret} stands in {name} {when}");
            }
            // Values that are not secret can be found.
            if held.windows(3).any(|part| part == b"n8n") {
                found.push(name);
            }
        }
        found.sort();
        assert_eq!(found, present, "{when}");
    };
    let file = "services.example.com.db";
    check(&[&format!("{file}-wal")], "while it is open");
    drop(store);
    check(&[file], "when it is closed");
}

#[on_sqlite("names of files")]
fn each_upstream_has_a_file_of_its_own() {
    let rows = [
        ("services.example.com", "services.example.com.db"),
        ("Services.Example.com:8443", "services.example.com-8443.db"),
        ("[::1]:80", "---1--80.db"),
        ("../../etc/passwd", "-..-etc-passwd.db"),
        ("..", "-.db"),
        ("", "-.db"),
        (SANDBOX, "sandbox.db"),
    ];
    for (upstream, expected) in rows {
        let folder = for_tests::folder();
        let options = StoreOptions {
            upstream,
            ..for_tests::options(&folder)
        };
        let store = Store::open(&options).expect("open");
        let expected = folder.path().join(expected);
        assert_eq!(store.path(), Some(expected.as_path()), "{upstream}");
    }
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    create(&store, "n8n").expect("made");
    let other = StoreOptions {
        upstream: SANDBOX,
        ..for_tests::options(&folder)
    };
    let other = Store::open(&other).expect("open");
    assert!(!Keys::new(&other).has_any());
}

/// Even if a path has characters with a meaning in a URL.
#[on_sqlite("the path of the file")]
fn a_folder_may_have_any_name() {
    let around = for_tests::folder();
    for name in ["a b", "100%25", "what?", "#1", "ü", "a&mode=memory"] {
        let path = around.path().join(name);
        let options = StoreOptions {
            folder: Some(&path),
            url: None,
            outage_reads: std::time::Duration::ZERO,
            ..for_tests::options(&around)
        };
        let store = Store::open(&options).expect(name);
        create(&store, "a").expect(name);
        drop(store);
        let again = Store::open(&options).expect(name);
        assert!(Keys::new(&again).has_any(), "{name}");
        assert!(path.join("services.example.com.db").exists(), "{name}");
    }
}

#[on_sqlite("a store in memory")]
fn a_store_in_memory_is_gone_with_the_process_and_does_the_same() {
    let store = for_tests::store();
    assert_eq!((store.is_durable(), store.path()), (false, None));
    fill(&store);
    assert!(Keys::new(&store).has_any() && Pauses::new(&store).is_any());
    let other = for_tests::store();
    assert!(!Keys::new(&other).has_any());
    assert_ne!(store.confirm_key(), other.confirm_key());
}

/// In the state that a later program left.
fn of_version(
    folder: &TestPlace,
    version: i64,
    min_reader: Option<i64>,
) -> Result<Store, StoreError> {
    create(&for_tests::open(folder), "old").expect("made");
    for_tests::beside(folder, |transaction| {
        put_meta(transaction, "schema", &version.to_string())?;
        match min_reader {
            Some(least) => put_meta(transaction, "min_reader", &least.to_string()),
            None => {
                let forget = sqlx::query("DELETE FROM meta WHERE name = 'min_reader'");
                transaction.run(forget).map(drop)
            }
        }
    });
    Store::open(&for_tests::options(folder))
}

#[on_both]
fn tables_of_a_later_version_are_used_if_it_allows_that() {
    let ours = schema::newest();
    let rows = [
        (ours, Some(ours), true),
        (ours + 1, Some(ours), true),
        (ours + 9, Some(1), true),
        (ours + 1, Some(ours + 1), false),
        (ours + 1, None, false),
    ];
    for (version, min_reader, is_used) in rows {
        let folder = for_tests::folder();
        match of_version(&folder, version, min_reader) {
            Ok(store) => {
                assert!(is_used, "{version} {min_reader:?}");
                create(&store, "new").expect("made");
                let kept = "SELECT CAST(value AS INTEGER) AS n FROM meta WHERE name = 'schema'";
                assert_eq!(for_tests::number(&folder, kept), version);
            }
            Err(error) => {
                assert!(!is_used, "{error}");
                let error = error.to_string();
                assert!(error.contains("written by a later version"), "{error}");
                let kept = "SELECT COUNT(*) AS n FROM access_key";
                assert_eq!(for_tests::number(&folder, kept), 1);
            }
        }
    }
}

#[on_sqlite("a broken file")]
fn a_file_that_is_not_a_database_is_not_overwritten() {
    for broken in ["no database ".repeat(10), "and a longer one ".repeat(1_000)] {
        let folder = for_tests::folder();
        fs::write(for_tests::file(&folder), &broken).expect("written");
        let error = Store::open(&for_tests::options(&folder)).map(drop);
        let error = error.expect_err("broken").to_string();
        assert!(
            error.contains("is broken") && error.contains("backup"),
            "{error}"
        );
        assert_eq!(bytes(&for_tests::file(&folder)), broken.as_bytes());
    }
}

#[on_sqlite("two upstreams share a folder, but no database")]
fn many_that_open_a_new_folder_at_once_share_one_store() {
    for _ in 0..5 {
        let folder = for_tests::folder();
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let opened: Vec<_> = (0..6)
                .map(|number| {
                    let folder = &folder;
                    scope.spawn(move || {
                        // Two upstreams share the folder and its key.
                        let upstream = ["services.example.com", SANDBOX][number % 2];
                        let options = StoreOptions {
                            upstream,
                            ..for_tests::options(folder)
                        };
                        let store = Store::open(&options).expect("open");
                        create(&store, &number.to_string()).expect("made");
                        store.confirm_key().to_vec()
                    })
                })
                .collect();
            let opened = opened.into_iter();
            opened.map(|one| one.join().expect("ended")).collect()
        });
        assert!(keys.iter().zip(&keys[2..]).all(|(one, other)| one == other));
        assert_ne!(keys[0], keys[1]);
    }
}
