//! Durable state of a server, in the words of its subjects: keys, pauses, approvals, previewed requests, calls that
//! happen once, caps, agency tokens, people and their sign-in, audit, usage. Only this crate knows that it consists of
//! database rows.

#[cfg(test)]
#[macro_use]
extern crate on_both;

pub mod approvals;
pub mod audit;
pub mod calls;
pub mod clients;
pub mod clock;
pub mod customers;
pub mod events;
pub mod flows;
mod folder;
pub mod forms;
pub mod grants;
pub mod identity;
mod import;
pub mod instances;
pub mod keys;
pub mod links;
pub mod logins;
mod opening;
pub mod passkeys;
pub mod pause;
pub mod people;
pub mod prepared;
pub mod questions;
pub mod rule_sections;
pub mod sessions;
mod store;
mod stranger_reads;
mod token;
pub mod token_facts;
pub mod token_pairs;
pub mod usage;
pub mod vault;

use std::fmt::Display;
use std::path::Path;

pub use folder::network_file_system;
use jiff::Timestamp;
pub use opening::{SANDBOX, missing_file};
pub use store::{CopiedTables, Pending, Store, StoreInfo, StoreOptions};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// A sentence for the operator: the place, the problem and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct StoreError {
    what: String,
    cause: StoreErrorCause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreErrorCause {
    /// The request is not possible.
    Request,
    /// Another process is in the way: a later attempt may succeed.
    Busy,
    /// Nothing can be written, or read.
    Storage,
    /// The same, because the database does not answer: it may later.
    Away,
}

impl From<String> for StoreError {
    fn from(what: String) -> Self {
        Self {
            what,
            cause: StoreErrorCause::Request,
        }
    }
}

impl StoreError {
    fn busy(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: StoreErrorCause::Busy,
        }
    }

    fn storage(what: String) -> Self {
        Self {
            what,
            cause: StoreErrorCause::Storage,
        }
    }

    fn away(what: String) -> Self {
        Self {
            what,
            cause: StoreErrorCause::Away,
        }
    }

    fn closed() -> Self {
        Self::storage("the store is closed: the server stops".to_owned())
    }

    /// Whether another process was in the way.
    pub fn is_busy(&self) -> bool {
        self.cause == StoreErrorCause::Busy
    }

    /// Whether the request is not possible; otherwise the store itself has a problem.
    pub fn is_request(&self) -> bool {
        self.cause == StoreErrorCause::Request
    }

    /// Whether the store's folder or file has a problem.
    pub fn is_storage(&self) -> bool {
        matches!(self.cause, StoreErrorCause::Storage | StoreErrorCause::Away)
    }

    /// Whether the database does not answer, and may later.
    pub fn is_away(&self) -> bool {
        self.cause == StoreErrorCause::Away
    }

    /// The operating system refuses the use of a file or folder.
    fn system(path: &Path, what: &str, error: impl Display) -> Self {
        Self::storage(format!(
            "{} cannot be {what}: {error}; the state folder must belong to the user that runs this, with space on its disk",
            path.display()
        ))
    }
}

/// Fails if the system gives no random numbers.
fn random<const BYTES: usize>() -> Result<[u8; BYTES], StoreError> {
    let mut bytes = [0; BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StoreError::from("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// In hexadecimal.
pub fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Now, in the precision of a file.
fn now() -> Timestamp {
    let now = clock::SteadyClock::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// The time for milliseconds since 1970; the epoch if out of range.
fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
