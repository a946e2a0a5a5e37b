//! What is made of the files that a dead process left beside a pair.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;

/// The pair in use, its successor, and one that has to do with neither.
const REFRESH: [&str; 3] = ["refresh.1", "refresh.2", "refresh.9"];

fn pair(number: usize) -> Pair {
    let json = json!({"access_token": "access", "refresh_token": REFRESH[number], "expires_at": 5});
    Pair::parse(json.to_string().as_bytes(), 0).expect("a pair")
}

/// What HighLevel gave for the pair `older`.
fn successor(older: usize) -> Pair {
    let answer =
        json!({"access_token": "access.2", "refresh_token": REFRESH[1], "expires_in": 100});
    let answer: Map<String, Value> = serde_json::from_value(answer).expect("members");
    pair(older).renewed(answer, 1000).expect("a pair")
}

/// The first pair's file, and beside it what a dead process left.
fn with(left: Option<&str>) -> (TempDir, PairFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pair.json");
    fs::write(&path, pair(0).json()).expect("written");
    if let Some(left) = left {
        fs::write(beside(&path, "new"), left).expect("written");
    }
    let file = PairFile::new(&path).expect("a path");
    (folder, file)
}

fn lock(file: &PairFile) -> PairLock {
    file.try_lock().expect("a lock").expect("nobody holds it")
}

/// Which refresh token the pair has after `left` was made use of, and whether it may be used up.
#[track_caller]
fn check(left: Option<&str>, refresh: &str, cut_off: bool) {
    let (_folder, file) = with(left);
    let (_, noticed) = file.read().expect("a pair");
    assert_eq!(noticed, left.is_some(), "{left:?}");
    let (pair, open) = lock(&file).settle().expect("settled");
    assert_eq!(
        (pair.refresh.expose_secret(), open),
        (refresh, cut_off),
        "{left:?}"
    );
    let (kept, _) = file.read().expect("a pair");
    assert_eq!(kept.refresh.expose_secret(), refresh, "{left:?}");
}

#[test]
fn only_what_belongs_to_the_pair_is_made_use_of() {
    let answer = successor(0).json();
    check(None, REFRESH[0], false);
    check(Some(&answer), REFRESH[1], false);
    check(Some(&successor(2).json()), REFRESH[0], false);
    check(Some(&pair(0).json()), REFRESH[0], false);
    check(Some(&pair(2).json()), REFRESH[0], false);
    check(Some(&pair(0).intent()), REFRESH[0], true);
    check(
        Some(&format!("{:ROOM$}", pair(0).intent())),
        REFRESH[0],
        true,
    );
    check(Some(&pair(2).intent()), REFRESH[0], false);
    check(Some(""), REFRESH[0], true);
    check(Some("{}"), REFRESH[0], true);
    check(Some(&answer[..answer.len() / 2]), REFRESH[0], true);
    // The new pair over the intent, cut off.
    let torn = format!("{}{}", &answer[..20], &pair(0).intent()[20..]);
    check(Some(&torn), REFRESH[0], true);
}

#[test]
fn an_intent_is_written_before_and_an_answer_after() {
    let (_folder, file) = with(Some("anything"));
    let new = beside(file.path(), "new");
    let prepared = lock(&file).prepare(&pair(0)).expect("prepared");
    let intent = fs::read_to_string(&new).expect("an intent");
    assert_eq!(
        (intent.len(), intent.trim_end()),
        (pair(0).json().len() + ROOM, pair(0).intent().as_str())
    );
    assert!(file.try_lock().expect("a lock").is_none(), "one at a time");
    prepared.commit(&successor(0)).expect("written");
    assert!(!new.exists());
    let (kept, cut_off) = file.read().expect("a pair");
    assert_eq!((kept.json(), cut_off), (successor(0).json(), false));
    assert_eq!(kept.expires_at, 1100);

    let prepared = lock(&file).prepare(&kept).expect("prepared");
    prepared.abandon();
    assert!(!new.exists());
    drop(lock(&file).prepare(&kept).expect("prepared"));
    assert!(new.exists(), "as where the process died");
}

#[cfg(unix)]
#[test]
fn what_stands_in_the_way_is_replaced_and_not_written_through() {
    let (folder, file) = with(None);
    let target = folder.path().join("elsewhere");
    fs::write(&target, "untouched").expect("written");
    std::os::unix::fs::symlink(&target, beside(file.path(), "new")).expect("a link");
    drop(lock(&file).prepare(&pair(0)).expect("prepared"));
    assert_eq!(fs::read_to_string(&target).expect("a file"), "untouched");
}
