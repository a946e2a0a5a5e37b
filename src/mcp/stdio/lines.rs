//! Lines of a stream up to a maximum length; of a longer line only the id.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::mcp::frame::FrameId;
use crate::mcp::frame::id::IdScanner;

/// Bytes that are read at once. A frame may be megabytes.
const CHUNK: usize = 64 << 10;

/// Reads lines. Bytes that a dropped future has read are kept for the next one.
pub(crate) struct BoundedLines<R> {
    input: BufReader<R>,
    most: usize,
    line: Vec<u8>,
    /// Set inside a line that is too long.
    skipped: Option<IdScanner>,
}

#[derive(Debug)]
pub(crate) enum BoundedLine {
    /// Without its line break.
    Whole(Vec<u8>),
    /// A longer line, with the id of its frame.
    TooLong(Option<FrameId>),
    End,
}

impl<R: AsyncRead + Unpin> BoundedLines<R> {
    pub(crate) fn new(input: R, most: usize) -> Self {
        Self {
            input: BufReader::with_capacity(CHUNK, input),
            most,
            line: Vec::new(),
            skipped: None,
        }
    }

    /// The next line. The last one counts without a line break.
    pub(crate) async fn next(&mut self) -> io::Result<BoundedLine> {
        loop {
            let available = self.input.fill_buf().await?;
            let at_end = available.is_empty();
            let line_break = available.iter().position(|byte| *byte == b'\n');
            let (taken, used) = match line_break {
                Some(at) => (&available[..at], at + 1),
                None => (available, available.len()),
            };
            if let Some(scanner) = &mut self.skipped {
                scanner.feed(taken);
            } else if self.line.len() + taken.len() > self.most {
                let mut scanner = IdScanner::default();
                scanner.feed(&self.line);
                scanner.feed(taken);
                self.line = Vec::new();
                self.skipped = Some(scanner);
            } else {
                self.line.extend_from_slice(taken);
            }
            self.input.consume(used);
            if line_break.is_some() || at_end {
                return Ok(match (self.skipped.take(), at_end) {
                    (Some(scanner), _) => BoundedLine::TooLong(scanner.finish()),
                    (None, true) if self.line.is_empty() => BoundedLine::End,
                    (None, _) => BoundedLine::Whole(std::mem::take(&mut self.line)),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_have_their_most_and_the_last_one_needs_no_end() {
        async fn check(input: &[u8], expected: &[&str]) {
            let mut lines = BoundedLines::new(input, 24);
            let mut found = Vec::new();
            loop {
                found.push(match lines.next().await.expect("read") {
                    BoundedLine::Whole(line) => String::from_utf8(line).expect("UTF-8"),
                    BoundedLine::TooLong(id) => serde_json::to_string(&id).expect("JSON"),
                    BoundedLine::End => break,
                });
            }
            assert_eq!(found, expected);
        }
        check(b"", &[]).await;
        check(b"a\nb", &["a", "b"]).await;
        check(b"a\r\n\nb\n", &["a\r", "", "b"]).await;
        let long = br#"{"id":7,"query":"0123456789"}"#;
        check(&[&long[..], b"\nb"].concat(), &["7", "b"]).await;
        check(long, &["7"]).await;
        let last = br#"{"query":"01234567890123456789","id":"a"}"#;
        check(
            &[&last[..], b"\n\n", &last[..]].concat(),
            &["\"a\"", "", "\"a\""],
        )
        .await;
        check(&[b'x'; 1000], &["null"]).await;
    }
}
