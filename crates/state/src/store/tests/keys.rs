//! The key of the store: the right one opens, any other gives a sentence, and a lost one is never replaced.

use super::*;
use crate::SANDBOX;

fn key() -> SecretString {
    sealing::new_key().expect("a key").into()
}

fn open_with(
    folder: &TestPlace,
    upstream: &str,
    keys: &[SecretString],
) -> Result<Store, StoreError> {
    Store::open(&StoreOptions {
        upstream,
        keys,
        ..for_tests::options(folder)
    })
}

#[track_caller]
fn refused(opened: Result<Store, StoreError>, part: &str) {
    let error = opened.map(drop).expect_err(part).to_string();
    assert!(error.contains(part), "{error}");
}

const UPSTREAM: &str = "services.example.com";
const WRONG: &str = "the key of the store is not the one that sealed it";

#[on_sqlite("a key may stand in the folder")]
fn a_store_opens_with_the_key_that_sealed_it() {
    let (old, new, other) = (key(), key(), key());
    let rows: &[(&str, &[&SecretString], Option<&str>)] = &[
        ("the same", &[&old], None),
        ("a new one first", &[&new, &old], None),
        ("among others", &[&other, &new, &old], None),
        ("another", &[&new], Some(WRONG)),
        ("none", &[], Some("store.key is missing")),
    ];
    let folder = for_tests::folder();
    let store = open_with(&folder, UPSTREAM, std::slice::from_ref(&old)).expect("open");
    fill(&store);
    let confirm = store.confirm_key().to_vec();
    drop(store);
    assert!(!folder.path().join(KEY_FILE).exists());
    for (name, keys, part) in rows {
        let keys: Vec<SecretString> = keys.iter().map(|key| (*key).clone()).collect();
        let opened = open_with(&folder, UPSTREAM, &keys);
        match part {
            Some(part) => refused(opened, part),
            None => {
                let store = opened.expect(name);
                assert_eq!(store.confirm_key(), confirm, "{name}");
                let known = store.known_call(&once(OnceKind::Key, 7)).wait();
                let done = crate::calls::KnownCall::Done(b"the sealed answer".to_vec());
                assert_eq!(known, Ok(Some(done)), "{name}");
            }
        }
    }
    let broken = "not base64".to_owned().into();
    refused(
        open_with(&folder, UPSTREAM, &[broken]),
        "32 bytes in base64",
    );
}

/// Data that a key has sealed is never abandoned for a new one.
#[on_sqlite("the folder's key")]
fn a_lost_key_is_reported_and_not_replaced() {
    let folder = for_tests::folder();
    let (path, aside) = (folder.path().join(KEY_FILE), folder.path().join("aside"));
    fill(&for_tests::open(&folder));
    fs::rename(&path, &aside).expect("moved");
    for _ in 0..2 {
        refused(open_with(&folder, UPSTREAM, &[]), "store.key is missing");
        assert!(!path.exists());
    }
    fs::write(&path, sealing::new_key().expect("a key")).expect("written");
    refused(open_with(&folder, UPSTREAM, &[]), WRONG);
    for broken in ["", "AAAA", "\n"] {
        fs::write(&path, broken).expect("written");
        refused(
            open_with(&folder, UPSTREAM, &[]),
            "store.key is damaged: it does not hold 32 bytes in base64; put your copy of it back",
        );
    }
    fs::rename(&aside, &path).expect("put back");
    let store = for_tests::open(&folder);
    // As text in the settings it is the same key.
    let text = fs::read_to_string(&path).expect("read").trim().to_owned();
    drop(store);
    open_with(&folder, UPSTREAM, &[text.into()]).expect("open");
}

#[on_sqlite("the folder's key")]
fn a_second_upstream_shares_the_key_of_the_folder() {
    let folder = for_tests::folder();
    let path = folder.path().join(KEY_FILE);
    drop(for_tests::open(&folder));
    let text = fs::read(&path).expect("read");
    drop(open_with(&folder, SANDBOX, &[]).expect("open"));
    drop(open_with(&folder, "other.example.com", &[]).expect("open"));
    assert_eq!(fs::read(&path).expect("read"), text);
    assert_eq!(mode(&path), 0o600);
    drop(for_tests::open(&folder));
    // Once it is lost, every upstream that used it reports it missing.
    fs::remove_file(&path).expect("removed");
    for upstream in [UPSTREAM, SANDBOX, "other.example.com"] {
        refused(open_with(&folder, upstream, &[]), "store.key is missing");
    }
    // A new upstream creates one, which opens nothing of the others.
    drop(open_with(&folder, "new.example.com", &[]).expect("open"));
    for upstream in [UPSTREAM, SANDBOX, "other.example.com"] {
        refused(open_with(&folder, upstream, &[]), WRONG);
    }
}

/// A value that was moved elsewhere does not open there.
#[on_both]
fn a_sealed_row_counts_at_its_place_only() {
    let folder = for_tests::folder();
    drop(for_tests::open(&folder));
    for_tests::sql(
        &folder,
        "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'identity') WHERE name = 'confirm'",
    );
    refused(
        Store::open(&for_tests::options(&folder)),
        "sealed of secret confirm cannot be opened by the keys of the store",
    );
}
