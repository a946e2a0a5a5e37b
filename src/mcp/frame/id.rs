//! Finds the id of a frame in its bytes as they arrive, whatever else is wrong with the frame.

use serde_json::Value;
use serde_json::value::RawValue;

use super::FrameId;

/// Longest id, in bytes.
const LONGEST_ID: usize = 4 << 10;

/// Longest spelling of the key `id`, with each letter as an escape.
const LONGEST_KEY: usize = 14;

/// Consumes bytes and keeps only the id.
#[derive(Debug, Default)]
pub(in crate::mcp) struct IdScanner {
    state: ScanState,
    /// The number of open brackets.
    depth: usize,
    /// The bytes of a key or an id so far.
    text: Vec<u8>,
    id: Option<FrameId>,
}

/// The context of the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ScanState {
    /// Before the object.
    #[default]
    Before,
    /// Between strings and other tokens; `key`: a string here is a key of the frame.
    Between { key: bool },
    /// In a string: a key of the frame, its id, or another.
    Inside { role: ScannedText, escaped: bool },
    /// After the key `id`.
    BeforeId,
    /// In an id that is a number.
    Number,
    /// The id is found, or the frame is not an object.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScannedText {
    Key,
    Id,
    Other,
}

impl IdScanner {
    pub(in crate::mcp) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.state == ScanState::Done {
                return;
            }
            self.take(byte);
        }
    }

    /// The first id of the frame. A number that may continue does not count.
    pub(in crate::mcp) fn finish(self) -> Option<FrameId> {
        self.id
    }

    fn take(&mut self, byte: u8) {
        use ScanState::{Before, BeforeId, Between, Done, Inside, Number};
        self.state = match self.state {
            Before => match byte {
                b'{' => {
                    self.depth = 1;
                    Between { key: true }
                }
                // White space, and a byte order mark.
                b' ' | b'\t' | b'\r' | b'\n' | 0xEF | 0xBB | 0xBF => Before,
                _ => Done,
            },
            Between { key } => self.between(byte, key),
            Inside { role, escaped } => self.inside(byte, role, escaped),
            BeforeId => match byte {
                b':' | b' ' | b'\t' | b'\r' => BeforeId,
                b'"' => self.open(byte, ScannedText::Id),
                b'-' | b'0'..=b'9' => {
                    self.text = vec![byte];
                    Number
                }
                // Not an id, or an object, inside which nothing is one.
                _ => self.between(byte, false),
            },
            Number => match byte {
                b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => {
                    self.keep(byte);
                    Number
                }
                _ => self.found(),
            },
            Done => Done,
        };
    }

    fn between(&mut self, byte: u8, key: bool) -> ScanState {
        let top = self.depth == 1;
        match byte {
            b'"' => {
                let role = if top && key {
                    ScannedText::Key
                } else {
                    ScannedText::Other
                };
                return self.open(byte, role);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            b',' if top => return ScanState::Between { key: true },
            _ => {}
        }
        match self.depth {
            0 => ScanState::Done,
            _ => ScanState::Between { key: false },
        }
    }

    fn inside(&mut self, byte: u8, role: ScannedText, escaped: bool) -> ScanState {
        if role != ScannedText::Other {
            self.keep(byte);
        }
        if escaped || byte != b'"' {
            let escaped = !escaped && byte == b'\\';
            return ScanState::Inside { role, escaped };
        }
        match role {
            ScannedText::Id => self.found(),
            ScannedText::Key if self.is_id_key() => ScanState::BeforeId,
            _ => ScanState::Between { key: false },
        }
    }

    fn open(&mut self, quote: u8, role: ScannedText) -> ScanState {
        self.text = vec![quote];
        let escaped = false;
        ScanState::Inside { role, escaped }
    }

    /// One byte beyond the limit is kept, to detect ids that are too long.
    fn keep(&mut self, byte: u8) {
        if self.text.len() <= LONGEST_ID {
            self.text.push(byte);
        }
    }

    fn is_id_key(&self) -> bool {
        self.text.len() <= LONGEST_KEY
            && serde_json::from_slice::<String>(&self.text).is_ok_and(|key| key == "id")
    }

    fn found(&mut self) -> ScanState {
        let text = std::mem::take(&mut self.text);
        let short = (text.len() <= LONGEST_ID).then_some(text);
        // Some readers of JSON refuse values such as 1e400 or a lone surrogate, so an answer could not repeat them.
        let is_readable = |text: &Vec<u8>| match serde_json::from_slice(text) {
            Ok(Value::Number(number)) => number.as_f64().is_some(),
            read => read.is_ok(),
        };
        let text = short
            .filter(is_readable)
            .and_then(|text| String::from_utf8(text).ok());
        self.id = text
            .and_then(|text| RawValue::from_string(text).ok())
            .map(FrameId);
        ScanState::Done
    }
}
