//! Statements and rows: what goes wrong there, as a sentence for who runs the server.

use std::path::PathBuf;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, ColumnIndex, Decode, Executor, Type};
use tokio::runtime::Runtime;

use crate::StoreError;

/// Where rows are.
#[derive(Clone, Debug)]
pub(super) enum StorePlace {
    Memory,
    File(PathBuf),
}

impl StorePlace {
    pub(super) fn into_path(self) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::File(path) => Some(path),
        }
    }
}

/// A transaction under way. Statements take their parameters as `$1`, `$2`, which SQLite and PostgreSQL both know.
pub struct Transaction<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) connection: &'a mut AnyConnection,
    pub(super) place: &'a StorePlace,
    /// Somebody's mirror must be read again.
    pub(super) is_mirrored: bool,
    /// What is announced.
    pub(super) lines: Vec<String>,
}

/// One row of an answer.
pub struct StoredRow(AnyRow);

/// A statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

impl Transaction<'_> {
    /// The number of rows that it changed.
    pub fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let done = self
            .runtime
            .block_on(statement.execute(&mut *self.connection));
        done.map(|done| done.rows_affected())
            .map_err(|error| explain(self.place, &error))
    }

    pub fn one(&mut self, statement: Statement) -> Result<Option<StoredRow>, StoreError> {
        let row = statement.fetch_optional(&mut *self.connection);
        let row = self.runtime.block_on(row);
        row.map(|row| row.map(StoredRow))
            .map_err(|error| explain(self.place, &error))
    }

    pub fn all(&mut self, statement: Statement) -> Result<Vec<StoredRow>, StoreError> {
        let rows = statement.fetch_all(&mut *self.connection);
        let rows = self.runtime.block_on(rows);
        rows.map(|rows| rows.into_iter().map(StoredRow).collect())
            .map_err(|error| explain(self.place, &error))
    }

    /// A statement without parameters, such as one that makes a table.
    pub fn define(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let done = self.runtime.block_on(self.connection.execute(statement));
        done.map(drop).map_err(|error| explain(self.place, &error))
    }

    /// Told to whoever listens, once what was changed is written.
    pub fn announce(&mut self, line: String) {
        self.lines.push(line);
    }

    /// What processes have in memory is another now: every one reads it again. Once in a transaction is enough.
    pub fn revise(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.is_mirrored, true) {
            return Ok(());
        }
        self.run(sqlx::query("UPDATE revision SET n = n + 1"))
            .map(drop)
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

/// Why the database did not do what it was to.
pub(super) fn explain(place: &StorePlace, error: &sqlx::Error) -> StoreError {
    let path = match place {
        StorePlace::Memory => {
            return StoreError::storage(format!("the store in memory failed: {error}"));
        }
        StorePlace::File(path) => path.display(),
    };
    let code = match error {
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    };
    // https://www.sqlite.org/rescode.html: the lower byte is the kind.
    let kind = code.and_then(|code| code.parse::<u32>().ok());
    match kind.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::busy(format!(
            "{path} has been held by another process for some seconds; end that process, or try again"
        )),
        Some(13) => StoreError::storage(format!(
            "{path} cannot be written: the disk is full; make room on it"
        )),
        Some(8 | 14) => StoreError::storage(format!(
            "{path} cannot be written: {error}; the state folder must belong to the user that runs this, and its file \
             system must allow writing"
        )),
        Some(11 | 26) => StoreError::storage(format!(
            "{path} is broken: {error}; stop every server on it, and put a backup in its place by `highlevel-mcp state restore`"
        )),
        _ => StoreError::storage(format!(
            "{path} cannot be used: {error}; the state folder must belong to the user that runs this, with space on its \
             disk"
        )),
    }
}
