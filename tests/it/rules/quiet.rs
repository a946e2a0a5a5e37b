//! Quiet hours across clock changes, in rows of one moment each.

use jiff::Timestamp;

use super::{parse, tool};
use tool::Arguments;

/// The result for a send at `now`: empty, or the time when it may come back (`never` if that is unknown).
fn check(rules: &str, now: &str, expected: &str) {
    let policy = parse(rules).expect(rules);
    let over = policy.over(Some("acme"), None);
    let time: Timestamp = now.parse().expect(now);
    let send = tool("conversations_send-a-new-message");
    let found = match over.permits(send, &Arguments::default(), || time) {
        Ok(()) => String::new(),
        Err(denied) => match denied.retry_after {
            Some(after) => {
                let end = time + after;
                let passes = over.permits(send, &Arguments::default(), || end);
                assert_eq!(passes, Ok(()), "{rules}: {now}, then {end}");
                end.to_string()
            }
            None => "never".to_owned(),
        },
    };
    assert_eq!(found, expected, "{rules}: {now}");
    let read = tool("contacts_get-contacts");
    let passes = over.permits(read, &Arguments::default(), || time);
    assert_eq!(passes, Ok(()), "{rules}");
}

#[test]
fn hours_hold_from_the_first_to_before_the_second() {
    let night = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"Europe/Berlin\" }";
    check(night, "2026-11-25T18:59:59.999Z", "");
    check(night, "2026-11-25T19:00:00Z", "2026-11-26T07:00:00Z");
    check(night, "2026-11-26T00:30:00Z", "2026-11-26T07:00:00Z");
    check(night, "2026-11-26T06:59:59.5Z", "2026-11-26T07:00:00Z");
    check(night, "2026-11-26T07:00:00Z", "");
    let noon = "[locations.acme]\nquiet = { from = \"12:00\", to = \"13:30\", zone = \"UTC\" }";
    check(noon, "2026-11-25T11:59:59Z", "");
    check(noon, "2026-11-25T12:00:00Z", "2026-11-25T13:30:00Z");
    check(noon, "2026-11-25T13:30:00Z", "");
    check(noon, "2026-11-25T00:00:00Z", "");
    let evening = "[server]\nquiet = { from = \"20:00\", to = \"00:00\", zone = \"UTC\" }";
    check(evening, "2026-11-25T23:59:59Z", "2026-11-26T00:00:00Z");
    check(evening, "2026-11-26T00:00:00Z", "");
    check(evening, "2026-11-25T19:59:59Z", "");
    let elsewhere =
        "[locations.other]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"UTC\" }";
    check(elsewhere, "2026-11-25T23:00:00Z", "");
}

#[test]
fn clocks_that_are_put_forward_and_back_are_followed() {
    let night = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"Europe/Berlin\" }";
    check(night, "2026-03-28T19:00:00Z", "2026-03-29T06:00:00Z");
    check(night, "2026-10-24T18:00:00Z", "2026-10-25T07:00:00Z");
    // 02:30 does not exist on 29 March: the clock goes from 02:00 to 03:00, and the quiet hours are over.
    let early = "[server]\nquiet = { from = \"20:00\", to = \"02:30\", zone = \"Europe/Berlin\" }";
    check(early, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z");
    check(early, "2026-03-29T01:00:00Z", "");
    // 02:00 to 03:00 occurs twice on 25 October, each time by the clock.
    check(early, "2026-10-25T00:15:00Z", "2026-10-25T00:30:00Z");
    check(early, "2026-10-25T00:45:00Z", "");
    check(early, "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z");
    check(early, "2026-10-25T01:30:00Z", "");
    // In Egypt midnight itself does not exist.
    let cairo = "[server]\nquiet = { days = [\"thu\"], zone = \"Africa/Cairo\" }";
    check(cairo, "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z");
    let cairo = "[server]\nquiet = { from = \"20:00\", to = \"00:00\", zone = \"Africa/Cairo\" }";
    check(cairo, "2026-04-23T19:00:00Z", "2026-04-23T22:00:00Z");
}

#[test]
fn whole_days_and_the_hours_of_all_sections_come_together() {
    let weekend = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", days = [\"sat\", \"sun\"], zone = \"Europe/Berlin\" }";
    check(weekend, "2026-11-27T18:59:00Z", "");
    check(weekend, "2026-11-27T19:00:00Z", "2026-11-30T07:00:00Z");
    check(weekend, "2026-11-28T11:00:00Z", "2026-11-30T07:00:00Z");
    let days = "[server]\nquiet = { days = [\"sat\", \"sun\"], zone = \"Europe/Berlin\" }";
    check(days, "2026-11-27T22:59:59Z", "");
    check(days, "2026-11-27T23:00:00Z", "2026-11-29T23:00:00Z");
    let two = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"UTC\" }\n\
        [locations.acme]\nquiet = { from = \"07:00\", to = \"09:30\", zone = \"UTC\" }";
    check(two, "2026-11-25T22:00:00Z", "2026-11-26T09:30:00Z");
    check(two, "2026-11-26T09:30:00Z", "");
    let always = "[server]\nquiet = { from = \"20:00\", to = \"08:00\", zone = \"UTC\" }\n\
        [locations.acme]\nquiet = { from = \"08:00\", to = \"20:00\", zone = \"UTC\" }";
    check(always, "2026-11-25T22:00:00Z", "never");
}
