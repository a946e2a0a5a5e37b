//! The pair that is taken over from a file, and from the files that an older version left beside it.

use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// The pair of the file, its successor, and an unrelated one.
const REFRESH: [&str; 3] = ["refresh.1", "refresh.2", "refresh.9"];

/// A pair as an older version wrote it, with the name of the pair that it replaces.
fn json(number: usize, replaces: Option<usize>) -> String {
    let mut pair =
        json!({"access_token": "access", "refresh_token": REFRESH[number], "expires_at": 5});
    if let Some(older) = replaces {
        pair["replaces"] = state::sha256(REFRESH[older]).into();
    }
    pair.to_string()
}

/// What an older version wrote before its request.
fn intent(number: usize) -> String {
    json!({"replaces": state::sha256(REFRESH[number])}).to_string()
}

/// The first pair's file, with the files of a dead process beside it.
fn folder(left: Option<&str>) -> (TempDir, PairFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pair.json");
    fs::write(&path, json(0, Some(2))).expect("written");
    if let Some(left) = left {
        fs::write(beside(&path, "new"), left).expect("written");
    }
    let file = PairFile::new(&path).expect("a path");
    (folder, file)
}

/// By their names.
fn known(numbers: &[usize]) -> impl Fn(&str) -> bool {
    move |name| {
        let mut known = numbers.iter().map(|number| state::sha256(REFRESH[*number]));
        known.any(|known| known == name)
    }
}

/// The pair that is taken over, and whether it may be used up.
#[track_caller]
fn check(left: Option<&str>, number: usize, cut_off: bool) {
    let (folder, file) = folder(left);
    let before = files(&folder);
    let taken = file.read(known(&[1, 2])).expect("readable");
    let taken = taken.expect("a new pair");
    let refresh = taken.pair.refresh.expose_secret();
    assert_eq!(
        (refresh, taken.cut_off),
        (REFRESH[number], cut_off),
        "{left:?}"
    );
    assert!(!taken.pair.json().expose_secret().contains("replaces"));
    // Neither the pair of the file nor the newer one is taken over again.
    let names: Vec<String> = [0, number]
        .map(|number| state::sha256(REFRESH[number]))
        .into();
    assert_eq!(taken.names, names[..=number], "{left:?}");
    assert_eq!(files(&folder), before, "{left:?}");
}

/// Names and bytes.
fn files(folder: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .map(|path| (path.clone(), fs::read(path).expect("read")))
        .collect();
    files.sort();
    files
}

#[test]
fn only_files_of_the_pair_are_imported_with_it() {
    let answer = json(1, Some(0));
    check(None, 0, false);
    check(Some(&answer), 1, false);
    check(Some(&json(1, Some(2))), 0, false);
    check(Some(&json(1, None)), 0, false);
    check(Some(&json(0, None)), 0, false);
    check(Some(&json(2, None)), 0, false);
    check(Some(&intent(0)), 0, true);
    check(Some(&format!("{:4096}", intent(0))), 0, true);
    check(Some(&intent(2)), 0, false);
    check(Some(""), 0, true);
    check(Some("{}"), 0, true);
    check(Some(&answer[..answer.len() / 2]), 0, true);
    // The new pair over the intent, truncated.
    let torn = format!("{}{}", &answer[..20], &intent(0)[20..]);
    check(Some(&torn), 0, true);
}

#[test]
fn a_pair_that_is_known_is_not_looked_at() {
    let (folder, file) = folder(Some(&json(1, Some(0))));
    assert!(file.read(known(&[0])).expect("readable").is_none());
    let lock = File::create(folder.path().join("pair.json.lock")).expect("a lock");
    lock.try_lock().expect("free");
    assert!(file.read(known(&[0])).expect("readable").is_none());
}

#[test]
fn while_an_older_version_renews_nothing_is_taken_over() {
    let (folder, file) = folder(None);
    let lock = File::create(folder.path().join("pair.json.lock")).expect("a lock");
    lock.try_lock().expect("free");
    let failure = file.read(known(&[])).err().expect("locked");
    for part in ["older version", "pair.json,", "pair.json.lock"] {
        assert!(failure.sentence.contains(part), "{failure:?}");
    }
    assert!(failure.remedy.is_some());
    lock.unlock().expect("unlocked");
    let both = [(); 2].map(|()| file.read(known(&[])).expect("readable"));
    assert!(both.iter().all(Option::is_some), "two of this version may");
    assert!(lock.try_lock().is_err(), "an older one waits");
    drop(both);
    lock.try_lock().expect("free again");
}

#[test]
fn unreadable_files_beside_the_pair_are_named() {
    for ending in ["new", "lock"] {
        let (folder, file) = folder(None);
        let path = beside(file.path(), ending);
        std::os::unix::fs::symlink(&path, &path).expect("a link to itself");
        let failure = file.read(known(&[])).err().expect("unreadable");
        let name = format!("pair.json.{ending}");
        assert!(failure.sentence.contains(&name), "{failure:?}");
        drop(folder);
    }
}
