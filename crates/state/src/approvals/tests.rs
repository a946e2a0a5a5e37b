//! Approvals from the request to the answer, with several processes.

mod alone;
mod room;
mod waiting;

use std::future::poll_fn;
use std::sync::Barrier;
use std::task::Poll;
use std::thread;

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::store::for_tests::{self, TestPlace};

const HOUR: Duration = Duration::from_secs(3600);

fn opened() -> (TestPlace, Approvals) {
    let folder = for_tests::folder();
    let approvals = opened_in(&folder);
    (folder, approvals)
}

/// As another process opens them.
fn opened_in(folder: &TestPlace) -> Approvals {
    Approvals::new(&for_tests::open(folder))
}

fn request(approvals: &Approvals, digest: &str, who: &str, lasts: Duration) -> Approval {
    asked(approvals, digest, who, lasts).expect("asked")
}

fn asked(
    approvals: &Approvals,
    digest: &str,
    who: &str,
    lasts: Duration,
) -> Result<Approval, StoreError> {
    let asked = approvals.request(new(digest, who, lasts)).wait();
    asked.map(|(approval, _)| approval)
}

fn claimed(approvals: &Approvals, handle: &str, digest: &str) -> Result<Claim, StoreError> {
    for_tests::on_one_thread(approvals.claim(handle, digest))
}

fn new(digest: &str, who: &str, lasts: Duration) -> NewApproval {
    NewApproval {
        digest: digest.to_owned(),
        tool: "payments_charge".to_owned(),
        effect: "money".to_owned(),
        location: Some("L1".to_owned()),
        alias: None,
        locations: Vec::new(),
        who: who.to_owned(),
        preview: json!({"amount": 5}),
        holder_decides: false,
        lasts,
        request: None,
    }
}

/// As time passes, or a process dies.
fn change(folder: &TestPlace, handle: &str, changes: &str) {
    let change = format!("UPDATE approval SET {changes} WHERE id = '{handle}'");
    for_tests::sql(folder, &change);
}

/// This many hours ago, as the value of a column.
fn ago(column: &str, hours: i64) -> String {
    let time = now() - SignedDuration::from_hours(hours);
    format!("{column} = {}", time.as_millisecond())
}

fn all(changes: &[&str]) -> String {
    changes.join(", ")
}

#[on_both]
fn a_claim_returns_the_state_of_the_call() {
    let decided = |approve, note| {
        move |approvals: &Approvals, _: &TestPlace, handle: &str| {
            let decided = approvals.decide(handle, approve, "Ada", note).wait();
            drop(decided.expect("decided"));
        }
    };
    let past = |state: &'static str| {
        move |_: &Approvals, folder: &TestPlace, handle: &str| {
            let (claimed, expired) = (ago("claimed_at", 1), ago("expires_at", 1));
            change(folder, handle, &all(&[state, &claimed, &expired]));
        }
    };
    let ran = |approvals: &Approvals, folder: &TestPlace, handle: &str| {
        decided(true, None)(approvals, folder, handle);
        let claim = claimed(approvals, handle, "d");
        assert_eq!(claim, Ok(Claim::Run));
    };
    let denied = |note: Option<&str>| Claim::Denied {
        note: note.map(str::to_owned),
    };
    type Act<'a> = &'a dyn Fn(&Approvals, &TestPlace, &str);
    let rows: &[(Act, Claim)] = &[
        (&|_, _, _| {}, Claim::Pending),
        (&decided(false, None), denied(None)),
        (
            &decided(false, Some("not on Friday")),
            denied(Some("not on Friday")),
        ),
        (&decided(true, None), Claim::Run),
        (&past("state = 'pending'"), Claim::Expired),
        (&past("state = 'approved'"), Claim::Expired),
        (&past("state = 'denied'"), denied(None)),
        (&ran, Claim::Running),
        // Its process died.
        (&past("state = 'running'"), Claim::Unknown),
        (
            &|approvals, folder, handle| {
                ran(approvals, folder, handle);
                let finished = approvals.finish(handle, "{\"id\":1}", true).wait();
                finished.expect("finished");
            },
            Claim::Done {
                outcome: "{\"id\":1}".to_owned(),
                is_error: true,
            },
        ),
    ];
    for (act, expected) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        act(&approvals, &folder, &handle);
        assert_eq!(
            claimed(&approvals, &handle, "e"),
            Ok(Claim::Other),
            "{expected:?}"
        );
        assert_eq!(claimed(&approvals, &handle, "d").as_ref(), Ok(expected));
    }
}

#[on_both]
fn a_handle_names_one_approval_and_nothing_else() {
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let upwards = "apr_../../../etc/passwd/";
    let every = "apr_%%%%%%%%%%%%%%%%%%%%";
    for other in [
        "",
        "apr_",
        "../keys",
        upwards,
        every,
        &handle[..23],
        &handle.to_uppercase(),
        "apr_aaaaaaaaaaaaaaaaaaaa",
    ] {
        assert_eq!(approvals.get(other).wait(), Ok(None), "{other}");
        assert_eq!(
            claimed(&approvals, other, "d"),
            Ok(Claim::Missing),
            "{other}"
        );
        let error = approvals.decide(other, true, "Ada", None).wait();
        let error = error.expect_err(other).to_string();
        assert!(error.contains("there is no approval"), "{error}");
    }
    assert_eq!(handle.len(), 24);
    let held = approvals.get(&handle).wait().expect("read").expect("there");
    assert_eq!(
        (held.state, &held.preview),
        (ApprovalState::Pending, &json!({"amount": 5}))
    );
}

#[on_both]
fn only_pending_calls_can_be_decided_and_only_running_ones_finished() {
    let rows = [
        (ago("expires_at", 1), "its client must ask again"),
        (
            "state = 'denied'".to_owned(),
            "was denied already, by somebody",
        ),
        (
            "state = 'approved', decided_by = 'Ada'".to_owned(),
            "was approved already, by Ada",
        ),
        ("state = 'running'".to_owned(), "was approved already"),
        ("state = 'done'".to_owned(), "was approved already"),
    ];
    for (changes, part) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        change(&folder, &handle, &changes);
        let before = approvals.get(&handle).wait();
        for approve in [true, false] {
            let error = approvals.decide(&handle, approve, "Bob", None).wait();
            let error = error.expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(approvals.get(&handle).wait(), before);
        let running = changes.contains("running");
        let finished = approvals.finish(&handle, "x", false).wait();
        assert_eq!(finished.is_ok(), running, "{part}");
    }
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let long = "x".repeat(1001);
    let error = approvals.decide(&handle, true, "Ada", Some(&long)).wait();
    assert!(error.expect_err("long").to_string().contains("shorten it"));
    for nobody in ["", "  "] {
        let error = approvals.decide(&handle, true, nobody, None).wait();
        let error = error.expect_err("nobody decides").to_string();
        assert!(error.contains("give a name"), "{error}");
    }
}

#[on_both]
fn nobody_is_asked_twice_for_the_same() {
    let rows = [
        ("state = 'pending'".to_owned(), true),
        ("state = 'approved'".to_owned(), true),
        (ago("expires_at", 1), false),
        ("state = 'denied'".to_owned(), false),
        ("state = 'running'".to_owned(), false),
        ("state = 'done'".to_owned(), false),
    ];
    for (changes, same) in rows {
        let (folder, approvals) = opened();
        let first = request(&approvals, "d", "w", HOUR);
        change(&folder, &first.handle, &changes);
        let again = request(&approvals, "d", "w", HOUR);
        assert_eq!(again.handle == first.handle, same, "{changes:?}");
        let other = request(&approvals, "e", "w", HOUR);
        assert_ne!(other.handle, again.handle);
        let list = approvals.list().wait().expect("listed").len();
        assert_eq!(list, if same { 2 } else { 3 });
    }
}

#[on_both]
fn old_approvals_go_when_another_is_asked_for() {
    let old = ago("created_at", 8 * 24);
    let lasting = ago("expires_at", -1);
    let rows = [
        (all(&[&old, "state = 'done'"]), false),
        (all(&[&old, &ago("expires_at", 1)]), false),
        (all(&[&old, "state = 'running'"]), false),
        (all(&[&old, &lasting]), true),
        (all(&[&ago("created_at", 6 * 24), "state = 'done'"]), true),
    ];
    for (changes, kept) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        change(&folder, &handle, &changes);
        request(&approvals, "e", "w", HOUR);
        let held = approvals.get(&handle).wait().expect("read");
        assert_eq!(held.is_some(), kept, "{changes:?}");
    }
}

/// A client that timed out repeats its request while its call runs: that is not a second question.
#[on_both]
fn a_running_call_is_not_asked_for_again_while_its_process_lives() {
    let (folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    approvals
        .decide(&handle, true, "Ada", None)
        .wait()
        .expect("approved");
    assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Run));
    assert_eq!(request(&approvals, "d", "w", HOUR).handle, handle);
    change(&folder, &handle, &ago("claimed_at", 1));
    assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Unknown));
    assert_ne!(request(&approvals, "d", "w", HOUR).handle, handle);
}

#[on_both]
fn a_clock_that_is_put_back_revives_nothing_that_was_seen_to_expire() {
    for seen_by_claim in [true, false] {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        let past = all(&["state = 'approved'", &ago("expires_at", 1)]);
        change(&folder, &handle, &past);
        match seen_by_claim {
            true => assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Expired)),
            false => drop(request(&approvals, "e", "w", HOUR)),
        }
        change(&folder, &handle, &ago("expires_at", -1));
        assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Expired));
        let error = approvals.decide(&handle, true, "Ada", None).wait();
        let error = error.expect_err("over").to_string();
        assert!(error.contains("its client must ask again"), "{error}");
    }
}

#[on_both]
fn a_call_that_did_nothing_may_be_claimed_once_more() {
    let (_folder, approvals) = opened();
    for_tests::on_one_thread(async {
        let ask = || approvals.request(new("d", "w", HOUR));
        let (asked, is_new) = ask().await.expect("asked");
        let (again, is_again) = ask().await.expect("asked");
        assert_eq!((is_new, is_again, &asked), (true, false, &again));
        let handle = asked.handle;
        assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Pending));
        let decided = approvals.decide(&handle, true, "Ada", None).await;
        decided.expect("approved");
        assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Run));
        assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Running));
        let runs_here = || approvals.store.housekeeping().approved();
        assert!(runs_here().contains(&handle));
        approvals.release(&handle).await.expect("released");
        // Nobody keeps it alive: another process may run it next, and die.
        assert!(runs_here().is_empty());
        let error = approvals
            .release(&handle)
            .await
            .expect_err("it is not running");
        assert!(
            error.to_string().contains("nothing is left to finish"),
            "{error}"
        );
        assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Run));
        // The caller leaves at once, and nothing is lost.
        drop(approvals.finish(&handle, "no such contact", true));
        // Later requests come after it.
        ask().await.expect("asked");
        let done = Claim::Done {
            outcome: "no such contact".to_owned(),
            is_error: true,
        };
        assert_eq!(approvals.claim(&handle, "d").await, Ok(done));
    });
}

/// A client may leave at any moment: the call that it was given is not run, so the next client may run it.
#[on_both]
fn a_caller_that_leaves_while_it_claims_gives_it_back() {
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let decided = approvals.decide(&handle, true, "Ada", None).wait();
    decided.expect("approved");
    for_tests::on_one_thread(async {
        for steps in 0..30 {
            let (of_caller, handle) = (approvals.clone(), handle.clone());
            let caller = tokio::spawn(async move { of_caller.claim(&handle, "d").await });
            for _ in 0..steps {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            let is_there = caller.is_finished();
            caller.abort();
            if is_there || caller.await.is_ok() {
                break;
            }
        }
        for _ in 0..2_000 {
            match approvals.claim(&handle, "d").await.expect("claimed") {
                Claim::Run => return,
                // The present client was given it, and it ended.
                Claim::Running => drop(approvals.release(&handle).await),
                other => panic!("{other:?}"),
            }
        }
        panic!("it was not given back");
    });
}

/// A claim may be on its way when its client leaves.
#[on_both]
fn a_claim_that_nobody_reads_is_given_back() {
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let decided = approvals.decide(&handle, true, "Ada", None).wait();
    decided.expect("approved");
    for_tests::on_one_thread(async {
        let state = async || approvals.state(&handle).await.expect("read");
        let mut claim = Box::pin(approvals.claim(&handle, "d"));
        while state().await != Some(ApprovalState::Running) {
            let once = poll_fn(|context| Poll::Ready(claim.as_mut().poll(context)));
            if once.await.is_ready() {
                // It arrived before its state was seen.
                approvals.release(&handle).await.expect("given back");
                claim = Box::pin(approvals.claim(&handle, "d"));
            }
        }
        // Now its task sends it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(claim);
        let given_back = async {
            while state().await != Some(ApprovalState::Approved) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let given_back = tokio::time::timeout(Duration::from_secs(10), given_back).await;
        assert!(given_back.is_ok(), "it stays claimed");
    });
}

#[on_both]
fn a_store_that_another_process_holds_stops_nobody_else() {
    let (folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let stuck = for_tests::stick(&folder);
    for_tests::on_one_thread(async {
        let before = std::time::Instant::now();
        let asking = (0..10).map(|number| {
            let approvals = approvals.clone();
            tokio::spawn(
                async move { approvals.request(new(&number.to_string(), "x", HOUR)).await },
            )
        });
        let asking: Vec<_> = asking.collect();
        let longest = for_tests::longest_tick().await;
        assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Pending));
        for one in asking {
            let error = one.await.expect("no panic").expect_err("held");
            assert!(
                error.is_busy() && error.to_string().contains("another process"),
                "{error}"
            );
        }
        let waited = before.elapsed();
        println!(
            "a tick of 10 ms took {longest:?} at most; 10 questions were refused within {waited:?}"
        );
        assert!(longest < Duration::from_secs(1) && waited < Duration::from_secs(9));
    });
    drop(stuck);
    request(&approvals, "later", "x", HOUR);
}

#[on_both]
fn an_approval_that_cannot_be_read_hides_no_other() {
    let (folder, approvals) = opened();
    let broken = request(&approvals, "d", "w", HOUR).handle;
    for (changes, part) in [
        ("state = 'paused'", "is not understood: paused"),
        ("state = 'done', shown = '{'", "is not understood"),
        ("shown = '1', locations = '{}'", "is not understood"),
        (
            "locations = '[]', outcome = x'0102'",
            "cannot be opened by the keys of the store",
        ),
    ] {
        change(&folder, &broken, changes);
        let other = request(&approvals, changes, "w", HOUR);
        let listed = approvals.list().wait().expect("listed");
        assert!(listed.contains(&other), "{changes}");
        assert!(listed.iter().all(|one| one.handle != broken), "{changes}");
        let error = claimed(&approvals, &broken, "d").expect_err(changes);
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// Each thread is like a process of its own, with its own connection.
#[on_both]
fn one_of_many_runs_it() {
    let (folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let decided = approvals.decide(&handle, true, "Ada", None).wait();
    decided.expect("approved");
    let together = Barrier::new(16);
    let claims: Vec<Claim> = thread::scope(|scope| {
        let claims: Vec<_> = (0..16)
            .map(|_| {
                let approvals = opened_in(&folder);
                let (handle, together) = (&handle, &together);
                scope.spawn(move || {
                    together.wait();
                    claimed(&approvals, handle, "d").expect("claimed")
                })
            })
            .collect();
        let claims = claims.into_iter();
        claims.map(|claim| claim.join().expect("ended")).collect()
    });
    let counted = |claim: &Claim| claims.iter().filter(|other| *other == claim).count();
    assert_eq!((counted(&Claim::Run), counted(&Claim::Running)), (1, 15));
}

#[on_both]
fn the_same_asked_for_at_once_is_one_question() {
    let folder = for_tests::folder();
    let approvals = opened_in(&folder);
    thread::scope(|scope| {
        for _ in 0..8 {
            let approvals = opened_in(&folder);
            scope.spawn(move || request(&approvals, "d", "w", HOUR));
        }
    });
    assert_eq!(approvals.list().wait().expect("listed").len(), 1);
}
