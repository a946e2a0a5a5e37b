//! The figures in words.

use super::*;
use crate::http::pages::tests::pages;

/// The largest possible figures.
pub(in crate::http::pages) fn fullest() -> LiveFigures {
    let call = || CallRow {
        title: "Get the free slots of a calendar",
        location: Some("Acme Dental of a long name & sons".to_owned()),
        who: "Claude Code, for Ada".to_owned(),
        runs_for: Duration::from_millis(1_234),
    };
    let window = || WindowRow {
        name: "Acme Dental of a long name & sons".to_owned(),
        gate: GateStatus {
            used: 99,
            allowed: 100,
            interval: Duration::from_secs(10),
            day_used: 123_456,
            day_allowed: 200_000,
            waiting: 3,
            pause: Some(Duration::from_secs(4)),
            refused: 2,
        },
        is_down: true,
    };
    let minute = |number: u32| MinuteFigures {
        requests: number * 7 % 50,
        calls: number,
        median: Some(Duration::from_millis(number.into())),
        slow: Some(Duration::from_millis(u64::from(number) * 40)),
    };
    let hour = CallMinute {
        worked: 5,
        refused: 2,
        ..CallMinute::default()
    };
    LiveFigures {
        since: Moment("2026-11-29T14:02:00Z".parse().expect("a time")),
        read: "2026-11-29T15:00:10Z".parse().expect("a time"),
        is_down: true,
        calls: (0..MOST_CALLS).map(|_| call()).collect(),
        unlisted_calls: 4,
        windows: (0..MOST_WINDOWS).map(|_| window()).collect(),
        unlisted_windows: 5,
        instances: 3,
        valkey: Some(ValkeyStatus {
            address: "valkey.example:6379".to_owned(),
            is_up: Some(false),
            outages: 2,
        }),
        requests: 1_234,
        limited: 6,
        hour,
        minutes: (0..60).map(minute).collect(),
        callers: (0..MOST_CALLERS)
            .map(|number| {
                (
                    "Claude Code, for Ada".to_owned(),
                    1_000 - u32::try_from(number).expect("few"),
                )
            })
            .collect(),
        unlisted_callers: 3,
    }
}

#[test]
fn figures_are_shown_in_words_too() {
    let brand = &pages().brand;
    let text = fullest().fragment(brand).into_string();
    for part in [
        "Figures of this server since 2026-11-29 14:02 UTC, as of 15:00:10 UTC.",
        "BrightCRM does not answer.",
        "<strong>Get the free slots of a calendar</strong>, for 1.2 s",
        "4 more calls began later.",
        "99 of 100 calls in 10 s",
        "123,456 of 200,000 calls today",
        "BrightCRM asked to wait 4 s more.",
        "3 calls wait for a slot.",
        "The Valkey at valkey.example:6379 does not answer. Until it does, this instance uses 1 part in 3 of each \
         limit.",
        "BrightCRM refused 2 requests as over the limit (429).",
        "<dt>Refused</dt><dd>2 by rules, rights or a pause</dd>",
        "1,234 to BrightCRM, 6 of them refused as over the limit (429)",
        "<dt>Claude Code, for Ada</dt><dd>1,000</dd>",
        "3 other callers called less.",
        "hx-get=\"/console/live/figures\" hx-trigger=\"every 2s\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn the_table_says_when_its_minutes_were() {
    let text = fullest().table().into_string();
    for part in [
        "<th scope=\"row\">14:01</th><td>45</td><td>9 ms</td><td>360 ms</td>",
        "<th scope=\"row\">14:51</th><td>545</td><td>59 ms</td><td>2.4 s</td>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn numbers_are_grouped() {
    for (number, expected) in [
        (0_u64, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), expected);
    }
}

#[test]
fn durations_are_as_people_read_them() {
    fn check(millis: u64, expected: &str) {
        assert_eq!(duration(Duration::from_millis(millis)), expected);
    }
    check(0, "0 ms");
    check(999, "999 ms");
    check(1_000, "1 s");
    check(1_249, "1.2 s");
    check(10_000, "10 s");
    check(119_400, "119 s");
    check(185_000, "3 min");
}
