//! Passes the text of an answer around the protocol library, which escapes it into JSON a byte at a time: for a list of
//! 100 KB that was 38 % of a call's instructions. The library writes a mark, which is replaced by the escaped text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memmem;

/// Shorter texts are not worth it, in bytes.
const LEAST: usize = 1 << 10;

/// The text that the library gets, and its form in the output. Nothing else has that form: inside a string a backslash
/// precedes each quote.
const MARK: &str = "\u{1}text\u{1}";
const WRITTEN: &[u8] = br#""text":"\u0001text\u0001""#;

/// Bytes that are escaped at once.
const PART: usize = 1 << 10;

/// The most bytes that one byte becomes.
const LONGEST_FORM: usize = 6;

/// The form of each byte in a JSON string, with its length in the last byte. Looking it up and writing all eight bytes
/// is faster than testing whether a byte must be escaped: in JSON inside JSON every sixth must.
const FORMS: [u64; 256] = forms();

/// The text of one answer, until the answer is written. Cheap to clone; every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct LongText(Arc<Mutex<TextState>>);

/// Where the text is.
#[derive(Debug, Default)]
enum TextState {
    /// The library has not answered yet.
    #[default]
    Open,
    Kept(String),
    /// The library answers without it: any text it gets now is sent unchanged.
    Closed,
}

impl LongText {
    /// The text for the library in place of `text`; `text` itself if it is short, or if nothing would insert it later.
    pub(super) fn keep(&self, text: String) -> String {
        let mut state = self.state();
        match *state {
            TextState::Open if text.len() >= LEAST => {
                *state = TextState::Kept(text);
                MARK.to_owned()
            }
            _ => text,
        }
    }

    /// The stored text, if there is one. From now on none is stored.
    pub fn close(&self) -> Option<String> {
        match std::mem::replace(&mut *self.state(), TextState::Closed) {
            TextState::Kept(text) => Some(text),
            TextState::Open | TextState::Closed => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, TextState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's output with `text` in place of its mark; `None` if the mark is missing.
pub fn fill_in(written: &[u8], text: &str) -> Option<Vec<u8>> {
    let at = memmem::find(written, WRITTEN)?;
    let (before, rest) = written.split_at(at);
    let after = rest.strip_prefix(WRITTEN)?;
    let mut filled = Vec::with_capacity(written.len() + text.len() + text.len() / 4);
    filled.extend_from_slice(before);
    filled.extend_from_slice(b"\"text\":\"");
    escape_into(text, &mut filled);
    filled.push(b'"');
    filled.extend_from_slice(after);
    Some(filled)
}

/// Appends `text` as the content of a JSON string.
fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut block = [0; LONGEST_FORM * PART + size_of::<u64>()];
    for part in text.as_bytes().chunks(PART) {
        let mut end = 0;
        for byte in part {
            let form = FORMS[usize::from(*byte)].to_le_bytes();
            // There is room for the longest form.
            if let Some(room) = block.get_mut(end..end + form.len()) {
                room.copy_from_slice(&form);
            }
            end += usize::from(form[form.len() - 1]);
        }
        out.extend_from_slice(&block[..end]);
    }
}

const fn forms() -> [u64; 256] {
    let mut forms = [0; 256];
    let mut byte = 0;
    while byte < forms.len() {
        forms[byte] = u64::from_le_bytes(form(byte.to_le_bytes()[0]));
        byte += 1;
    }
    forms
}

const fn form(byte: u8) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        0..=0x1f => {
            let (high, low) = (DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]);
            return [b'\\', b'u', b'0', b'0', high, low, 0, 6];
        }
        _ => return [byte, 0, 0, 0, 0, 0, 0, 1],
    };
    [b'\\', letter, 0, 0, 0, 0, 0, 2]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmcp::model::{CallToolResult, ContentBlock};
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_written_as_the_library_writes_it(text in "(?s).{0,3000}", note in "(?s).{0,20}") {
            let result = |text: &str| {
                let blocks = [text, &note].map(|text| ContentBlock::text(text.to_owned()));
                let result = CallToolResult::success(blocks.into());
                json!({"jsonrpc": "2.0", "id": MARK, "result": result}).to_string()
            };
            let filled = fill_in(result(MARK).as_bytes(), &text);
            prop_assert_eq!(filled, Some(result(&text).into_bytes()));
        }
    }

    #[test]
    fn nothing_but_the_text_is_its_mark() {
        for id in [MARK, r#""text":""#, "\"text\":\"\u{1}text\u{1}\""] {
            let other = json!({"id": id, "error": {"message": id}}).to_string();
            assert_eq!(fill_in(other.as_bytes(), "a text"), None, "{other}");
        }
    }

    #[test]
    fn a_text_is_kept_while_somebody_will_write_it() {
        let text = LongText::default();
        assert_eq!(text.keep("short".to_owned()), "short");
        let long = "x".repeat(LEAST);
        assert_eq!(text.keep(long.clone()), MARK);
        assert_eq!(text.close(), Some(long.clone()));
        assert_eq!(text.keep(long.clone()), long);
        assert_eq!(text.close(), None);
        assert_eq!(fill_in(b"busy", &long), None);
    }
}
