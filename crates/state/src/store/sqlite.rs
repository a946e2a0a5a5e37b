//! The parts for SQLite: how its file is opened, and its settings for the disk.

use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{AnyConnection, ConnectOptions};
use tokio::runtime::Runtime;

use super::Durability;
use super::place::StorePlace;
use crate::StoreError;
use crate::folder::LONGEST_WAIT;

/// Characters of a path that have a meaning in a URL.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

pub(super) fn open(runtime: &Runtime, place: &StorePlace) -> Result<AnyConnection, StoreError> {
    let options: sqlx::any::AnyConnectOptions =
        url(place)?.parse().map_err(|error| place.explain(&error))?;
    let options = options.disable_statement_logging();
    let mut connection = runtime
        .block_on(options.connect())
        .map_err(|error| place.explain(&error))?;
    let wait = LONGEST_WAIT.as_millis();
    for pragma in [
        format!("PRAGMA busy_timeout = {wait}"),
        "PRAGMA journal_mode = WAL".to_owned(),
        "PRAGMA synchronous = FULL".to_owned(),
    ] {
        let begun = Instant::now();
        loop {
            match set(runtime, &mut connection, place, &pragma) {
                // If several processes create a file at once, all but one must wait, and SQLite does not do it for them
                // here.
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

pub(super) fn set_durability(
    runtime: &Runtime,
    connection: &mut AnyConnection,
    place: &StorePlace,
    durability: Durability,
) -> Result<(), StoreError> {
    let level = match durability {
        Durability::System => "PRAGMA synchronous = NORMAL",
        Durability::Disk => "PRAGMA synchronous = FULL",
    };
    set(runtime, connection, place, level)
}

/// Writes all changes into the file. Returns whether nobody else has it open, which would prevent that.
pub(super) fn leave_wal(
    runtime: &Runtime,
    connection: &mut AnyConnection,
    place: &StorePlace,
) -> Result<bool, StoreError> {
    let statement = sqlx::query("PRAGMA journal_mode = DELETE");
    let row = runtime.block_on(statement.fetch_optional(connection));
    match row.map_err(|error| place.explain(&error)) {
        Ok(row) => {
            use sqlx::Row as _;
            let mode = row.and_then(|row| row.try_get::<String, _>(0).ok());
            Ok(mode.as_deref() == Some("delete"))
        }
        Err(error) if error.is_busy() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The identity of the file.
pub(super) fn inode(place: &StorePlace) -> Option<u64> {
    let metadata = std::fs::metadata(place.path()?).ok();
    metadata.map(|metadata| metadata.ino())
}

fn set(
    runtime: &Runtime,
    connection: &mut AnyConnection,
    place: &StorePlace,
    pragma: &str,
) -> Result<(), StoreError> {
    let statement = sqlx::query(sqlx::AssertSqlSafe(pragma.to_owned()));
    let done = runtime.block_on(statement.execute(connection));
    done.map(drop).map_err(|error| place.explain(&error))
}

fn url(place: &StorePlace) -> Result<String, StoreError> {
    let Some(path) = place.path() else {
        return Ok("sqlite::memory:".to_owned());
    };
    let path =
        std::path::absolute(path).map_err(|error| StoreError::system(path, "found", error))?;
    let path = path.to_str().ok_or_else(|| {
        StoreError::from(format!(
            "{} is not UTF-8; give another state folder",
            path.display()
        ))
    })?;
    // Any of its characters may have a meaning in a URL.
    let path = utf8_percent_encode(path, PATH);
    Ok(format!("sqlite://{path}?mode=rw"))
}
