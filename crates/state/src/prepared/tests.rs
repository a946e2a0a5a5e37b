//! Stored previewed requests: whose, how long, and how many.

use super::*;
use crate::store::for_tests::{self, TestPlace};

fn new(id: u8, principal: u8, request: &[u8]) -> NewPreparation {
    NewPreparation {
        id: [id; 32],
        principal: [principal; 32],
        request: request.to_vec(),
        expires_at: crate::now() + SignedDuration::from_mins(30),
    }
}

fn keep(store: &Store, new: NewPreparation) -> bool {
    store.prepare(new).wait().expect("written")
}

fn find(store: &Store, id: u8) -> Option<Preparation> {
    store.prepared([id; 32]).wait().expect("read")
}

fn expire(folder: &TestPlace) {
    for_tests::sql(folder, "UPDATE prepared SET expires_at = 1");
}

#[on_both]
fn a_request_is_kept_sealed_in_every_process_until_it_expires() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let request = b"a request that nobody reads in the file";
    assert!(keep(&store, new(1, 1, request)));
    // The same again changes nothing.
    assert!(keep(&store, new(1, 1, b"another")));
    let other = for_tests::open(&folder);
    let expected = Preparation {
        request: request.to_vec(),
        confirmed: None,
    };
    assert_eq!(find(&other, 1), Some(expected));
    assert_eq!(find(&other, 2), None);
    drop((store, other));
    let bytes = for_tests::bytes(&folder);
    assert!(!bytes.windows(9).any(|window| window == b"a request"));
    let store = for_tests::open(&folder);
    expire(&folder);
    assert_eq!(find(&store, 1), None);
    for_tests::beside(&folder, sweep);
    let left = for_tests::number(&folder, "SELECT COUNT(*) AS n FROM prepared");
    assert_eq!(left, 0);
}

#[on_both]
fn the_first_confirmation_stays() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    assert!(keep(&store, new(1, 1, b"r")));
    for (mode, by) in [("token", "the caller"), ("human", "apr_1")] {
        let confirm = store.confirm_prepared([1; 32], mode, by);
        confirm.wait().expect("written");
        let found = find(&store, 1).and_then(|found| found.confirmed);
        assert_eq!(
            found,
            Some(("token".to_owned(), "the caller".to_owned())),
            "{mode}"
        );
    }
    let rest = "SELECT expires_at - created_at AS n FROM prepared";
    let hours = for_tests::number(&folder, rest) / 3_600_000;
    assert!((5..=6).contains(&hours), "{hours}");
}

#[on_both]
fn previewed_requests_have_a_limit_and_one_owner() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let most = u8::try_from(MOST_OF_PRINCIPAL).expect("few");
    assert!(keep(&store, new(200, 2, b"r")));
    for id in 0..=most {
        assert!(keep(&store, new(id, 1, b"r")), "{id}");
    }
    // The oldest unconfirmed one was deleted.
    assert_eq!(find(&store, 0), None);
    assert!(find(&store, 1).is_some() && find(&store, 200).is_some());
    for id in 1..=most {
        let confirm = store.confirm_prepared([id; 32], "token", "the caller");
        confirm.wait().expect("written");
    }
    // Confirmed requests stay, so that their runs can continue.
    assert!(!keep(&store, new(201, 1, b"r")));
    assert!(find(&store, 1).is_some() && find(&store, 201).is_none());
    assert!(keep(&store, new(202, 2, b"r")));
}

#[on_both]
fn large_requests_have_room_for_a_few() {
    let store = for_tests::store();
    let large = vec![b'x'; MOST_PREPARED_BYTES];
    let error = store
        .prepare(new(1, 1, &[&large[..], b"x"].concat()))
        .wait();
    let error = error.expect_err("too large").to_string();
    assert!(error.contains("262145 bytes"), "{error}");
    for id in 0..40 {
        assert!(keep(&store, new(id, 1, &large)), "{id}");
    }
    let kept = (0..40).filter(|id| find(&store, *id).is_some()).count();
    assert!((25..=32).contains(&kept), "{kept}");
}
