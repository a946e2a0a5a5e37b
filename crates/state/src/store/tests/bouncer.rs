//! The store behind PgBouncer, which assigns a server connection only for a transaction.

use test_services::{ServiceKind, TestDatabase};

use super::*;

fn place() -> Option<(TestDatabase, TestPlace)> {
    let database = TestDatabase::create(ServiceKind::Bouncer)?;
    let place = for_tests::at_database(database.url());
    Some((database, place))
}

#[test]
fn stored_rows_are_read_again() {
    let Some((_database, place)) = place() else {
        return;
    };
    let store = for_tests::open(&place);
    upkeep::fill_all(&store);
    upkeep::check_all(&store);
    let other = for_tests::open(&place);
    upkeep::check_all(&other);
    let (_, all) = store.rekey().expect("sealed");
    assert_eq!(all, 8);
}

#[test]
fn a_change_by_one_process_is_known_to_the_others() {
    let Some((_database, place)) = place() else {
        return;
    };
    let (one, other) = (for_tests::open(&place), for_tests::open(&place));
    let keys = Keys::new(&other);
    let text = create(&one, "a").expect("made");
    for_tests::comes("the key is known", || {
        keys.find(text.expose_secret())
            .is_ok_and(|found| found.is_some())
    });
    let revoked = Keys::new(&one).revoke("a").wait();
    revoked.expect("revoked");
    for_tests::comes("its end is known", || {
        keys.find(text.expose_secret()).is_err()
    });
}

#[test]
fn three_processes_share_every_count() {
    let Some((_database, place)) = place() else {
        return;
    };
    processes::race_of_three(&place);
}
