//! The file of a company's pair of tokens: read whole, replaced whole, and locked while its refresh token is used.
//!
//! Beside `pair.json` stand `pair.json.lock`, locked by the process that renews, and, while it does,
//! `pair.json.new`: first the intent, then the new pair. What is found there later was left by a process that died.
//! `pair.json.try` is what takes the place of either.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use super::pair::{Leftover, Pair};
use crate::upstream::failure::{Failure, FailureClass};

/// A pair is some 3 kB.
const LARGEST: u64 = 256 * 1024;

/// So much more room than the old pair has is taken on the disk before its refresh token is used up.
const ROOM: usize = 4096;

/// Where a pair is kept.
pub struct PairFile {
    path: PathBuf,
    warned: AtomicBool,
}

/// No other process renews the pair while this exists.
pub struct PairLock {
    /// Without links: a rename would replace the link.
    path: PathBuf,
    _lock: File,
}

/// Everything is in place for a new pair.
pub struct PreparedPairFile {
    locked: PairLock,
    new: File,
}

impl PairFile {
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: std::path::absolute(path)?,
            warned: AtomicBool::new(false),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pair as it is now, and whether its renewal is under way or was cut off.
    pub fn read(&self) -> Result<(Pair, bool), Failure> {
        let path = self.target();
        let pair = read_pair(&path)?;
        self.warn_of_readers(&path);
        Ok((pair, beside(&path, "new").exists()))
    }

    /// `None` while another process, or another part of this one, holds the lock.
    pub fn try_lock(&self) -> Result<Option<PairLock>, Failure> {
        let path = self.target();
        let lock_path = beside(&path, "lock");
        let opened = private().create(true).truncate(false).open(&lock_path);
        let lock = opened.map_err(|error| unwritable(&path, &lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(PairLock { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unwritable(&path, &lock_path, &error)),
        }
    }

    fn target(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    #[cfg(unix)]
    fn warn_of_readers(&self, path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0, |about| about.permissions().mode());
        if mode & 0o077 != 0 && !self.warned.swap(true, Ordering::Relaxed) {
            let path = path.display();
            tracing::warn!("Others than its owner may use the pair file {path}: chmod 600 {path}");
        }
    }

    #[cfg(not(unix))]
    fn warn_of_readers(&self, _path: &Path) {
        self.warned.store(true, Ordering::Relaxed);
    }
}

impl PairLock {
    /// The pair after what a dead process left is made use of, and whether that process may have used up the
    /// pair's refresh token.
    pub fn settle(&self) -> Result<(Pair, bool), Failure> {
        let pair = read_pair(&self.path)?;
        let new = beside(&self.path, "new");
        let left = match read_all(&new) {
            Ok((json, _)) => Leftover::read(&json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((pair, false)),
            Err(error) => return Err(unwritable(&self.path, &new, &error)),
        };
        match left {
            Leftover::Answer(newer) if newer.follows(&pair) => {
                self.replace(&new)
                    .map_err(|error| unwritable(&self.path, &new, &error))?;
                tracing::info!(
                    "{} holds the pair that a process before this one got and did not live to put there",
                    self.path.display()
                );
                Ok((*newer, false))
            }
            Leftover::Torn => Ok((pair, true)),
            Leftover::Intent(name) if name == pair.name() => Ok((pair, true)),
            // Of a pair that is replaced since, or a copy of this one.
            Leftover::Intent(_) | Leftover::Answer(_) => Ok((pair, false)),
        }
    }

    /// Makes sure that a new pair can take the place of `pair`, and writes down that one is about to be asked for.
    pub fn prepare(self, pair: &Pair) -> Result<PreparedPairFile, Failure> {
        let (path, trial) = (beside(&self.path, "new"), beside(&self.path, "try"));
        let prepared = || {
            // What fails late is the rename: of a file that is mounted on its own, or another user's in a folder
            // with the sticky bit. With the pair that is there already nothing is lost by trying.
            let json = pair.json();
            create(&trial, json.as_bytes())?;
            self.replace(&trial)?;
            // By a rename too: an intent that stands there must not go before this one has come.
            let intent = format!("{:1$}", pair.intent(), json.len() + ROOM);
            let new = create(&trial, intent.as_bytes())?;
            fs::rename(&trial, &path)?;
            sync_folder(&self.path)?;
            Ok(new)
        };
        let new = prepared().map_err(|error| unwritable(&self.path, &path, &error))?;
        Ok(PreparedPairFile { locked: self, new })
    }

    /// Puts the file at `new` in the place of the pair, for good.
    fn replace(&self, new: &Path) -> io::Result<()> {
        fs::rename(new, &self.path)?;
        sync_folder(&self.path)
    }
}

impl PreparedPairFile {
    /// Puts `pair` in the place of the old one. It may be used when this has returned, not before.
    pub fn commit(mut self, pair: &Pair) -> Result<(), Failure> {
        let path = &self.locked.path;
        let new = beside(path, "new");
        let json = pair.json();
        let mut written = || {
            self.new.rewind()?;
            self.new.write_all(json.as_bytes())?;
            self.new.set_len(json.len() as u64)?;
            self.new.sync_all()?;
            self.locked.replace(&new)
        };
        written().map_err(|error| {
            Failure::new(
                FailureClass::Auth,
                format!(
                    "HighLevel gave the company a new pair of tokens, which cannot be written to {}: {error}.",
                    path.display()
                ),
            )
            .with_remedy(
                "Make room there and let the server write the folder before the server is stopped: it keeps the \
                 pair in memory and tries again.",
            )
        })
    }

    /// The pair's refresh token was not used.
    pub fn abandon(self) {
        // Left there it costs one renewal more, at the next start.
        let _ = fs::remove_file(beside(&self.locked.path, "new"));
    }
}

fn read_pair(path: &Path) -> Result<Pair, Failure> {
    let failure = |what: String| {
        Failure::new(
            FailureClass::Auth,
            format!("The company's pair file {} {what}.", path.display()),
        )
        .with_remedy(
            "Install the app for the company and write what HighLevel's POST /oauth/token answers to that file, \
             for nobody but the server to read.",
        )
    };
    let (json, written) =
        read_all(path).map_err(|error| failure(format!("cannot be read: {error}")))?;
    Pair::parse(&json, written).map_err(|what| failure(what.to_owned()))
}

/// The bytes of a file, and when it was written, in seconds since 1970.
fn read_all(path: &Path) -> io::Result<(Vec<u8>, i64)> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
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

/// Makes a file that was not there and that nobody else can read; what stood there goes, a link too.
fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A rename lasts when its folder is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// `pair.json.ending` in the folder of `pair.json`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn unwritable(pair: &Path, file: &Path, error: &io::Error) -> Failure {
    let folder = pair.parent().unwrap_or(pair).display();
    Failure::new(
        FailureClass::Auth,
        format!(
            "The company's token was not renewed: the pair file {} could not be replaced afterwards ({}: {error}).",
            pair.display(),
            file.display()
        ),
    )
    .with_remedy(format!(
        "Let the server write the folder {folder} and the files of that name in it; mount the folder where the file \
         is mounted on its own."
    ))
}

#[cfg(test)]
mod tests;
