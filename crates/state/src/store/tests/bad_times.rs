//! A server that stops, hangs, restarts, or whose answer is lost: the errors, and that every change is there once or
//! not at all.

use std::time::Duration;

use test_services::{
    CommitFault, ServiceChange, ServiceKind, TestDatabase, TestProxy, TestService, shared,
};

use super::*;
use crate::calls::KnownCall;

fn count(place: &TestPlace, name: &str) -> i64 {
    let count = format!("SELECT COUNT(*) AS n FROM access_key WHERE name = '{name}'");
    for_tests::number(place, &count)
}

fn known(store: &Store, id: u8) -> Option<KnownCall> {
    let known = store.known_call(&once(OnceKind::Key, id)).wait();
    known.expect("read")
}

/// Whatever happens to a COMMIT, the waiting caller gets the true result.
#[test]
fn a_change_whose_end_was_not_heard_is_there_once_or_was_refused() {
    let Some(server) = shared(ServiceKind::Postgres) else {
        return;
    };
    for fault in [
        CommitFault::AnswerLost,
        CommitFault::AnswerLate,
        CommitFault::CommitLost,
    ] {
        let database = TestDatabase::create_at(server);
        let proxy = TestProxy::start(database.url());
        let direct = for_tests::at_database(database.url());
        let store = for_tests::open(&for_tests::at_database(proxy.url()));
        let keys = Keys::new(&store);
        create(&store, "before").expect("made");
        proxy.arm(fault);
        let made = create(&store, "a");
        assert!(!proxy.is_armed(), "{fault:?}");
        let is_written = made.is_ok();
        // Nobody can know of an undone change; the writing thread may have met the fault with a change of its own.
        assert!(is_written || fault == CommitFault::CommitLost, "{made:?}");
        assert_eq!(count(&direct, "a"), i64::from(is_written), "{fault:?}");
        if let Ok(text) = made {
            // As if the answer had arrived: the caller uses the result at once.
            assert!(keys.find(text.expose_secret()).expect("read").is_some());
        }
        // A call that begins, and its end, which is owed. If the commit's result was not known in time, the call is not
        // made.
        proxy.arm(fault);
        let (id, open) = match begin_once(&store, 1) {
            Ok(open) => (1, open),
            Err(error) => {
                assert_ne!(fault, CommitFault::AnswerLost, "{error}");
                (2, begin_once(&store, 2).expect("begun"))
            }
        };
        proxy.arm(fault);
        let end = open.end(answered("the answer")).wait();
        end.expect("told once it is written");
        let done = Some(KnownCall::Done(b"the answer".to_vec()));
        assert_eq!(known(&store, id), done, "{fault:?}");
        create(&store, "after").expect("made");
        let revisions = for_tests::number(&direct, "SELECT n FROM revision");
        assert_eq!(revisions, 3 + i64::from(is_written), "{fault:?}");
    }
}

/// What a connection does first is tried once: another try, which has nothing to do, would say no more than that.
#[test]
fn a_connection_that_breaks_off_at_once_says_why() {
    let Some(database) = TestDatabase::create(ServiceKind::Postgres) else {
        return;
    };
    let place = StorePlace::in_database(&database.url().into()).expect("an address");
    let done = connect(&place, |transaction| {
        let end = sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())");
        transaction.one(end).map(drop)
    });
    let error = done.map(drop).expect_err("its connection was ended");
    let told = error.to_string();
    assert!(told.contains("terminating connection"), "{told}");
    assert!(error.is_away(), "{told}");
}

/// Stopped as by a crash, and restarted while the store is open.
#[test]
fn a_server_that_stops_refuses_changes_loses_no_end_and_recovers() {
    let Some(mut server) = TestService::start(ServiceKind::Postgres) else {
        return;
    };
    let database = TestDatabase::create_at(server.url());
    let place = for_tests::at_database(database.url());
    let store = for_tests::open(&place);
    let keys = Keys::new(&store);
    let before = create(&store, "before").expect("made");
    let open = begin_once(&store, 1).expect("begun");
    server.change(ServiceChange::Stop);
    for number in 0..3 {
        let error = create(&store, "meanwhile").map(drop).expect_err("stopped");
        assert!(!error.is_request(), "{number}: {error}");
        assert!(begin_once(&store, 2).is_err(), "{number}");
    }
    for_tests::comes("nobody is let in by what may have ended", || {
        keys.find(before.expose_secret()).is_err()
    });
    let end = open.end(answered("the answer"));
    let error = create(&store, "meanwhile").map(drop).expect_err("stopped");
    assert!(
        error.to_string().contains("PostgreSQL's database"),
        "{error}"
    );
    server.change(ServiceChange::Start);
    end.wait().expect("told once it is written");
    let done = Some(KnownCall::Done(b"the answer".to_vec()));
    assert_eq!(known(&store, 1), done);
    for_tests::comes("it goes on", || create(&store, "after").is_ok());
    for_tests::comes("keys are known again", || {
        keys.find(before.expose_secret())
            .is_ok_and(|found| found.is_some())
    });
    assert_eq!(known(&store, 2), None, "what was refused did not begin");
    let counts = ["before", "meanwhile", "after"].map(|name| count(&place, name));
    assert_eq!(counts, [1, 0, 1]);
}

/// Every process of the server stands still, as on a machine that swaps.
#[test]
fn a_server_that_hangs_holds_nobody_for_long() {
    let Some(mut server) = TestService::start(ServiceKind::Postgres) else {
        return;
    };
    let database = TestDatabase::create_at(server.url());
    let place = for_tests::at_database(database.url());
    let store = for_tests::open(&place);
    create(&store, "before").expect("made");
    let open = begin_once(&store, 1).expect("begun");
    server.change(ServiceChange::Pause);
    let begun = std::time::Instant::now();
    let error = create(&store, "meanwhile").map(drop).expect_err("it hangs");
    assert!(!error.is_request(), "{error}");
    assert!(begin_once(&store, 2).is_err());
    // Two changes, each with its time limit and an attempt to reconnect, with a margin.
    assert!(
        begun.elapsed() < for_tests::LONGEST,
        "{:?}",
        begun.elapsed()
    );
    // It is owed from here on.
    drop(open.end(answered("the answer")));
    std::thread::sleep(Duration::from_secs(3));
    server.change(ServiceChange::Resume);
    for_tests::comes("it goes on", || create(&store, "after").is_ok());
    let done = Some(KnownCall::Done(b"the answer".to_vec()));
    for_tests::comes("what was owed is written", || {
        store.known_call(&once(OnceKind::Key, 1)).wait() == Ok(done.clone())
    });
    // A refused change is not there, or its fate was unknown.
    assert!(count(&place, "meanwhile") <= 1);
    assert_eq!(count(&place, "before"), 1);
    let open = begin_once(&store, 2).expect("it had not begun");
    drop(open);
}
