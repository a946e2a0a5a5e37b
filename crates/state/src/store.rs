//! The store: rows of a database. One thread makes all changes, and all waiting changes share one transaction.
//!
//! A SQLite file in the state folder, one per upstream, so that the sandbox's data never mixes with customers'. Several
//! processes may share the file. Without a folder everything is in memory.

mod connection;
mod copy;
mod dialect;
mod housekeeping;
mod job;
mod mirror;
mod place;
mod postgres;
mod reach;
mod restore;
mod rows;
mod schema;
mod sealing;
mod sqlite;
mod upkeep;
mod worker;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::SecretString;
use tempfile::NamedTempFile;

use crate::StoreError;
use crate::folder::{FILE_MODE, StateFolder, close};
use crate::identity::Identity;
use connection::connect;
pub use copy::CopiedTables;
pub(crate) use housekeeping::Housekeeping;
use job::Delivery;
pub use job::Pending;
pub(crate) use mirror::Mirror;
use mirror::Mirrors;
use place::StorePlace;
pub(crate) use rows::{Statement, StoredRow, Transaction};
pub(crate) use schema::{meta, newest as newest_schema, put as put_meta};
pub(crate) use sealing::{KeyRing, SECRET_BYTES, SealedAt, put_secret, secret};
pub use upkeep::StoreInfo;
pub(crate) use worker::{Announce, Finish, QueuePlace, Tidy};
use worker::{Worker, Writing};

/// Name of the key's file, if the settings name no keys.
const KEY_FILE: &str = "store.key";

/// The place and the keys of a store.
pub struct StoreOptions<'a> {
    /// `None`: in memory, lost with the process, unless there is a database.
    pub folder: Option<&'a Path>,
    /// The address of a PostgreSQL database, which replaces the file in the folder.
    pub url: Option<&'a SecretString>,
    /// How long the last known keys, grants and pauses stay valid while a database cannot be reached. For a file, not
    /// at all.
    pub outage_reads: Duration,
    /// Host and port of the upstream, or `sandbox`: each has a file of its own.
    pub upstream: &'a str,
    /// The first one seals, any can open; empty: a key in the folder.
    pub keys: &'a [SecretString],
    /// A file that also gets every line of the audit.
    pub audit_file: Option<&'a Path>,
}

/// Whether a change must be on the disk before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// A crash of the process loses nothing; a power failure may lose the last moments.
    System,
    /// A power failure loses nothing either.
    Disk,
}

/// The state of one upstream. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<StoreInner>);

struct StoreInner {
    /// First, because its thread must end before what it uses.
    writer: Worker,
    /// None in memory, where one thread does both.
    reader: Option<Worker>,
    ring: Arc<KeyRing>,
    housekeeping: Arc<Housekeeping>,
    place: StorePlace,
    /// With the name of the upstream's file there.
    folder: Option<(StateFolder, String)>,
    mirrors: Arc<Mirrors>,
    identity: Identity,
    confirm_key: [u8; SECRET_BYTES],
    /// The earlier files that were taken over, for the log.
    imported: OnceLock<String>,
}

/// Other work of the writing thread, which the store does not know.
pub(crate) struct StoreHooks {
    pub housekeeping: Arc<Housekeeping>,
    /// Every few seconds, in a separate transaction.
    pub tidy: Box<Tidy>,
    /// Before the thread ends, each time in a separate transaction, until there is no more.
    pub finish: Box<Finish>,
    /// Receives announced lines once they are written.
    pub announce: Option<Box<Announce>>,
}

impl Store {
    /// Opens or creates the file and updates its tables; `prepare` runs in the same transaction. Blocks, so do not call
    /// it on a runtime thread.
    pub(crate) fn start<T>(
        options: &StoreOptions,
        hooks: StoreHooks,
        prepare: impl FnOnce(&mut Transaction, &KeyRing, Option<&StateFolder>) -> Result<T, StoreError>,
    ) -> Result<(Self, T), StoreError> {
        let folder = options.folder.map(StateFolder::open).transpose()?;
        let place = match (options.url, &folder) {
            (Some(url), _) => {
                let place = StorePlace::in_database(url)?;
                place.warn_of_network();
                place
            }
            (None, None) => StorePlace::Memory,
            (None, Some(folder)) => {
                let path = folder.file(&file_name(options.upstream));
                refuse_emptied(&path)?;
                make_private(&path)?;
                StorePlace::File(path)
            }
        };
        let key_file = folder.as_ref().map(|folder| folder.file(KEY_FILE));
        let ring = RingSource {
            given: options.keys,
            file: key_file.as_deref(),
            is_shared: place.is_database(),
        };
        let (connection, (ring, identity, confirm_key, prepared)) =
            connect(&place, |transaction| {
                let is_new = schema::bring_up_to_date(transaction)?;
                match &place {
                    StorePlace::File(path) if is_new => {
                        tracing::info!("made a new store, {}", path.display());
                    }
                    StorePlace::Database(_) => keep_to(transaction, options.upstream, &place)?,
                    StorePlace::Memory | StorePlace::File(_) => {}
                }
                let ring = ring.open(transaction)?;
                let prepared = prepare(transaction, &ring, folder.as_ref())?;
                let identity = sealing::secret(transaction, &ring, "identity")?;
                let confirm_key = sealing::secret(transaction, &ring, "confirm")?;
                Ok((ring, identity, confirm_key, prepared))
            })?;
        let mirrors = Arc::new(Mirrors::new(match place.is_database() {
            true => options.outage_reads,
            false => Duration::ZERO,
        }));
        let housekeeping = Arc::clone(&hooks.housekeeping);
        let writer = Worker::write(
            connection,
            Writing::new(Arc::clone(&mirrors), hooks, place.is_database()),
        )?;
        let reader = match &place {
            StorePlace::Memory => None,
            StorePlace::File(_) | StorePlace::Database(_) => {
                let (connection, ()) = connect(&place, |_| Ok(()))?;
                Some(Worker::read(connection, Arc::downgrade(&mirrors))?)
            }
        };
        let store = Self(Arc::new(StoreInner {
            writer,
            reader,
            ring: Arc::new(ring),
            housekeeping,
            place,
            folder: folder.map(|folder| (folder, file_name(options.upstream))),
            mirrors,
            identity: Identity::new(&identity),
            confirm_key,
            imported: OnceLock::new(),
        }));
        Ok((store, prepared))
    }

    /// Whether its contents outlive the process.
    pub fn is_durable(&self) -> bool {
        !matches!(self.0.place, StorePlace::Memory)
    }

    /// Its file.
    pub fn path(&self) -> Option<&Path> {
        self.0.place.path()
    }

    /// The state folder, and what the upstream's file is called there, whether the store is that file or not.
    pub(crate) fn folder(&self) -> Option<(&StateFolder, &str)> {
        let (folder, name) = self.0.folder.as_ref()?;
        Some((folder, name))
    }

    /// Its database of PostgreSQL, for people: instances on other machines may share it.
    pub fn database(&self) -> Option<&str> {
        self.0.place.database()
    }

    /// Its place, for people.
    pub fn shown(&self) -> String {
        match &self.0.place {
            StorePlace::Memory => "memory".to_owned(),
            StorePlace::File(path) => path.display().to_string(),
            StorePlace::Database(_) => self.database().unwrap_or_default().to_owned(),
        }
    }

    /// The earlier files that were taken over when it was opened.
    pub fn imported(&self) -> Option<&str> {
        self.0.imported.get().map(String::as_str)
    }

    pub(crate) fn set_imported(&self, sentence: String) {
        // Set once, when it is opened.
        let _ = self.0.imported.set(sentence);
    }

    /// Names credentials.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The key that signs confirm tokens, the same in every process on this store.
    pub fn confirm_key(&self) -> &[u8] {
        &self.0.confirm_key
    }

    /// The secret of that name, for every process on this store; created if there is none.
    pub(crate) fn secret(&self, name: &'static str) -> Pending<[u8; SECRET_BYTES]> {
        let ring = self.ring();
        self.change(Durability::Disk, move |transaction| {
            sealing::secret(transaction, &ring, name)
        })
    }

    /// For changes, which must not hold the store itself: it would end on its own thread.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.ring)
    }

    pub(crate) fn housekeeping(&self) -> &Arc<Housekeeping> {
        &self.0.housekeeping
    }

    /// Changes rows. The change is queued when this returns: a caller that leaves loses nothing. `change` may run more
    /// than once, each time on the original rows.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.0.writer.send(durability, Delivery::Told, change)
    }

    /// Changes rows. If the commit's result is lost, the caller waits until it is known.
    pub(crate) fn change_surely<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.0.writer.send(durability, Delivery::Known, change)
    }

    /// A change that must be written some time, and on the disk: where it cannot be now, it is tried again before the next.
    /// It ends when it is written, or with the process.
    pub(crate) fn owe(
        &self,
        change: impl FnMut(&mut Transaction) -> Result<(), StoreError> + Send + 'static,
    ) -> Pending<()> {
        self.0.writer.send(Durability::Disk, Delivery::Owed, change)
    }

    /// Reserves the place of a change that must eventually be written: if it fails, it is tried again before the next.
    pub(crate) async fn reserve(&self) -> Result<QueuePlace, StoreError> {
        self.0.writer.reserve().await
    }

    /// Reads rows.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let worker = self.0.reader.as_ref().unwrap_or(&self.0.writer);
        worker.send(Durability::System, Delivery::Told, read)
    }

    /// Keeps rows in memory that every call needs. Blocks until they are read.
    pub(crate) fn mirror<V: Send + Sync + 'static>(
        &self,
        empty: V,
        load: fn(&mut Transaction) -> Result<V, StoreError>,
        trouble: &'static str,
    ) -> Arc<Mirror<V>> {
        let mirror = self.0.mirrors.add(empty, load, trouble);
        let mirrors = Arc::clone(&self.0.mirrors);
        let read = self.read(move |transaction| {
            mirrors.refresh(transaction);
            Ok(())
        });
        if let Err(error) = read.wait() {
            self.0.mirrors.fail(&error);
        }
        mirror
    }
}

/// The source of the sealing keys.
struct RingSource<'a> {
    given: &'a [SecretString],
    file: Option<&'a Path>,
    /// Servers on other machines need the same key.
    is_shared: bool,
}

impl RingSource<'_> {
    /// Never creates a key over rows that another key has sealed.
    fn open(&self, transaction: &mut Transaction) -> Result<KeyRing, StoreError> {
        let is_new = !sealing::is_checked(transaction)?;
        let ring = match (self.given, self.file) {
            ([], file) if self.is_shared && (is_new || !file.is_some_and(Path::exists)) => {
                return Err(StoreError::from(
                    "a database is shared, and every instance needs the key that seals its secrets: put one into state.keys, \
                     such as the output of `openssl rand -base64 32`"
                        .to_owned(),
                ));
            }
            ([], None) => KeyRing::random()?,
            ([], Some(path)) => {
                let text = if is_new {
                    make_key(path)?
                } else {
                    read_key(path)?
                };
                KeyRing::from_file(path, text)?
            }
            (given, _) => KeyRing::new(given)?,
        };
        sealing::check(transaction, &ring)?;
        Ok(ring)
    }
}

/// A database belongs to the upstream that used it first: the sandbox's data never mixes with customers'.
fn keep_to(
    transaction: &mut Transaction,
    upstream: &str,
    place: &StorePlace,
) -> Result<(), StoreError> {
    match meta(transaction, "upstream")? {
        None => put_meta(transaction, "upstream", upstream),
        Some(found) if found == upstream => Ok(()),
        Some(found) => Err(StoreError::from(format!(
            "{} holds the state of {found}, and not of {upstream}; give {upstream} a database of its own in state.url",
            place.database().unwrap_or("the database")
        ))),
    }
}

fn read_key(path: &Path) -> Result<SecretString, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let metadata =
                fs::metadata(path).map_err(|error| StoreError::system(path, "read", error))?;
            close(path, metadata.mode(), FILE_MODE)?;
            Ok(text.into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::from(format!(
            "{} is missing, and without it the secrets in the store cannot be opened; restore it from your copy, or \
             name it in state.keys. If it is lost, remove the store's file and create keys, approvals and \
             installs again",
            path.display()
        ))),
        Err(error) => Err(StoreError::system(path, "read", error)),
    }
}

/// The key of the folder, created if there is none: another upstream's file may have it already.
fn make_key(path: &Path) -> Result<SecretString, StoreError> {
    let text = sealing::new_key()?;
    // As a whole or not at all: half a key is useless, and nobody could create another in its place.
    let written = path.parent().map_or(Ok(None), |folder| {
        let mut beside = NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        beside.as_file().sync_all()?;
        match beside.persist_noclobber(path) {
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
            made => made.map(Some).map_err(|error| error.error),
        }
    });
    match written {
        Ok(Some(_)) => Ok(text.into()),
        Ok(None) => read_key(path),
        Err(error) => Err(StoreError::system(path, "made", error)),
    }
}

/// SQLite creates files that everybody may read. An existing one is not opened: closing it again would release every
/// lock that this process has on it.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => {
            return made
                .map(drop)
                .map_err(|error| StoreError::system(path, "made", error));
        }
    }
    let metadata =
        fs::symlink_metadata(path).map_err(|error| StoreError::system(path, "read", error))?;
    if !metadata.is_file() {
        return Err(StoreError::from(format!(
            "{} is not a regular file but a link or a folder; put the file itself there, or give another state folder",
            path.display()
        )));
    }
    close(path, metadata.mode(), FILE_MODE)
}

/// An emptied or removed file is not taken for a new store: the last changes are in files beside it.
fn refuse_emptied(path: &Path) -> Result<(), StoreError> {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let beside = path.with_extension("db-wal");
    if bytes(path) > 0 || bytes(&beside) == 0 {
        return Ok(());
    }
    Err(StoreError::from(format!(
        "{} is empty or gone, but {} has changes of it; put the file back, restore a backup (`highlevel-mcp state \
         restore`), or remove both where nothing of it is wanted",
        path.display(),
        beside.display()
    )))
}

/// From a host and its port: letters, digits, dots and hyphens.
pub(crate) fn file_name(upstream: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        '.' => '.',
        _ => '-',
    };
    let name: String = upstream.chars().map(plain).collect();
    let name = name.trim_matches('.');
    format!("{}.db", if name.is_empty() { "-" } else { name })
}

#[cfg(test)]
pub(crate) mod for_tests;
#[cfg(test)]
mod tests;
