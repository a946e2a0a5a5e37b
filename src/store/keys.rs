//! Access keys: each binds a client to locations and to a policy.

mod file;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{StoreError, now, random, sha256};
use file::{KeyFile, Stamp};

/// A key reads `hlk_<id>_<secret>`.
const PREFIX: &str = "hlk_";

/// How long a revocation by another process may go unnoticed.
const UNSEEN: Duration = Duration::from_millis(200);

/// Of an id: 32 of them, so a random byte has no favourites; none that is mistaken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

const LONGEST_NAME: usize = 64;

/// One key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub id: String,
    pub name: String,
    /// Of the secret. No slow hash: the secret is 32 random bytes, which nobody guesses however fast.
    sha256: String,
    pub locations: Locations,
    pub policy: Option<String>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

/// What a key reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locations {
    All,
    /// Aliases.
    Only(Vec<String>),
}

/// Why a key that exists, shown with its right secret, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("The access key {id} was revoked.")]
    Revoked { id: String },
    #[error("The access key {id} has expired.")]
    Expired { id: String },
    /// What is wrong is in the log, for the person who runs the server.
    #[error("The server cannot read its access keys.")]
    Unreadable,
}

/// The keys of a state folder, as this process knows them.
pub struct Keys {
    file: KeyFile,
    known: Mutex<Known>,
}

struct Known {
    /// The file that they were read from.
    stamp: Stamp,
    /// When the file was last looked at.
    looked: Option<Instant>,
    by_id: Result<HashMap<String, Arc<Record>>, StoreError>,
}

impl Keys {
    /// Opens or makes the folder. Keys that cannot be read are no error here: `find` refuses, `list` says why.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            file: KeyFile::open(folder)?,
            known: Mutex::new(Known {
                stamp: Stamp::default(),
                looked: None,
                by_id: Ok(HashMap::new()),
            }),
        })
    }

    /// Makes a key. Its text is shown once: nobody can get it from the file.
    pub fn create(
        &self,
        name: &str,
        locations: Locations,
        policy: Option<&str>,
        expires: Option<Timestamp>,
    ) -> Result<(Record, SecretString), StoreError> {
        check(name, &locations, expires)?;
        let id: String = random::<8>()?.into_iter().map(letter).collect();
        let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let record = Record {
            id,
            name: name.to_owned(),
            sha256: sha256(&secret),
            locations,
            policy: policy.map(str::to_owned),
            created: now(),
            expires,
            revoked: None,
        };
        let made = self.file.change(|records| {
            let taken = records.iter().find(|other| {
                other.id == record.id
                    || other.id == name
                    || other.name == name && other.revoked.is_none()
            });
            match taken {
                Some(other) => Err(StoreError(format!(
                    "the key {} is called {name} already; revoke it, or take another name",
                    other.id
                ))),
                None => {
                    records.push(record.clone());
                    Ok(record)
                }
            }
        });
        self.look_again();
        let record = made?;
        let text = format!("{PREFIX}{}_{secret}", record.id);
        Ok((record, text.into()))
    }

    /// From now on nobody is let in by the key of that id or name; other processes notice within `UNSEEN`.
    pub fn revoke(&self, id_or_name: &str) -> Result<Record, StoreError> {
        let revoked = self.file.change(|records| {
            let is_id = |record: &&mut Record| record.id == id_or_name;
            let is_name =
                |record: &&mut Record| record.name == id_or_name && record.revoked.is_none();
            let place = records.iter_mut().find(is_id);
            let found = match place {
                Some(record) => Some(record),
                None => records.iter_mut().find(is_name),
            };
            let record = found.ok_or_else(|| {
                StoreError(format!(
                    "there is no key {id_or_name}; `highlevel-mcp keys list` shows all"
                ))
            })?;
            record.revoked.get_or_insert_with(now);
            Ok(record.clone())
        });
        self.look_again();
        revoked
    }

    /// Every key, revoked ones too, oldest first.
    pub fn list(&self) -> Result<Vec<Record>, StoreError> {
        self.file.read()
    }

    /// Whether there is a key that was not revoked. Where they cannot be read, there may be.
    pub fn has_any(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refresh(&self.file);
        let by_id = known.by_id.as_ref();
        by_id.map_or(true, |by_id| {
            by_id.values().any(|record| record.revoked.is_none())
        })
    }

    /// The key that a client shows. `None`: there is none such; a wrong secret of a key that exists is no different.
    pub fn find(&self, presented: &str) -> Result<Option<Arc<Record>>, Refused> {
        self.find_at(presented, Timestamp::now())
    }

    fn find_at(&self, presented: &str, now: Timestamp) -> Result<Option<Arc<Record>>, Refused> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refresh(&self.file);
        known.by_id.as_ref().map_err(|_| Refused::Unreadable)?;
        let parts = presented
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        if known
            .by_id
            .as_ref()
            .is_ok_and(|by_id| !by_id.contains_key(id))
        {
            // It may have been made a moment ago.
            known.looked = None;
            known.refresh(&self.file);
        }
        let by_id = known.by_id.as_ref().map_err(|_| Refused::Unreadable)?;
        let record = by_id.get(id);
        // An unknown id takes as long as a known one.
        let held = record.map_or("", |record| &record.sha256);
        let same: bool = sha256(secret).as_bytes().ct_eq(held.as_bytes()).into();
        let Some(record) = record.filter(|_| same) else {
            return Ok(None);
        };
        let id = || record.id.clone();
        if record.revoked.is_some() {
            return Err(Refused::Revoked { id: id() });
        }
        if record.expires.is_some_and(|expires| expires <= now) {
            return Err(Refused::Expired { id: id() });
        }
        Ok(Some(Arc::clone(record)))
    }

    /// What this process changed, it knows at once.
    fn look_again(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.looked = None;
    }
}

/// Whether it is meant as an access key, not as a token of HighLevel's.
pub fn looks_like_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl Known {
    /// Reads the file where it is another than last time.
    fn refresh(&mut self, file: &KeyFile) {
        if self.looked.is_some_and(|looked| looked.elapsed() < UNSEEN) {
            return;
        }
        self.looked = Some(Instant::now());
        let read = match file.changed(&self.stamp) {
            Ok(None) => return,
            Ok(Some(held)) => {
                self.stamp = held.stamp;
                held.keys
            }
            Err(error) => {
                // Asked again next time: it may be that too many files were open.
                self.stamp = Stamp::default();
                Err(error)
            }
        };
        if let Err(error) = &read
            && self.by_id.as_ref().err() != Some(error)
        {
            tracing::error!(%error, "the access keys cannot be read; every key is refused");
        }
        self.by_id = read.map(|records| {
            let by_id = |record: Record| (record.id.clone(), Arc::new(record));
            records.into_iter().map(by_id).collect()
        });
    }
}

/// What a person asks for, before anything is made.
fn check(name: &str, locations: &Locations, expires: Option<Timestamp>) -> Result<(), StoreError> {
    let what = if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        format!("a key's name has 1 to {LONGEST_NAME} bytes and no control characters")
    } else if matches!(locations, Locations::Only(aliases) if aliases.is_empty()) {
        "a key without locations reaches nothing; name some, or all of them".to_owned()
    } else if expires.is_some_and(|expires| expires <= Timestamp::now()) {
        "the key would have expired already; give a time to come".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError(what))
}

fn letter(byte: u8) -> char {
    let place = usize::from(byte) % LETTERS.len();
    LETTERS.get(place).copied().map_or('a', char::from)
}

#[cfg(test)]
mod tests;
