//! The text of an answer past the protocol library, which escapes it into JSON a byte at a time: for a list of 100 KB that was
//! 38 % of a call's instructions. The library writes a mark, and the text is escaped in its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memmem;

/// A shorter text is not worth it, in bytes.
const LEAST: usize = 1 << 10;

/// What the library is given for the text, and what it writes for that. Nothing else writes the same: inside of a string there
/// is a backslash before each quote.
const MARK: &str = "\u{1}text\u{1}";
const WRITTEN: &[u8] = br#""text":"\u0001text\u0001""#;

/// Bytes that are escaped at once.
const PART: usize = 1 << 10;

/// Most bytes that one becomes.
const LONGEST_FORM: usize = 6;

/// What each byte becomes in a string of JSON, and in the last byte how long that is. To look it up and write all eight bytes
/// takes less than to ask whether a byte has to be escaped: in JSON inside of JSON every sixth has.
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
    /// The library answers without it: what it is given now goes out as it is.
    Closed,
}

impl LongText {
    /// What the library is given for `text`: the text itself, where it is short, or where nobody would put it in later.
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

    /// The text, if one is kept. From now on none is.
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

/// What the library wrote, with `text` in the place of its mark; `None` where it answers something else.
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

/// Adds `text` as it stands in a string of JSON.
fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut block = [0; LONGEST_FORM * PART + size_of::<u64>()];
    for part in text.as_bytes().chunks(PART) {
        let mut end = 0;
        for byte in part {
            let form = FORMS[usize::from(*byte)].to_le_bytes();
            // There is room for the longest of all.
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
