//! The file of lines beside the store, for programs that collect logs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::StoreOptions;

/// An audit that is also written to this file.
fn with_file(folder: &TestPlace, path: &Path) -> Audit {
    let store = Store::open(&StoreOptions {
        audit_file: Some(path),
        ..for_tests::options(folder)
    });
    Audit::new(&store.expect("open"), 30, false).expect("new")
}

fn refuse(audit: &Audit, class: &str) {
    let arguments = Map::new();
    let refused = audit.refused(&entry("a", &arguments), class, None).wait();
    refused.expect("written");
}

/// The classes of the lines in that file.
fn classes(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("read");
    assert!(text.ends_with('\n'), "{text}");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let class = |line: &Value| line["class"].as_str().unwrap_or("-").to_owned();
    parse_lines(&lines).iter().map(class).collect()
}

#[on_both]
fn a_file_gets_every_line_that_the_store_gets() {
    let folder = for_tests::folder();
    let path = folder.path().join("audit.jsonl");
    let audit = with_file(&folder, &path);
    let arguments = Map::new();
    let open = for_tests::on_one_thread(begin(&audit, &entry("a", &arguments)));
    open.expect("begun").end(ok()).wait().expect("written");
    refuse(&audit, "scope");
    let text = fs::read_to_string(&path).expect("read");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(parse_lines(&lines), lines_of(&audit.store));
    assert_eq!(lines.len(), 3);
    assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
}

#[on_both]
fn a_file_that_was_moved_away_is_made_again() {
    let folder = for_tests::folder();
    let path = folder.path().join("audit.jsonl");
    let aside = folder.path().join("audit.jsonl.1");
    fs::write(
        &path,
        "{\"id\":\"0123456789abcdef\",\"time\":\"2026-11-25T08:00:00.120Z\"}\n",
    )
    .expect("written");
    let audit = with_file(&folder, &path);
    refuse(&audit, "first");
    fs::rename(&path, &aside).expect("moved");
    refuse(&audit, "second");
    fs::remove_file(&path).expect("removed");
    refuse(&audit, "third");
    assert_eq!(classes(&aside), ["-", "first"]);
    assert_eq!(classes(&path), ["third"]);
}

/// The store still has the lines.
#[on_both]
fn a_file_that_cannot_be_written_refuses_no_call() {
    let folder = for_tests::folder();
    let nowhere = folder.path().join("none/audit.jsonl");
    let full = PathBuf::from("/dev/full");
    for path in [nowhere, full]
        .into_iter()
        .filter(|path| !path.starts_with("/dev") || path.exists())
    {
        let audit = with_file(&folder, &path);
        refuse(&audit, "first");
        let _ = fs::create_dir(folder.path().join("none"));
        refuse(&audit, "second");
        if !path.starts_with("/dev") {
            assert_eq!(classes(&path), ["second"]);
        }
    }
    let count = for_tests::number(&folder, "SELECT COUNT(*) AS n FROM audit");
    assert_eq!(count, 4);
}

/// From several processes: each line in one write.
#[on_both]
fn lines_of_many_writers_stay_whole_in_the_file() {
    let folder = for_tests::folder();
    let path = folder.path().join("audit.jsonl");
    thread::scope(|scope| {
        for _ in 0..3 {
            let audit = with_file(&folder, &path);
            scope.spawn(move || {
                for _ in 0..50 {
                    refuse(&audit, &"x".repeat(190));
                }
            });
        }
    });
    assert_eq!(classes(&path).len(), 150);
}
