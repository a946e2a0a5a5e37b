//! Replaces a store by a backup. A plain copy over it would leave the old file's last changes beside the new file.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::connection::{StoreConnection, connect};
use super::place::StorePlace;
use super::{KEY_FILE, RingSource, Store, StoreOptions, file_name, schema};
use crate::StoreError;
use crate::folder::{FILE_MODE, StateFolder, close};

/// The beginning of every file of SQLite (https://www.sqlite.org/fileformat.html).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

impl Store {
    /// The new path of the earlier store, if there was one. Blocks. Fails if the backup is damaged or sealed under
    /// another key, or if a process uses the store.
    pub fn restore(options: &StoreOptions, backup: &Path) -> Result<Option<PathBuf>, StoreError> {
        // In a separate thread, like opening a store.
        let restored = std::thread::scope(|scope| scope.spawn(|| restore(options, backup)).join());
        restored.unwrap_or_else(|_| {
            Err(StoreError::storage(
                "the backup was not restored: its thread broke off".to_owned(),
            ))
        })
    }
}

fn restore(options: &StoreOptions, backup: &Path) -> Result<Option<PathBuf>, StoreError> {
    if options.url.is_some() {
        return Err(StoreError::from(
            "state.url names a database of PostgreSQL: restore it by pg_restore, with every instance stopped".to_owned(),
        ));
    }
    let Some(folder) = options.folder else {
        return Err(StoreError::from(
            "there is no state folder to restore into; give one".to_owned(),
        ));
    };
    // What cannot be read leaves no folder behind.
    check_form(backup)?;
    let folder = StateFolder::open(folder)?;
    let path = folder.file(&file_name(options.upstream));
    let copy = path.with_extension("restoring");
    remove(&copy)?;
    fs::copy(backup, &copy).map_err(|error| StoreError::system(backup, "copied", error))?;
    let checked = close(&copy, 0o777, FILE_MODE).and_then(|()| check(options, &folder, &copy));
    // A person knows the backup, and not its copy.
    let checked = checked.map_err(|error| match error.is_request() || error.is_busy() {
        true => error,
        false => {
            let what = error.to_string();
            let what = what.split(';').next().unwrap_or_default();
            let what = what.replace(&copy.display().to_string(), &backup.display().to_string());
            StoreError::from(format!("{what}; give another backup"))
        }
    });
    let freed = checked.and_then(|()| free(&path));
    if let Err(error) = freed {
        remove(&copy)?;
        return Err(error);
    }
    let before = path.exists().then(|| path.with_extension("before-restore"));
    if let Some(before) = &before {
        rename(&path, before)?;
    }
    for ending in ["db-wal", "db-shm"] {
        remove(&path.with_extension(ending))?;
    }
    rename(&copy, &path)?;
    folder.sync()?;
    Ok(before)
}

/// Fails if the file cannot be read, or is no database.
fn check_form(backup: &Path) -> Result<(), StoreError> {
    let shown = backup.display();
    let mut begin = [0; MAGIC.len()];
    let read = fs::File::open(backup).and_then(|mut file| file.read_exact(&mut begin));
    match read {
        Ok(()) if begin == *MAGIC => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(StoreError::from(format!(
            "{shown} cannot be read: {error}; give a file that `highlevel-mcp state backup` created"
        ))),
        _ => Err(StoreError::from(format!(
            "{shown} is not a backup of a store; `highlevel-mcp state backup` creates one"
        ))),
    }
}

/// Checks that it is complete, of a version that this program knows, and opened by its key.
fn check(options: &StoreOptions, folder: &StateFolder, copy: &Path) -> Result<(), StoreError> {
    let key_file = folder.file(KEY_FILE);
    let checked = connect(&StorePlace::File(copy.to_owned()), |transaction| {
        let found = transaction.one(sqlx::query("PRAGMA integrity_check"))?;
        let found = found.map_or(Ok(String::new()), |row| row.text("integrity_check"))?;
        if found != "ok" {
            return Err(StoreError::from(format!("the backup is damaged: {found}")));
        }
        if schema::number(transaction, "schema")?.is_none() {
            return Err(StoreError::from(
                "the file is not a backup of a store; `highlevel-mcp state backup` creates one"
                    .to_owned(),
            ));
        }
        schema::bring_up_to_date(transaction)?;
        let ring = RingSource {
            given: options.keys,
            file: Some(&key_file),
            is_shared: false,
        };
        ring.open(transaction).map(drop)
    });
    checked.map(|(connection, ())| connection.close())
}

/// Fails if a process has the store open: only the last one can write its changes into the file. A store that cannot be
/// opened is in use by nobody.
pub(super) fn free(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let in_use = || {
        StoreError::busy(format!(
            "{} is in use by another process; stop every server and command on it, and try again",
            path.display()
        ))
    };
    let opened = connect(&StorePlace::File(path.to_owned()), |_| Ok(()));
    match opened {
        Ok((mut connection, ())) => {
            let alone = StoreConnection::leave_wal(&mut connection);
            connection.close();
            if alone? { Ok(()) } else { Err(in_use()) }
        }
        Err(error) if error.is_busy() => Err(in_use()),
        Err(_) => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| StoreError::system(from, "renamed", error))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::system(path, "removed", error))
        }
        _ => Ok(()),
    }
}
