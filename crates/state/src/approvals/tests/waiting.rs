//! What waits for a person.

use super::*;

#[on_both]
fn only_undecided_calls_that_have_not_expired_wait() {
    let (folder, approvals) = opened();
    let first = request(&approvals, "a", "key:x", HOUR);
    let denied = request(&approvals, "b", "key:x", HOUR);
    let late = request(&approvals, "c", "key:x", HOUR);
    let last = request(&approvals, "d", "key:x", HOUR);
    let said_no = approvals.decide(&denied.handle, false, "ada", None);
    said_no.wait().expect("denied");
    change(&folder, &first.handle, &ago("created_at", 1));
    change(&folder, &late.handle, &ago("expires_at", 1));
    let waiting = approvals.waiting().wait().expect("read");
    let handles = waiting.iter().map(|approval| &approval.handle);
    let handles: Vec<_> = handles.collect();
    assert_eq!(handles, [&first.handle, &last.handle]);
}
