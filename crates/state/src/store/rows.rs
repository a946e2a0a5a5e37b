//! Statements and rows.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, ColumnIndex, Decode, Type};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::dialect::for_postgres;
use super::place::{StorePlace, code};
use crate::StoreError;
use crate::folder::LONGEST_WAIT;

/// A running transaction. Statements have parameters `$1`, `$2`, which SQLite and PostgreSQL both accept.
pub struct Transaction<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) connection: &'a mut AnyConnection,
    pub(super) place: &'a StorePlace,
    pub(super) effects: Effects,
    /// The connection failed, not a statement: it cannot be used any more.
    pub(super) trouble: Option<Trouble>,
    /// The first statement that the server refused.
    pub(super) failure: Option<StoreError>,
}

/// The effects of a transaction once it is written.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// A mirror must be read again.
    pub is_mirrored: bool,
    /// The announced lines.
    pub lines: Vec<String>,
}

/// The problem of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It did not answer in time: another connection may not either.
    Silent,
    /// It broke off, or has outdated tables: another connection may work.
    Broken,
}

/// One row of an answer.
pub struct StoredRow(AnyRow);

/// The value of a column: no other types are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StoredValue {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

impl<'a> Transaction<'a> {
    pub(super) fn new(
        runtime: &'a Runtime,
        connection: &'a mut AnyConnection,
        place: &'a StorePlace,
    ) -> Self {
        Self {
            runtime,
            connection,
            place,
            effects: Effects::default(),
            trouble: None,
            failure: None,
        }
    }

    /// The number of rows that it changed.
    pub fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let statement = self.prepare(statement);
        let done = wait_for(
            self.runtime,
            self.place,
            statement.execute(&mut *self.connection),
        );
        self.heard(done).map(|done| done.rows_affected())
    }

    pub fn one(&mut self, statement: Statement) -> Result<Option<StoredRow>, StoreError> {
        let statement = self.prepare(statement);
        let row = statement.fetch_optional(&mut *self.connection);
        let row = wait_for(self.runtime, self.place, row);
        Ok(self.heard(row)?.map(StoredRow))
    }

    pub fn all(&mut self, statement: Statement) -> Result<Vec<StoredRow>, StoreError> {
        let statement = self.prepare(statement);
        let rows = statement.fetch_all(&mut *self.connection);
        let rows = wait_for(self.runtime, self.place, rows);
        Ok(self.heard(rows)?.into_iter().map(StoredRow).collect())
    }

    /// Lets the server keep the statement under a name for the next time, if that uses the same connection.
    fn prepare<'q>(&self, statement: Statement<'q>) -> Statement<'q> {
        statement.persistent(!self.place.is_pooled())
    }

    /// A statement without parameters, such as one that creates a table.
    pub fn define(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let statement = match self.place.is_database() {
            true => sqlx::raw_sql(sqlx::AssertSqlSafe(for_postgres(statement))),
            false => sqlx::raw_sql(statement),
        };
        let done = wait_for(
            self.runtime,
            self.place,
            statement.execute(&mut *self.connection),
        );
        self.heard(done).map(drop)
    }

    fn heard<T>(&mut self, done: Result<T, Unheard>) -> Result<T, StoreError> {
        done.map_err(|why| {
            self.trouble = self.trouble.or(why.trouble);
            if self.place.is_database() && self.failure.is_none() {
                self.failure = Some(why.error.clone());
            }
            why.error
        })
    }

    /// Sends a line to the listener once the change is written.
    pub fn announce(&mut self, line: String) {
        self.effects.lines.push(line);
    }

    /// Other processes' memory is out of date: all read it again. Once per transaction is enough.
    pub fn revise(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.effects.is_mirrored, true) {
            return Ok(());
        }
        self.run(sqlx::query("UPDATE revision SET n = n + 1"))
            .map(drop)
    }
}

impl From<AnyRow> for StoredRow {
    fn from(row: AnyRow) -> Self {
        Self(row)
    }
}

impl StoredRow {
    pub fn integer(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    pub fn optional_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(column)
    }

    /// All columns by their names.
    pub(super) fn values(&self) -> Result<Vec<(String, StoredValue)>, StoreError> {
        use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
        let columns = self.0.columns().iter().map(|column| {
            let name = column.name();
            let unknown = |error| {
                StoreError::from(format!("the store's column {name} cannot be read: {error}"))
            };
            let value = self.0.try_get_raw(name).map_err(unknown)?;
            let value = match value.type_info().name() {
                _ if value.is_null() => StoredValue::Null,
                "TEXT" => StoredValue::Text(self.get(name)?),
                "BLOB" => StoredValue::Bytes(self.get(name)?),
                _ => StoredValue::Integer(self.get(name)?),
            };
            Ok((name.to_owned(), value))
        });
        columns.collect()
    }

    fn get<'r, T>(&'r self, column: &str) -> Result<T, StoreError>
    where
        T: Decode<'r, Any> + Type<Any>,
        for<'c> &'c str: ColumnIndex<AnyRow>,
    {
        use sqlx::Row as _;
        self.0.try_get(column).map_err(|error| {
            StoreError::from(format!(
                "the store's column {column} holds what this version does not know: {error}; restore a backup, or use \
                 the version that wrote it"
            ))
        })
    }
}

#[cfg(test)]
impl StoredRow {
    /// Texts and bytes of all columns, one after the other.
    pub(super) fn bytes_of_all(&self) -> Vec<u8> {
        use sqlx::Row as _;
        let bytes = |column| match self.0.try_get::<Option<String>, _>(column) {
            Ok(text) => text.map(String::into_bytes),
            Err(_) => self
                .0
                .try_get::<Option<Vec<u8>>, _>(column)
                .unwrap_or_default(),
        };
        (0..self.0.len()).filter_map(bytes).flatten().collect()
    }
}

/// The reason that there is no answer, and what it means for the connection.
pub(super) struct Unheard {
    pub error: StoreError,
    pub trouble: Option<Trouble>,
}

/// Waits for a file's answer without a limit, and for a server's no longer than a call would.
pub(super) fn wait_for<T>(
    runtime: &Runtime,
    place: &StorePlace,
    future: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Unheard> {
    let answer = match place.is_database() {
        true => runtime.block_on(async { timeout(LONGEST_WAIT, future).await }),
        false => Ok(runtime.block_on(future)),
    };
    match answer {
        Ok(answer) => answer.map_err(|error| Unheard {
            trouble: trouble(place, &error),
            error: place.explain(&error),
        }),
        Err(_) => Err(Unheard {
            error: place.silent(),
            trouble: Some(Trouble::Silent),
        }),
    }
}

fn trouble(place: &StorePlace, error: &sqlx::Error) -> Option<Trouble> {
    if !place.is_database() {
        return None;
    }
    match code(error) {
        // A faulty statement does not make the connection faulty, except for an outdated plan, a server that stops, or
        // one that gave up a transaction whose process stood still.
        Some(code) if code != "0A000" && code != "25P03" && !code.starts_with("57P") => None,
        Some(_) => Some(Trouble::Broken),
        None => is_of_connection(error).then_some(Trouble::Broken),
    }
}

/// Whether the error is the connection's. A row that cannot be parsed is the same on every connection.
fn is_of_connection(error: &sqlx::Error) -> bool {
    !matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::AnyDriverError(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
    )
}
