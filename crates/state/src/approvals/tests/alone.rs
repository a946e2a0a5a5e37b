//! Approved calls that run without their client: each once, with the request as approved.

use super::*;

const REQUEST: &[u8] = b"{\"tool\":\"payments_charge\",\"amount\":5}";

fn with_request(digest: &str, request: &[u8]) -> NewApproval {
    NewApproval {
        request: Some(request.to_vec()),
        ..new(digest, digest, HOUR)
    }
}

fn approved(approvals: &Approvals, new: NewApproval) -> Approval {
    let asked = approvals.request(new).wait().expect("asked").0;
    let decided = approvals.decide(&asked.handle, true, "Ada", None).wait();
    decided.expect("approved")
}

/// The calls that can be run, claimed in the usual way.
fn taken(approvals: &Approvals) -> Vec<(String, Vec<u8>)> {
    let calls = approvals
        .approved(Vec::new())
        .wait()
        .expect("read")
        .into_iter();
    let claimed = calls.filter(|call| {
        let held = approvals.get(&call.handle).wait().expect("read");
        let digest = held.expect("there").digest;
        claimed(approvals, &call.handle, &digest) == Ok(Claim::Run)
    });
    let pair = |call: ApprovedCall| (call.handle, call.request);
    claimed.map(pair).collect()
}

fn is_any(approvals: &Approvals) -> bool {
    !approvals
        .approved(Vec::new())
        .wait()
        .expect("read")
        .is_empty()
}

#[on_both]
fn an_approved_call_is_taken_once_with_its_request() {
    let (folder, approvals) = opened();
    let others = opened_in(&folder);
    // Requests that are not stored, or not approved.
    approved(&approvals, new("without", "w", HOUR));
    let long = vec![b'x'; MOST_SEALED + 1];
    assert!(!approved(&approvals, with_request("long", &long)).runs_alone);
    let waits = approvals.request(with_request("waits", REQUEST)).wait();
    assert!(waits.expect("asked").0.runs_alone);
    assert!(!is_any(&approvals));
    assert_eq!(taken(&approvals), []);
    let whole = vec![b'x'; MOST_SEALED];
    let first = approved(&approvals, with_request("first", REQUEST));
    let second = approved(&others, with_request("second", &whole));
    assert!(is_any(&others));
    assert_eq!(
        taken(&others),
        [
            (first.handle.clone(), REQUEST.to_vec()),
            (second.handle, whole)
        ]
    );
    assert_eq!((taken(&approvals), taken(&others)), (vec![], vec![]));
    assert_eq!(
        claimed(&approvals, &first.handle, "first"),
        Ok(Claim::Running)
    );
    // Given back, it is taken again.
    approvals.release(&first.handle).wait().expect("released");
    assert_eq!(taken(&approvals), [(first.handle, REQUEST.to_vec())]);
}

#[on_both]
fn many_that_are_approved_are_all_taken_each_once() {
    let (folder, approvals) = opened();
    let mut expected: Vec<String> = (0..50)
        .map(|number| approved(&approvals, with_request(&number.to_string(), REQUEST)).handle)
        .collect();
    let found = thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let approvals = opened_in(&folder);
                scope.spawn(move || {
                    let mut found = Vec::new();
                    while is_any(&approvals) {
                        found.extend(taken(&approvals).into_iter().map(|(handle, _)| handle));
                    }
                    found
                })
            })
            .collect();
        let found = takers.into_iter().map(|taker| taker.join().expect("ended"));
        found.collect::<Vec<_>>()
    });
    let mut found = found.concat();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// By its client, or by the server: by whichever comes first.
#[on_both]
fn a_call_that_its_client_claimed_is_not_taken() {
    let (_folder, approvals) = opened();
    let handle = approved(&approvals, with_request("d", REQUEST)).handle;
    assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Run));
    assert_eq!(taken(&approvals), []);
}

#[on_both]
fn a_request_is_removed_when_it_is_no_longer_needed() {
    let ends: &[(&str, &dyn Fn(&TestPlace, &Approvals, &str))] = &[
        ("done", &|_, approvals, handle| {
            taken(approvals);
            approvals.finish(handle, "ok", false).wait().expect("done");
        }),
        ("expired", &|folder, approvals, handle| {
            change(folder, handle, &ago("expires_at", 1));
            assert_eq!(taken(approvals), []);
            assert_eq!(claimed(approvals, handle, "d"), Ok(Claim::Expired));
        }),
    ];
    for (state, act) in ends {
        let (folder, approvals) = opened();
        let handle = approved(&approvals, with_request("d", REQUEST)).handle;
        act(&folder, &approvals, &handle);
        let held = approvals.get(&handle).wait().expect("read").expect("there");
        assert_eq!((held.state.name(), held.runs_alone), (*state, false));
    }
}

#[on_both]
fn an_answer_is_kept_as_far_as_there_is_room() {
    for (outcome, kept) in [
        ("x".repeat(MOST_SEALED), "x".repeat(MOST_SEALED)),
        ("x".repeat(MOST_SEALED + 1), TOO_LONG.to_owned()),
        (String::new(), String::new()),
    ] {
        let (folder, approvals) = opened();
        let handle = approved(&approvals, new("d", "w", HOUR)).handle;
        assert_eq!(claimed(&approvals, &handle, "d"), Ok(Claim::Run));
        let finished = approvals.finish(&handle, &outcome, false).wait();
        finished.expect("finished");
        let done = Claim::Done {
            outcome: kept,
            is_error: false,
        };
        assert_eq!(claimed(&opened_in(&folder), &handle, "d"), Ok(done));
    }
}

/// Its client may still return for it.
#[on_both]
fn a_request_that_cannot_be_opened_holds_up_no_other() {
    let (folder, approvals) = opened();
    let broken = approved(&approvals, with_request("broken", REQUEST)).handle;
    let other = approved(&approvals, with_request("other", REQUEST)).handle;
    change(&folder, &broken, "request = x'0102'");
    assert_eq!(taken(&approvals), [(other, REQUEST.to_vec())]);
    assert!(!is_any(&approvals));
    assert_eq!(claimed(&approvals, &broken, "broken"), Ok(Claim::Run));
}

/// Sealed for one approval, it cannot be used with another.
#[on_both]
fn a_request_opens_for_its_own_approval_only() {
    let (folder, approvals) = opened();
    let first = approved(&approvals, with_request("first", REQUEST)).handle;
    let second = approved(&approvals, new("second", "w", HOUR)).handle;
    let swap = format!("request = (SELECT request FROM approval WHERE id = '{first}')");
    change(&folder, &second, &swap);
    assert_eq!(taken(&approvals), [(first, REQUEST.to_vec())]);
}
