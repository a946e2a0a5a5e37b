//! Masks secrets in HighLevel's answers: the reader of an answer can act only through these tools.
//!
//! Works on the text, as `call::shape` does: every other byte stays as it is.

use memchr::{memchr, memchr_iter, memmem};
use secrecy::{ExposeSecret, SecretString};

use super::decoding::end_of_string;

/// Replaces a secret.
pub const MASK: &str = "[a secret]";

/// Endings of names, in lower case without `_` and `-`, whose values are credentials. They cover tokens of every kind,
/// because undocumented answers have more kinds than the documents name.
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

/// Names that are secrets only as whole names: people give fields of their own such endings.
const WHOLE: [&str; 6] = [
    "authorization",
    "jwt",
    "pass",
    "passwd",
    "pwd",
    "signingkey",
];

/// Tokens for the next page, which are no credentials.
const PAGES: [&str; 5] = [
    "continuationtoken",
    "nexttoken",
    "pagetoken",
    "prevtoken",
    "synctoken",
];

/// Parts of names of HTTP headers with credentials.
const HEADERS: [&str; 7] = [
    "auth",
    "cookie",
    "key",
    "password",
    "secret",
    "signature",
    "token",
];

/// `body` without this credential, wherever it stands: what sends one must not hand it on.
pub fn mask_credential(body: Vec<u8>, credential: &SecretString) -> Vec<u8> {
    let credential = credential.expose_secret().as_bytes();
    if credential.is_empty() || memmem::find(&body, credential).is_none() {
        return body;
    }
    let mut masked = Vec::with_capacity(body.len());
    let mut end = 0;
    for start in memmem::find_iter(&body, credential) {
        masked.extend_from_slice(&body[end..start]);
        masked.extend_from_slice(MASK.as_bytes());
        end = start + credential.len();
    }
    masked.extend_from_slice(&body[end..]);
    masked
}

/// `text` with `"[a secret]"` for every string or number whose member has the name of a secret, inside lists too, and
/// for the value of every HTTP header with a credential (`"headers": [{"key": …, "value": …}]`). Names are compared
/// unescaped: no writer of JSON escapes letters.
pub fn mask_secrets(text: String) -> String {
    let bytes = text.as_bytes();
    if !may_hold_secrets(bytes) {
        return text;
    }
    let mut secrets = Vec::new();
    let mut index = 0;
    while let Some(open) = next(bytes, index, b'"') {
        index = end_of_string(bytes, open);
        let Some(value) = start_of_value(bytes, index) else {
            continue;
        };
        let name = between_quotes(bytes, open, index);
        if is_secret(name) {
            index = mark(bytes, value, &mut secrets);
        } else if name == b"headers" && bytes[value] == b'[' {
            index = mark_headers(bytes, value, &mut secrets);
        }
    }
    if secrets.is_empty() {
        return text;
    }
    // A header's value may have been marked after later values.
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

/// Whether the value of a member of this name is a credential.
pub fn is_secret_name(name: &str) -> bool {
    is_secret(name.as_bytes())
}

/// Whether a member of `bytes` may have a secret's name, or be a list of headers. Most answers have none, and checking
/// the text before each colon is faster than walking from string to string.
fn may_hold_secrets(bytes: &[u8]) -> bool {
    memchr_iter(b':', bytes).any(|colon| may_end_in_secret(bytes.get(..colon).unwrap_or_default()))
}

/// Whether `before`, which a colon follows, may end in the name of a secret or of a list of headers. A list of 100 KB
/// asks this for four thousand names. The start of the name is unknown here, so a matching end means a closer look.
#[inline]
pub fn may_end_in_secret(before: &[u8]) -> bool {
    match before {
        // By far the most frequent name that ends like a secret's.
        [.., b'"', b'v', b'a', b'l', b'u', b'e', b'"'] => false,
        [.., first, second, third, b'"'] if !may_end_names([*first, *second, *third]) => false,
        _ => before
            .trim_ascii_end()
            .strip_suffix(b"\"")
            .is_some_and(ends_in_secret),
    }
}

fn ends_in_secret(name: &[u8]) -> bool {
    name.ends_with(b"headers")
        || ends_in(name, &WHOLE)
        || ends_in(name, &ENDINGS) && !ends_in(name, &PAGES)
}

fn is_secret(name: &[u8]) -> bool {
    let is = |one: &str| letters(name.iter()).eq(one.bytes());
    name.last_chunk().is_some_and(|end| may_end_names(*end))
        && (ends_in(name, &ENDINGS) && !ends_in(name, &PAGES) || WHOLE.into_iter().any(is))
}

/// Whether a name of the lists above, or `headers`, ends in these letters.
#[inline]
fn may_end_names(end: [u8; 3]) -> bool {
    const fn letters([first, second, third]: [u8; 3]) -> u32 {
        // Equal for upper and lower case.
        u32::from_le_bytes([first, second, third, 0]) | 0x0020_2020
    }
    const KEY: u32 = letters(*b"key");
    const KEN: u32 = letters(*b"ken");
    const RET: u32 = letters(*b"ret");
    const ORD: u32 = letters(*b"ord");
    const ASE: u32 = letters(*b"ase");
    const ION: u32 = letters(*b"ion");
    const LUE: u32 = letters(*b"lue");
    const ASS: u32 = letters(*b"ass");
    const ERS: u32 = letters(*b"ers");
    // `jwt` and `pwd` with a separator inside end in this.
    const WT: u32 = letters(*b"jwt") >> 8;
    const WD: u32 = letters(*b"pwd") >> 8;
    let end = letters(end);
    matches!(end, KEY | KEN | RET | ORD | ASE | ION | LUE | ASS | ERS)
        || matches!(end >> 8, WT | WD)
}

/// Whether `name` ends in one of `endings`.
fn ends_in(name: &[u8], endings: &[&str]) -> bool {
    endings.iter().any(|ending| {
        let mut letters = letters(name.iter().rev());
        ending
            .bytes()
            .rev()
            .all(|byte| letters.next() == Some(byte))
    })
}

/// In lower case, without `_` and `-`.
fn letters<'a>(name: impl Iterator<Item = &'a u8>) -> impl Iterator<Item = u8> {
    name.filter(|byte| !matches!(byte, b'_' | b'-'))
        .map(u8::to_ascii_lowercase)
}

/// Marks the scalar at `value`, or those in the list there. Returns the index to continue from.
fn mark(bytes: &[u8], value: usize, secrets: &mut Vec<(usize, usize)>) -> usize {
    let mut index = value;
    let mut depth = 0_usize;
    loop {
        match bytes.get(index) {
            Some(b'"') => {
                let end = end_of_string(bytes, index);
                // `""` means that there is no secret.
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

/// Marks the credentials of the headers in the list at `open`. Returns the index to continue from.
fn mark_headers(bytes: &[u8], open: usize, secrets: &mut Vec<(usize, usize)>) -> usize {
    let mut index = open + 1;
    let (mut carries, mut value) = (false, None);
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' => {
                let end = end_of_string(bytes, index);
                let after = start_of_value(bytes, end);
                match (between_quotes(bytes, index, end), after) {
                    (b"key" | b"name", Some(start)) if bytes[start] == b'"' => {
                        index = end_of_string(bytes, start);
                        carries = carries_credentials(between_quotes(bytes, start, index));
                    }
                    (b"value", Some(start)) if bytes[start] == b'"' => {
                        index = end_of_string(bytes, start);
                        value = (index > start + 2).then_some((start, index));
                    }
                    (name, Some(start)) if is_secret(name) => {
                        index = mark(bytes, start, secrets);
                    }
                    _ => index = end,
                }
            }
            // A header is flat. Anything nested is not a header, and the walk over all names goes on inside it.
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

/// Whether the HTTP header of this name carries a credential.
fn carries_credentials(header: &[u8]) -> bool {
    let header = String::from_utf8_lossy(header).to_lowercase();
    HEADERS.iter().any(|part| header.contains(part))
}

/// The inside of the string that opens at `open` and ends before `end`.
fn between_quotes(bytes: &[u8], open: usize, end: usize) -> &[u8] {
    bytes
        .get(open + 1..end.saturating_sub(1))
        .unwrap_or_default()
}

/// The index of the value whose member name ends before `index`, if that was a name.
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

#[cfg(test)]
mod tests;
