//! The store as a whole: its description, backups, and a change of its key.

use super::*;
use crate::approvals::ApprovalState;
use crate::calls::KnownCall;
use crate::prepared::NewPreparation;
use crate::token_pairs::{PairImport, TokenPairs};

fn with_keys(folder: &TestPlace, keys: &[SecretString]) -> Result<Store, StoreError> {
    Store::open(&StoreOptions {
        keys,
        ..for_tests::options(folder)
    })
}

fn tokens(store: &Store) -> TokenPairs {
    TokenPairs::new(store, "Company0")
}

/// Something of every kind, including an agency's pair.
pub(super) fn fill_all(store: &Store) {
    fill(store);
    let import = PairImport {
        text: "the sealed pair".into(),
        names: vec!["a".to_owned()],
        is_open: false,
    };
    assert_eq!(tokens(store).import(import).wait(), Ok(true));
    let prepared = NewPreparation {
        id: [9; 32],
        principal: [1; 32],
        request: b"the sealed preview".to_vec(),
        expires_at: crate::now() + jiff::SignedDuration::from_mins(30),
    };
    assert_eq!(store.prepare(prepared).wait(), Ok(true));
}

/// Every sealed value can be opened.
#[track_caller]
pub(super) fn check_all(store: &Store) {
    let known = store.known_call(&once(OnceKind::Key, 7)).wait();
    assert_eq!(
        known,
        Ok(Some(KnownCall::Done(b"the sealed answer".to_vec())))
    );
    let prepared = store.prepared([9; 32]).wait().expect("read");
    assert_eq!(prepared.expect("kept").request, b"the sealed preview");
    let pair = tokens(store).read().wait().expect("read").expect("a pair");
    assert_eq!(pair.text.expose_secret(), "the sealed pair");
    let approvals = Approvals::new(store);
    let listed = approvals.list().wait().expect("read");
    let outcomes: Vec<_> = listed.iter().map(|one| one.outcome.as_deref()).collect();
    assert_eq!(outcomes, [Some("the sealed outcome"), None]);
    let waits = &listed[1].handle;
    if listed[1].state == ApprovalState::Pending {
        let decided = approvals.decide(waits, true, "Ada", None).wait();
        decided.expect("decided");
    }
    let calls = approvals.approved(Vec::new()).wait().expect("read");
    assert_eq!(calls[0].request, b"the other sealed request");
}

#[on_both]
fn a_store_is_sealed_again_under_another_key() {
    let [old, new] = [(); 2].map(|()| SecretString::from(sealing::new_key().expect("a key")));
    let only = |key: &SecretString| vec![key.clone()];
    let folder = for_tests::folder();
    let store = with_keys(&folder, &only(&old)).expect("open");
    fill_all(&store);
    // More than are resealed at once.
    for number in 100..250 {
        let open = begin_once(&store, number).expect("begun");
        open.end(answered("a")).wait().expect("ended");
        let other = NewApproval {
            digest: number.to_string(),
            who: number.to_string(),
            ..approval(b"r")
        };
        Approvals::new(&store).request(other).wait().expect("asked");
    }
    for_tests::sql(
        &folder,
        "DELETE FROM approval WHERE digest > '1' AND digest < '3'",
    );
    let confirm = store.confirm_key().to_vec();
    let name = store.identity().digest("pit-a");
    assert_eq!(
        store.rekey().expect("sealed").0,
        0,
        "it is sealed under its key"
    );
    drop(store);
    let both = [new.clone(), old.clone()];
    let store = with_keys(&folder, &both).expect("open");
    check_all(&store);
    let (anew, all) = store.rekey().expect("sealed");
    assert_eq!((anew, all), (158, 158));
    assert_eq!(store.rekey(), Ok((0, 158)));
    check_all(&store);
    drop(store);
    let store = with_keys(&folder, &only(&new)).expect("open");
    check_all(&store);
    assert_eq!(store.confirm_key(), confirm);
    assert_eq!(store.identity().digest("pit-a"), name);
    drop(store);
    let error = with_keys(&folder, &only(&old)).map(drop);
    let error = error.expect_err("the old key").to_string();
    assert!(error.contains("not the one that sealed it"), "{error}");
}

#[on_sqlite("a copy is a file")]
fn a_copy_is_of_one_moment_and_opens_with_the_key() {
    let (folder, elsewhere) = (for_tests::folder(), for_tests::folder());
    let store = for_tests::open(&folder);
    fill_all(&store);
    let copy = for_tests::file(&elsewhere);
    let copied = store.backup(&copy).expect("copied");
    assert_eq!(fs::metadata(&copy).expect("there").len(), copied);
    assert_eq!(mode(&copy), 0o600);
    create(&store, "later").expect("made");
    let error = store.backup(&copy).expect_err("there").to_string();
    assert!(
        error.contains("exists already; give another name"),
        "{error}"
    );
    let nowhere = elsewhere.path().join("none/copy");
    assert!(store.backup(&nowhere).is_err() && !nowhere.exists());
    let key = fs::read(folder.path().join(KEY_FILE)).expect("read");
    fs::write(elsewhere.path().join(KEY_FILE), key).expect("written");
    let restored = for_tests::open(&elsewhere);
    check_all(&restored);
    let names = Keys::new(&restored).list().wait().expect("read");
    assert_eq!(names.len(), 1, "what came later is not in it");
}

#[on_both]
fn a_store_lists_its_content() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    fill_all(&store);
    let info = store.info().wait().expect("read");
    assert_eq!(info.schema, schema::newest());
    assert_eq!((info.keys.len(), info.keys[0].len()), (1, 8));
    assert!(info.bytes > 0);
    let counts: Vec<i64> = info.counts.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1, 1, 2, 1, 1, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    let memory = Store::in_memory().expect("open").info().wait();
    assert_eq!(memory.expect("read").bytes, 0);
}
