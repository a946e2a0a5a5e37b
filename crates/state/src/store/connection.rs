//! A connection: its transactions, and what becomes of it where one cannot be ended.

use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{AnyConnection, ConnectOptions, Connection};
use tokio::runtime::{Builder, Runtime};

use super::Durability;
use super::rows::{StorePlace, Transaction, explain};
use crate::StoreError;
use crate::folder::LONGEST_WAIT;

/// What of a path stands in a URL as something else.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// A connection and what runs its statements.
pub(super) struct StoreConnection {
    runtime: Runtime,
    connection: AnyConnection,
    place: StorePlace,
    inode: Option<u64>,
    durability: Durability,
    /// A transaction did not come to its end: nobody knows what the connection is in the middle of.
    is_doubtful: bool,
}

/// A connection on which `first` was done in a transaction of its own.
pub(super) fn connect<T>(
    place: &StorePlace,
    first: impl FnOnce(&mut Transaction) -> Result<T, StoreError>,
) -> Result<(StoreConnection, T), StoreError> {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| {
        StoreError::storage(format!(
            "the store cannot be used: {error}; raise the limit on open files"
        ))
    })?;
    let mut connection = StoreConnection {
        connection: open(&runtime, place)?,
        runtime,
        place: place.clone(),
        inode: inode(place),
        durability: Durability::Disk,
        is_doubtful: false,
    };
    let mut first = Some(first);
    let mut value = None;
    connection.transact(Durability::Disk, &mut |transaction| {
        if let Some(first) = first.take() {
            value = Some(first(transaction)?);
        }
        Ok(())
    })?;
    value
        .map(|value| (connection, value))
        .ok_or_else(StoreError::closed)
}

fn open(runtime: &Runtime, place: &StorePlace) -> Result<AnyConnection, StoreError> {
    install_driver();
    let options: sqlx::any::AnyConnectOptions = url(place)?
        .parse()
        .map_err(|error| explain(place, &error))?;
    let options = options.disable_statement_logging();
    let mut connection = runtime
        .block_on(options.connect())
        .map_err(|error| explain(place, &error))?;
    let wait = LONGEST_WAIT.as_millis();
    for pragma in [
        format!("PRAGMA busy_timeout = {wait}"),
        "PRAGMA journal_mode = WAL".to_owned(),
        "PRAGMA synchronous = FULL".to_owned(),
    ] {
        let begun = Instant::now();
        loop {
            let statement = sqlx::query(sqlx::AssertSqlSafe(pragma.clone()));
            let done = runtime.block_on(statement.execute(&mut connection));
            match done.map_err(|error| explain(place, &error)) {
                // Of several that make a file at once all but one must wait, and SQLite does not do it for them here.
                Err(error) if error.is_busy() && begun.elapsed() < LONGEST_WAIT => {
                    thread::sleep(Duration::from_millis(5));
                }
                done => {
                    done?;
                    break;
                }
            }
        }
    }
    Ok(connection)
}

impl StoreConnection {
    /// On the thread that it belongs to.
    pub(super) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Takes all changes into the file; whether nobody else has it open, who would forbid that.
    pub(crate) fn leave_wal(&mut self) -> Result<bool, StoreError> {
        let statement = sqlx::query("PRAGMA journal_mode = DELETE");
        let row = statement.fetch_optional(&mut self.connection);
        let row = self.runtime.block_on(row);
        match row.map_err(|error| explain(&self.place, &error)) {
            Ok(row) => {
                use sqlx::Row as _;
                let mode = row.and_then(|row| row.try_get::<String, _>(0).ok());
                Ok(mode.as_deref() == Some("delete"))
            }
            Err(error) if error.is_busy() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// When it returns, everything is in the file, where no other process has that open.
    pub(super) fn close(self) {
        // What SQLite could not write now it does when the file is opened again.
        let _ = self.runtime.block_on(self.connection.close());
    }

    /// Fails where the file is not there any more, or another is in its place: nobody would find what is written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.place {
            StorePlace::File(path) if self.inode != inode(&self.place) => {
                Err(StoreError::storage(format!(
                    "{} was removed or replaced while it was in use; stop every process that uses it, and start again",
                    path.display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Takes another connection where this one is doubtful; what is in memory has no other.
    fn renew(&mut self) -> Result<(), StoreError> {
        if self.is_doubtful && matches!(self.place, StorePlace::File(_)) {
            let new = open(&self.runtime, &self.place)?;
            let old = std::mem::replace(&mut self.connection, new);
            // What it was in the middle of ends with it.
            let _ = self.runtime.block_on(old.close_hard());
            self.durability = Durability::Disk;
            self.is_doubtful = false;
        }
        Ok(())
    }

    fn set(&mut self, pragma: String) -> Result<(), StoreError> {
        let statement = sqlx::query(sqlx::AssertSqlSafe(pragma));
        let done = self
            .runtime
            .block_on(statement.execute(&mut self.connection));
        done.map(drop).map_err(|error| explain(&self.place, &error))
    }

    /// Does `act` in a transaction; whether the mirror must be read again, and lines of the audit that were written.
    pub(super) fn transact(
        &mut self,
        durability: Durability,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<(bool, Vec<String>), StoreError> {
        self.check()?;
        self.renew()?;
        if self.durability != durability {
            let level = match durability {
                Durability::System => "PRAGMA synchronous = NORMAL",
                Durability::Disk => "PRAGMA synchronous = FULL",
            };
            self.set(level.to_owned())?;
            self.durability = durability;
        }
        let place = &self.place;
        let failed = |error: sqlx::Error| explain(place, &error);
        // Nobody else writes from here on: what is read stays so.
        let begun = self.connection.begin_with("BEGIN IMMEDIATE");
        let mut begun = self.runtime.block_on(begun).map_err(failed)?;
        let mut transaction = Transaction {
            runtime: &self.runtime,
            connection: &mut begun,
            place,
            is_mirrored: false,
            lines: Vec::new(),
        };
        let done = act(&mut transaction);
        let effects = (transaction.is_mirrored, transaction.lines);
        // Where the disk failed, SQLite may have ended it already, and whoever counts transactions does not know.
        match done {
            Ok(()) => {
                let committed = self.runtime.block_on(begun.commit());
                self.is_doubtful = committed.is_err();
                committed.map_err(failed)?;
                Ok(effects)
            }
            Err(error) => {
                self.is_doubtful = self.runtime.block_on(begun.rollback()).is_err();
                Err(error)
            }
        }
    }

    /// Reads without a transaction of its own: every statement sees one moment.
    pub(super) fn look(
        &mut self,
        act: &mut dyn FnMut(&mut Transaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        act(&mut Transaction {
            runtime: &self.runtime,
            connection: &mut self.connection,
            place: &self.place,
            is_mirrored: false,
            lines: Vec::new(),
        })
    }
}

/// Which file it is.
fn inode(place: &StorePlace) -> Option<u64> {
    match place {
        StorePlace::Memory => None,
        StorePlace::File(path) => {
            let metadata = std::fs::metadata(path).ok();
            metadata.map(|metadata| metadata.ino())
        }
    }
}

fn url(place: &StorePlace) -> Result<String, StoreError> {
    match place {
        StorePlace::Memory => Ok("sqlite::memory:".to_owned()),
        StorePlace::File(path) => {
            let path = std::path::absolute(path)
                .map_err(|error| StoreError::system(path, "found", error))?;
            let path = path.to_str().ok_or_else(|| {
                StoreError::from(format!(
                    "{} is no UTF-8; give another state folder",
                    path.display()
                ))
            })?;
            // Whatever may have a meaning in a URL.
            let path = utf8_percent_encode(path, PATH);
            Ok(format!("sqlite://{path}?mode=rw"))
        }
    }
}

fn install_driver() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // Fails only where another part of the program did it: then it is there.
        let _ = sqlx::any::install_drivers(&[sqlx::sqlite::any::DRIVER]);
    });
}
