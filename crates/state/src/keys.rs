//! Access keys: each binds a client to locations and to a policy.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::clock::SteadyClock;
use super::json_file::JsonFile;
use super::watch::FileMirror;
use super::{StoreError, now, random, sha256};

/// A key reads `hlk_<id>_<secret>`.
const PREFIX: &str = "hlk_";

const NAME: &str = "keys.json";
const LOCK: &str = "keys.lock";
const REMEDY: &str = "put it right, or remove it and make new keys";
const TROUBLE: &str = "the access keys cannot be read; every key is refused";

/// Of an id: 32 of them, so a random byte has no favourites; none that is mistaken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

const LONGEST_NAME: usize = 64;

/// One key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    pub id: String,
    pub name: String,
    /// Of the secret. No slow hash: the secret is 32 random bytes, which nobody guesses however fast.
    sha256: String,
    pub locations: KeyLocations,
    pub policy: Option<String>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    /// It may act with the agency's own token.
    #[serde(default)]
    pub agency: bool,
}

/// What a key is made for.
#[derive(Clone, Debug)]
pub struct NewKey<'a> {
    pub name: &'a str,
    pub locations: KeyLocations,
    pub policy: Option<&'a str>,
    pub expires: Option<Timestamp>,
    pub agency: bool,
}

/// What a key reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocations {
    All,
    /// Aliases.
    Only(Vec<String>),
}

/// Why a key that exists, shown with its right secret, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("The access key {id} was revoked.")]
    Revoked { id: String },
    #[error("The access key {id} has expired.")]
    Expired { id: String },
    /// What is wrong is in the log, for the person who runs the server.
    #[error("The server cannot read its access keys.")]
    Unreadable,
}

/// The keys of a state folder, as this process knows them: in memory, and read again by a thread. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<FileMirror<KeyFile, KeysById>>);

type KeysById = HashMap<String, Arc<KeyRecord>>;

/// A field that this version does not know may be a restriction: the file is refused, not half understood.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<KeyRecord>,
}

impl Keys {
    /// Opens or makes the folder, and watches the file from now on. Keys that cannot be read are no error here: `find`
    /// refuses, `list` says why.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let keys = Self::unwatched(folder)?;
        FileMirror::watch(&keys.0)?;
        Ok(keys)
    }

    fn unwatched(folder: &Path) -> Result<Self, StoreError> {
        let file = JsonFile::open(folder, NAME, LOCK, REMEDY)?;
        Ok(Self(FileMirror::open(file, by_id, TROUBLE)))
    }

    /// Makes a key without the agency's rights, as `make` does.
    pub fn create(
        &self,
        name: &str,
        locations: KeyLocations,
        policy: Option<&str>,
        expires: Option<Timestamp>,
    ) -> Result<(KeyRecord, SecretString), StoreError> {
        self.make(NewKey {
            name,
            locations,
            policy,
            expires,
            agency: false,
        })
    }

    /// Makes a key; blocks. Its text is shown once: nobody can get it from the file.
    pub fn make(&self, new: NewKey) -> Result<(KeyRecord, SecretString), StoreError> {
        let NewKey {
            name,
            locations,
            policy,
            expires,
            agency,
        } = new;
        check(name, &locations, expires)?;
        let id: String = random::<8>()?.into_iter().map(letter).collect();
        let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let record = KeyRecord {
            id,
            name: name.to_owned(),
            sha256: sha256(&secret),
            locations,
            policy: policy.map(str::to_owned),
            created: now(),
            expires,
            revoked: None,
            agency,
        };
        let record = self.0.change(|file| {
            let records = &mut file.keys;
            let taken = records.iter().find(|other| {
                other.id == record.id
                    || other.id == name
                    || other.name == name && other.revoked.is_none()
            });
            match taken {
                Some(other) => Err(StoreError::from(format!(
                    "the key {} is called {name} already; revoke it, or take another name",
                    other.id
                ))),
                None => {
                    records.push(record.clone());
                    Ok(record)
                }
            }
        })?;
        let text = format!("{PREFIX}{}_{secret}", record.id);
        Ok((record, text.into()))
    }

    /// From now on nobody is let in by the key of that id or name; other processes notice within 0.2 seconds. Blocks.
    pub fn revoke(&self, id_or_name: &str) -> Result<KeyRecord, StoreError> {
        self.0.change(|file| {
            let records = &mut file.keys;
            let is_id = |record: &&mut KeyRecord| record.id == id_or_name;
            let is_name =
                |record: &&mut KeyRecord| record.name == id_or_name && record.revoked.is_none();
            let place = records.iter_mut().find(is_id);
            let found = match place {
                Some(record) => Some(record),
                None => records.iter_mut().find(is_name),
            };
            let record = found.ok_or_else(|| {
                StoreError::from(format!(
                    "there is no key {id_or_name}; `highlevel-mcp keys list` shows all"
                ))
            })?;
            record.revoked.get_or_insert_with(now);
            Ok(record.clone())
        })
    }

    /// Every key, revoked ones too, oldest first, from the file; blocks.
    pub fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.0.read()?.keys)
    }

    /// Whether the key of this id is still good, from memory: for calls that it began earlier.
    pub fn is_valid(&self, id: &str) -> bool {
        self.is_valid_at(id, SteadyClock::now())
    }

    fn is_valid_at(&self, id: &str, now: Timestamp) -> bool {
        let known = self.0.value();
        let record = known.as_ref().as_ref().ok().and_then(|keys| keys.get(id));
        record.is_some_and(|record| {
            record.revoked.is_none() && record.expires.is_none_or(|expires| now < expires)
        })
    }

    /// Whether there is a key that was not revoked, from memory. Where they cannot be read, there may be.
    pub fn has_any(&self) -> bool {
        let known = self.0.value();
        known.as_ref().as_ref().map_or(true, |by_id| {
            by_id.values().any(|record| record.revoked.is_none())
        })
    }

    /// The key that a client shows, from memory: a key that another process made is known within 0.2 seconds. `None`: there is none such; a wrong secret of a key that exists is no different.
    pub fn find(&self, presented: &str) -> Result<Option<Arc<KeyRecord>>, KeyRefusal> {
        self.find_at(presented, SteadyClock::now())
    }

    fn find_at(
        &self,
        presented: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<KeyRecord>>, KeyRefusal> {
        let known = self.0.value();
        let keys = known
            .as_ref()
            .as_ref()
            .map_err(|_| KeyRefusal::Unreadable)?;
        let parts = presented
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let record = keys.get(id);
        // An unknown id takes as long as a known one.
        let held = record.map_or("", |record| &record.sha256);
        let same: bool = sha256(secret).as_bytes().ct_eq(held.as_bytes()).into();
        let Some(record) = record.filter(|_| same) else {
            return Ok(None);
        };
        let id = || record.id.clone();
        if record.revoked.is_some() {
            return Err(KeyRefusal::Revoked { id: id() });
        }
        if record.expires.is_some_and(|expires| expires <= now) {
            return Err(KeyRefusal::Expired { id: id() });
        }
        Ok(Some(Arc::clone(record)))
    }
}

/// Whether it is meant as an access key, not as a token of HighLevel's.
pub fn looks_like_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

fn by_id(file: KeyFile) -> KeysById {
    let pair = |record: KeyRecord| (record.id.clone(), Arc::new(record));
    file.keys.into_iter().map(pair).collect()
}

/// What a person asks for, before anything is made.
fn check(
    name: &str,
    locations: &KeyLocations,
    expires: Option<Timestamp>,
) -> Result<(), StoreError> {
    let what = if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        format!("a key's name has 1 to {LONGEST_NAME} bytes and no control characters")
    } else if matches!(locations, KeyLocations::Only(aliases) if aliases.is_empty()) {
        "a key without locations reaches nothing; name some, or all of them".to_owned()
    } else if expires.is_some_and(|expires| expires <= Timestamp::now()) {
        "the key would have expired already; give a time to come".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::from(what))
}

fn letter(byte: u8) -> char {
    let place = usize::from(byte) % LETTERS.len();
    LETTERS.get(place).copied().map_or('a', char::from)
}

#[cfg(test)]
mod tests;
