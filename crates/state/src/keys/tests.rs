//! Keys as clients show them, in rows, and as other processes see them.

use std::fs;
use std::thread;
use std::time::Duration;

use jiff::ToSpan;
use secrecy::ExposeSecret;

use super::*;
use crate::store::for_tests::{self, TestPlace};

fn opened() -> (TestPlace, Keys) {
    let folder = for_tests::folder();
    let keys = opened_in(&folder);
    (folder, keys)
}

/// As another process opens them.
fn opened_in(folder: &TestPlace) -> Keys {
    Keys::new(&for_tests::open(folder))
}

fn create(keys: &Keys, name: &str) -> (KeyRecord, String) {
    let made = keys.create(name, KeyLocations::All, None, None).wait();
    let (record, text) = made.expect("created");
    (record, text.expose_secret().to_owned())
}

/// The result of `find`, as a word.
fn verdict(keys: &Keys, presented: &str, now: Timestamp) -> &'static str {
    match keys.find_at(presented, now) {
        Ok(Some(_)) => "found",
        Ok(None) => "unknown",
        Err(KeyRefusal::Revoked { .. }) => "revoked",
        Err(KeyRefusal::Expired { .. }) => "expired",
        Err(KeyRefusal::Unreadable) => "unreadable",
    }
}

#[on_both]
fn a_key_is_known_by_its_whole_text_until_its_end() {
    let (_folder, keys) = opened();
    let later = now() + 24.hours();
    let berlin = KeyLocations::Only(vec!["berlin".to_owned()]);
    let (record, text) = keys
        .create("n8n", berlin, Some("careful"), Some(later))
        .wait()
        .expect("created");
    let text = text.expose_secret();
    let (_, other) = create(&keys, "other");
    let (gone, revoked) = create(&keys, "gone");
    keys.revoke(&gone.id).wait().expect("revoked");
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

#[on_both]
fn senseless_keys_are_refused() {
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
        ("  ", KeyLocations::All, None, "1 to 64 bytes"),
        ("a", none(), None, "needs locations"),
        ("a", KeyLocations::All, past, "a future time"),
        (
            "taken",
            KeyLocations::All,
            None,
            "already has the name taken",
        ),
        (&record.id, KeyLocations::All, None, "choose another name"),
    ];
    for (name, locations, expires, part) in rows {
        let error = keys.create(name, locations, None, expires).wait();
        let error = error.map(drop).expect_err(name).to_string();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(keys.list().wait().expect("read"), [record]);
    let error = keys
        .revoke("nobody")
        .wait()
        .expect_err("unknown")
        .to_string();
    assert!(error.contains("there is no key nobody"), "{error}");
}

#[on_both]
fn a_name_is_free_again_after_its_key_is_revoked() {
    let (_folder, keys) = opened();
    let (first, _) = create(&keys, "n8n");
    let revoked = keys.revoke("n8n").wait().expect("revoked");
    let (second, _) = create(&keys, "n8n");
    let again = keys.revoke(&first.id).wait().expect("revoked before");
    assert_eq!((&revoked.id, again.revoked), (&first.id, revoked.revoked));
    assert_eq!(keys.revoke("n8n").wait().expect("revoked").id, second.id);
}

/// Fails unless `find` soon gives this word. Returns how long it took.
#[track_caller]
fn comes_to(keys: &Keys, presented: &str, expected: &str) -> Duration {
    for_tests::comes(expected, || verdict(keys, presented, now()) == expected)
}

#[on_both]
fn another_process_sees_a_change_within_a_fifth_of_a_second() {
    let (folder, keys) = opened();
    let elsewhere = opened_in(&folder);
    let (record, text) = create(&elsewhere, "a");
    let made = comes_to(&keys, &text, "found");
    assert!(keys.is_valid(&record.id));
    elsewhere.revoke(&record.id).wait().expect("revoked");
    let revoked = comes_to(&keys, &text, "revoked");
    assert!(!keys.is_valid(&record.id));
    println!("known after: made {made:?}, revoked {revoked:?}");
}

/// A process that reads constantly still sees others' changes.
#[on_both]
fn a_change_is_seen_by_a_process_that_reads_without_a_pause() {
    let (folder, keys) = opened();
    let (record, text) = create(&keys, "a");
    let elsewhere = opened_in(&folder);
    elsewhere.revoke(&record.id).wait().expect("revoked");
    for_tests::comes("revoked", || {
        keys.list().wait().expect("read");
        verdict(&keys, &text, now()) == "revoked"
    });
}

#[on_both]
fn own_changes_apply_at_once() {
    let (_folder, keys) = opened();
    let again = keys.clone();
    for number in 0..50 {
        let (record, text) = create(&keys, &number.to_string());
        assert_eq!(verdict(&again, &text, now()), "found");
        keys.revoke(&record.id).wait().expect("revoked");
        assert_eq!(verdict(&again, &text, now()), "revoked");
    }
}

#[on_both]
fn a_key_is_valid_until_it_expires_or_is_revoked() {
    let (folder, keys) = opened();
    let later = now() + 24.hours();
    let made = keys.create("a", KeyLocations::All, None, Some(later));
    let id = made.wait().expect("created").0.id;
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
    keys.revoke(&endless.id).wait().expect("revoked");
    assert!(!keys.is_valid(&endless.id));
    assert!(keys.is_valid(&id) && keys.has_any());
    for_tests::sql(&folder, "UPDATE access_key SET locations = '{'");
    for_tests::comes("what cannot be read is not good", || !keys.is_valid(&id));
    assert!(keys.has_any(), "there may be one");
}

#[on_both]
fn a_key_may_act_for_the_agency_only_if_it_says_so() {
    let (_folder, keys) = opened();
    let new = |name, agency| NewKey {
        name,
        locations: KeyLocations::All,
        policy: None,
        expires: None,
        agency,
        rules: None,
        return_urls: Vec::new(),
    };
    for (name, agency) in [("plain", false), ("agency", true)] {
        let (record, text) = keys.make(new(name, agency)).wait().expect("made");
        let found = keys.find(text.expose_secret()).expect("taken");
        let found = found.expect("known");
        assert_eq!((record.agency, found.agency), (agency, agency), "{name}");
    }
}

#[on_both]
fn there_is_a_key_until_the_last_is_revoked() {
    let (_folder, keys) = opened();
    assert!(!keys.has_any());
    let (first, _) = create(&keys, "a");
    let (second, _) = create(&keys, "b");
    for (id, left) in [(first.id, true), (second.id, false)] {
        assert!(keys.has_any());
        keys.revoke(&id).wait().expect("revoked");
        assert_eq!(keys.has_any(), left);
    }
}

#[on_both]
fn keys_are_the_same_after_a_restart() {
    let (folder, keys) = opened();
    let (_, text) = create(&keys, "a");
    let (gone, revoked) = create(&keys, "b");
    keys.revoke(&gone.id).wait().expect("revoked");
    let before = keys.list().wait().expect("read");
    drop(keys);
    let keys = opened_in(&folder);
    assert_eq!(keys.list().wait(), Ok(before));
    assert_eq!(verdict(&keys, &text, now()), "found");
    assert_eq!(verdict(&keys, &revoked, now()), "revoked");
}

/// An unknown word may be a restriction.
#[on_both]
fn a_key_that_cannot_be_read_lets_nobody_in_until_it_can() {
    let (folder, keys) = opened();
    let (record, text) = create(&keys, "a");
    let (_, other) = create(&keys, "b");
    for broken in [
        "",
        "{",
        "\"some\"",
        "{\"only\":[\"berlin\"],\"hours\":\"9-17\"}",
    ] {
        let write = |locations: &str| {
            let change = "UPDATE access_key SET locations = '{l}' WHERE id = '{id}'";
            let change = change.replace("{l}", locations).replace("{id}", &record.id);
            for_tests::sql(&folder, &change);
        };
        write(broken);
        comes_to(&keys, &text, "unreadable");
        assert_eq!(verdict(&keys, &other, now()), "unreadable");
        assert_eq!(verdict(&keys, "hlk_", now()), "unreadable");
        let error = keys.list().wait().expect_err(broken).to_string();
        let part = format!("the locations of the key {} are not understood", record.id);
        assert!(error.contains(&part), "{error}");
        // Another key does not help, and a new process knows no more.
        create(&keys, &format!("more {broken:?}"));
        assert_eq!(verdict(&keys, &other, now()), "unreadable");
        assert_eq!(verdict(&opened_in(&folder), &text, now()), "unreadable");
        write("\"all\"");
        comes_to(&keys, &text, "found");
    }
}

#[on_sqlite("the file is moved away")]
fn a_file_that_was_removed_lets_nobody_in_and_takes_no_change() {
    let (folder, keys) = opened();
    let (record, text) = create(&keys, "a");
    let (path, aside) = (for_tests::file(&folder), folder.path().join("aside"));
    fs::rename(&path, &aside).expect("moved");
    comes_to(&keys, &text, "unreadable");
    assert!(!keys.is_valid(&record.id) && keys.has_any());
    let error = keys.create("b", KeyLocations::All, None, None).wait();
    let error = error.map(drop).expect_err("removed").to_string();
    assert!(error.contains("was removed or replaced"), "{error}");
    assert_eq!(verdict(&keys, &text, now()), "unreadable");
    fs::write(&path, "another").expect("written");
    let error = keys.revoke("a").wait().expect_err("replaced").to_string();
    assert!(error.contains("was removed or replaced"), "{error}");
    fs::rename(&aside, &path).expect("put back");
    comes_to(&keys, &text, "found");
    create(&keys, "b");
}

#[on_both]
fn a_secret_is_in_no_row_and_in_no_message() {
    let (folder, keys) = opened();
    let made = keys.create("a", KeyLocations::All, None, None).wait();
    let debug = format!("{made:?}");
    let text = made.expect("created").1;
    let (_, secret) = text.expose_secret().split_at(13);
    let held = format!("{:?}", keys.list().wait().expect("read"));
    assert!(held.contains(&sha256(secret)), "{held}");
    assert!(!held.contains(secret) && !debug.contains(secret), "{debug}");
    let count = format!(
        "SELECT COUNT(*) AS n FROM access_key WHERE sha256 = '{}'",
        sha256(secret)
    );
    assert_eq!(for_tests::number(&folder, &count), 1);
}

/// Several instances like several processes, each with its own connection.
#[on_both]
fn keys_that_are_made_at_once_are_all_kept() {
    let folder = for_tests::folder();
    thread::scope(|scope| {
        for number in 0..4 {
            let keys = opened_in(&folder);
            scope.spawn(move || {
                for each in 0..5 {
                    create(&keys, &format!("{number}.{each}"));
                }
            });
        }
    });
    let list = opened_in(&folder).list().wait().expect("read");
    let mut names: Vec<String> = list.into_iter().map(|record| record.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 20);
}

/// In one transaction, one of them is refused and the others are not.
#[on_both]
fn one_name_that_is_asked_for_at_once_is_given_once() {
    let (_folder, keys) = opened();
    let asked: Vec<_> = (0..20)
        .map(|number| keys.create(&format!("{}", number % 10), KeyLocations::All, None, None))
        .collect();
    let made = asked.into_iter().filter_map(|one| one.wait().ok()).count();
    assert_eq!((made, keys.list().wait().expect("read").len()), (10, 10));
}
