//! The file in which an operator puts a company's token pair. The store takes it over, and nothing is written here.
//!
//! Versions before the store renewed the pair in `pair.json` itself, under the lock `pair.json.lock`, with the intent
//! and then the new pair in `pair.json.new`. Files that such a version left are taken over, too.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use super::pair::{Leftover, Pair};
use crate::config::decode;
use crate::upstream::failure::{Failure, FailureClass};

/// A pair has some 3 kB.
const LARGEST: u64 = 256 * 1024;

/// The path of a pair. Cheap to clone.
#[derive(Clone)]
pub(super) struct PairFile {
    path: Arc<Path>,
    warned: Arc<AtomicBool>,
}

/// A pair to be taken over. No older version renews it while this exists.
pub(super) struct PairFromFile {
    pub pair: Pair,
    /// Its name, and that of the pair that the file still holds.
    pub names: Vec<String>,
    /// Its renewal was interrupted.
    pub cut_off: bool,
    _lock: Option<File>,
}

impl PairFile {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: std::path::absolute(path)?.into(),
            warned: Arc::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The pair, with the files that an older version left beside it; `None` if its name is already known.
    pub(super) fn read(
        &self,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Option<PairFromFile>, Failure> {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.to_path_buf());
        let pair = read_pair(&path)?;
        self.warn_of_readers(&path);
        if is_known(&pair.name()) {
            return Ok(None);
        }
        let lock = lock(&path)?;
        // It may have been replaced before the lock was free.
        let pair = read_pair(&path)?;
        let name = pair.name();
        let mut taken = PairFromFile {
            pair,
            names: vec![name.clone()],
            cut_off: false,
            _lock: lock,
        };
        let new = beside(&path, "new");
        match read_all(&new) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(unusable(
                    &path,
                    &format!("cannot be read whole: {}: {error}", new.display()),
                ));
            }
            Ok((json, _)) => match Leftover::read(&json) {
                Leftover::Answer(newer, Some(older)) if older == name => {
                    taken.names.push(newer.name());
                    taken.pair = *newer;
                }
                Leftover::Torn => taken.cut_off = true,
                // Any other one belongs to a pair that has been replaced since.
                Leftover::Intent(other) => taken.cut_off = other == name,
                Leftover::Answer(..) => {}
            },
        }
        Ok(Some(taken))
    }

    fn warn_of_readers(&self, path: &Path) {
        let mode = fs::metadata(path).map_or(0, |about| about.permissions().mode());
        if mode & 0o077 != 0 && !self.warned.swap(true, Ordering::Relaxed) {
            let path = path.display();
            tracing::warn!("Others than its owner may use the pair file {path}: chmod 600 {path}");
        }
    }
}

/// A shared lock, so that several processes may take the pair over at once. An older version locks exclusively.
fn lock(path: &Path) -> Result<Option<File>, Failure> {
    let lock_path = beside(path, "lock");
    let lock = match File::open(&lock_path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(unusable(
                path,
                &format!("cannot be read: {}: {error}", lock_path.display()),
            ));
        }
    };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let what = format!(
                "An older version of this program is renewing the pair file {}, and has locked {}.",
                path.display(),
                lock_path.display()
            );
            Err(Failure::new(FailureClass::Upstream, what)
                .with_remedy("Stop it; this version then takes over what it leaves."))
        }
        // A file system without locks had none before either.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(lock)),
    }
}

fn read_pair(path: &Path) -> Result<Pair, Failure> {
    let (json, written) =
        read_all(path).map_err(|error| unusable(path, &format!("cannot be read: {error}")))?;
    let json = decode(json).map_err(|error| unusable(path, &format!("cannot be read: {error}")))?;
    Pair::parse(json.as_bytes(), written).map_err(|what| unusable(path, what))
}

fn unusable(path: &Path, what: &str) -> Failure {
    let what = format!("The company's pair file {} {what}.", path.display());
    Failure::new(FailureClass::Auth, what).with_remedy(
        "Install the app for the company and write what HighLevel's POST /oauth/token answers to that file, for nobody \
         but the server to read. The server takes it over into its store once and never changes it.",
    )
}

/// The bytes of a file, with its modification time in seconds since 1970.
fn read_all(path: &Path) -> io::Result<(Vec<u8>, i64)> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let written = about.modified()?.duration_since(UNIX_EPOCH);
    let written = written.map_or(0, |since| since.as_secs());
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too large for a pair of tokens"));
    }
    Ok((bytes, i64::try_from(written).unwrap_or(i64::MAX)))
}

/// `pair.json.ending` in the folder of `pair.json`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
