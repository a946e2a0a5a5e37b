//! Replaces secrets in HighLevel's answers: whoever reads an answer can act no further than by these tools.
//!
//! Works on the text, as `tools::shape` does: every other byte stays as it came.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// What stands in place of a secret.
pub const MASK: &str = "[a secret]";

/// Ends of the names, in lower case without `_` and `-`, whose values let their holder act. Tokens of every kind:
/// answers that nobody documents hold more kinds than the documents name.
const ENDINGS: [&str; 8] = [
    "apikey",
    "authenticationvalue",
    "passphrase",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "token",
];

/// Names that are secrets only as they stand; as an end, people name fields of their own so.
const WHOLE: [&str; 3] = ["authorization", "jwt", "pwd"];

/// Tokens that lead to the next page and let nobody act.
const PAGES: [&str; 5] = [
    "continuationtoken",
    "nexttoken",
    "pagetoken",
    "prevtoken",
    "synctoken",
];

/// Parts of the names of HTTP headers that carry credentials.
const HEADERS: [&str; 7] = [
    "auth",
    "cookie",
    "key",
    "password",
    "secret",
    "signature",
    "token",
];

/// Longer names are of people's own making; none of HighLevel's has 64 bytes.
const LONGEST_NAME: usize = 64;

/// `text` with `"[a secret]"` for every string or number whose member's name is that of a secret, in a list of
/// them too, and for the value of every HTTP header that carries a credential
/// (`"headers": [{"key": …, "value": …}]`). What is no JSON stays as it is.
pub fn mask_secrets(text: String) -> String {
    let bytes = text.as_bytes();
    let mut secrets = Vec::new();
    let mut index = 0;
    while let Some(open) = next(bytes, index, b'"') {
        index = end_of_string(bytes, open);
        let Some(value) = start_of_value(bytes, index) else {
            continue;
        };
        let name = string(&text, open, index);
        if is_secret_name(&name) {
            index = mark(bytes, value, &mut secrets);
        } else if name == "headers" && bytes[value] == b'[' {
            index = mark_headers(&text, value, &mut secrets);
        }
    }
    if secrets.is_empty() {
        return text;
    }
    // A header's value may have been marked after what stands behind it.
    secrets.sort_unstable();
    let mut masked = String::with_capacity(text.len());
    let mut kept = 0;
    for (start, end) in secrets {
        masked.push_str(text.get(kept..start).unwrap_or_default());
        masked.push('"');
        masked.push_str(MASK);
        masked.push('"');
        kept = end;
    }
    masked.push_str(text.get(kept..).unwrap_or_default());
    masked
}

/// Whether the value of a member of this name lets its holder act.
pub fn is_secret_name(name: &str) -> bool {
    // Most names end here, by their last letter.
    let last = name.as_bytes().last().map_or(0, u8::to_ascii_lowercase);
    if !b"denty".contains(&last) || name.len() > LONGEST_NAME {
        return false;
    }
    let plain = plain(name);
    let ends = |endings: &[&str]| endings.iter().any(|ending| plain.ends_with(ending));
    (ends(&ENDINGS) && !ends(&PAGES)) || WHOLE.contains(&plain.as_str())
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// Marks the scalar at `value`, or those in the list there, and gives the place to go on from.
fn mark(bytes: &[u8], value: usize, secrets: &mut Vec<(usize, usize)>) -> usize {
    let mut index = value;
    let mut depth = 0_usize;
    loop {
        match bytes.get(index) {
            Some(b'"') => {
                let end = end_of_string(bytes, index);
                // `""` says that there is none.
                if end > index + 2 {
                    secrets.push((index, end));
                }
                index = end;
            }
            Some(b'-' | b'0'..=b'9') => {
                let end = end_of_number(bytes, index);
                secrets.push((index, end));
                index = end;
            }
            Some(b'[') => {
                depth += 1;
                index += 1;
            }
            Some(b']') if depth > 0 => {
                depth -= 1;
                index += 1;
            }
            // An object has names of its own, and those decide.
            Some(b'{') | None => return index,
            Some(_) if depth > 0 => index += 1,
            Some(_) => return index,
        }
        if depth == 0 {
            return index;
        }
    }
}

/// Marks the values of the headers in the list at `open` that carry credentials, and gives the place to go on from.
fn mark_headers(text: &str, open: usize, secrets: &mut Vec<(usize, usize)>) -> usize {
    let bytes = text.as_bytes();
    let mut index = open + 1;
    let (mut carries, mut value) = (false, None);
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' => {
                let end = end_of_string(bytes, index);
                let after = start_of_value(bytes, end);
                match (string(text, index, end).as_ref(), after) {
                    ("key" | "name", Some(start)) if bytes[start] == b'"' => {
                        index = end_of_string(bytes, start);
                        let header = string(text, start, index).to_lowercase();
                        carries = HEADERS.iter().any(|part| header.contains(part));
                    }
                    ("value", Some(start)) if bytes[start] == b'"' => {
                        index = end_of_string(bytes, start);
                        value = (index > start + 2).then_some((start, index));
                    }
                    (name, Some(start)) if is_secret_name(name) => {
                        index = mark(bytes, start, secrets);
                    }
                    _ => index = end,
                }
            }
            // A header is flat: whatever holds more is none, and the walk over all names goes on in it.
            b'[' => return index,
            b'}' => {
                secrets.extend(value.take().filter(|_| carries));
                carries = false;
                index += 1;
            }
            b']' => return index + 1,
            _ => index += 1,
        }
    }
    index
}

/// The text of the string between its quotes, escapes undone.
fn string(text: &str, open: usize, end: usize) -> Cow<'_, str> {
    let raw = text
        .get(open + 1..end.saturating_sub(1))
        .unwrap_or_default();
    if raw.len() > LONGEST_NAME || memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let quoted = text.get(open..end).unwrap_or_default();
    serde_json::from_str(quoted).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// Where the value of the member begins whose name ends before `index`, if that was a name.
fn start_of_value(bytes: &[u8], index: usize) -> Option<usize> {
    let colon = past_space(bytes, index);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let value = past_space(bytes, colon + 1);
    (value < bytes.len()).then_some(value)
}

fn past_space(bytes: &[u8], mut index: usize) -> usize {
    while matches!(bytes.get(index), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        index += 1;
    }
    index
}

fn next(bytes: &[u8], index: usize, byte: u8) -> Option<usize> {
    Some(index + memchr(byte, bytes.get(index..)?)?)
}

fn end_of_number(bytes: &[u8], mut index: usize) -> usize {
    while matches!(
        bytes.get(index),
        Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
    ) {
        index += 1;
    }
    index
}

/// The place after the string that opens at `open`.
fn end_of_string(bytes: &[u8], open: usize) -> usize {
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
mod tests;
