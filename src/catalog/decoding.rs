//! Looks at JSON as text: where a string ends, and how many values there are, before anything builds a tree of them.

use memchr::memchr2;

/// Values that one request, or one text inside it, may hold: a hundred items of two hundred fields each. Every layer
/// behind builds a tree of them; a hundred thousand took 32 to 57 ms of a core.
pub(crate) const MOST_VALUES: usize = 20_000;

/// Whether `json` holds more values than are allowed.
pub(crate) fn is_too_much(json: &[u8]) -> bool {
    // A value takes two bytes at least, itself and what parts it from the next.
    json.len() >= 2 * MOST_VALUES && count_values(json) > MOST_VALUES
}

/// Fails, in words that follow the name of an argument, where the JSON in `text` holds more values than are allowed.
pub(crate) fn check_size(text: &str) -> Result<(), String> {
    match is_too_much(text.as_bytes()) {
        true => Err(format!("holds more than {MOST_VALUES} values; give fewer")),
        false => Ok(()),
    }
}

/// How many values `json` holds, itself and those inside it; for several texts of one request, whose sum is limited.
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

/// The place after the string that opens at `open`.
pub(crate) fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let mut index = open + 1;
    while let Some(found) = bytes
        .get(index..)
        .and_then(|rest| memchr2(b'"', b'\\', rest))
    {
        index += found;
        if bytes[index] == b'"' {
            return index + 1;
        }
        index += 2;
    }
    bytes.len()
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
