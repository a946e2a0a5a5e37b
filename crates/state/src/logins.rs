//! Logins at remote servers: the newest tokens of each, sealed, and the lease to renew them, which one process has at a
//! time.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::clock::now;
use super::store::{Durability, KeyRing, Pending, SealedAt, Store, StoredRow};
use super::{StoreError, time};

/// How long the lease lasts: longer than the wait for a server. If its process dies, another asks again with the same
/// refresh token.
const LEASE: Duration = Duration::from_secs(40);

/// The logins of a store. Cheap to clone.
#[derive(Clone)]
pub struct Logins {
    store: Store,
}

/// The stored login of one server.
#[derive(Clone, Debug)]
pub struct LoginRecord {
    /// Its address: scheme, host and port.
    pub server: String,
    /// Tokens and the data to use them. Only the owner of the login interprets the text.
    pub text: SecretString,
    /// Increases with every text that replaces another.
    pub generation: i64,
    pub created: Timestamp,
}

impl Logins {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
        }
    }

    /// Stores a new login, replacing the earlier one.
    pub fn put(&self, server: &str, text: SecretString) -> Pending<()> {
        let (ring, server) = (self.store.ring(), server.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let find = sqlx::query("SELECT generation FROM login WHERE server = $1");
            let before = transaction.one(find.bind(server.clone()))?;
            let before = before.map_or(Ok(0), |row| row.integer("generation"))?;
            let put = "INSERT INTO login (server, generation, sealed, created_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (server) DO UPDATE SET generation = $2, sealed = $3, created_at = $4, lease_until = NULL";
            let put = sqlx::query(put)
                .bind(server.clone())
                .bind(before + 1)
                .bind(seal(&ring, &server, before + 1, &text)?)
                .bind(now());
            transaction.run(put).map(drop)
        })
    }

    pub fn find(&self, server: &str) -> Pending<Option<LoginRecord>> {
        let (ring, server) = (self.store.ring(), server.to_owned());
        self.store.read(move |transaction| {
            let find = sqlx::query("SELECT * FROM login WHERE server = $1").bind(server.clone());
            let row = transaction.one(find)?;
            row.map(|row| LoginRecord::from_row(&row, &ring))
                .transpose()
        })
    }

    /// Deletes a login, and returns it.
    pub fn remove(&self, server: &str) -> Pending<Option<LoginRecord>> {
        let (ring, server) = (self.store.ring(), server.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let remove = sqlx::query("DELETE FROM login WHERE server = $1 RETURNING *");
            let row = transaction.one(remove.bind(server.clone()))?;
            row.map(|row| LoginRecord::from_row(&row, &ring))
                .transpose()
        })
    }

    /// Takes the lease to renew this login. `false` if another process has it, or has renewed the login.
    pub fn begin_renewal(&self, record: &LoginRecord) -> Pending<bool> {
        let (server, generation) = (record.server.clone(), record.generation);
        self.store.change(Durability::Disk, move |transaction| {
            let (now, until) = (now(), now() + millis(LEASE));
            // A lease that ends later than any can comes from a clock that was ahead, and is ignored.
            let take = "UPDATE login SET lease_until = $3 WHERE server = $1 AND generation = $2
                AND (lease_until IS NULL OR lease_until <= $4 OR lease_until > $5)";
            let take = sqlx::query(take)
                .bind(server.clone())
                .bind(generation)
                .bind(until)
                .bind(now)
                .bind(until);
            transaction.run(take).map(|rows| rows > 0)
        })
    }

    /// Replaces the tokens of `record` by new ones; without any, gives up the lease. Returns whether they are stored:
    /// not if another login replaced them meanwhile.
    pub fn end_renewal(&self, record: &LoginRecord, text: Option<SecretString>) -> Pending<bool> {
        let (ring, server) = (self.store.ring(), record.server.clone());
        let generation = record.generation;
        self.store.change(Durability::Disk, move |transaction| {
            let put = match &text {
                Some(text) => sqlx::query(
                    "UPDATE login SET sealed = $3, generation = generation + 1, lease_until = NULL
                    WHERE server = $1 AND generation = $2",
                )
                .bind(server.clone())
                .bind(generation)
                .bind(seal(&ring, &server, generation + 1, text)?),
                None => sqlx::query(
                    "UPDATE login SET lease_until = NULL WHERE server = $1 AND generation = $2",
                )
                .bind(server.clone())
                .bind(generation),
            };
            transaction.run(put).map(|rows| rows > 0)
        })
    }
}

impl LoginRecord {
    fn from_row(row: &StoredRow, ring: &KeyRing) -> Result<Self, StoreError> {
        let (server, generation) = (row.text("server")?, row.integer("generation")?);
        let text = ring.open(place(&server, generation), &row.bytes("sealed")?)?;
        let text = String::from_utf8(text)
            .map_err(|_| StoreError::from(format!("the login at {server} is not a text")))?;
        Ok(Self {
            text: text.into(),
            generation,
            created: time(row.integer("created_at")?),
            server,
        })
    }
}

fn seal(
    ring: &KeyRing,
    server: &str,
    generation: i64,
    text: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    ring.seal(place(server, generation), text.expose_secret().as_bytes())
}

fn place(server: &str, generation: i64) -> SealedAt<'_> {
    SealedAt {
        table: "login",
        row: server,
        column: "sealed",
        generation,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::for_tests;

    const SERVER: &str = "https://mcp.example.com";

    fn text(record: Option<LoginRecord>) -> Option<String> {
        record.map(|record| record.text.expose_secret().to_owned())
    }

    #[on_both]
    fn one_process_renews_and_the_others_use_its_tokens() {
        let logins = Logins::new(&for_tests::store());
        assert_eq!(text(logins.find(SERVER).wait().expect("read")), None);
        logins.put(SERVER, "one".into()).wait().expect("put");
        let first = logins.find(SERVER).wait().expect("read").expect("a login");
        assert!(logins.begin_renewal(&first).wait().expect("begun"));
        assert!(!logins.begin_renewal(&first).wait().expect("tried"));
        let done = logins.end_renewal(&first, Some("two".into()));
        assert!(done.wait().expect("ended"));
        // A late process with the old login has nothing to renew.
        assert!(!logins.begin_renewal(&first).wait().expect("tried"));
        let late = logins.end_renewal(&first, Some("three".into()));
        assert!(!late.wait().expect("tried"));
        let second = logins.find(SERVER).wait().expect("read");
        assert_eq!(text(second.clone()).as_deref(), Some("two"));
        // A failed renewal may begin again.
        let second = second.expect("a login");
        assert!(logins.begin_renewal(&second).wait().expect("begun"));
        assert!(logins.end_renewal(&second, None).wait().expect("ended"));
        assert!(logins.begin_renewal(&second).wait().expect("begun"));
        // A new login replaces one that is being renewed.
        logins.put(SERVER, "four".into()).wait().expect("put");
        let late = logins.end_renewal(&second, Some("three".into()));
        assert!(!late.wait().expect("tried"));
        let removed = logins.remove(SERVER).wait().expect("removed");
        assert_eq!(text(removed).as_deref(), Some("four"));
        assert_eq!(text(logins.find(SERVER).wait().expect("read")), None);
    }
}
