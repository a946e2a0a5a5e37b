//! Tokens of agencies, and of locations that installed the app: the newest pair of each, sealed, and the lease to renew
//! it, which one process has at a time.
//!
//! HighLevel uses a refresh token up when it gives a new pair, and gives the same pair again for 30 seconds. So a
//! renewal may be interrupted at any point: its intent is on the disk before the request to HighLevel, and the new pair
//! before anybody uses it. A process that finds the intent without the pair repeats the request at once.

mod spill;

use std::pin::pin;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::clock::now;
use super::store::{
    Durability, KeyRing, Pending, SealedAt, Statement, Store, StoredRow, Transaction,
};
use super::{StoreError, hex, random};
use spill::PairSpill;
pub(crate) use spill::put_back;

/// How long the lease lasts without a sign from its process. It is far shorter than HighLevel's 30 seconds: within
/// them, the successor of a dead process must ask, and the successor of that one.
const LEASE: Duration = Duration::from_secs(5);

/// A lease that ends later than this comes from a clock that was ahead, and is ignored.
const MOST_AHEAD: Duration = Duration::from_secs(10);

/// The interval of the signs.
const BEAT: Duration = Duration::from_secs(1);

/// Puts a pair in the place of the one of a generation.
const PUT: &str = "UPDATE credential SET sealed = $3, generation = generation + 1, attempt_at = NULL, lease_owner = NULL,
    lease_until = NULL WHERE id = $1 AND generation = $2";

/// What the tokens of a company or an install are kept under: its id. Cheap to clone.
#[derive(Clone)]
pub struct TokenPairs {
    store: Store,
    company: String,
}

/// A company's pair as stored.
#[derive(Clone, Debug)]
pub struct StoredPair {
    pub text: SecretString,
    /// Increases with every pair that replaces another.
    pub generation: i64,
    /// A renewal is running or was interrupted: the refresh token may be used up.
    pub is_open: bool,
    /// A process is renewing it now.
    pub is_leased: bool,
    /// Names of the pairs that came from a file.
    imported: String,
}

/// A pair from another place.
#[derive(Clone, Debug)]
pub struct PairImport {
    pub text: SecretString,
    /// Its names, one for each form in which the file may have it. None of them is taken over twice.
    pub names: Vec<String>,
    /// Its renewal was interrupted.
    pub is_open: bool,
}

/// The lease to renew a pair and to replace it. If it is dropped, it is given up, and the outcome of the renewal is
/// unknown.
#[must_use]
pub struct PairLease {
    tokens: TokenPairs,
    /// Identifies this renewal: another one of the same process is as foreign as another process's.
    owner: String,
    generation: i64,
    is_over: bool,
}

impl TokenPairs {
    pub fn new(store: &Store, company: &str) -> Self {
        Self {
            store: store.clone(),
            company: company.to_owned(),
        }
    }

    /// The newest pair; `None` if none was stored yet.
    pub fn read(&self) -> Pending<Option<StoredPair>> {
        let (ring, company) = (self.store.ring(), self.company.clone());
        self.store.read(move |transaction| {
            let find = sqlx::query("SELECT * FROM credential WHERE id = $1").bind(company.clone());
            let row = transaction.one(find)?;
            row.map(|row| StoredPair::from_row(&row, &company, &ring))
                .transpose()
        })
    }

    /// Stores a pair from another place, replacing the present one. Returns whether it did: not if that pair was taken
    /// over before.
    pub fn import(&self, import: PairImport) -> Pending<bool> {
        let (ring, company) = (self.store.ring(), self.company.clone());
        self.store.change(Durability::Disk, move |transaction| {
            let find = sqlx::query("SELECT generation, source FROM credential WHERE id = $1");
            let before = transaction.one(find.bind(company.clone()))?;
            let (before, mut source) = match before {
                None => (0, Vec::new()),
                Some(row) => (row.integer("generation")?, words(&row.text("source")?)),
            };
            if import.names.iter().any(|name| source.contains(name)) {
                return Ok(false);
            }
            source.extend(import.names.iter().cloned());
            let sealed = seal(&ring, &company, before + 1, &import.text)?;
            // A running renewal of the earlier pair is void.
            let put = "INSERT INTO credential (id, generation, sealed, attempt_at, source) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (id) DO UPDATE SET generation = $2, sealed = $3, attempt_at = $4, source = $5,
                    lease_owner = NULL, lease_until = NULL";
            let put = sqlx::query(put)
                .bind(company.clone())
                .bind(before + 1)
                .bind(sealed)
                .bind(import.is_open.then(now))
                .bind(source.join(" "));
            transaction.run(put).map(|_| true)
        })
    }

    /// Keeps a pair in the place of what is there, if anything is.
    pub fn keep(&self, text: SecretString) -> Pending<()> {
        let (ring, company) = (self.store.ring(), self.company.clone());
        self.store.change(Durability::Disk, move |transaction| {
            put(transaction, &ring, &company, &text)
        })
    }

    /// Forgets the pair; whether there was one.
    pub fn forget(&self) -> Pending<bool> {
        let company = self.company.clone();
        self.store.change(Durability::Disk, move |transaction| {
            let find = sqlx::query("SELECT id FROM credential WHERE id = $1");
            let found = transaction.one(find.bind(company.clone()))?;
            remove(transaction, &company)?;
            Ok(found.is_some())
        })
    }

    /// The right to renew `pair`; that it is to be renewed is on the disk with it. `None` where another has that right, or
    /// has renewed it.
    pub async fn begin(&self, pair: &StoredPair) -> Result<Option<PairLease>, StoreError> {
        if !self.store.is_durable() {
            return Err(StoreError::from(
                "without a state folder the new pair would be lost with the process; give --state FOLDER".to_owned(),
            ));
        }
        // Created first, so that it is given up if nobody waits to the end.
        let mut renewal = PairLease {
            tokens: self.clone(),
            owner: hex(&random::<16>()?),
            generation: pair.generation,
            is_over: false,
        };
        let take = "UPDATE credential SET lease_owner = $2, lease_until = $5, attempt_at = COALESCE(attempt_at, $4)
            WHERE id = $1 AND generation = $3 AND (lease_until IS NULL OR lease_until <= $4 OR lease_until > $6)";
        let generation = renewal.generation;
        let is_ours = renewal.change(move |company, owner| {
            let take = sqlx::query(take).bind(company).bind(owner).bind(generation);
            take.bind(now()).bind(after(LEASE)).bind(after(MOST_AHEAD))
        });
        if is_ours.await? {
            return Ok(Some(renewal));
        }
        renewal.is_over = true;
        Ok(None)
    }
}

impl TokenPairs {
    /// Keeps what HighLevel gave for the pair of this generation in a file of the state folder, sealed: the store does not
    /// take it now. `PairLease::put` removes it once the store has it, and so does the next opening of the store.
    pub async fn spill(&self, generation: i64, text: SecretString) -> Result<(), StoreError> {
        let id = self.company.clone();
        let kept = self.with_spill(move |spill| spill.keep(&id, generation, &text));
        let no_folder = || StoreError::from("there is no state folder".to_owned());
        kept.await.unwrap_or_else(|| Err(no_folder()))
    }

    /// What was kept so for the pair of this generation.
    pub async fn read_spill(&self, generation: i64) -> Option<SecretString> {
        let id = self.company.clone();
        let read = self.with_spill(move |spill| spill.read(&id, generation));
        read.await.flatten()
    }

    /// `None` where there is no folder.
    async fn with_spill<T: Send + 'static>(
        &self,
        work: impl FnOnce(&PairSpill) -> T + Send + 'static,
    ) -> Option<T> {
        let spill = PairSpill::beside(&self.store)?;
        spawn_blocking(move || work(&spill)).await.ok()
    }
}

impl StoredPair {
    /// Whether that pair came from a file.
    pub fn was_imported_as(&self, name: &str) -> bool {
        words(&self.imported).iter().any(|known| known == name)
    }

    fn from_row(row: &StoredRow, company: &str, ring: &KeyRing) -> Result<Self, StoreError> {
        let generation = row.integer("generation")?;
        let text = ring.open(place(company, generation), &row.bytes("sealed")?)?;
        let text = String::from_utf8(text)
            .map_err(|_| StoreError::from(format!("the tokens of {company} are no text")))?;
        let leased = row.optional_integer("lease_until")?;
        Ok(Self {
            text: text.into(),
            generation,
            is_open: row.optional_integer("attempt_at")?.is_some(),
            is_leased: leased.is_some_and(|until| (now() + 1..=after(MOST_AHEAD)).contains(&until)),
            imported: row.text("source")?,
        })
    }
}

impl PairLease {
    /// Runs `work`, and extends the lease meanwhile.
    pub async fn hold<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = timeout(BEAT, &mut work).await {
                return done;
            }
            let extend =
                "UPDATE credential SET lease_until = $3 WHERE id = $1 AND lease_owner = $2";
            // If this cannot be written, another process takes over in time, and gets the same pair.
            drop(self.change(move |company, owner| {
                sqlx::query(extend)
                    .bind(company)
                    .bind(owner)
                    .bind(after(LEASE))
            }));
        }
    }

    /// Replaces the renewed pair by the new one. The new pair may be used once this has returned `true`; `false` if
    /// another process has stored one, which then counts.
    pub async fn put(mut self, text: SecretString) -> Result<bool, StoreError> {
        let (ring, generation) = (self.tokens.store.ring(), self.generation);
        let company = self.tokens.company.clone();
        let put = self
            .tokens
            .store
            .change(Durability::Disk, move |transaction| {
                let sealed = seal(&ring, &company, generation + 1, &text)?;
                let put = sqlx::query(PUT).bind(company.clone()).bind(generation);
                transaction.run(put.bind(sealed))
            });
        let is_put = put.await? > 0;
        self.is_over = is_put;
        // The store has this pair, or a newer one.
        let id = self.tokens.company.clone();
        self.tokens.with_spill(move |spill| spill.remove(&id)).await;
        Ok(is_put)
    }

    /// The refresh token is certainly unchanged: nobody has to repeat the request.
    pub async fn give_back(mut self) -> Result<(), StoreError> {
        let give_back =
            "UPDATE credential SET attempt_at = NULL, lease_owner = NULL, lease_until = NULL
            WHERE id = $1 AND lease_owner = $2";
        let given =
            self.change(move |company, owner| sqlx::query(give_back).bind(company).bind(owner));
        given.await?;
        self.is_over = true;
        Ok(())
    }

    /// Changes the row by a statement with company and owner as parameters. Returns whether there was one.
    fn change(
        &self,
        mut statement: impl FnMut(String, String) -> Statement<'static> + Send + 'static,
    ) -> Pending<bool> {
        let (company, owner) = (self.tokens.company.clone(), self.owner.clone());
        self.tokens
            .store
            .change(Durability::Disk, move |transaction| {
                let statement = statement(company.clone(), owner.clone());
                transaction.run(statement).map(|rows| rows > 0)
            })
    }
}

impl Drop for PairLease {
    fn drop(&mut self) {
        if !self.is_over {
            let end = "UPDATE credential SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2";
            drop(self.change(move |company, owner| sqlx::query(end).bind(company).bind(owner)));
        }
    }
}

/// Stores a pair, replacing the present one. A running renewal of that one is void.
pub(crate) fn put(
    transaction: &mut Transaction,
    ring: &KeyRing,
    id: &str,
    text: &SecretString,
) -> Result<(), StoreError> {
    let find = sqlx::query("SELECT generation FROM credential WHERE id = $1");
    let before = transaction.one(find.bind(id.to_owned()))?;
    // Never a generation of a deleted pair, whose renewal may still return.
    let generation = before.map_or(Ok(now()), |row| row.integer("generation"))? + 1;
    let put = "INSERT INTO credential (id, generation, sealed, source) VALUES ($1, $2, $3, '')
        ON CONFLICT (id) DO UPDATE SET generation = $2, sealed = $3, attempt_at = NULL, lease_owner = NULL,
            lease_until = NULL";
    let put = sqlx::query(put).bind(id.to_owned()).bind(generation);
    let put = put.bind(seal(ring, id, generation, text)?);
    transaction.run(put).map(drop)
}

/// Deletes a pair.
pub(crate) fn remove(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    let remove = sqlx::query("DELETE FROM credential WHERE id = $1");
    transaction.run(remove.bind(id.to_owned())).map(drop)
}

fn seal(
    ring: &KeyRing,
    company: &str,
    generation: i64,
    text: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    ring.seal(place(company, generation), text.expose_secret().as_bytes())
}

fn place(company: &str, generation: i64) -> SealedAt<'_> {
    SealedAt {
        table: "credential",
        row: company,
        column: "sealed",
        generation,
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn after(wait: Duration) -> i64 {
    now().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
