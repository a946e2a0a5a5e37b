//! Phone numbers, which are the same however they are written.

use super::path::last_step;

/// Marks of an extension, in small letters.
const EXTENSIONS: [&str; 4] = ["ext", "x", "#", ";"];

/// Whether a field holds phone numbers, by the last part of its name.
pub(super) fn is_phone(field: &str) -> bool {
    last_step(field).to_lowercase().contains("phone")
}

/// A phone number as its digits, without what is written for abroad or, in North America, may be left out, and without an
/// extension. `None`: the text has no digit, or has other letters.
pub(super) fn dialled(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("tel:").unwrap_or(&text);
    let end = EXTENSIONS.iter().filter_map(|mark| text.find(mark)).min();
    let text = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    if text.chars().any(char::is_alphabetic) {
        return None;
    }
    // A zero in brackets is dialled within the country only.
    let text = match text.starts_with('+') || text.starts_with("00") {
        true => text.replace("(0)", ""),
        false => text.to_owned(),
    };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix("00").unwrap_or(&digits);
    let area = national.strip_prefix('1').filter(|rest| rest.len() == 10);
    let dialled = area.unwrap_or(national);
    (!dialled.is_empty()).then(|| dialled.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for (text, expected) in [
            ("+1 (503) 555-0199", Some("5035550199")),
            ("503.555.0199", Some("5035550199")),
            ("tel:+1-503-555-0199", Some("5035550199")),
            ("503-555-0199 ext. 5", Some("5035550199")),
            ("503-555-0199 x5", Some("5035550199")),
            ("+49 (0)171 2345678", Some("491712345678")),
            ("0049 171 2345678", Some("491712345678")),
            ("(0171) 2345678", Some("01712345678")),
            ("CALL-ME", None),
            ("n/a", None),
            ("", None),
        ] {
            assert_eq!(dialled(text).as_deref(), expected, "{text}");
        }
    }
}
