//! Grants: the rights that people gave clients, and the clients' tokens for them.
//!
//! A grant begins with a code, which lasts a minute. The client exchanges it for an access token, and a refresh token
//! for the next pair. The refresh token of generation n is an HMAC of the grant's salt and n under a secret of the
//! store: a client that shows a recently replaced one gets the current one again, so neither a lost answer nor a race
//! of two processes ends a connection.

mod access;
mod ending;
mod issue;
mod narrowing;
mod record;
mod redeem;
mod refresh;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::StoreError;
use super::clock::now;
use super::events::{self, EventKind, NewEvent};
use super::folder::LONGEST_WAIT;
use super::random;
use super::store::{Durability, Mirror, Pending, Statement, Store, Transaction};
use super::token::{hash_token, make_id};
use access::AccessCache;
pub use access::{AccessGrant, GrantTrouble};
pub use ending::EndedGrants;
pub(crate) use ending::end_grants;
use issue::TokenIssuer;
pub use narrowing::MOST_RULES;
pub use record::{GrantHolder, GrantRecord, GrantScope};
use record::{TokenGrant, holder_columns};
pub use redeem::Redemption;
pub use refresh::RefreshRequest;
pub(crate) use upkeep::sweep;

const ACCESS: &str = "hla_";
const REFRESH: &str = "hlr_";
const CODE: &str = "hlc_";

/// How long a code waits for its client.
const CODE_LASTS: Duration = Duration::from_secs(60);

/// Most grants of one person or key. A further one replaces the one whose last use is oldest.
const MOST_OF_HOLDER: i64 = 1_000;

/// Most concurrent look-ups of tokens in the store; others wait. Invented tokens must not block the store for others.
const LOOKED_UP_AT_ONCE: usize = 32;

const TROUBLE: &str = "the grants cannot be read; every access token is refused";

/// Lifetimes of tokens.
#[derive(Clone, Copy, Debug)]
pub struct GrantTimes {
    pub access_for: Duration,
    /// A grant ends when it was not used for this long.
    pub refresh_idle: Duration,
    /// A grant ends after this time.
    pub refresh_for: Duration,
    /// For this long a replaced refresh token still gets the current one. Zero: each is valid once.
    pub refresh_grace: Duration,
}

/// The rights that a person gave a client.
#[derive(Clone, Debug)]
pub struct NewGrant {
    pub holder: GrantHolder,
    pub client: String,
    pub client_name: String,
    /// The exact address where the client asked to be answered.
    pub redirect: String,
    pub resource: String,
    pub scope: GrantScope,
    /// Name of built-in rules, or `section:` and the name of one of the operator's sections.
    pub rules: String,
    /// Aliases, at least one; `*`: every location of the holder, future ones included.
    pub locations: Vec<String>,
    /// The S256 challenge of PKCE.
    pub challenge: String,
    /// A random name of the page of consent: sent twice, it gives the same code.
    pub form: String,
}

/// A client's tokens.
#[derive(Clone, Debug)]
pub struct GrantTokens {
    pub access: SecretString,
    pub refresh: SecretString,
    /// Lifetime of the access token.
    pub expires_in: Duration,
    /// Scope of the access token.
    pub scope: GrantScope,
    /// The grant's id.
    pub grant: String,
}

/// The reason that a client gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// There is no such code or token.
    Unknown,
    /// It is another client's.
    OtherClient,
    /// It was used before, which has ended the grant.
    Replayed,
    Expired,
    /// The grant has ended.
    Ended,
    WrongRedirect,
    WrongVerifier,
    /// It is for another resource.
    ForeignResource,
    /// The request exceeds the given rights.
    WiderScope,
}

/// The grants of a store. Cheap to clone.
#[derive(Clone)]
pub struct Grants {
    store: Store,
    times: GrantTimes,
    mirror: Arc<Mirror<AccessCache>>,
    lookups: Arc<Semaphore>,
}

impl Grants {
    /// Blocks until recently ended grants are known.
    pub fn new(store: &Store, times: GrantTimes) -> Self {
        Self {
            store: store.clone(),
            times,
            mirror: store.mirror(AccessCache::default(), AccessCache::load, TROUBLE),
            lookups: Arc::new(Semaphore::new(LOOKED_UP_AT_ONCE)),
        }
    }

    /// Makes a grant, and the code for its client. The same form again gives the same code, while it waits for its
    /// client; `None`: the form was answered before, and its code has been used or has expired.
    pub fn allow(&self, new: NewGrant) -> Pending<Option<(GrantRecord, SecretString)>> {
        if new.locations.is_empty() {
            return Pending::failed(StoreError::from(
                "a connection needs at least one location; choose some".to_owned(),
            ));
        }
        let issuer = self.issuer();
        self.store.change(Durability::Disk, move |transaction| {
            let code = issuer.code(transaction, &new.form)?;
            let find = "SELECT grant_id, used_at FROM code WHERE hash = $1";
            let find = sqlx::query(find).bind(hash_token(&code));
            let id = match transaction.one(find)? {
                Some(row) if row.optional_integer("used_at")?.is_some() => return Ok(None),
                Some(row) => row.text("grant_id")?,
                None => new.insert(transaction, &issuer, &code)?,
            };
            if !is_good(transaction, &id)? {
                return Ok(None);
            }
            let record = GrantRecord::by_id(transaction, &id)?;
            Ok(record.map(|record| (record, code)))
        })
    }

    /// The grant of this id, if neither it nor what it depends on has ended.
    pub fn get(&self, id: &str) -> Pending<Option<GrantRecord>> {
        let id = id.to_owned();
        self.store
            .read(move |transaction| match is_good(transaction, &id)? {
                true => GrantRecord::by_id(transaction, &id),
                false => Ok(None),
            })
    }

    fn issuer(&self) -> TokenIssuer {
        TokenIssuer::new(self.store.ring(), self.times)
    }

    /// Whether there is a row for this text. An invented text locks nothing.
    async fn is_known(&self, find: &'static str, text: &SecretString) -> Result<bool, StoreError> {
        let hash = hash_token(text);
        self.look_up(move |transaction| {
            let find = sqlx::query(find).bind(hash.clone());
            Ok(transaction.one(find)?.is_some())
        })
        .await
    }

    /// Reads for an unknown caller, with limited concurrency so that the store stays free for others.
    async fn look_up<T: Send + 'static>(
        &self,
        read: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = timeout(LONGEST_WAIT, self.lookups.acquire()).await;
        let _permit = permit.map_err(|_| {
            StoreError::busy("too many unknown tokens are looked up; their senders must stop")
        })?;
        self.store.read(read).await
    }
}

/// Whether neither the grant of this id nor what it depends on has ended.
pub(crate) fn is_good(transaction: &mut Transaction, id: &str) -> Result<bool, StoreError> {
    let grant = TokenGrant::by_id(transaction, id)?;
    Ok(grant.is_some_and(|grant| !grant.is_over(now())))
}

/// Whether it has the form of our access tokens.
pub fn is_access_token(text: &str) -> bool {
    text.starts_with(ACCESS)
}

impl NewGrant {
    fn insert(
        &self,
        transaction: &mut Transaction,
        issuer: &TokenIssuer,
        code: &SecretString,
    ) -> Result<String, StoreError> {
        make_room(transaction, &self.holder)?;
        let (now, id) = (now(), make_id("gra_")?);
        let (person, key) = holder_columns(&self.holder);
        let actor = person.clone().or_else(|| key.clone());
        let insert = "INSERT INTO oauth_grant (id, person, access_key, client, client_name, redirect, resource, scope,
                rules, salt, seq, current, created_at, used_at, idle_until, hard_until, ended_at, ended_why)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, NULL, $11, NULL, $12, $13, NULL, NULL)";
        let insert = sqlx::query(insert)
            .bind(id.clone())
            .bind(person)
            .bind(key)
            .bind(self.client.clone())
            .bind(self.client_name.clone())
            .bind(self.redirect.clone())
            .bind(canonical(&self.resource).to_owned())
            .bind(self.scope.name())
            .bind(self.rules.clone())
            .bind(random::<32>()?.to_vec())
            .bind(now)
            // Until its client has redeemed it.
            .bind(after(now, CODE_LASTS))
            .bind(after(now, issuer.times().refresh_for));
        transaction.run(insert)?;
        for alias in &self.locations {
            let insert = "INSERT INTO grant_location (grant_id, alias) VALUES ($1, $2)
                ON CONFLICT (grant_id, alias) DO NOTHING";
            let insert = sqlx::query(insert).bind(id.clone()).bind(alias.clone());
            transaction.run(insert)?;
        }
        if !is_good(transaction, &id)? {
            return Err(StoreError::from(
                "the client was blocked, or the person may no longer allow it".to_owned(),
            ));
        }
        self.insert_code(transaction, &id, code)?;
        let (client, rules) = (&self.client_name, &self.rules);
        let event = NewEvent {
            kind: EventKind::GrantAllowed,
            actor,
            subject: Some(id.clone()),
            detail: format!("{client}, {rules}: {}", self.locations.join(", ")),
        };
        events::write(transaction, event)?;
        Ok(id)
    }

    fn insert_code(
        &self,
        transaction: &mut Transaction,
        grant: &str,
        code: &SecretString,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO code (hash, grant_id, redirect, challenge, expires_at, used_at)
            VALUES ($1, $2, $3, $4, $5, NULL)";
        let insert = sqlx::query(insert)
            .bind(hash_token(code))
            .bind(grant.to_owned())
            .bind(self.redirect.clone())
            .bind(self.challenge.clone())
            .bind(after(now(), CODE_LASTS));
        transaction.run(insert).map(drop)
    }
}

/// Makes room for one more grant of this holder.
fn make_room(transaction: &mut Transaction, holder: &GrantHolder) -> Result<(), StoreError> {
    let (person, key) = holder_columns(holder);
    let bind = |statement: &'static str| -> Statement<'static> {
        sqlx::query(statement)
            .bind(person.clone())
            .bind(key.clone())
    };
    let count = "SELECT COUNT(*) AS n FROM oauth_grant WHERE ended_at IS NULL AND (person = $1 OR access_key = $2)";
    let row = transaction.one(bind(count))?;
    if row.map_or(Ok(0), |row| row.integer("n"))? < MOST_OF_HOLDER {
        return Ok(());
    }
    let oldest =
        "SELECT id FROM oauth_grant WHERE ended_at IS NULL AND (person = $1 OR access_key = $2)
        ORDER BY COALESCE(used_at, created_at), id LIMIT 1";
    let oldest = transaction.one(bind(oldest))?;
    oldest.map_or(Ok(()), |oldest| {
        let ended = EndedGrants::One(oldest.text("id")?);
        end_grants(transaction, &ended, "too many connections", None).map(drop)
    })
}

/// The form in which resources are compared: a trailing slash makes no difference.
fn canonical(resource: &str) -> &str {
    resource.strip_suffix('/').unwrap_or(resource)
}

fn after(now: i64, lasts: Duration) -> i64 {
    now.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
