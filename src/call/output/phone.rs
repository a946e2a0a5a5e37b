//! Phone numbers, which are the same however they are written.

/// Whether a field holds phone numbers, by the last part of its name.
pub(super) fn is_phone(field: &str) -> bool {
    let name = field.rsplit('.').next().unwrap_or_default();
    name.to_lowercase().contains("phone")
}

/// A phone number as its digits, without what is written for abroad or, in North America, may be left out. `None`: the
/// text has no digit, or has letters.
pub(super) fn dialled(text: &str) -> Option<String> {
    if text.chars().any(char::is_alphabetic) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix("00").unwrap_or(&digits);
    let area = national.strip_prefix('1').filter(|rest| rest.len() == 10);
    let dialled = area.unwrap_or(national);
    (!dialled.is_empty()).then(|| dialled.to_owned())
}
