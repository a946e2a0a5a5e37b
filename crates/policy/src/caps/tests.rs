//! The name that a call counts under, the time, and the denial if no place is free.

use super::*;

fn cap(place: &str, window: CapWindow, most: u32) -> Cap {
    Cap::new(place, Class::Send, window, most)
}

#[test]
fn a_call_counts_at_the_end_of_its_step() {
    for (window, second, expected) in [
        (CapWindow::Hour, 0, 1),
        (CapWindow::Hour, 59, 60),
        (CapWindow::Day, 0, 24),
        (CapWindow::Day, 23, 24),
        (CapWindow::Day, 24, 48),
        (CapWindow::Day, -1, 0),
    ] {
        let now = Timestamp::from_second(second).expect("a time");
        assert_eq!(window.moment(now), expected, "{window:?} {second}");
    }
}

#[test]
fn a_rule_keeps_its_count_when_its_number_changes_and_shares_it_with_none() {
    let [hour, day] = [CapWindow::Hour, CapWindow::Day];
    let bucket = |cap: &Cap| cap.bucket("location:a");
    let first = cap("[server]", hour, 3);
    assert_eq!(bucket(&first), bucket(&cap("[server]", hour, 4)));
    assert_ne!(first.bucket("location:a"), first.bucket("location:b"));
    for other in [
        cap("[server]", day, 3),
        cap("[policies.front-desk]", hour, 3),
        Cap::new("[server]", Class::Money, hour, 3),
        Cap::by_setting(3),
    ] {
        assert_ne!(bucket(&first), bucket(&other), "{}", other.rule);
    }
}

#[test]
fn a_refusal_names_the_cap_and_whose_it_is() {
    for (under, most, part) in [
        ("location:a", 3, "for this location in any hour are used up"),
        ("token:a", 3, "for this token in any hour are used up"),
        ("caller:a", 3, "for this connection in any hour are used up"),
        ("location:a", 0, "No calls of the class send are allowed"),
    ] {
        let denied = cap("[server]", CapWindow::Hour, most).used_up(under, None);
        assert!(denied.what.contains(part), "{denied}");
        assert!(denied.rule.contains("caps send"), "{denied}");
    }
}
