//! Sessions of people's browsers: at most 12 hours, 2 of them idle; 30 days if a passkey began them. Rows have only
//! hashes.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::people::{self, Person};
use super::store::{Durability, Pending, Store, Transaction};
use super::token::{hash_token, make_token};
use super::{StoreError, hex, now, time};

/// A session's text has the form `hls_…`. It is a cookie.
const PREFIX: &str = "hls_";

/// The proof with which a person signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// Something that was given to them: a link, a token, a sign-in at HighLevel.
    Given,
    /// Something that only they can repeat at any time.
    Passkey,
}

impl ProofKind {
    /// Lifetime of a session that begins with it.
    pub fn lasts(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Given => 12,
            Self::Passkey => 30 * 24,
        })
    }

    /// A session without use for this long has ended.
    fn idle(self) -> SignedDuration {
        match self {
            Self::Given => SignedDuration::from_hours(2),
            Self::Passkey => self.lasts(),
        }
    }
}

/// Its use is recorded no more often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Most sessions of one person; a further one ends the oldest.
const MOST_OF_PERSON: i64 = 50;

/// Longest stored name of a browser, in bytes.
const LONGEST_AGENT: usize = 120;

/// Rows that are deleted at once: other work waits meanwhile.
const AT_ONCE: i64 = 500;

/// A person who is signed in at a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSession {
    /// From the hash, in hexadecimal: it gives no access.
    pub id: String,
    pub person: Arc<Person>,
    /// The time of the person's last proof of identity.
    pub proof: Timestamp,
    pub expires: Timestamp,
}

/// The sessions of a store. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
}

impl Sessions {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Begins a session for the person of this id, who has just proved identity. `agent` is the browser's own name.
    pub fn begin(
        &self,
        person: &str,
        proof: ProofKind,
        agent: Option<&str>,
    ) -> Pending<SecretString> {
        self.begin_at(person, proof, agent, now())
    }

    fn begin_at(
        &self,
        person: &str,
        proof: ProofKind,
        agent: Option<&str>,
        now: Timestamp,
    ) -> Pending<SecretString> {
        let (text, hash) = match make_token(PREFIX) {
            Ok(made) => made,
            Err(error) => return Pending::failed(error),
        };
        let (person, agent) = (person.to_owned(), agent.map(shorten));
        self.store.change(Durability::Disk, move |transaction| {
            if people::find(transaction, &person)?.is_none() {
                return Err(StoreError::from(format!(
                    "there is no person {person} who may sign in"
                )));
            }
            end_oldest(transaction, &person)?;
            let insert = "INSERT INTO session (hash, person, created_at, seen_at, proof_at, expires_at, idle_ms, agent)
                VALUES ($1, $2, $3, $3, $3, $4, $5, $6)";
            let insert = sqlx::query(insert)
                .bind(hash.clone())
                .bind(person.clone())
                .bind(now.as_millisecond())
                .bind(now.checked_add(proof.lasts()).unwrap_or(now).as_millisecond())
                .bind(i64::try_from(proof.idle().as_millis()).unwrap_or(0))
                .bind(agent.clone());
            transaction.run(insert)?;
            note_seen(transaction, &person, now)?;
            Ok(text.clone())
        })
    }

    /// The session of this text, while it is valid. Its use is recorded at most once a minute.
    pub async fn find(&self, text: &SecretString) -> Result<Option<PersonSession>, StoreError> {
        self.find_at(text, now()).await
    }

    /// The same for a page's own refreshes: they are no use, and do not extend an idle session.
    pub async fn peek(&self, text: &SecretString) -> Result<Option<PersonSession>, StoreError> {
        self.peek_at(text, now()).await
    }

    async fn peek_at(
        &self,
        text: &SecretString,
        now: Timestamp,
    ) -> Result<Option<PersonSession>, StoreError> {
        let found = self.read(hash_token(text), now).await?;
        Ok(found.map(|(session, _)| session))
    }

    async fn find_at(
        &self,
        text: &SecretString,
        now: Timestamp,
    ) -> Result<Option<PersonSession>, StoreError> {
        let hash = hash_token(text);
        let Some((session, seen)) = self.read(hash.clone(), now).await? else {
            return Ok(None);
        };
        if now.duration_since(seen) >= SEEN_EVERY {
            let person = session.person.id.clone();
            let noted = self.store.change(Durability::System, move |transaction| {
                let seen =
                    sqlx::query("UPDATE session SET seen_at = $2 WHERE hash = $1 AND seen_at < $2");
                transaction.run(seen.bind(hash.clone()).bind(now.as_millisecond()))?;
                note_seen(transaction, &person, now)
            });
            // It is queued; the page does not wait for it.
            drop(noted);
        }
        Ok(Some(session))
    }

    /// With the time of its last use.
    async fn read(
        &self,
        hash: Vec<u8>,
        now: Timestamp,
    ) -> Result<Option<(PersonSession, Timestamp)>, StoreError> {
        let found = self
            .store
            .read(move |transaction| read(transaction, &hash, now));
        found.await
    }

    /// Ends it. Only for texts that `find` knows, because all changes go through one thread.
    pub fn end(&self, text: &SecretString) -> Pending<()> {
        let hash = hash_token(text);
        self.store.change(Durability::Disk, move |transaction| {
            let end = sqlx::query("DELETE FROM session WHERE hash = $1");
            transaction.run(end.bind(hash.clone())).map(drop)
        })
    }
}

/// With the time of its last use.
fn read(
    transaction: &mut Transaction,
    hash: &[u8],
    now: Timestamp,
) -> Result<Option<(PersonSession, Timestamp)>, StoreError> {
    let find =
        "SELECT * FROM session WHERE hash = $1 AND expires_at > $2 AND seen_at + idle_ms > $2";
    let find = sqlx::query(find)
        .bind(hash.to_vec())
        .bind(now.as_millisecond());
    let Some(row) = transaction.one(find)? else {
        return Ok(None);
    };
    let Some(person) = people::find(transaction, &row.text("person")?)? else {
        return Ok(None);
    };
    let session = PersonSession {
        id: hex(hash),
        person: Arc::new(person),
        proof: time(row.integer("proof_at")?),
        expires: time(row.integer("expires_at")?),
    };
    Ok(Some((session, time(row.integer("seen_at")?))))
}

/// Ends the oldest if the person has the maximum.
fn end_oldest(transaction: &mut Transaction, person: &str) -> Result<(), StoreError> {
    let end = "DELETE FROM session WHERE person = $1 AND hash NOT IN (SELECT hash FROM session
        WHERE person = $1 ORDER BY created_at DESC, hash LIMIT $2)";
    let end = sqlx::query(end).bind(person.to_owned());
    transaction.run(end.bind(MOST_OF_PERSON - 1)).map(drop)
}

fn note_seen(
    transaction: &mut Transaction,
    person: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seen = sqlx::query("UPDATE person SET seen_at = $2 WHERE id = $1");
    let seen = seen.bind(person.to_owned()).bind(now.as_millisecond());
    transaction.run(seen).map(drop)
}

fn shorten(agent: &str) -> String {
    let kept = agent.get(..agent.floor_char_boundary(LONGEST_AGENT));
    kept.unwrap_or_default().to_owned()
}

/// Deletes sessions that are over.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let forget =
        "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2)";
    let forget = sqlx::query(forget).bind(now().as_millisecond());
    transaction.run(forget.bind(AT_ONCE)).map(drop)
}

#[cfg(test)]
mod tests;
