//! The limits on waiting and stored approvals of one caller, of one location and in total.

use super::*;

/// Copies of the approval of this handle, each of a separate caller.
fn copies(folder: &TestPlace, handle: &str, count: i64, state: &str) {
    let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        INSERT INTO approval SELECT 'apr_0000' || (1000000000 + i), i, i, tool, effect, i, alias, '{state}', created_at,
            expires_at, decided_at, decided_by, claimed_at, is_error, note, locations, shown, request, outcome,
            holder_decides
        FROM approval, n WHERE id = '{handle}'";
    let insert = insert.replace("{count}", &count.to_string());
    for_tests::sql(
        folder,
        &insert.replace("{state}", state).replace("{handle}", handle),
    );
}

#[on_both]
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
    // Each client has few, but together they could have many.
    let handle = request(&approvals, "d", "x", HOUR).handle;
    let waiting = for_tests::number(&folder, "SELECT COUNT(*) AS n FROM approval");
    copies(&folder, &handle, MOST_WAITING - waiting, "pending");
    let error = asked(&approvals, "last", "last", HOUR).expect_err("too many");
    assert!(error.to_string().contains("1000 calls wait"), "{error}");
}

#[on_both]
fn decided_approvals_make_room_and_running_ones_stay() {
    let (folder, approvals) = opened();
    let first = request(&approvals, "first", "w", HOUR).handle;
    let running = all(&["state = 'running'", &ago("created_at", 3)]);
    change(&folder, &first, &running);
    copies(&folder, &first, MOST_KEPT + 50, "denied");
    request(&approvals, "d", "w", HOUR);
    let kept = approvals.list().wait().expect("listed");
    assert_eq!(i64::try_from(kept.len()), Ok(MOST_KEPT));
    assert!(
        kept.iter().any(|one| one.handle == first),
        "what is running stays"
    );
}

/// A repeat of a finished call gets its result, whatever others request.
#[on_both]
fn done_approvals_are_never_pushed_out() {
    let (folder, approvals) = opened();
    let first = request(&approvals, "first", "w", HOUR).handle;
    change(&folder, &first, "state = 'done'");
    for (count, asks) in [(MOST_KEPT + 50, true), (MOST_DONE, false)] {
        sql_delete_copies(&folder);
        copies(&folder, &first, count, "done");
        assert_eq!(asked(&approvals, "d", "w", HOUR).is_ok(), asks, "{count}");
        let kept = for_tests::number(
            &folder,
            "SELECT COUNT(*) AS n FROM approval WHERE state = 'done'",
        );
        assert_eq!(kept, count + 1);
    }
}

fn sql_delete_copies(folder: &TestPlace) {
    for_tests::sql(folder, "DELETE FROM approval WHERE id LIKE 'apr_0000%'");
    for_tests::sql(folder, "DELETE FROM approval WHERE digest = 'd'");
}

#[on_both]
fn many_callers_of_one_location_have_its_share_alone() {
    let (_folder, approvals) = opened();
    let approvals = approvals.with_most_pending(2);
    let ask = |caller: usize, location: &str| {
        let digest = format!("{caller} {location}");
        let question = NewApproval {
            location: Some(location.to_owned()),
            ..new(&digest, &caller.to_string(), HOUR)
        };
        approvals.request(question).wait()
    };
    let taken = (0..50).filter(|caller| ask(*caller, "L1").is_ok()).count();
    assert_eq!(i64::try_from(taken), Ok(2 * MOST_CALLERS_OF_LOCATION));
    let error = ask(60, "L1").expect_err("full").to_string();
    assert!(error.contains("of this location wait"), "{error}");
    ask(60, "L2").expect("another location");
}
