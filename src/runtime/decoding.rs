//! How many values JSON may hold: counted before anything builds a tree of them, of requests and of JSON inside a text.

use memchr::memchr2;

/// Values that one request, or one text inside it, may hold: a hundred items of two hundred fields each. Every layer
/// behind builds a tree of them; a hundred thousand took 32 to 57 ms of a core.
pub const MOST_VALUES: usize = 20_000;

/// Whether `json` holds more values than are allowed.
pub fn is_too_much(json: &[u8]) -> bool {
    // A value takes two bytes at least, itself and what parts it from the next.
    json.len() >= 2 * MOST_VALUES && count_values(json) > MOST_VALUES
}

/// Fails, in words that follow the name of an argument, where the JSON in `text` holds more values than are allowed.
pub fn check_size(text: &str) -> Result<(), String> {
    match is_too_much(text.as_bytes()) {
        true => Err(format!("holds more than {MOST_VALUES} values; give fewer")),
        false => Ok(()),
    }
}

/// How many values `json` holds, itself and those inside it; for several texts of one request, whose sum is limited.
pub fn count_values(json: &[u8]) -> usize {
    let (mut values, mut rest) = (1, json);
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b',' | b'[' | b'{' => values += 1,
            b'"' => rest = after_string(rest),
            _ => {}
        }
    }
    values
}

/// What follows the string that `rest` is within.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let escapes = rest.get(at) == Some(&b'\\');
        rest = rest
            .get(at + 1 + usize::from(escapes)..)
            .unwrap_or_default();
        if !escapes {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_not_what_strings_hold() {
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
