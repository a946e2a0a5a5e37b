//! Texts from files, stdin and the environment, without what editors and shells add at their ends.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file. Windows' own tools write UTF-16, or a byte order mark before UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    decode(std::fs::read(path)?)
}

/// All of stdin, decoded in the same way.
pub fn read_stdin() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    decode(bytes)
}

/// Decodes UTF-8, or UTF-16 with its byte order mark.
pub fn decode(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let (two, from_bytes): (_, fn([u8; 2]) -> u16) = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => (Some(rest), u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (Some(rest), u16::from_be_bytes),
        _ => (None, u16::from_le_bytes),
    };
    let Some(two) = two else {
        let text = String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 text"))?;
        return Ok(match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => rest.to_owned(),
            None => text,
        });
    };
    let units = two.chunks(2).map(|pair| match pair {
        [first, second] => Ok(from_bytes([*first, *second])),
        _ => Err(invalid("it is UTF-16 text that breaks off")),
    });
    let units: Vec<u16> = units.collect::<Result<_, _>>()?;
    String::from_utf16(&units).map_err(|_| invalid("it is not UTF-16 text"))
}

/// Removes spaces, line ends and byte order marks around a secret, an id or a path.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || letter == BYTE_ORDER_MARK)
}

#[cfg(test)]
mod tests {
    use super::{decode, trimmed};

    #[test]
    fn every_encoding_of_windows_is_read() {
        let utf16 = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}pit-ü\r\n"
                .encode_utf16()
                .flat_map(to_bytes)
                .collect()
        };
        for bytes in [
            b"pit-\xc3\xbc\r\n".to_vec(),
            b"\xef\xbb\xbfpit-\xc3\xbc\r\n".to_vec(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ] {
            let text = decode(bytes).expect("text");
            assert_eq!(text, "pit-ü\r\n");
            assert_eq!(trimmed(&text), "pit-ü");
        }
        for bytes in [
            b"\xff".to_vec(),
            b"\xff\xfea".to_vec(),
            b"\xff\xfe\x00\xd8".to_vec(),
        ] {
            assert!(decode(bytes).is_err());
        }
        assert_eq!(trimmed("\u{feff} pit \r\n"), "pit");
    }
}
