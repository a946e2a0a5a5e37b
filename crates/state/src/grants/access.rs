//! The rights of an access token, from memory if it was looked up before.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sqlx::AssertSqlSafe;

use super::narrowing::counts;
use super::record::{GRANT_COLUMNS, TokenGrant};
use super::{GrantRecord, GrantScope, Grants, is_access_token, now};
use crate::store::{Durability, Transaction};
use crate::token::hash_token;
use crate::{StoreError, time};

/// Most cached tokens, and most cached invalid ones. Beyond this, all are looked up again.
pub(super) const MOST_KNOWN: usize = 10_000;

/// No call runs longer: earlier ends do not concern it.
const LONGEST_CALL: i64 = 24 * 60 * 60 * 1_000;

/// Precision of a grant's recorded last use, in milliseconds.
pub(super) const USED_TO: i64 = 10 * 60 * 1_000;

/// The rights of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessGrant {
    pub grant: GrantRecord,
    /// The token's scope, which may be less than the grant's.
    pub scope: GrantScope,
    /// The end of the token, or of the grant if that is earlier.
    pub expires: Timestamp,
}

/// The reason that a token's rights are unknown now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantTrouble {
    /// The log has the reason, for the operator.
    #[error("The server cannot read its connections.")]
    Unreadable,
    /// A later attempt may succeed.
    #[error("The server has too many tokens to look up.")]
    Busy,
}

/// Look-ups since the last change of rows. Every change of the store's revision replaces the cache by an empty one.
#[derive(Default)]
pub(super) struct AccessCache {
    /// Recently ended grants, for running calls.
    ended: HashSet<String>,
    /// The number of narrowings of each grant that has any.
    pub(super) narrowings: HashMap<String, usize>,
    known: Mutex<HashMap<Vec<u8>, Arc<CachedAccess>>>,
    unknown: Mutex<HashSet<Vec<u8>>>,
}

struct CachedAccess {
    access: Arc<AccessGrant>,
    /// The last recorded time of the grant's use.
    noted: AtomicI64,
}

impl Grants {
    /// The rights of an access token; `None`: none, or no longer any. An end by another process is known within 0.2
    /// seconds, one by this process at once.
    pub async fn find(
        &self,
        access: &SecretString,
    ) -> Result<Option<Arc<AccessGrant>>, GrantTrouble> {
        if !is_access_token(access.expose_secret()) {
            return Ok(None);
        }
        let mirrored = self.mirror.value();
        let cache = mirrored.as_ref().as_ref();
        let cache = cache.map_err(|_| GrantTrouble::Unreadable)?;
        let hash = hash_token(access);
        if lock(&cache.unknown).contains(&hash) {
            return Ok(None);
        }
        let cached = lock(&cache.known).get(&hash).cloned();
        let cached = match cached {
            Some(cached) => cached,
            None => {
                let asked = hash.clone();
                let read = self.look_up(move |transaction| AccessGrant::read(transaction, &asked));
                let found = read.await.map_err(|error| match error.is_busy() {
                    true => GrantTrouble::Busy,
                    false => GrantTrouble::Unreadable,
                })?;
                // Into the cache from before the look-up: if rows have changed meanwhile, nobody uses it any more.
                match cache.keep(hash, found) {
                    Some(cached) => cached,
                    None => return Ok(None),
                }
            }
        };
        let now = now();
        if cached.access.expires.as_millisecond() <= now {
            return Ok(None);
        }
        self.note_use(&cached, now);
        Ok(Some(Arc::clone(&cached.access)))
    }

    /// Whether this token was looked up before, so that `find` asks memory alone.
    pub fn remembers(&self, access: &SecretString) -> bool {
        let mirrored = self.mirror.value();
        let cache = mirrored.as_ref().as_ref();
        let hash = hash_token(access);
        cache.is_ok_and(|cache| {
            lock(&cache.known).contains_key(&hash) || lock(&cache.unknown).contains(&hash)
        })
    }

    /// Whether the grant of this id, which was good when a call of it began, has not ended since, from memory. Where
    /// that cannot be read, it has.
    pub fn is_live(&self, id: &str) -> bool {
        let mirrored = self.mirror.value();
        let cache = mirrored.as_ref().as_ref();
        cache.is_ok_and(|cache| !cache.ended.contains(id))
    }

    fn note_use(&self, cached: &CachedAccess, now: i64) {
        let before = cached.noted.load(Ordering::Relaxed);
        if now.saturating_sub(before) < USED_TO {
            return;
        }
        let noted =
            cached
                .noted
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
        if noted.is_err() {
            return;
        }
        let id = cached.access.grant.id.clone();
        // Queued when this returns. An unrecorded use does no harm.
        drop(self.store.change(Durability::System, move |transaction| {
            let note =
                "UPDATE oauth_grant SET used_at = $2 WHERE id = $1 AND COALESCE(used_at, 0) < $2";
            transaction
                .run(sqlx::query(note).bind(id.clone()).bind(now))
                .map(drop)
        }));
    }
}

impl AccessCache {
    pub(super) fn load(transaction: &mut Transaction) -> Result<Self, StoreError> {
        let lately = sqlx::query("SELECT id FROM oauth_grant WHERE ended_at > $1");
        let rows = transaction.all(lately.bind(now() - LONGEST_CALL))?;
        let ended: Result<_, StoreError> = rows.iter().map(|row| row.text("id")).collect();
        Ok(Self {
            ended: ended?,
            narrowings: counts(transaction)?,
            ..Self::default()
        })
    }

    fn keep(&self, hash: Vec<u8>, found: Option<AccessGrant>) -> Option<Arc<CachedAccess>> {
        let Some(access) = found else {
            let mut unknown = lock(&self.unknown);
            if unknown.len() >= MOST_KNOWN {
                unknown.clear();
            }
            unknown.insert(hash);
            return None;
        };
        let used = access.grant.used.map_or(0, Timestamp::as_millisecond);
        let cached = Arc::new(CachedAccess {
            access: Arc::new(access),
            noted: AtomicI64::new(used),
        });
        let mut known = lock(&self.known);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(hash, Arc::clone(&cached));
        Some(cached)
    }
}

impl AccessGrant {
    fn read(transaction: &mut Transaction, hash: &[u8]) -> Result<Option<Self>, StoreError> {
        let find = format!(
            "SELECT {GRANT_COLUMNS}, a.scope AS token_scope, a.expires_at
            FROM oauth_grant g JOIN access a ON a.grant_id = g.id WHERE a.hash = $1"
        );
        let find = sqlx::query(AssertSqlSafe(find)).bind(hash.to_vec());
        let Some(row) = transaction.one(find)? else {
            return Ok(None);
        };
        let grant = TokenGrant::from_row(&row)?;
        let (now, expires) = (now(), row.integer("expires_at")?);
        if grant.is_over(now) || expires <= now {
            return Ok(None);
        }
        let record = GrantRecord::by_id(transaction, &grant.id)?;
        Ok(record.map(|record| Self {
            grant: record,
            scope: GrantScope::parse(&row.text("token_scope").unwrap_or_default()).min(grant.scope),
            expires: time(expires.min(grant.until())),
        }))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl AccessCache {
    /// The numbers of cached tokens, and of cached invalid ones.
    pub(super) fn counts(&self) -> (usize, usize) {
        (lock(&self.known).len(), lock(&self.unknown).len())
    }
}
