//! Says in fewer words what rows hold: once what all of them share, and dates to the minute.

use serde_json::{Map, Value};

/// The member of an answer that tells what all rows share.
pub(super) const EVERY_ROW: &str = "every_row";

/// Fewer rows share too much by chance.
const FEWEST_ROWS: usize = 3;

/// Takes out of `rows` the texts and flags that all of them have alike. A row keeps one member at least.
pub(super) fn in_common(rows: &mut [Value]) -> Map<String, Value> {
    let mut shared = Map::new();
    let Some((Value::Object(first), others)) = rows.split_first() else {
        return shared;
    };
    if rows.len() < FEWEST_ROWS {
        return shared;
    }
    for (name, value) in first {
        let is_plain = matches!(value, Value::String(_) | Value::Bool(_) | Value::Number(_));
        if is_plain && others.iter().all(|row| row.get(name) == Some(value)) {
            shared.insert(name.clone(), value.clone());
        }
    }
    if shared.len() == first.len() {
        return Map::new();
    }
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.retain(|name, _| !shared.contains_key(name));
    }
    shared
}

/// Dates that are members of `rows`, to the minute: seconds cost a third of a date and tell nobody anything.
pub(super) fn shorten_dates(rows: &mut [Value]) {
    let members = rows.iter_mut().filter_map(Value::as_object_mut);
    for value in members.flat_map(Map::values_mut) {
        if let Some(shorter) = value.as_str().and_then(to_the_minute) {
            *value = Value::String(shorter);
        }
    }
}

/// `2026-11-25T08:36:38.120Z` as `2026-11-25T08:36Z`; `None` for any other text.
fn to_the_minute(text: &str) -> Option<String> {
    let is_time = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    let minute = text.get(.."2026-11-25T08:36".len())?;
    (is_time && text.parse::<jiff::Timestamp>().is_ok()).then(|| format!("{minute}Z"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_all_rows_share_are_taken_out() {
        fn check(rows: Value, left: Value, shared: Value) {
            let mut rows = rows.as_array().cloned().expect("rows");
            let found = in_common(&mut rows);
            assert_eq!((json!(rows), json!(found)), (left, shared));
        }
        let row = |id: u8, currency: &str| json!({"id": id, "currency": currency, "tags": []});
        check(
            json!([row(1, "USD"), row(2, "USD"), row(3, "USD")]),
            json!([{"id": 1, "tags": []}, {"id": 2, "tags": []}, {"id": 3, "tags": []}]),
            json!({"currency": "USD"}),
        );
        for alone in [
            json!([]),
            json!([row(1, "USD"), row(2, "USD")]),
            json!([row(1, "USD"), row(2, "EUR"), row(3, "USD")]),
            json!([{"a": 1}, {"a": 1}, {"a": 1}]),
            json!([{"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 3}]),
            json!([1, 1, 1]),
        ] {
            check(alone.clone(), alone, json!({}));
        }
    }

    #[test]
    fn dates_lose_seconds_and_nothing_else_does() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(to_the_minute(text).as_deref(), expected, "{text}");
        }
        check("2026-11-25T08:36:38.120Z", Some("2026-11-25T08:36Z"));
        check("2026-11-25T08:36:38Z", Some("2026-11-25T08:36Z"));
        check("2026-11-25T08:36:38.12+01:00", None);
        check("2026-11-25X08:36:38.120Z", None);
        check("version 1.2Z", None);
        check("ÄÖÜ-11-25T08:36:.1Z", None);
    }
}
