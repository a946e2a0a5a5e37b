//! Scans JSON as text: finds the end of a string, counts values before a tree of them is built, and repairs JSON that
//! parsers refuse.

use std::fmt::Write;

use memchr::memchr2;
use serde::de::DeserializeOwned;

/// Values that one request, or one text inside it, may have: a hundred items of two hundred fields each. Every later
/// layer builds a tree of them; a hundred thousand took 32 to 57 ms of a core.
pub(crate) const MOST_VALUES: usize = 20_000;

/// Whether `json` has more values than are allowed.
pub(crate) fn is_too_much(json: &[u8]) -> bool {
    // A value takes at least two bytes: itself and a separator.
    json.len() >= 2 * MOST_VALUES && count_values(json) > MOST_VALUES
}

/// The number of values in `json`, itself included. For limits on the sum over several texts of one request.
pub(crate) fn count_values(json: &[u8]) -> usize {
    let (mut values, mut index) = (1, 0);
    while let Some(byte) = json.get(index) {
        match byte {
            b'"' => index = end_of_string(json, index),
            b',' | b'[' | b'{' => {
                values += 1;
                index += 1;
            }
            _ => index += 1,
        }
    }
    values
}

/// The index after the string that opens at `open`.
pub(crate) fn end_of_string(bytes: &[u8], open: usize) -> usize {
    walk_string(bytes, open, |_| ())
}

/// The index after the string that opens at `open`. Calls `lone_surrogate` with the index of each.
#[inline]
pub(crate) fn walk_string(
    bytes: &[u8],
    open: usize,
    mut lone_surrogate: impl FnMut(usize),
) -> usize {
    let mut index = open + 1;
    while let Some(found) = bytes
        .get(index..)
        .and_then(|rest| memchr2(b'"', b'\\', rest))
    {
        index += found;
        if bytes[index] == b'"' {
            return index + 1;
        }
        let (length, is_lone) = escape(bytes, index);
        if is_lone {
            lone_surrogate(index);
        }
        index += length;
    }
    bytes.len()
}

/// Replaces the escape of a lone surrogate; it has the same length.
pub(crate) const REPLACEMENT: &str = "\\ufffd";

/// The number of bytes of the escape at `at`, with a pair of surrogates as one, and whether it is a lone surrogate.
fn escape(bytes: &[u8], at: usize) -> (usize, bool) {
    if bytes.get(at + 1) != Some(&b'u') {
        return (2, false);
    }
    let unit = |at: usize| {
        let digits = std::str::from_utf8(bytes.get(at..at + 6)?.strip_prefix(b"\\u")?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(at), unit(at + 6)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, false),
        (Some(0xd800..=0xdfff), _) => (6, true),
        _ => (2, false),
    }
}

/// Parses HighLevel's JSON. If that fails, parses a repaired copy.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(json)
        .or_else(|error| serde_json::from_str(&repaired(json)).map_err(|_| error))
}

/// `json` without faults of programs that write JSON by hand or cut texts by JavaScript's `slice`: bytes that are not
/// UTF-8 and lone surrogates become U+FFFD, control characters inside strings are escaped, and a byte order mark is
/// removed.
pub(crate) fn repaired(json: &[u8]) -> String {
    let text = String::from_utf8_lossy(json);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut kept, mut index) = (0, 0);
    let mut is_inside = false;
    while let Some(byte) = bytes.get(index) {
        let mut length = 1;
        match byte {
            b'"' => is_inside = !is_inside,
            b'\\' if is_inside => {
                let is_lone;
                (length, is_lone) = escape(bytes, index);
                if is_lone {
                    out.push_str(text.get(kept..index).unwrap_or_default());
                    out.push_str(REPLACEMENT);
                    kept = index + length;
                }
            }
            control @ 0..=0x1f if is_inside => {
                out.push_str(text.get(kept..index).unwrap_or_default());
                let _ = write!(out, "\\u{control:04x}");
                kept = index + 1;
            }
            _ => {}
        }
        index += length;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_that_parsers_refuse_is_read() {
        fn check(written: &[u8], expected: Value) {
            let read = from_json::<Value>(written).map_err(|error| error.to_string());
            assert_eq!(read, Ok(expected), "{}", String::from_utf8_lossy(written));
        }
        check(
            br#"{"a":"hi \ud83d","b":3}"#,
            json!({"a": "hi \u{fffd}", "b": 3}),
        );
        check(br#""\uD83D\uDE00""#, json!("\u{1f600}"));
        check(br#""\ud83d\ud83d\ude00""#, json!("\u{fffd}\u{1f600}"));
        check(br#""\ude00\ud83d""#, json!("\u{fffd}\u{fffd}"));
        check(br#""\\ud83d""#, json!("\\ud83d"));
        check(
            br#"{"\udfff":"\u00e9\ud800x"}"#,
            json!({"\u{fffd}": "\u{e9}\u{fffd}x"}),
        );
        check(
            b"{\"a\":\n\"one\ntwo\tthree\"}",
            json!({"a": "one\ntwo\tthree"}),
        );
        check(
            b"[\"\xff\xfe\",\"\xed\xa0\x80\"]",
            json!(["\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}"]),
        );
        check(b"\xef\xbb\xbf{}", json!({}));
        for broken in [&b"{"[..], b"\"\\ud83", b"nope", b"<html>", b"", b"\"a\\"] {
            assert!(from_json::<Value>(broken).is_err());
        }
    }

    proptest! {
        #[test]
        fn json_that_parsers_accept_is_unchanged(text in ".*", units in prop::collection::vec(any::<u16>(), 0..8)) {
            let clean = json!([text, "\u{1f600}"]).to_string();
            prop_assert_eq!(&repaired(clean.as_bytes()), &clean);
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let read = from_json::<String>(format!("\"{escapes}\"").as_bytes());
            prop_assert_eq!(read.ok(), Some(String::from_utf16_lossy(&units)));
        }
    }

    #[test]
    fn values_are_counted_and_brackets_in_strings_are_not() {
        fn check(item: &str, times: usize, expected: usize) {
            let list = format!("[{}]", vec![item; times].join(","));
            assert_eq!(is_too_much(list.as_bytes()), expected > MOST_VALUES);
            assert_eq!(count_values(list.as_bytes()), expected, "{item} × {times}");
        }
        check("1", 2, 3);
        check("1", 3 * MOST_VALUES, 3 * MOST_VALUES + 1);
        check(r#""a,b[\"{,\\""#, MOST_VALUES, MOST_VALUES + 1);
        check(r#"{"k":[]}"#, MOST_VALUES, 3 * MOST_VALUES + 1);
    }
}
