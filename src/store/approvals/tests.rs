//! Approvals from the question to the answer, over several processes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Barrier;
use std::thread;

use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn opened() -> (TempDir, Approvals) {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = Approvals::open(folder.path()).expect("open");
    (folder, approvals)
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
    approvals.request(&New {
        digest,
        tool: "payments_charge",
        effect: "money",
        location: Some("L1"),
        alias: None,
        who,
        preview: &json!({"amount": 5}),
        lasts,
    })
}

/// As time does, or a process that dies.
fn change(folder: &TempDir, handle: &str, changes: &[(&str, Value)]) {
    let path = folder.path().join(format!("approvals/{handle}.json"));
    let text = fs::read(&path).expect("read");
    let mut held: Value = serde_json::from_slice(&text).expect("JSON");
    for (name, value) in changes {
        held[name] = value.clone();
    }
    fs::write(&path, held.to_string()).expect("written");
}

fn ago(hours: i64) -> Value {
    let time = now() - SignedDuration::from_hours(hours);
    time.to_string().into()
}

#[test]
fn a_claim_says_how_the_call_stands() {
    let decided = |approve, note| {
        move |approvals: &Approvals, _: &TempDir, handle: &str| {
            let decided = approvals.decide(handle, approve, "Ada", note);
            drop(decided.expect("decided"));
        }
    };
    let past = |state: &'static str| {
        move |_: &Approvals, folder: &TempDir, handle: &str| {
            let claimed = ("claimed_at", ago(1));
            let expired = ("expires", ago(1));
            change(folder, handle, &[("state", state.into()), claimed, expired]);
        }
    };
    let ran = |approvals: &Approvals, folder: &TempDir, handle: &str| {
        decided(true, None)(approvals, folder, handle);
        let claim = approvals.claim(handle, "d");
        assert_eq!(claim, Ok(Claim::Run));
    };
    let denied = |note: Option<&str>| Claim::Denied {
        note: note.map(str::to_owned),
    };
    type Act<'a> = &'a dyn Fn(&Approvals, &TempDir, &str);
    let rows: &[(Act, Claim)] = &[
        (&|_, _, _| {}, Claim::Pending),
        (&decided(false, None), denied(None)),
        (
            &decided(false, Some("not on Friday")),
            denied(Some("not on Friday")),
        ),
        (&decided(true, None), Claim::Run),
        (&past("pending"), Claim::Expired),
        (&past("approved"), Claim::Expired),
        (&past("denied"), denied(None)),
        (&ran, Claim::Running),
        // Its process died.
        (&past("running"), Claim::Unknown),
        (
            &|approvals, folder, handle| {
                ran(approvals, folder, handle);
                approvals.finish(handle, "{\"id\":1}").expect("finished");
            },
            Claim::Done("{\"id\":1}".to_owned()),
        ),
    ];
    for (act, expected) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        act(&approvals, &folder, &handle);
        assert_eq!(
            approvals.claim(&handle, "e"),
            Ok(Claim::Other),
            "{expected:?}"
        );
        assert_eq!(approvals.claim(&handle, "d").as_ref(), Ok(expected));
    }
}

#[test]
fn a_handle_is_the_name_of_no_other_file() {
    let (folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let named = format!("{}/approvals/{handle}", folder.path().display());
    let upwards = "apr_../../../etc/passwd/";
    for other in [
        "",
        "apr_",
        "../keys",
        upwards,
        &named,
        &handle[..23],
        "apr_aaaaaaaaaaaaaaaaaaaa",
    ] {
        assert_eq!(approvals.get(other), Ok(None), "{other}");
        assert_eq!(approvals.claim(other, "d"), Ok(Claim::Missing), "{other}");
        let error = approvals.decide(other, true, "Ada", None).expect_err(other);
        assert!(
            error.to_string().contains("there is no approval"),
            "{error}"
        );
    }
    assert_eq!(handle.len(), 24);
    let held = approvals.get(&handle).expect("read").expect("there");
    assert_eq!(
        (held.state, &held.preview),
        (State::Pending, &json!({"amount": 5}))
    );
    let path = folder.path().join(format!("approvals/{handle}.json"));
    assert_eq!(fs::metadata(path).expect("there").mode() & 0o777, 0o600);
}

#[test]
fn only_what_is_pending_can_be_decided_and_only_what_runs_finished() {
    let rows: [(&[(&str, Value)], &str); 5] = [
        (&[("expires", ago(1))], "its client must ask again"),
        (
            &[("state", "denied".into())],
            "was denied already, by somebody",
        ),
        (
            &[("state", "approved".into()), ("decided_by", "Ada".into())],
            "was approved already, by Ada",
        ),
        (&[("state", "running".into())], "was approved already"),
        (&[("state", "done".into())], "was approved already"),
    ];
    for (changes, part) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        change(&folder, &handle, changes);
        let before = approvals.get(&handle);
        for approve in [true, false] {
            let error = approvals.decide(&handle, approve, "Bob", None);
            let error = error.expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(approvals.get(&handle), before);
        let running = changes.iter().any(|(_, value)| value == "running");
        assert_eq!(approvals.finish(&handle, "x").is_ok(), running, "{part}");
    }
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let long = "x".repeat(1001);
    let error = approvals.decide(&handle, true, "Ada", Some(&long));
    assert!(error.expect_err("long").to_string().contains("shorten it"));
}

#[test]
fn nobody_is_asked_twice_for_the_same() {
    let rows: [(&[(&str, Value)], bool); 6] = [
        (&[], true),
        (&[("state", "approved".into())], true),
        (&[("expires", ago(1))], false),
        (&[("state", "denied".into())], false),
        (&[("state", "running".into())], false),
        (&[("state", "done".into())], false),
    ];
    for (changes, same) in rows {
        let (folder, approvals) = opened();
        let first = request(&approvals, "d", "w", HOUR);
        change(&folder, &first.handle, changes);
        let again = request(&approvals, "d", "w", HOUR);
        assert_eq!(again.handle == first.handle, same, "{changes:?}");
        let other = request(&approvals, "e", "w", HOUR);
        assert_ne!(other.handle, again.handle);
        let list = approvals.list().expect("listed").len();
        assert_eq!(list, if same { 2 } else { 3 });
    }
}

#[test]
fn old_files_go_when_another_approval_is_asked_for() {
    let weeks = 8 * 24;
    let lasting = now() + SignedDuration::from_hours(1);
    let lasting: Value = lasting.to_string().into();
    let rows: [(&[(&str, Value)], bool); 5] = [
        (&[("created", ago(weeks)), ("state", "done".into())], false),
        (&[("created", ago(weeks)), ("expires", ago(1))], false),
        (
            &[("created", ago(weeks)), ("state", "running".into())],
            false,
        ),
        (&[("created", ago(weeks)), ("expires", lasting)], true),
        (&[("created", ago(6 * 24)), ("state", "done".into())], true),
    ];
    for (changes, kept) in rows {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        change(&folder, &handle, changes);
        request(&approvals, "e", "w", HOUR);
        let held = approvals.get(&handle).expect("read");
        assert_eq!(held.is_some(), kept, "{changes:?}");
    }
}

#[test]
fn a_client_cannot_bury_a_person_in_questions() {
    let (_folder, approvals) = opened();
    for number in 0..MOST_WAITING {
        request(&approvals, &number.to_string(), "w", HOUR);
    }
    let error = asked(&approvals, "more", "w", HOUR).expect_err("too many");
    assert!(
        error.to_string().contains("100 calls of this client wait"),
        "{error}"
    );
    request(&approvals, "5", "w", HOUR);
    request(&approvals, "more", "another", HOUR);
}

#[test]
fn a_broken_file_hides_no_other() {
    let (folder, approvals) = opened();
    let broken = request(&approvals, "d", "w", HOUR).handle;
    let path = folder.path().join(format!("approvals/{broken}.json"));
    fs::write(path, "{").expect("written");
    let other = request(&approvals, "d", "w", HOUR);
    assert_eq!(approvals.list(), Ok(vec![other]));
    let error = approvals.claim(&broken, "d").expect_err("broken");
    assert!(error.to_string().contains("json is broken"), "{error}");
}

/// Each thread as a process of its own: it opens the lock by itself.
#[test]
fn one_of_many_runs_it() {
    let (folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let decided = approvals.decide(&handle, true, "Ada", None);
    decided.expect("approved");
    let together = Barrier::new(16);
    let claims: Vec<Claim> = thread::scope(|scope| {
        let claims: Vec<_> = (0..16)
            .map(|_| {
                let approvals = Approvals::open(folder.path()).expect("open");
                let (handle, together) = (&handle, &together);
                scope.spawn(move || {
                    together.wait();
                    approvals.claim(handle, "d").expect("claimed")
                })
            })
            .collect();
        let claims = claims.into_iter();
        claims.map(|claim| claim.join().expect("ended")).collect()
    });
    let counted = |claim: &Claim| claims.iter().filter(|other| *other == claim).count();
    assert_eq!((counted(&Claim::Run), counted(&Claim::Running)), (1, 15));
}

#[test]
fn the_same_asked_for_at_once_is_one_question() {
    let (folder, approvals) = opened();
    thread::scope(|scope| {
        for _ in 0..8 {
            let approvals = Approvals::open(folder.path()).expect("open");
            scope.spawn(move || request(&approvals, "d", "w", HOUR));
        }
    });
    assert_eq!(approvals.list().expect("listed").len(), 1);
}
