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

/// A transaction under way. Statements take their parameters as `$1`, `$2`, which SQLite and PostgreSQL both know.
pub struct Transaction<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) connection: &'a mut AnyConnection,
    pub(super) place: &'a StorePlace,
    pub(super) effects: Effects,
    /// The connection failed, and not a statement: nothing more can be asked of it.
    pub(super) trouble: Option<Trouble>,
    /// The first statement that a server refused.
    pub(super) failure: Option<StoreError>,
}

/// What follows from a transaction once it is written.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Somebody's mirror must be read again.
    pub is_mirrored: bool,
    /// What is announced.
    pub lines: Vec<String>,
}

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It did not answer in time: another may not either.
    Silent,
    /// It broke off, or knows tables as they were before: another may do.
    Broken,
}

/// One row of an answer.
pub struct StoredRow(AnyRow);

/// What a column holds: no other types are used.
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

    /// The server keeps it under a name for the next time, where that would be on the same connection.
    fn prepare<'q>(&self, statement: Statement<'q>) -> Statement<'q> {
        statement.persistent(!self.place.is_pooled())
    }

    /// A statement without parameters, such as one that makes a table.
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

    /// Told to whoever listens, once what was changed is written.
    pub fn announce(&mut self, line: String) {
        self.effects.lines.push(line);
    }

    /// What processes have in memory is another now: every one reads it again. Once in a transaction is enough.
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

/// Why there is no answer, and what that says of the connection.
pub(super) struct Unheard {
    pub error: StoreError,
    pub trouble: Option<Trouble>,
}

/// Waits for what a file answers, and no longer for a server than a call would wait.
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
        // What is wrong with a statement is not wrong with the connection, but for a plan that the tables have outgrown,
        // a server that ends, and one that gave up a transaction whose process stood still.
        Some(code) if code != "0A000" && code != "25P03" && !code.starts_with("57P") => None,
        Some(_) => Some(Trouble::Broken),
        None => is_of_connection(error).then_some(Trouble::Broken),
    }
}

/// Not what was read from it: a row that is not understood is the same on every connection.
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
