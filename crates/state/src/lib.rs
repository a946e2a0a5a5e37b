//! Durable state of a server: files in its state folder.

pub mod approvals;
pub mod audit;
pub mod clock;
mod folder;
pub mod identity;
mod json_file;
pub mod keys;
pub mod pause;
mod watch;

use std::fmt::{Display, Write};
use std::path::Path;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// A sentence for the person who runs the server: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct StoreError {
    what: String,
    /// Another process is in the way: it may be better a moment later.
    is_busy: bool,
}

impl From<String> for StoreError {
    fn from(what: String) -> Self {
        Self {
            what,
            is_busy: false,
        }
    }
}

impl StoreError {
    fn busy(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is_busy: true,
        }
    }

    /// Whether another process was in the way.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The system does not let us use a file or folder.
    fn system(path: &Path, what: &str, error: impl Display) -> Self {
        Self::from(format!(
            "{} cannot be {what}: {error}; the state folder must belong to the user that runs this, with space on its disk",
            path.display()
        ))
    }
}

/// Fails where the system gives no random numbers.
fn random<const BYTES: usize>() -> Result<[u8; BYTES], StoreError> {
    let mut bytes = [0; BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StoreError::from("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// In hexadecimal.
pub fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Now, no finer than a file tells it.
fn now() -> Timestamp {
    let now = clock::SteadyClock::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// What the log gets meanwhile.
#[cfg(test)]
fn logged(act: impl FnOnce()) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let out = std::sync::Arc::new(file.reopen().expect("open"));
    let subscriber = tracing_subscriber::fmt().with_writer(out).finish();
    tracing::subscriber::with_default(subscriber, act);
    std::fs::read_to_string(file.path()).expect("read")
}
