//! Access keys: each binds a client to locations and to a policy.

mod use_notes;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::clock::SteadyClock;
use super::events::EventKind;
use super::grants::{EndedGrants, end_grants};
use super::store::{Durability, Mirror, Pending, Store, StoredRow, Transaction};
use super::token::letter;
use super::{StoreError, now, random, sha256, time};

/// A key has the form `hlk_<id>_<secret>`.
const PREFIX: &str = "hlk_";

const LONGEST_NAME: usize = 64;

const TROUBLE: &str = "the access keys cannot be read; every key is refused";

/// One key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    pub id: String,
    pub name: String,
    /// Hash of the secret. It need not be slow: the secret is 32 random bytes, which nobody guesses however fast.
    sha256: String,
    pub locations: KeyLocations,
    pub policy: Option<String>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    /// It may use the agency's own token.
    #[serde(default)]
    pub agency: bool,
    /// Rules beside the policy, named like those of a grant.
    #[serde(default)]
    pub rules: Option<String>,
    /// Return addresses for customers whose links let them connect a location. Empty: it makes no such links.
    #[serde(default)]
    pub return_urls: Vec<String>,
    /// The time of its last use, accurate to some minutes.
    #[serde(default)]
    pub used: Option<Timestamp>,
}

/// The properties of a new key.
#[derive(Clone, Debug)]
pub struct NewKey<'a> {
    pub name: &'a str,
    pub locations: KeyLocations,
    pub policy: Option<&'a str>,
    pub expires: Option<Timestamp>,
    pub agency: bool,
    pub rules: Option<&'a str>,
    pub return_urls: Vec<String>,
}

/// The reach of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocations {
    All,
    /// Aliases.
    Only(Vec<String>),
    /// Connected locations, by their ids: an alias may belong to another one later.
    Connected(Vec<String>),
}

/// The reason that an existing key with the right secret is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("The access key {id} was revoked.")]
    Revoked { id: String },
    #[error("The access key {id} has expired.")]
    Expired { id: String },
    /// The log has the reason, for the operator.
    #[error("The server cannot read its access keys.")]
    Unreadable,
}

/// The keys of a store. Lookups are from memory. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    mirror: Arc<Mirror<KeysById>>,
}

type KeysById = HashMap<String, KeptKey>;

/// A key in memory.
struct KeptKey {
    record: Arc<KeyRecord>,
    /// The last recorded time of the key's use.
    noted: AtomicI64,
}

impl Keys {
    /// Blocks until they are read.
    pub fn new(store: &Store) -> Self {
        let load = |transaction: &mut Transaction| read_all(transaction).map(by_id);
        Self {
            store: store.clone(),
            mirror: store.mirror(KeysById::new(), load, TROUBLE),
        }
    }

    /// Makes a key without the agency's rights, like `make`.
    pub fn create(
        &self,
        name: &str,
        locations: KeyLocations,
        policy: Option<&str>,
        expires: Option<Timestamp>,
    ) -> Pending<(KeyRecord, SecretString)> {
        self.make(NewKey {
            name,
            locations,
            policy,
            expires,
            agency: false,
            rules: None,
            return_urls: Vec::new(),
        })
    }

    /// Makes a key. Its text is shown once: the store does not have it.
    pub fn make(&self, new: NewKey) -> Pending<(KeyRecord, SecretString)> {
        self.make_for(new, None)
    }

    /// The same, by the person of this id.
    pub fn make_by(&self, new: NewKey, by: &str) -> Pending<(KeyRecord, SecretString)> {
        self.make_for(new, Some(by.to_owned()))
    }

    fn make_for(&self, new: NewKey, by: Option<String>) -> Pending<(KeyRecord, SecretString)> {
        let (record, text) = match new.prepare() {
            Ok(prepared) => prepared,
            Err(error) => return Pending::failed(error),
        };
        self.store.change(Durability::Disk, move |transaction| {
            record.add(transaction)?;
            record.note(transaction, EventKind::KeyMade, by.clone())?;
            Ok((record.clone(), text.clone()))
        })
    }

    /// From now on the key of that id or name lets nobody in; other processes notice within 0.2 seconds.
    pub fn revoke(&self, id_or_name: &str) -> Pending<KeyRecord> {
        self.revoke_by(id_or_name, None)
    }

    /// The same, with the id of the person who does it.
    pub fn revoke_by(&self, id_or_name: &str, actor: Option<&str>) -> Pending<KeyRecord> {
        let (id_or_name, actor) = (id_or_name.to_owned(), actor.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            // An id has precedence over a name.
            let find = "SELECT * FROM access_key WHERE id = $1 OR name = $1 AND ended_at IS NULL
                ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
            let find = sqlx::query(find).bind(id_or_name.clone());
            let found = transaction.one(find)?.ok_or_else(|| {
                StoreError::from(format!(
                    "there is no key {id_or_name}; `highlevel-mcp keys list` shows all"
                ))
            })?;
            let mut record = KeyRecord::from_row(&found)?;
            if record.revoked.is_none() {
                record.note(transaction, EventKind::KeyRevoked, actor.clone())?;
            }
            let revoked = *record.revoked.get_or_insert_with(now);
            end(transaction, &record.id, revoked, "access key revoked")?;
            Ok(record)
        })
    }

    /// Every key, revoked ones too, oldest first.
    pub fn list(&self) -> Pending<Vec<KeyRecord>> {
        self.store.read(read_all)
    }

    /// Whether the key of this id is still valid, from memory: for calls that began earlier.
    pub fn is_valid(&self, id: &str) -> bool {
        self.is_valid_at(id, SteadyClock::now())
    }

    fn is_valid_at(&self, id: &str, now: Timestamp) -> bool {
        self.valid_at(id, now).is_some()
    }

    /// The key of this id, if it is still valid.
    pub fn valid(&self, id: &str) -> Option<Arc<KeyRecord>> {
        self.valid_at(id, SteadyClock::now())
    }

    fn valid_at(&self, id: &str, now: Timestamp) -> Option<Arc<KeyRecord>> {
        let known = self.mirror.value();
        let record = &known.as_ref().as_ref().ok()?.get(id)?.record;
        let is_good =
            record.revoked.is_none() && record.expires.is_none_or(|expires| now < expires);
        is_good.then(|| Arc::clone(record))
    }

    /// Whether there is a key that was not revoked, from memory. If that is unknown, there may be one.
    pub fn has_any(&self) -> bool {
        let known = self.mirror.value();
        known.as_ref().as_ref().map_or(true, |known| {
            let mut kept = known.values();
            kept.any(|kept| kept.record.revoked.is_none())
        })
    }

    /// The key that a client shows, from memory: a key that another process made is known within 0.2 seconds. `None`:
    /// there is none; a wrong secret of an existing key gives the same result.
    pub fn find(&self, presented: &str) -> Result<Option<Arc<KeyRecord>>, KeyRefusal> {
        self.find_at(presented, SteadyClock::now())
    }

    fn find_at(
        &self,
        presented: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<KeyRecord>>, KeyRefusal> {
        let known = self.mirror.value();
        let known = known.as_ref().as_ref();
        let keys = known.map_err(|_| KeyRefusal::Unreadable)?;
        let parts = presented
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let kept = keys.get(id);
        // An unknown id takes as long as a known one.
        let held = kept.map_or("", |kept| &kept.record.sha256);
        let same: bool = sha256(secret).as_bytes().ct_eq(held.as_bytes()).into();
        let Some(kept) = kept.filter(|_| same) else {
            return Ok(None);
        };
        let record = &kept.record;
        let id = || record.id.clone();
        if record.revoked.is_some() {
            return Err(KeyRefusal::Revoked { id: id() });
        }
        if record.expires.is_some_and(|expires| expires <= now) {
            return Err(KeyRefusal::Expired { id: id() });
        }
        self.note_use(kept, now);
        Ok(Some(Arc::clone(record)))
    }
}

/// From now on this key, and everything allowed with it, lets nobody in.
pub(crate) fn end(
    transaction: &mut Transaction,
    id: &str,
    at: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    let end = "UPDATE access_key SET ended_at = COALESCE(ended_at, $2) WHERE id = $1";
    let end = sqlx::query(end).bind(id.to_owned());
    transaction.run(end.bind(at.as_millisecond()))?;
    let of_key = EndedGrants::Key(id.to_owned());
    end_grants(transaction, &of_key, why, None)?;
    transaction.revise()
}

/// Whether it is meant as an access key, not as a HighLevel token.
pub fn looks_like_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl NewKey<'_> {
    /// The key and its text, before it is stored.
    pub(crate) fn prepare(self) -> Result<(KeyRecord, SecretString), StoreError> {
        self.check()?;
        let id: String = random::<8>()?.into_iter().map(letter).collect();
        let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let text = format!("{PREFIX}{id}_{secret}");
        let record = KeyRecord {
            id,
            name: self.name.trim().to_owned(),
            sha256: sha256(&secret),
            locations: self.locations,
            policy: self.policy.map(str::to_owned),
            created: now(),
            expires: self.expires,
            revoked: None,
            agency: self.agency,
            rules: self.rules.map(str::to_owned),
            return_urls: self.return_urls,
            used: None,
        };
        Ok((record, text.into()))
    }

    /// Checks a person's input before anything is made.
    fn check(&self) -> Result<(), StoreError> {
        let name = self.name.trim();
        let reaches_nothing = match &self.locations {
            KeyLocations::All => false,
            KeyLocations::Only(aliases) => aliases.is_empty() && self.return_urls.is_empty(),
            KeyLocations::Connected(ids) => ids.is_empty(),
        };
        let what =
            if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
                format!("a key's name has 1 to {LONGEST_NAME} bytes and no control characters")
            } else if reaches_nothing {
                "a key needs locations; name some, or all of them".to_owned()
            } else if self
                .expires
                .is_some_and(|expires| expires <= crate::clock::SteadyClock::now())
            {
                "the key would have expired already; give a future time".to_owned()
            } else {
                return Ok(());
            };
        Err(StoreError::from(what))
    }
}

fn by_id(records: Vec<KeyRecord>) -> KeysById {
    let pair = |record: KeyRecord| (record.id.clone(), KeptKey::from(record));
    records.into_iter().map(pair).collect()
}

/// Oldest first.
fn read_all(transaction: &mut Transaction) -> Result<Vec<KeyRecord>, StoreError> {
    let rows = transaction.all(sqlx::query(
        "SELECT * FROM access_key ORDER BY created_at, id",
    ))?;
    rows.iter().map(KeyRecord::from_row).collect()
}

impl KeyRecord {
    /// Fails if another key has its id or name.
    pub(crate) fn add(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let taken =
            "SELECT id FROM access_key WHERE id = $1 OR id = $2 OR name = $2 AND ended_at IS NULL";
        let taken = sqlx::query(taken)
            .bind(self.id.clone())
            .bind(self.name.clone());
        if let Some(other) = transaction.one(taken)? {
            return Err(StoreError::from(format!(
                "the key {} already has the name {}; revoke it, or choose another name",
                other.text("id")?,
                self.name
            )));
        }
        self.insert(transaction)?;
        transaction.revise()
    }

    pub fn insert(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let locations = serde_json::to_string(&self.locations)
            .map_err(|error| StoreError::from(format!("a key is not JSON: {error}")))?;
        let milliseconds = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        let urls = (!self.return_urls.is_empty()).then(|| serde_json::to_string(&self.return_urls));
        let urls = urls
            .transpose()
            .map_err(|error| StoreError::from(format!("a key is not JSON: {error}")))?;
        let insert = "INSERT INTO access_key (id, sha256, name, locations, policy, agency, created_at, expires_at, ended_at,
                rules, return_urls)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let insert = sqlx::query(insert)
            .bind(self.id.clone())
            .bind(self.sha256.clone())
            .bind(self.name.clone())
            .bind(locations)
            .bind(self.policy.clone())
            .bind(i64::from(self.agency))
            .bind(self.created.as_millisecond())
            .bind(milliseconds(self.expires))
            .bind(milliseconds(self.revoked))
            .bind(self.rules.clone())
            .bind(urls);
        transaction.run(insert).map(drop)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        let id = row.text("id")?;
        // A word that this version does not know may be a restriction, so the keys are refused, not half understood.
        let unread = |what: &str, error: serde_json::Error| {
            StoreError::from(format!(
                "the {what} of the key {id} are not understood: {error}; revoke it, or use the version that made it"
            ))
        };
        let locations = serde_json::from_str(&row.text("locations")?)
            .map_err(|error| unread("locations", error))?;
        let urls = row.optional_text("return_urls")?;
        let return_urls = urls.map_or(Ok(Vec::new()), |urls| serde_json::from_str(&urls));
        let return_urls = return_urls.map_err(|error| unread("return addresses", error))?;
        Ok(Self {
            id,
            name: row.text("name")?,
            sha256: row.text("sha256")?,
            locations,
            policy: row.optional_text("policy")?,
            created: time(row.integer("created_at")?),
            expires: row.optional_integer("expires_at")?.map(time),
            revoked: row.optional_integer("ended_at")?.map(time),
            agency: row.integer("agency")? != 0,
            rules: row.optional_text("rules")?,
            return_urls,
            used: row.optional_integer("used_at")?.map(time),
        })
    }
}

#[cfg(test)]
mod tests;
