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
    let new = new(digest, who, lasts);
    approvals
        .request_blocking(&new)
        .map(|(approval, _)| approval)
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
        lasts,
    }
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
        let claim = approvals.claim_blocking(handle, "d");
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
                approvals
                    .finish_blocking(handle, "{\"id\":1}", true)
                    .expect("finished");
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
            approvals.claim_blocking(&handle, "e"),
            Ok(Claim::Other),
            "{expected:?}"
        );
        assert_eq!(
            approvals.claim_blocking(&handle, "d").as_ref(),
            Ok(expected)
        );
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
        assert_eq!(
            approvals.claim_blocking(other, "d"),
            Ok(Claim::Missing),
            "{other}"
        );
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
        (ApprovalState::Pending, &json!({"amount": 5}))
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
        assert_eq!(
            approvals.finish_blocking(&handle, "x", false).is_ok(),
            running,
            "{part}"
        );
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
    let (folder, approvals) = opened();
    for number in 0..MOST_OF_ONE {
        request(&approvals, &number.to_string(), "w", HOUR);
    }
    let error = asked(&approvals, "more", "w", HOUR).expect_err("too many");
    assert!(
        error.to_string().contains("20 calls of this client wait"),
        "{error}"
    );
    request(&approvals, "5", "w", HOUR);
    request(&approvals, "more", "another", HOUR);
    let fewer = approvals.clone().with_most_pending(1);
    let error = asked(&fewer, "yet more", "another", HOUR).expect_err("too many");
    assert!(
        error.to_string().contains("1 calls of this client wait"),
        "{error}"
    );
    // By themselves clients are few; together they could be many.
    let mut one = serde_json::to_value(request(&approvals, "d", "x", HOUR)).expect("JSON");
    for number in 0..MOST_WAITING - MOST_OF_ONE - 2 {
        for (name, value) in [
            ("handle", format!("apr_{number:020}")),
            ("who", number.to_string()),
        ] {
            one[name] = value.into();
        }
        let path = folder
            .path()
            .join(format!("approvals/apr_{number:020}.json"));
        fs::write(path, one.to_string()).expect("written");
    }
    let error = asked(&approvals, "last", "last", HOUR).expect_err("too many");
    assert!(error.to_string().contains("1000 calls wait"), "{error}");
}

#[test]
fn files_that_nobody_waits_for_make_room() {
    let (folder, approvals) = opened();
    let first = request(&approvals, "first", "w", HOUR).handle;
    change(
        &folder,
        &first,
        &[("state", "running".into()), ("created", ago(3))],
    );
    let text =
        fs::read_to_string(folder.path().join(format!("approvals/{first}.json"))).expect("read");
    let mut done: Value = serde_json::from_str(&text).expect("JSON");
    for number in 0..MOST_FILES + 50 {
        let handle = format!("apr_{number:020}");
        done["handle"] = handle.clone().into();
        done["state"] = "done".into();
        fs::write(
            folder.path().join(format!("approvals/{handle}.json")),
            done.to_string(),
        )
        .expect("written");
    }
    request(&approvals, "d", "w", HOUR);
    let kept = approvals.list().expect("listed");
    assert_eq!(kept.len(), MOST_FILES);
    assert!(
        kept.iter().any(|one| one.handle == first),
        "what is running stays"
    );
}

#[test]
fn a_clock_that_is_put_back_revives_nothing_that_was_seen_to_expire() {
    for seen_by_claim in [true, false] {
        let (folder, approvals) = opened();
        let handle = request(&approvals, "d", "w", HOUR).handle;
        change(
            &folder,
            &handle,
            &[("state", "approved".into()), ("expires", ago(1))],
        );
        match seen_by_claim {
            true => assert_eq!(approvals.claim_blocking(&handle, "d"), Ok(Claim::Expired)),
            false => drop(request(&approvals, "e", "w", HOUR)),
        }
        let later = (now() + SignedDuration::from_hours(1)).to_string();
        change(&folder, &handle, &[("expires", later.into())]);
        assert_eq!(approvals.claim_blocking(&handle, "d"), Ok(Claim::Expired));
        let error = approvals
            .decide(&handle, true, "Ada", None)
            .expect_err("over");
        assert!(
            error.to_string().contains("its client must ask again"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_did_nothing_may_be_claimed_once_more() {
    let (_folder, approvals) = opened();
    let (asked, is_new) = approvals.request(new("d", "w", HOUR)).await.expect("asked");
    let (again, is_again) = approvals.request(new("d", "w", HOUR)).await.expect("asked");
    assert_eq!((is_new, is_again, &asked), (true, false, &again));
    let handle = asked.handle;
    assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Pending));
    approvals
        .decide(&handle, true, "Ada", None)
        .expect("approved");
    assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Run));
    assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Running));
    approvals.release(&handle).await.expect("released");
    assert!(
        approvals.release(&handle).await.is_err(),
        "it is not running"
    );
    assert_eq!(approvals.claim(&handle, "d").await, Ok(Claim::Run));
    // The caller goes away at once, and nothing is lost.
    drop(approvals.finish(&handle, "no such contact", true));
    let done = Claim::Done {
        outcome: "no such contact".to_owned(),
        is_error: true,
    };
    for _ in 0..200 {
        if approvals.claim(&handle, "d").await != Ok(Claim::Running) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(approvals.claim(&handle, "d").await, Ok(done));
}

/// On one thread: whoever blocked it would stop the timer, too.
#[tokio::test]
async fn a_lock_that_another_process_holds_stops_nobody_else() {
    let (_folder, approvals) = opened();
    let handle = request(&approvals, "d", "w", HOUR).handle;
    let locked = approvals.files.lock().expect("locked");
    let before = std::time::Instant::now();
    let asking = (0..10).map(|number| {
        let approvals = approvals.clone();
        tokio::spawn(async move { approvals.request(new(&number.to_string(), "x", HOUR)).await })
    });
    let asking: Vec<_> = asking.collect();
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        let tick = std::time::Instant::now();
        tokio::time::sleep(Duration::from_millis(10)).await;
        longest = longest.max(tick.elapsed());
    }
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
    drop(locked);
    approvals
        .request(new("later", "x", HOUR))
        .await
        .expect("asked");
}

/// Of files that an earlier version wrote.
#[test]
fn an_approval_of_an_earlier_version_is_read() {
    let (folder, approvals) = opened();
    let asked = request(&approvals, "d", "w", HOUR);
    let path = folder
        .path()
        .join(format!("approvals/{}.json", asked.handle));
    let mut held: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    for name in ["is_error", "locations"] {
        held.as_object_mut().expect("an object").remove(name);
    }
    fs::write(&path, held.to_string()).expect("written");
    assert_eq!(approvals.get(&asked.handle), Ok(Some(asked)));
}

#[test]
fn a_broken_file_hides_no_other() {
    let (folder, approvals) = opened();
    let broken = request(&approvals, "d", "w", HOUR).handle;
    let path = folder.path().join(format!("approvals/{broken}.json"));
    fs::write(path, "{").expect("written");
    let other = request(&approvals, "d", "w", HOUR);
    assert_eq!(approvals.list(), Ok(vec![other]));
    let error = approvals.claim_blocking(&broken, "d").expect_err("broken");
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
                    approvals.claim_blocking(handle, "d").expect("claimed")
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
