//! Upkeep of the store as a whole: describe it, back it up, change its key.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::AssertSqlSafe;

use super::rows::{Statement, Transaction};
use super::sealing::SealedAt;
use super::{Durability, Pending, Store, schema};
use crate::StoreError;
use crate::folder::FILE_MODE;

/// Every sealed column: its table, the column that identifies the row, and the place of the generation, if it has one.
pub(super) const SEALED: [SealedColumn; 9] = [
    SealedColumn::new("secret", RowName::Text("name"), "sealed", None),
    SealedColumn::new("approval", RowName::Text("id"), "request", None),
    SealedColumn::new("approval", RowName::Text("id"), "outcome", None),
    SealedColumn::new("once", RowName::Bytes("id"), "sealed", None),
    SealedColumn::new("prepared", RowName::Text("id"), "request", None),
    SealedColumn::new(
        "credential",
        RowName::Text("id"),
        "sealed",
        Some("generation"),
    ),
    SealedColumn::new(
        "vault_credential",
        RowName::Text("id"),
        "sealed",
        Some("generation"),
    ),
    SealedColumn::new("flow", RowName::Bytes("hash"), "sealed", None),
    SealedColumn::new(
        "login",
        RowName::Text("server"),
        "sealed",
        Some("generation"),
    ),
];

/// The subjects of `state info`, each with its table.
pub(super) const COUNTED: [(&str, &str); 17] = [
    ("access keys", "access_key"),
    ("pauses", "pause"),
    ("approvals", "approval"),
    ("calls that happen once", "once"),
    ("previewed requests", "prepared"),
    ("counts of caps", "cap"),
    ("agency tokens", "credential"),
    ("lines of the audit", "audit"),
    ("people", "person"),
    ("sessions of people", "session"),
    ("passkeys", "passkey"),
    ("links", "link"),
    ("events", "event"),
    ("clients", "client"),
    ("grants", "oauth_grant"),
    ("versions of rules", "rule_section"),
    ("counts of usage", "usage"),
];

/// Rows that are resealed in one transaction: other work waits meanwhile.
const AT_ONCE: i64 = 200;

pub(super) struct SealedColumn {
    table: &'static str,
    row: RowName,
    column: &'static str,
    generation: Option<&'static str>,
}

/// The column that identifies a row, and its type.
#[derive(Clone, Copy)]
enum RowName {
    Text(&'static str),
    Bytes(&'static str),
}

/// The contents of a store.
#[derive(Clone, Debug)]
pub struct StoreInfo {
    /// Of the file, or of the whole database.
    pub bytes: u64,
    /// The version of its tables.
    pub schema: i64,
    /// Names of its keys; the first seals.
    pub keys: Vec<String>,
    pub counts: Vec<(&'static str, i64)>,
}

impl Store {
    pub fn info(&self) -> Pending<StoreInfo> {
        let keys = self.ring().names();
        let file = self.path().map(fs::metadata);
        let bytes = file.and_then(Result::ok).map_or(0, |file| file.len());
        let is_database = self.database().is_some();
        self.read(move |transaction| {
            let bytes = match is_database {
                true => database_bytes(transaction)?,
                false => bytes,
            };
            let counts = COUNTED.iter().map(|(name, table)| {
                let count = format!("SELECT COUNT(*) AS n FROM {table}");
                let row = transaction.one(sqlx::query(AssertSqlSafe(count)))?;
                Ok((*name, row.map_or(Ok(0), |row| row.integer("n"))?))
            });
            let counts = counts.collect::<Result<_, StoreError>>()?;
            Ok(StoreInfo {
                bytes,
                schema: schema::number(transaction, "schema")?.unwrap_or_default(),
                keys: keys.clone(),
                counts,
            })
        })
    }

    /// Writes a copy of this moment into the new `file`, and returns its size in bytes. Blocks.
    pub fn backup(&self, file: &Path) -> Result<u64, StoreError> {
        if self.database().is_some() {
            return Err(StoreError::from(
                "state.url names a database of PostgreSQL: back it up by pg_dump, which copies one moment of it".to_owned(),
            ));
        }
        let name = file.to_str().ok_or_else(|| {
            StoreError::from(format!(
                "{} is not UTF-8; give another name",
                file.display()
            ))
        })?;
        // Private from the start; SQLite copies into the empty file.
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(file);
        made.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                StoreError::from(format!("{name} exists already; give another name"))
            }
            _ => StoreError::system(file, "made", error),
        })?;
        let name = name.to_owned();
        let copied = self.read(move |transaction| {
            let copy = sqlx::query("VACUUM INTO $1").bind(name.clone());
            transaction.run(copy).map(drop)
        });
        if let Err(error) = copied.wait() {
            // Half a copy is useless.
            let _ = fs::remove_file(file);
            return Err(error);
        }
        let made = fs::metadata(file).map_err(|error| StoreError::system(file, "read", error))?;
        Ok(made.len())
    }

    /// Seals everything under the first key. Returns how many values were resealed, of how many. Blocks. If it is
    /// interrupted, finished parts stay: every key of the ring opens its own values.
    pub fn rekey(&self) -> Result<(usize, usize), StoreError> {
        let (mut anew, mut all) = (0, 0);
        for column in &SEALED {
            // Before every name, because none is empty.
            let mut after = Vec::new();
            loop {
                let (ring, from) = (self.ring(), after);
                let done = self.change(Durability::Disk, move |transaction| {
                    column.seal_anew(transaction, &ring, &from)
                });
                let (sealed, looked_at, last) = done.wait()?;
                anew += sealed;
                all += looked_at;
                match last {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        Ok((anew, all))
    }
}

fn database_bytes(transaction: &mut Transaction) -> Result<u64, StoreError> {
    let size = "SELECT pg_database_size(current_database()) AS n";
    let row = transaction.one(sqlx::query(size))?;
    let bytes = row.map_or(Ok(0), |row| row.integer("n"))?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

impl SealedColumn {
    const fn new(
        table: &'static str,
        row: RowName,
        column: &'static str,
        generation: Option<&'static str>,
    ) -> Self {
        Self {
            table,
            row,
            column,
            generation,
        }
    }

    /// Statements that find the next rows after one, and reseal one of them.
    pub(super) fn statements(&self) -> (String, String) {
        let (RowName::Text(row) | RowName::Bytes(row)) = self.row;
        let Self { table, column, .. } = self;
        let generation = self.generation.unwrap_or("CAST(0 AS BIGINT)");
        let find = format!(
            "SELECT {row} AS name, {column} AS sealed, {generation} AS generation FROM {table}
             WHERE {column} IS NOT NULL AND {row} > $1 ORDER BY {row} LIMIT $2"
        );
        let put = format!("UPDATE {table} SET {column} = $2 WHERE {row} = $1");
        (find, put)
    }

    /// Reseals the next rows. Returns how many were resealed, how many there were, and the last one's name.
    fn seal_anew(
        &self,
        transaction: &mut Transaction,
        ring: &super::KeyRing,
        after: &[u8],
    ) -> Result<(usize, usize, Option<Vec<u8>>), StoreError> {
        let (find, put) = self.statements();
        let find = self.bind(sqlx::query(AssertSqlSafe(find)), after);
        let rows = transaction.all(find.bind(AT_ONCE))?;
        let (mut anew, mut last) = (0, None);
        for found in &rows {
            let place = match self.row {
                RowName::Text(_) => found.text("name")?.into_bytes(),
                RowName::Bytes(_) => found.bytes("name")?,
            };
            let sealed = found.bytes("sealed")?;
            if !ring.is_current(&sealed) {
                let name = match self.row {
                    RowName::Text(_) => text(&place),
                    RowName::Bytes(_) => crate::hex(&place),
                };
                let at = SealedAt {
                    table: self.table,
                    row: &name,
                    column: self.column,
                    generation: found.integer("generation")?,
                };
                let opened = ring.open(at, &sealed)?;
                let put = self.bind(sqlx::query(AssertSqlSafe(put.clone())), &place);
                transaction.run(put.bind(ring.seal(at, &opened)?))?;
                anew += 1;
            }
            last = Some(place);
        }
        Ok((anew, rows.len(), last))
    }

    /// Binds the name of a row as the first parameter.
    fn bind<'q>(&self, statement: Statement<'q>, name: &[u8]) -> Statement<'q> {
        match self.row {
            RowName::Text(_) => statement.bind(text(name)),
            RowName::Bytes(_) => statement.bind(name.to_vec()),
        }
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
