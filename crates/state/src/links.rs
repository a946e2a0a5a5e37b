//! Links that let people in: the first operator, people who lost their session, invited people.

mod offer;

use jiff::{SignedDuration, Timestamp};
pub use offer::{Invitation, LONGEST, Offer};
use secrecy::SecretString;

use super::events::{self, EventKind, NewEvent};
use super::people::{self, Person};
use super::store::{Durability, Pending, Store, StoredRow, Transaction};
use super::token::{hash_token, make_id, make_token};
use super::{StoreError, now, time};

/// A link's text has the form `hli_…`. It is in the fragment of an address, so no log and no preview has it.
const PREFIX: &str = "hli_";
const ID_PREFIX: &str = "lnk_";

/// How long somebody may take to become the first operator.
pub const FIRST_LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Most open links of one kind.
const MOST_OPEN: i64 = 10_000;

/// Rows that are deleted at once: other work waits meanwhile.
const AT_ONCE: i64 = 500;

/// A link, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRecord {
    /// Begins with `lnk_`.
    pub id: String,
    pub offer: Offer,
    pub uses_left: u32,
    /// The id of the person who made it; `None`: the command line, or the server.
    pub created_by: Option<String>,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub ended: Option<Timestamp>,
}

/// The links of a store. Cheap to clone.
#[derive(Clone)]
pub struct Links {
    store: Store,
}

impl Links {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Makes a link for this number of people. Its text is shown once: the store does not have it.
    pub fn make(
        &self,
        offer: Offer,
        lasts: SignedDuration,
        uses: u32,
        by: Option<&str>,
    ) -> Pending<(LinkRecord, SecretString)> {
        let prepared = || {
            offer.check(lasts, uses)?;
            let (text, hash) = make_token(PREFIX)?;
            let created = now();
            let record = LinkRecord {
                id: make_id(ID_PREFIX)?,
                offer,
                uses_left: uses,
                created_by: by.map(str::to_owned),
                created,
                expires: created.checked_add(lasts).unwrap_or(Timestamp::MAX),
                ended: None,
            };
            Ok((record, text, hash))
        };
        let (record, text, hash) = match prepared() {
            Ok(prepared) => prepared,
            Err(error) => return Pending::failed(error),
        };
        self.store.change(Durability::Disk, move |transaction| {
            record.check_room(transaction)?;
            record.insert(transaction, &hash)?;
            record.note(transaction, EventKind::LinkMade, record.created_by.clone())?;
            Ok((record.clone(), text.clone()))
        })
    }

    /// The link of this text, if it is still valid. Nothing is used up: programs that preview links may look, too.
    pub fn look(&self, text: &SecretString) -> Pending<Option<LinkRecord>> {
        let hash = hash_token(text);
        self.store
            .read(move |transaction| find_good(transaction, &hash))
    }

    /// Uses it up, and returns the person who signs in by it: a new one, or for a login the returning one. In one
    /// transaction: if two people come at once to a link for one, one is let in. `None`: the link is not valid.
    ///
    /// `name` is the person's wish. If another person has that name, the new one gets a number.
    pub async fn join(
        &self,
        text: &SecretString,
        name: Option<String>,
    ) -> Result<Option<Person>, StoreError> {
        // Invented texts only cause reads: all changes go through one thread.
        if self.look(text).await?.is_none() {
            return Ok(None);
        }
        let name = name
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        let (hash, person_id) = (hash_token(text), people::make_person_id()?);
        let joined = self.store.change(Durability::Disk, move |transaction| {
            let Some(link) = find_good(transaction, &hash)? else {
                return Ok(None);
            };
            let used = sqlx::query("UPDATE link SET uses_left = uses_left - 1 WHERE hash = $1");
            transaction.run(used.bind(hash.clone()))?;
            let person = match link.offer.person(&person_id, name.as_deref()) {
                Some(new) => Some(people::add(transaction, new, link.created_by.clone())?),
                None => match &link.offer {
                    Offer::Login { person } => people::find(transaction, person)?,
                    _ => None,
                },
            };
            let id = person.as_ref().map(|person| person.id.clone());
            link.note(transaction, EventKind::LinkUsed, id)?;
            Ok(person)
        });
        joined.await
    }

    /// Every link until it expires, including ended and used-up ones, oldest first.
    pub fn list(&self) -> Pending<Vec<LinkRecord>> {
        self.store.read(|transaction| {
            let all =
                sqlx::query("SELECT * FROM link WHERE expires_at > $1 ORDER BY created_at, id");
            let rows = transaction.all(all.bind(now().as_millisecond()))?;
            rows.iter().map(LinkRecord::from_row).collect()
        })
    }

    /// From now on nobody joins by it. `by` is the id of the person who ends it; `None`: the command line.
    pub fn end(&self, id: &str, by: Option<&str>) -> Pending<LinkRecord> {
        let (id, by) = (id.to_owned(), by.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let find = sqlx::query("SELECT * FROM link WHERE id = $1").bind(id.clone());
            let row = transaction
                .one(find)?
                .ok_or_else(|| StoreError::from(format!("there is no link {id}")))?;
            let mut link = LinkRecord::from_row(&row)?;
            if link.ended.is_none() {
                let ended = *link.ended.insert(now());
                let end = sqlx::query("UPDATE link SET ended_at = $2 WHERE id = $1");
                transaction.run(end.bind(id.clone()).bind(ended.as_millisecond()))?;
                link.note(transaction, EventKind::LinkEnded, by.clone())?;
            }
            Ok(link)
        })
    }
}

impl LinkRecord {
    fn check_room(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let open = "SELECT COUNT(*) AS n FROM link WHERE kind = $1 AND expires_at > $2 AND ended_at IS NULL AND uses_left > 0";
        let open = sqlx::query(open)
            .bind(self.offer.kind())
            .bind(now().as_millisecond());
        let open = transaction.one(open)?;
        if open.map_or(Ok(0), |row| row.integer("n"))? < MOST_OPEN {
            return Ok(());
        }
        Err(StoreError::from(format!(
            "{MOST_OPEN} links of this kind are open already; end some, or wait until some have expired"
        )))
    }

    fn insert(&self, transaction: &mut Transaction, hash: &[u8]) -> Result<(), StoreError> {
        let offer = serde_json::to_string(&self.offer)
            .map_err(|error| StoreError::from(format!("a link is not JSON: {error}")))?;
        let person = match &self.offer {
            Offer::Login { person } => Some(person.clone()),
            _ => None,
        };
        let insert = "INSERT INTO link (hash, id, kind, person, offer, uses_left, created_by, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let insert = sqlx::query(insert)
            .bind(hash.to_vec())
            .bind(self.id.clone())
            .bind(self.offer.kind())
            .bind(person)
            .bind(offer)
            .bind(i64::from(self.uses_left))
            .bind(self.created_by.clone())
            .bind(self.created.as_millisecond())
            .bind(self.expires.as_millisecond());
        transaction.run(insert).map(drop)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        let id = row.text("id")?;
        // A word that this version does not know may be a restriction.
        let offer = serde_json::from_str(&row.text("offer")?).map_err(|error| {
            StoreError::from(format!(
                "the link {id} is not understood: {error}; use the version that made it"
            ))
        })?;
        Ok(Self {
            id,
            offer,
            uses_left: u32::try_from(row.integer("uses_left")?).unwrap_or_default(),
            created_by: row.optional_text("created_by")?,
            created: time(row.integer("created_at")?),
            expires: time(row.integer("expires_at")?),
            ended: row.optional_integer("ended_at")?.map(time),
        })
    }

    fn note(
        &self,
        transaction: &mut Transaction,
        kind: EventKind,
        actor: Option<String>,
    ) -> Result<(), StoreError> {
        let detail = match &self.offer {
            Offer::First => "for the first operator".to_owned(),
            Offer::Login { person } => format!("for {person} to sign in"),
            Offer::Invite(invitation) => format!("invitation of {}", invitation.name),
        };
        let event = NewEvent {
            kind,
            actor,
            subject: Some(self.id.clone()),
            detail,
        };
        events::write(transaction, event)
    }
}

/// The link of this hash, if somebody may still join by it.
fn find_good(transaction: &mut Transaction, hash: &[u8]) -> Result<Option<LinkRecord>, StoreError> {
    let find = "SELECT * FROM link WHERE hash = $1 AND expires_at > $2 AND ended_at IS NULL AND uses_left > 0";
    let find = sqlx::query(find)
        .bind(hash.to_vec())
        .bind(now().as_millisecond());
    let Some(row) = transaction.one(find)? else {
        return Ok(None);
    };
    let link = LinkRecord::from_row(&row)?;
    let is_good = match &link.offer {
        Offer::First => !people::has_operator(transaction)?,
        Offer::Login { person } => people::find(transaction, person)?.is_some(),
        Offer::Invite(_) => true,
    };
    Ok(is_good.then_some(link))
}

/// Deletes expired links.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let forget = "DELETE FROM link WHERE hash IN (SELECT hash FROM link WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    let forget = sqlx::query(forget).bind(now().as_millisecond());
    transaction.run(forget.bind(AT_ONCE)).map(drop)
}

#[cfg(test)]
mod tests;
