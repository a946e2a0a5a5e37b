//! How texts and numbers are parsed, whatever their zone.

use serde_json::{Value, json};

use super::super::given::{DateFault, GivenKind, read};

fn shown(value: Value) -> String {
    match read(&value) {
        None => "nothing".to_owned(),
        Some(Err(DateFault::Form)) => "form".to_owned(),
        Some(Err(DateFault::Meaning(what))) => what,
        Some(Ok(given)) => {
            let zone = given.zone.map_or_else(String::new, |zone| {
                format!(" {}", zone.iana_name().unwrap_or("offset"))
            });
            match given.kind {
                GivenKind::Moment { at, day, rfc3339 } => {
                    let day = day.map_or("-".to_owned(), |day| day.to_string());
                    format!("{at} {day} {}{zone}", rfc3339.unwrap_or_default())
                }
                GivenKind::Local(time) => format!("{time}{zone}"),
                GivenKind::Day(day) => format!("{day}{zone}"),
            }
        }
    }
}

#[test]
fn texts_and_numbers_are_read_or_refused() {
    for (given, expected) in [
        (
            json!("2026-12-01T12:30:00Z"),
            "2026-12-01T12:30:00Z - 2026-12-01T12:30:00Z",
        ),
        (
            json!("2026-12-01t12:30:00z"),
            "2026-12-01T12:30:00Z - 2026-12-01T12:30:00Z",
        ),
        (
            json!("2026-12-01 12:30:00-08:00"),
            "2026-12-01T20:30:00Z 2026-12-01 2026-12-01T12:30:00-08:00",
        ),
        (
            json!(" 2026-12-01T12:30:00.120+05:30 "),
            "2026-12-01T07:00:00.12Z 2026-12-01 2026-12-01T12:30:00.120+05:30",
        ),
        (
            json!("2026-12-01T00:00:00.000Z"),
            "2026-12-01T00:00:00Z 2026-12-01 2026-12-01T00:00:00.000Z",
        ),
        // ISO 8601 but not RFC 3339: it is rewritten.
        (json!("2026-12-01T12:30Z"), "2026-12-01T12:30:00Z - "),
        (json!("20261201T123000Z"), "2026-12-01T12:30:00Z - "),
        (json!("2026-12-01T12:30:00"), "2026-12-01T12:30:00"),
        (json!("2026-12-01 12:30"), "2026-12-01T12:30:00"),
        (
            json!("2026-12-01T12:30:00[America/Los_Angeles]"),
            "2026-12-01T12:30:00 America/Los_Angeles",
        ),
        (
            json!("2026-12-01T12:30:00[america/los_angeles]"),
            "2026-12-01T12:30:00 America/Los_Angeles",
        ),
        (
            json!("2026-12-01T12:30:00-08:00[America/Los_Angeles]"),
            "2026-12-01T20:30:00Z 2026-12-01 2026-12-01T12:30:00-08:00 America/Los_Angeles",
        ),
        (
            json!("2026-12-02T05:00:00Z[America/Los_Angeles]"),
            "2026-12-02T05:00:00Z 2026-12-01 2026-12-02T05:00:00Z America/Los_Angeles",
        ),
        (
            json!("2026-12-01T12:30:00-05:00[America/Los_Angeles]"),
            "says -05:00 and names a time zone that is at -08:00 then; give one of them",
        ),
        (
            json!("2026-12-01T12:30:00[Mars/Base]"),
            "names the time zone \"Mars/Base\", which is not known; give an IANA name such as America/Los_Angeles",
        ),
        (json!("2026-12-01"), "2026-12-01"),
        (json!("2026-12-01[Asia/Tokyo]"), "2026-12-01 Asia/Tokyo"),
        (json!("12-01-2026"), "2026-12-01"),
        (json!("2026-12-01 12:30 AM"), "2026-12-01T00:30:00"),
        (json!("2026-12-01 01:30 pm"), "2026-12-01T13:30:00"),
        (json!("13-01-2026"), "form"),
        (json!("2026-02-30"), "form"),
        (json!("12/01/2026"), "form"),
        (json!("tomorrow"), "form"),
        (json!(""), "form"),
        (json!(true), "nothing"),
        (json!(["2026-12-01"]), "nothing"),
    ] {
        assert_eq!(shown(given.clone()), expected, "{given}");
    }
}

#[test]
fn epochs_are_told_apart_by_size() {
    for (given, expected) in [
        (json!(1_796_083_200), Some("2026-12-01T00:00:00Z")),
        (json!("1796083200"), Some("2026-12-01T00:00:00Z")),
        (json!(1_796_083_200_000_i64), Some("2026-12-01T00:00:00Z")),
        (json!("1796083200250"), Some("2026-12-01T00:00:00.25Z")),
        (
            json!(1_796_083_200_000_001_i64),
            Some("2026-12-01T00:00:00.000001Z"),
        ),
        (
            json!(1_796_083_200_000_000_001_i64),
            Some("2026-12-01T00:00:00.000000001Z"),
        ),
        (json!(1_796_083_200.5), Some("2026-12-01T00:00:00.5Z")),
        (json!(1_796_083_200_000.0), Some("2026-12-01T00:00:00Z")),
        (json!(315_532_800), Some("1980-01-01T00:00:00Z")),
        (json!(315_532_800_000_i64), Some("1980-01-01T00:00:00Z")),
        (json!(0), Some("1970-01-01T00:00:00Z")),
        (json!(9_999_999_999_i64), Some("2286-11-20T17:46:39Z")),
        (json!(10_000_000_000_i64), None),
        (json!(315_532_799), None),
        (json!(-1_796_083_200), None),
        (json!(5), None),
        (json!(20_261_201), None),
        (json!("202612011230"), None),
        (json!("20261201123000"), None),
        (json!("99999999999999999999"), None),
        (json!("1796083200."), None),
        (json!("1e9"), None),
    ] {
        let read = read(&given).expect("a text or a number");
        let at = read.ok().and_then(|given| match given.kind {
            GivenKind::Moment { at, .. } => Some(at.to_string()),
            _ => None,
        });
        assert_eq!(at.as_deref(), expected, "{given}");
    }
}
