//! Programs that ask for access: registered by themselves, described by a document of their own, or made by the operator.

mod record;
mod redirect;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::events::{self, EventKind, NewEvent};
use super::grants::{EndedGrants, end_grants};
use super::store::{Durability, Pending, Store, Transaction};
use super::token::{hash_token, make_id, make_token};
use super::{StoreError, now};
pub use record::{ClientKind, ClientMethod, ClientRecord};
use redirect::is_same_redirect;

const SECRET_PREFIX: &str = "hlcs_";

/// Most clients that registered themselves.
pub const MOST_REGISTERED: i64 = 10_000;

/// Most clients with stored documents.
pub const MOST_DOCUMENTS: i64 = 2_000;

/// A client that registered itself and was never used is deleted after this time; and one that was used, this long
/// after its last use.
const UNUSED: SignedDuration = SignedDuration::from_hours(24);
pub(crate) const AFTER_USE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A copy of a document is stored for this long after it was fetched.
const COPY_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Longer than signing in with a newly registered client takes. An older client that was never used makes room for
/// another: useless registrations take no room from people who are about to sign in.
const SIGNING_IN: SignedDuration = SignedDuration::from_mins(15);

/// Rows that are removed at once.
const AT_ONCE: i64 = 500;

/// Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    store: Store,
}

/// A client to make.
#[derive(Clone, Debug)]
pub struct NewClient {
    pub name: String,
    pub redirects: Vec<String>,
    pub method: ClientMethod,
}

/// The contents of a client's document.
#[derive(Clone, Debug)]
pub struct PutDocument {
    /// Its address, which is the client's id.
    pub id: String,
    pub name: String,
    pub redirects: Vec<String>,
    /// The text as it was fetched.
    pub document: String,
    pub fresh_until: Timestamp,
}

impl Clients {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Registers a client at its own request. Returns it with its secret, if its method needs one, which is shown once.
    /// `None`: the maximum is reached.
    pub fn register(
        &self,
        new: NewClient,
    ) -> Pending<Option<(ClientRecord, Option<SecretString>)>> {
        self.store.change(Durability::Disk, move |transaction| {
            if !has_room(transaction)? {
                return Ok(None);
            }
            let expires = now().checked_add(UNUSED).ok();
            new.insert(transaction, ClientKind::Registered, expires)
                .map(Some)
        })
    }

    /// Adds a client for the operator. Returns it with its secret, if its method needs one, which is shown once.
    pub fn add(&self, new: NewClient) -> Pending<(ClientRecord, Option<SecretString>)> {
        self.store.change(Durability::Disk, move |transaction| {
            let (record, secret) = new.insert(transaction, ClientKind::Static, None)?;
            record.note(transaction, EventKind::ClientAdded)?;
            Ok((record, secret))
        })
    }

    /// Stores a document that was just fetched. Grants with a redirect that it no longer names end.
    pub fn put_document(&self, put: PutDocument) -> Pending<ClientRecord> {
        self.store.change(Durability::Disk, move |transaction| {
            let found = find(transaction, &put.id)?;
            if found.is_none() {
                make_room(transaction)?;
            }
            let fetched = now();
            let record = ClientRecord {
                id: put.id.clone(),
                kind: ClientKind::Document,
                name: put.name.clone(),
                redirects: put.redirects.clone(),
                method: ClientMethod::None,
                document: Some(put.document.clone()),
                fetched: Some(fetched),
                fresh_until: Some(put.fresh_until),
                created: found.as_ref().map_or(fetched, |found| found.created),
                used: found.as_ref().and_then(|found| found.used),
                expires: fetched.checked_add(COPY_KEPT).ok(),
                blocked: found.and_then(|found| found.blocked),
            };
            record.put(transaction, None)?;
            end_dropped(transaction, &record)?;
            Ok(record)
        })
    }

    /// The client of this id, also if blocked. A client lives as long as one of its grants.
    pub fn find(&self, id: &str) -> Pending<Option<ClientRecord>> {
        let id = id.to_owned();
        self.store.read(move |transaction| {
            let found = find(transaction, &id)?;
            match found {
                Some(found) if found.is_over(now()) => {
                    let lives = lives_by_grant(transaction, &id)?;
                    Ok(lives.then_some(found))
                }
                found => Ok(found),
            }
        })
    }

    /// Whether that is the client's secret. False for a client without one.
    pub fn is_secret(&self, id: &str, secret: &SecretString) -> Pending<bool> {
        let (id, hash) = (id.to_owned(), hash_token(secret));
        self.store.read(move |transaction| {
            let find = sqlx::query("SELECT secret_hash FROM client WHERE id = $1").bind(id.clone());
            let row = transaction.one(find)?;
            let right = row.map_or(Ok(None), |row| row.optional_bytes("secret_hash"))?;
            Ok(right.is_some_and(|right| right.ct_eq(&hash).into()))
        })
    }

    /// Blocks a client, which ends its grants, or unblocks it.
    pub fn block(&self, id: &str, is_blocked: bool) -> Pending<ClientRecord> {
        self.set_blocked(id, is_blocked, None)
    }

    /// The same; `by` is the id of the person who does it. `None`: the command line.
    pub fn set_blocked(
        &self,
        id: &str,
        is_blocked: bool,
        by: Option<&str>,
    ) -> Pending<ClientRecord> {
        let (id, by) = (id.to_owned(), by.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let mut record = find(transaction, &id)?.ok_or_else(|| unknown(&id))?;
            record.blocked = is_blocked.then(|| record.blocked.unwrap_or_else(now));
            let block = sqlx::query("UPDATE client SET blocked_at = $2 WHERE id = $1");
            let blocked = record.blocked.map(Timestamp::as_millisecond);
            transaction.run(block.bind(id.clone()).bind(blocked))?;
            if !is_blocked {
                record.note_by(transaction, EventKind::ClientUnblocked, by.clone())?;
                return Ok(record);
            }
            record.note_by(transaction, EventKind::ClientBlocked, by.clone())?;
            let ended = EndedGrants::Client(id.clone());
            end_grants(transaction, &ended, "client blocked", by.as_deref())?;
            Ok(record)
        })
    }

    /// Deletes a client; its grants end.
    pub fn remove(&self, id: &str) -> Pending<ClientRecord> {
        let id = id.to_owned();
        self.store.change(Durability::Disk, move |transaction| {
            let record = find(transaction, &id)?.ok_or_else(|| unknown(&id))?;
            let remove = sqlx::query("DELETE FROM client WHERE id = $1");
            transaction.run(remove.bind(id.clone()))?;
            record.note(transaction, EventKind::ClientRemoved)?;
            let ended = EndedGrants::Client(id.clone());
            end_grants(transaction, &ended, "client removed", None)?;
            Ok(record)
        })
    }

    /// Newest first.
    pub fn list(&self) -> Pending<Vec<ClientRecord>> {
        self.store.read(|transaction| {
            let all = sqlx::query("SELECT * FROM client ORDER BY created_at DESC, id");
            let rows = transaction.all(all)?;
            rows.iter().map(ClientRecord::from_row).collect()
        })
    }
}

impl ClientRecord {
    fn note(&self, transaction: &mut Transaction, kind: EventKind) -> Result<(), StoreError> {
        self.note_by(transaction, kind, None)
    }

    fn note_by(
        &self,
        transaction: &mut Transaction,
        kind: EventKind,
        actor: Option<String>,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            kind,
            actor,
            subject: Some(self.id.clone()),
            detail: self.name.clone(),
        };
        events::write(transaction, event)
    }
}

impl NewClient {
    fn insert(
        &self,
        transaction: &mut Transaction,
        kind: ClientKind,
        expires: Option<Timestamp>,
    ) -> Result<(ClientRecord, Option<SecretString>), StoreError> {
        let secret = match self.method {
            ClientMethod::None => None,
            ClientMethod::Basic | ClientMethod::Post => Some(make_token(SECRET_PREFIX)?),
        };
        let (secret, hash) = secret.unzip();
        let record = ClientRecord {
            id: make_id("cli_")?,
            kind,
            name: self.name.clone(),
            redirects: self.redirects.clone(),
            method: self.method,
            document: None,
            fetched: None,
            fresh_until: None,
            created: now(),
            used: None,
            expires,
            blocked: None,
        };
        record.put(transaction, hash)?;
        Ok((record, secret))
    }
}

/// Notes that the client has got a token.
pub(crate) fn touch(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    let Some(record) = find(transaction, id)? else {
        return Ok(());
    };
    if record.used.is_none() {
        record.note(transaction, EventKind::ClientSeen)?;
    }
    let used = now();
    let expires = match record.kind {
        ClientKind::Registered => used.checked_add(AFTER_USE).ok(),
        ClientKind::Document | ClientKind::Static => record.expires,
    };
    let touch = "UPDATE client SET used_at = $2, expires_at = $3 WHERE id = $1";
    let touch = sqlx::query(touch)
        .bind(id.to_owned())
        .bind(used.as_millisecond())
        .bind(expires.map(Timestamp::as_millisecond));
    transaction.run(touch).map(drop)
}

/// Deletes expired clients. A blocked document stays, because its address would be free again.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let sweep = "DELETE FROM client WHERE id IN (SELECT c.id FROM client c
            WHERE c.expires_at <= $1 AND (c.blocked_at IS NULL OR c.kind = 'registered') AND NOT EXISTS
                (SELECT 1 FROM oauth_grant g WHERE g.client = c.id AND g.ended_at IS NULL)
            ORDER BY c.expires_at LIMIT $2)";
    let sweep = sqlx::query(sweep).bind(now().as_millisecond());
    transaction.run(sweep.bind(AT_ONCE)).map(drop)
}

fn find(transaction: &mut Transaction, id: &str) -> Result<Option<ClientRecord>, StoreError> {
    let find = sqlx::query("SELECT * FROM client WHERE id = $1").bind(id.to_owned());
    let row = transaction.one(find)?;
    row.as_ref().map(ClientRecord::from_row).transpose()
}

fn lives_by_grant(transaction: &mut Transaction, id: &str) -> Result<bool, StoreError> {
    let find = "SELECT id FROM oauth_grant WHERE client = $1 AND ended_at IS NULL LIMIT 1";
    let find = sqlx::query(find).bind(id.to_owned());
    Ok(transaction.one(find)?.is_some())
}

fn unknown(id: &str) -> StoreError {
    StoreError::from(format!(
        "there is no client {id}; `highlevel-mcp clients list` shows all"
    ))
}

/// Whether one more may register. If there are too many, an unused one that had its time is deleted.
fn has_room(transaction: &mut Transaction) -> Result<bool, StoreError> {
    if count(transaction, ClientKind::Registered)? < MOST_REGISTERED {
        return Ok(true);
    }
    let before = now().checked_sub(SIGNING_IN).unwrap_or_default();
    let forget = "DELETE FROM client WHERE id = (SELECT c.id FROM client c
            WHERE c.kind = 'registered' AND c.used_at IS NULL AND c.created_at < $1 AND NOT EXISTS
                (SELECT 1 FROM oauth_grant g WHERE g.client = c.id AND g.ended_at IS NULL)
            ORDER BY c.created_at LIMIT 1)";
    let forget = sqlx::query(forget).bind(before.as_millisecond());
    Ok(transaction.run(forget)? > 0)
}

/// Makes room for one more document: if there are too many, the one without a grant that was fetched longest ago is
/// deleted.
fn make_room(transaction: &mut Transaction) -> Result<(), StoreError> {
    if count(transaction, ClientKind::Document)? < MOST_DOCUMENTS {
        return Ok(());
    }
    let forget = "DELETE FROM client WHERE id = (SELECT c.id FROM client c
            WHERE c.kind = 'document' AND c.blocked_at IS NULL AND NOT EXISTS
                (SELECT 1 FROM oauth_grant g WHERE g.client = c.id AND g.ended_at IS NULL)
            ORDER BY c.fetched_at LIMIT 1)";
    match transaction.run(sqlx::query(forget))? {
        0 => Err(StoreError::from(format!(
            "{MOST_DOCUMENTS} clients with their own documents have connections; remove some: `highlevel-mcp clients`"
        ))),
        _ => Ok(()),
    }
}

fn count(transaction: &mut Transaction, kind: ClientKind) -> Result<i64, StoreError> {
    let count = sqlx::query("SELECT COUNT(*) AS n FROM client WHERE kind = $1");
    let row = transaction.one(count.bind(kind.name()))?;
    row.map_or(Ok(0), |row| row.integer("n"))
}

/// Ends grants whose redirect the client no longer names.
fn end_dropped(transaction: &mut Transaction, client: &ClientRecord) -> Result<(), StoreError> {
    let made = "SELECT id, redirect FROM oauth_grant WHERE client = $1 AND ended_at IS NULL";
    let made = transaction.all(sqlx::query(made).bind(client.id.clone()))?;
    for grant in &made {
        let redirect = grant.text("redirect")?;
        let mut named = client.redirects.iter();
        if !named.any(|one| is_same_redirect(one, &redirect)) {
            let ended = EndedGrants::One(grant.text("id")?);
            end_grants(transaction, &ended, "redirect dropped", None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
