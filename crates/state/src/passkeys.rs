//! Passkeys: proofs of identity without a link. Rows have public keys; the private key never leaves its device.

use jiff::Timestamp;

use super::events::{self, EventKind, NewEvent};
use super::people::{self, Person};
use super::store::{Durability, Pending, Store, StoredRow, Transaction};
use super::{StoreError, now, time};

/// Most passkeys of one person.
pub const MOST_OF_PERSON: i64 = 20;

/// Longest stored description of a key, in bytes. Those of browsers have some hundred.
const LONGEST_CREDENTIAL: usize = 8 << 10;

/// Longest name of a passkey, in characters.
const LONGEST_NAME: usize = 64;

/// A passkey of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRecord {
    /// The device's id of it.
    pub id: Vec<u8>,
    pub person: String,
    /// Its person's name for it.
    pub name: String,
    /// The public key with its counter, in the form of the code that checks it.
    pub credential: String,
    pub created: Timestamp,
    pub used: Option<Timestamp>,
}

/// A passkey to store.
#[derive(Clone, Debug)]
pub struct NewPasskey {
    pub id: Vec<u8>,
    pub name: String,
    pub credential: String,
}

/// The passkeys of a store. Cheap to clone.
#[derive(Clone)]
pub struct Passkeys {
    store: Store,
}

impl Passkeys {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Stores a passkey of this person. One that is stored already is refused, whoever has it.
    pub fn add(&self, person: &str, new: NewPasskey) -> Pending<()> {
        let person = person.to_owned();
        self.store.change(Durability::Disk, move |transaction| {
            if new.credential.len() > LONGEST_CREDENTIAL {
                return Err("the passkey is longer than any that browsers make"
                    .to_owned()
                    .into());
            }
            if people::find(transaction, &person)?.is_none() {
                return Err(format!("there is no person {person} who may sign in").into());
            }
            if list(transaction, &person)?.len() >= usize::try_from(MOST_OF_PERSON).unwrap_or(0) {
                return Err(format!(
                    "you have {MOST_OF_PERSON} passkeys already; remove one first"
                )
                .into());
            }
            if find(transaction, &new.id)?.is_some() {
                return Err("this passkey is known already".to_owned().into());
            }
            let insert = "INSERT INTO passkey (id, person, name, credential, created_at, asked_at)
                VALUES ($1, $2, $3, $4, $5, 0)";
            let name: String = new.name.chars().take(LONGEST_NAME).collect();
            let insert = sqlx::query(insert)
                .bind(new.id.clone())
                .bind(person.clone())
                .bind(name.clone())
                .bind(new.credential.clone())
                .bind(now().as_millisecond());
            transaction.run(insert)?;
            note(transaction, EventKind::PasskeyAdded, &person, name)
        })
    }

    /// The passkeys of a person, oldest first.
    pub fn list(&self, person: &str) -> Pending<Vec<PasskeyRecord>> {
        let person = person.to_owned();
        self.store
            .read(move |transaction| list(transaction, &person))
    }

    pub fn find(&self, id: &[u8]) -> Pending<Option<PasskeyRecord>> {
        let id = id.to_vec();
        self.store.read(move |transaction| find(transaction, &id))
    }

    /// Records that it answered the challenge of `asked`, with its new key state. Returns its person. `None`: that
    /// challenge was answered before, or the passkey is unknown. So a recorded answer is useless.
    pub fn note_answer(
        &self,
        id: &[u8],
        asked: Timestamp,
        credential: String,
    ) -> Pending<Option<Person>> {
        let id = id.to_vec();
        self.store.change(Durability::Disk, move |transaction| {
            let Some(record) = find(transaction, &id)? else {
                return Ok(None);
            };
            let update = "UPDATE passkey SET asked_at = $2, used_at = $3, credential = $4
                WHERE id = $1 AND asked_at < $2";
            let update = sqlx::query(update)
                .bind(id.clone())
                .bind(asked.as_millisecond())
                .bind(now().as_millisecond())
                .bind(credential.clone());
            match transaction.run(update)? {
                0 => Ok(None),
                _ => people::find(transaction, &record.person),
            }
        })
    }

    /// Deletes a passkey of this person. Returns whether there was one.
    pub fn remove(&self, person: &str, id: &[u8]) -> Pending<bool> {
        let (person, id) = (person.to_owned(), id.to_vec());
        self.store.change(Durability::Disk, move |transaction| {
            let Some(record) = find(transaction, &id)?.filter(|one| one.person == person) else {
                return Ok(false);
            };
            let remove = sqlx::query("DELETE FROM passkey WHERE id = $1");
            transaction.run(remove.bind(id.clone()))?;
            note(transaction, EventKind::PasskeyRemoved, &person, record.name)?;
            Ok(true)
        })
    }
}

fn find(transaction: &mut Transaction, id: &[u8]) -> Result<Option<PasskeyRecord>, StoreError> {
    let find = sqlx::query("SELECT * FROM passkey WHERE id = $1").bind(id.to_vec());
    transaction.one(find)?.map(|row| read(&row)).transpose()
}

fn list(transaction: &mut Transaction, person: &str) -> Result<Vec<PasskeyRecord>, StoreError> {
    let list = "SELECT * FROM passkey WHERE person = $1 ORDER BY created_at, id";
    let rows = transaction.all(sqlx::query(list).bind(person.to_owned()))?;
    rows.iter().map(read).collect()
}

fn read(row: &StoredRow) -> Result<PasskeyRecord, StoreError> {
    Ok(PasskeyRecord {
        id: row.bytes("id")?,
        person: row.text("person")?,
        name: row.text("name")?,
        credential: row.text("credential")?,
        created: time(row.integer("created_at")?),
        used: row.optional_integer("used_at")?.map(time),
    })
}

fn note(
    transaction: &mut Transaction,
    kind: EventKind,
    person: &str,
    name: String,
) -> Result<(), StoreError> {
    let event = NewEvent {
        kind,
        actor: Some(person.to_owned()),
        subject: Some(person.to_owned()),
        detail: name,
    };
    events::write(transaction, event)
}

#[cfg(test)]
mod tests;
