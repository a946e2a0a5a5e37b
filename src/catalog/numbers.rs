//! Numbers in JSON text whose digits no value of this program holds, so that none is lost in silence.

use std::borrow::Cow;
use std::fmt;

use super::decoding::end_of_string;

/// So many digits a 64-bit float holds whatever they are.
const ALWAYS_KEPT: usize = 15;

/// Stands before the text of such a number once it is a string; a private code point, which no text of people has.
const MARK: char = '\u{f8f1}';

/// Most characters of one that are shown.
const LONGEST_SHOWN: usize = 40;

/// A number as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InexactNumber<'a>(&'a str);

impl fmt::Display for InexactNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..LONGEST_SHOWN) {
            Some(start) => write!(f, "{start}…"),
            None => f.write_str(self.0),
        }
    }
}

/// The first number in `json` that a reader of it would change.
pub(crate) fn inexact_number(json: &[u8]) -> Option<InexactNumber<'_>> {
    let mut from = 0;
    while let Some((start, end)) = next_number(json, from) {
        let text = std::str::from_utf8(json.get(start..end)?).ok()?;
        if !is_kept(text) {
            return Some(InexactNumber(text));
        }
        from = end;
    }
    None
}

/// `json` with every such number as a string that says what it is: whoever checks the values refuses it in words.
pub(crate) fn mark_inexact_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let (mut marked, mut copied, mut from) = (Vec::new(), 0, 0);
    while let Some((start, end)) = next_number(json, from) {
        from = end;
        let text = json.get(start..end).map(std::str::from_utf8);
        let Some(Ok(text)) = text else {
            continue;
        };
        if !is_kept(text) {
            marked.extend_from_slice(json.get(copied..start).unwrap_or_default());
            marked.extend_from_slice(format!("\"{MARK}{text}\"").as_bytes());
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    marked.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(marked)
}

/// The number that a marked string stands for.
pub(crate) fn marked_number(text: &str) -> Option<InexactNumber<'_>> {
    text.strip_prefix(MARK).map(InexactNumber)
}

/// Where the next number begins and ends.
fn next_number(json: &[u8], mut index: usize) -> Option<(usize, usize)> {
    loop {
        match json.get(index)? {
            b'"' => index = end_of_string(json, index),
            b'-' | b'0'..=b'9' => break,
            _ => index += 1,
        }
    }
    let belongs = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let length = json
        .get(index..)?
        .iter()
        .take_while(|byte| belongs(byte))
        .count();
    Some((index, index + length))
}

/// Whether the number comes out as it was written, zeros at its end aside.
fn is_kept(text: &str) -> bool {
    let is_plain = text.len() <= ALWAYS_KEPT && !text.contains(['e', 'E']);
    if is_plain || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(number) = text.parse::<f64>() else {
        // No number at all, which the parser of the whole says.
        return true;
    };
    number.is_finite() && digits(text) == digits(&format!("{number:e}"))
}

/// Sign, digits without zeros around them, and the power of ten of the first digit.
fn digits(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (text, 0_i64),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let zeros = i64::try_from(all.len() - significant.len()).ok()?;
    let first = i64::try_from(whole.len()).ok()? - zeros;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some((is_negative, String::new(), 0));
    }
    Some((
        is_negative,
        significant.to_owned(),
        first.checked_add(exponent)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_lose_digits_are_found() {
        #[track_caller]
        fn check(json: &str, expected: Option<&str>) {
            let found = inexact_number(json.as_bytes());
            assert_eq!(found, expected.map(InexactNumber), "{json}");
            let marked = mark_inexact_numbers(json.as_bytes());
            assert_eq!(
                matches!(marked, Cow::Owned(_)),
                expected.is_some(),
                "{json}"
            );
            let marked = std::str::from_utf8(&marked).expect("UTF-8");
            if let Some(number) = expected {
                assert_eq!(marked, json.replace(number, &format!("\"{MARK}{number}\"")));
            }
        }
        for kept in [
            "0",
            "-0",
            "-0.0",
            "1.50",
            "100",
            "0.1",
            "1e3",
            "1E+3",
            "12.340e-5",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "1e308",
            "0e-400",
            "123456789012345600000",
            r#""12345678901234567890123""#,
            "1796083200000",
        ] {
            check(&format!(r#"{{"a":{kept},"b":[{kept}]}}"#), None);
        }
        for lost in [
            "12345678901234567890123",
            "0.1234567890123456789",
            "1e-400",
            "9007199254740993.5",
            "3.141592653589793238",
            "18446744073709551617",
        ] {
            check(&format!(r#"{{"a":{lost},"b":"{}"}}"#, "x"), Some(lost));
        }
        // Texts that look like numbers are nobody's business.
        check(r#"{"1e-400":"1e-400 \" 1e-400"}"#, None);
        assert_eq!(
            marked_number("\u{f8f1}1e-400"),
            Some(InexactNumber("1e-400"))
        );
        assert_eq!(marked_number("1e-400"), None);
    }
}
