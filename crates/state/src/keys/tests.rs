//! Keys as clients show them, as the file holds them, and as other processes see them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::logged;

fn opened() -> (TempDir, Keys) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = Keys::open(folder.path()).expect("open");
    (folder, keys)
}

fn create(keys: &Keys, name: &str) -> (KeyRecord, String) {
    let (record, text) = keys
        .create(name, KeyLocations::All, None, None)
        .expect("created");
    (record, text.expose_secret().to_owned())
}

/// What `find` says, as a word.
fn verdict(keys: &Keys, presented: &str, now: Timestamp) -> &'static str {
    match keys.find_at(presented, now) {
        Ok(Some(_)) => "found",
        Ok(None) => "unknown",
        Err(KeyRefusal::Revoked { .. }) => "revoked",
        Err(KeyRefusal::Expired { .. }) => "expired",
        Err(KeyRefusal::Unreadable) => "unreadable",
    }
}

#[test]
fn a_key_is_known_by_its_whole_text_until_its_end() {
    let (_folder, keys) = opened();
    let later = now() + 24.hours();
    let berlin = KeyLocations::Only(vec!["berlin".to_owned()]);
    let (record, text) = keys
        .create("n8n", berlin, Some("careful"), Some(later))
        .expect("created");
    let text = text.expose_secret();
    let (_, other) = create(&keys, "other");
    let (gone, revoked) = create(&keys, "gone");
    keys.revoke(&gone.id).expect("revoked");
    assert_eq!(text.len(), "hlk_abcdefgh_".len() + 43);
    let swapped = format!("{}{}", &text[..13], &other[13..]);
    let short = &text[..text.len() - 1];
    let wrong_revoked = format!("{}{}", &revoked[..13], &other[13..]);
    let before = later - 1.second();
    let rows = [
        (text, before, "found"),
        (text, later, "expired"),
        (&other, later, "found"),
        (&swapped, before, "unknown"),
        (short, before, "unknown"),
        (&text[..12], before, "unknown"),
        (&text[..13], before, "unknown"),
        ("hlk_", before, "unknown"),
        ("pit-1", before, "unknown"),
        ("", before, "unknown"),
        (&revoked, before, "revoked"),
        (&wrong_revoked, before, "unknown"),
    ];
    for (presented, now, expected) in rows {
        assert_eq!(verdict(&keys, presented, now), expected, "{presented}");
    }
    let found = keys.find(text).expect("taken").expect("known");
    assert_eq!(*found, record);
    assert_eq!(found.policy.as_deref(), Some("careful"));
    assert!(looks_like_key(text) && !looks_like_key("pit-1"));
}

#[test]
fn what_makes_no_sense_is_not_made() {
    let (_folder, keys) = opened();
    let (record, _) = create(&keys, "taken");
    let past = Some(now() - 1.second());
    let none = || KeyLocations::Only(Vec::new());
    let rows = [
        ("", KeyLocations::All, None, "1 to 64 bytes"),
        (
            "a\u{1b}[2J",
            KeyLocations::All,
            None,
            "no control characters",
        ),
        ("a", none(), None, "reaches nothing"),
        ("a", KeyLocations::All, past, "a time to come"),
        ("taken", KeyLocations::All, None, "called taken already"),
        (&record.id, KeyLocations::All, None, "take another name"),
    ];
    for (name, locations, expires, part) in rows {
        let error = keys.create(name, locations, None, expires).map(drop);
        let error = error.expect_err(name).to_string();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(keys.list().expect("read"), [record]);
    let error = keys.revoke("nobody").expect_err("unknown").to_string();
    assert!(error.contains("there is no key nobody"), "{error}");
}

#[test]
fn a_name_is_free_again_after_its_key_is_revoked() {
    let (_folder, keys) = opened();
    let (first, _) = create(&keys, "n8n");
    let revoked = keys.revoke("n8n").expect("revoked");
    let (second, _) = create(&keys, "n8n");
    let again = keys.revoke(&first.id).expect("revoked before");
    assert_eq!((&revoked.id, again.revoked), (&first.id, revoked.revoked));
    assert_eq!(keys.revoke("n8n").expect("revoked").id, second.id);
}

/// Fails where `find` does not come to say this word soon; gives how long it took.
#[track_caller]
fn comes_to(keys: &Keys, presented: &str, expected: &str) -> Duration {
    let since = Instant::now();
    while verdict(keys, presented, now()) != expected {
        assert!(since.elapsed() < Duration::from_secs(5), "never {expected}");
        sleep(Duration::from_millis(1));
    }
    since.elapsed()
}

/// By the file alone, as another process changes it; nothing is read when a key is looked up.
#[test]
fn another_process_sees_a_change_within_a_fifth_of_a_second() {
    let (folder, keys) = opened();
    let other = tempfile::tempdir().expect("a folder");
    let elsewhere = Keys::open(other.path()).expect("open");
    let (record, text) = create(&elsewhere, "a");
    let path = |folder: &TempDir| folder.path().join(NAME);
    let copy = || {
        let beside = folder.path().join("beside");
        fs::copy(path(&other), &beside).expect("copied");
        fs::rename(&beside, path(&folder)).expect("renamed");
    };
    assert_eq!(verdict(&keys, &text, now()), "unknown");
    copy();
    let made = comes_to(&keys, &text, "found");
    assert!(keys.is_valid(&record.id));
    elsewhere.revoke(&record.id).expect("revoked");
    copy();
    let revoked = comes_to(&keys, &text, "revoked");
    assert!(!keys.is_valid(&record.id));
    fs::remove_file(path(&folder)).expect("removed");
    let removed = comes_to(&keys, &text, "unknown");
    println!("known after: made {made:?}, revoked {revoked:?}, removed {removed:?}");
}

#[test]
fn what_this_process_changed_it_knows_at_once() {
    let (folder, keys) = opened();
    let other = Keys::open(folder.path()).expect("open");
    let (record, text) = create(&keys, "a");
    assert_eq!(verdict(&other, &text, now()), "found");
    keys.revoke(&record.id).expect("revoked");
    assert_eq!(verdict(&other, &text, now()), "revoked");
    assert_eq!(verdict(&keys, &text, now()), "revoked");
}

#[test]
fn a_key_is_good_until_it_expires_or_is_revoked() {
    let (folder, keys) = opened();
    let later = now() + 24.hours();
    let made = keys.create("a", KeyLocations::All, None, Some(later));
    let id = made.expect("created").0.id;
    let (endless, _) = create(&keys, "b");
    let rows = [
        (&id, now(), true),
        (&id, later, false),
        (&endless.id, later, true),
    ];
    for (id, now, expected) in rows {
        assert_eq!(keys.is_valid_at(id, now), expected, "{id} at {now}");
    }
    assert!(!keys.is_valid("nobody"));
    keys.revoke(&endless.id).expect("revoked");
    assert!(!keys.is_valid(&endless.id));
    fs::write(folder.path().join(NAME), "{").expect("written");
    keys.0.refresh();
    assert!(!keys.is_valid(&id), "what cannot be read is not good");
}

/// A file that an earlier version wrote says nothing of agencies.
#[test]
fn a_key_is_no_agencys_unless_it_says_so() {
    let (folder, keys) = opened();
    let new = |name, agency| NewKey {
        name,
        locations: KeyLocations::All,
        policy: None,
        expires: None,
        agency,
    };
    for (name, agency) in [("plain", false), ("agency", true)] {
        let (record, text) = keys.make(new(name, agency)).expect("made");
        let found = keys
            .find(text.expose_secret())
            .expect("taken")
            .expect("known");
        assert_eq!((record.agency, found.agency), (agency, agency), "{name}");
    }
    let path = folder.path().join(NAME);
    let held = fs::read_to_string(&path).expect("read");
    let mut older: serde_json::Value = serde_json::from_str(&held).expect("JSON");
    for key in older["keys"].as_array_mut().expect("keys") {
        key.as_object_mut().expect("a key").remove("agency");
    }
    fs::write(&path, older.to_string()).expect("written");
    let records = keys.list().expect("read");
    assert_eq!(
        records.iter().map(|one| one.agency).collect::<Vec<_>>(),
        [false, false]
    );
}

#[test]
fn the_file_is_for_its_owner_and_holds_no_secret() {
    let (folder, keys) = opened();
    let made = keys.create("a", KeyLocations::All, None, None);
    let debug = format!("{made:?}");
    let text = made.expect("created").1;
    let (_, secret) = text.expose_secret().split_at(13);
    let path = folder.path().join("keys.json");
    let held = fs::read_to_string(&path).expect("read");
    assert!(
        !held.contains(secret) && held.contains(&sha256(secret)),
        "{held}"
    );
    assert!(!debug.contains(secret), "{debug}");
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
    let folder = fs::metadata(folder.path()).expect("there");
    assert_eq!(folder.mode() & 0o777, 0o700);
}

#[test]
fn a_broken_file_lets_nobody_in_and_is_not_written_over() {
    let (folder, keys) = opened();
    let (_, text) = create(&keys, "a");
    let path = folder.path().join("keys.json");
    let whole = fs::read_to_string(&path).expect("read");
    let unknown = whole.replace("\"policy\"", "\"hours\": \"9-17\", \"policy\"");
    for broken in ["", "{}", &whole[..whole.len() / 2], &unknown] {
        fs::write(&path, broken).expect("written");
        keys.0.refresh();
        assert_eq!(verdict(&keys, &text, now()), "unreadable", "{broken}");
        let error = keys.create("b", KeyLocations::All, None, None).map(drop);
        let error = error.expect_err(broken).to_string();
        assert!(error.contains("keys.json is broken"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("read"), broken);
    }
    fs::write(&path, &whole).expect("written");
    keys.0.refresh();
    assert_eq!(verdict(&keys, &text, now()), "found");
}

#[test]
fn a_broken_file_is_logged_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = Keys::unwatched(folder.path()).expect("open");
    let log = logged(|| {
        fs::write(folder.path().join("keys.json"), "{").expect("written");
        for _ in 0..3 {
            keys.0.refresh();
            assert_eq!(verdict(&keys, "hlk_", now()), "unreadable");
        }
    });
    assert_eq!(log.matches("keys.json is broken").count(), 1, "{log}");
}

/// Several instances as of several processes: each opens the file of the lock by itself.
#[test]
fn keys_that_are_made_at_once_are_all_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    thread::scope(|scope| {
        for number in 0..4 {
            let keys = Keys::open(folder.path()).expect("open");
            scope.spawn(move || {
                for each in 0..5 {
                    create(&keys, &format!("{number}.{each}"));
                }
            });
        }
    });
    let keys = Keys::open(folder.path()).expect("open");
    let mut names: Vec<String> = keys
        .list()
        .expect("read")
        .into_iter()
        .map(|record| record.name)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
}
