//! The log of requests and their results: the latest in memory, and every one as a line of a file.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

/// Bounded, because a sandbox may run for weeks.
const MOST_IN_MEMORY: usize = 10_000;

/// The largest stored body, in bytes.
const LARGEST_LOGGED: usize = 64 << 10;

/// The latest requests, oldest first, and the file that gets every one.
pub(crate) struct RequestLog {
    last: VecDeque<Value>,
    file: Option<File>,
}

impl RequestLog {
    /// Lines are appended to the file's present content.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let open = |path: &Path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.map_err(|error| {
                let path = path.display();
                format!(
                    "{path} cannot be used for the log of requests: {error}; give another --log"
                )
            })
        };
        Ok(Self {
            last: VecDeque::new(),
            file: path.map(open).transpose()?,
        })
    }

    /// When this returns, the line is with the operating system: it is not lost if the process dies.
    pub(crate) fn keep(&mut self, request: Value) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            // In one write, so that lines never mix.
            file.write_all(format!("{request}\n").as_bytes())?;
        }
        if self.last.len() == MOST_IN_MEMORY {
            self.last.pop_front();
        }
        self.last.push_back(request);
        Ok(())
    }

    pub(crate) fn last(&self) -> &VecDeque<Value> {
        &self.last
    }

    /// Forgets the requests in memory; the file keeps them.
    pub(crate) fn clear(&mut self) {
        self.last.clear();
    }
}

/// A body as it is stored: of a large one only its size.
pub(crate) fn logged(body: &[u8]) -> Value {
    if body.len() > LARGEST_LOGGED {
        return json!(format!("{} bytes", body.len()));
    }
    serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_large_body_is_kept() {
        fn check(body: &[u8], expected: &Value) {
            assert_eq!(logged(body), *expected);
        }
        check(br#"{"a":1}"#, &json!({"a": 1}));
        check(b"a part", &json!("a part"));
        check(
            &vec![b'x'; LARGEST_LOGGED],
            &json!("x".repeat(LARGEST_LOGGED)),
        );
        check(&vec![b'x'; LARGEST_LOGGED + 1], &json!("65537 bytes"));
    }
}
