//! A folder of files that several processes change: one at a time, each change whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::StoreError;

/// For its owner alone.
const FOLDER_MODE: u32 = 0o700;
pub const FILE_MODE: u32 = 0o600;

/// Changes take some milliseconds: who holds a lock for longer is stuck.
pub const LONGEST_WAIT: Duration = Duration::from_secs(2);

const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Everybody may write to such a folder, `/tmp` for one.
const STICKY: u32 = 0o1000;

#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

/// While it lives, nobody else changes what it stands for. The system lets go of it where the process dies.
#[must_use]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl StateFolder {
    /// Makes it where it is missing, and closes it to everybody but its owner.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path);
        made.map_err(|error| StoreError::system(path, "made", error))?;
        let metadata =
            fs::metadata(path).map_err(|error| StoreError::system(path, "read", error))?;
        if metadata.mode() & STICKY != 0 || path.parent().is_none() {
            return Err(StoreError::from(format!(
                "{} is no state folder: others use it, too; give a folder for this server alone",
                path.display()
            )));
        }
        close(path, metadata.mode(), FOLDER_MODE)?;
        Ok(Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Waits until nobody else holds the lock of that name, but not for longer than `LONGEST_WAIT`. It is a file of its
    /// own, for the files that it guards are replaced. Each call opens it anew, so threads of one process exclude each
    /// other as processes do.
    pub fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.file(name);
        let system = |error| StoreError::system(&path, "locked", error);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(system)?;
        let deadline = Instant::now() + LONGEST_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::Error(error)) => return Err(system(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(StoreError::busy(format!(
                        "{} has been held by another process for {} seconds; end that process, or try again",
                        path.display(),
                        LONGEST_WAIT.as_secs()
                    )));
                }
                // The system has no wait with a deadline.
                Err(TryLockError::WouldBlock) => sleep(BETWEEN_TRIES),
            }
        }
    }

    /// After it the file holds `bytes`, and after a loss of power either those or what it held before.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        self.write(&path, bytes)
            .map_err(|error| StoreError::system(&path, "written", error))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        // Its mode is 0600 from the start.
        let mut beside = NamedTempFile::new_in(&self.0)?;
        beside.write_all(bytes)?;
        beside.as_file().sync_all()?;
        beside.persist(path)?;
        // The new name is in the folder, which has a memory of its own to be written.
        File::open(&self.0)?.sync_all()
    }
}

/// Takes from a file or folder what `mode` does not allow.
pub fn close(path: &Path, present: u32, mode: u32) -> Result<(), StoreError> {
    if present & 0o777 & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| StoreError::system(path, "closed to other users", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: Option<u32>, after: Result<u32, &str>) {
        let around = tempfile::tempdir().expect("a folder");
        let path = around.path().join("a/state");
        if let Some(mode) = before {
            fs::create_dir_all(&path).expect("made");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        }
        let opened = StateFolder::open(&path).map(|folder| mode(folder.path()));
        match (opened, after) {
            (Ok(mode), after) => assert_eq!(Ok(mode), after, "{before:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").mode() & 0o7777
    }

    #[test]
    fn the_folder_is_for_its_owner() {
        check(None, Ok(0o700));
        check(Some(0o755), Ok(0o700));
        check(Some(0o700), Ok(0o700));
        check(Some(0o500), Ok(0o500));
        check(Some(0o1777), Err("give a folder for this server alone"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let around = tempfile::tempdir().expect("a folder");
        let folder = StateFolder::open(around.path()).expect("open");
        for text in ["first", "second"] {
            folder.replace("a.json", text.as_bytes()).expect("written");
            let held = fs::read_to_string(folder.file("a.json")).expect("read");
            assert_eq!(
                (held.as_str(), mode(&folder.file("a.json"))),
                (text, FILE_MODE)
            );
        }
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
        fs::remove_dir_all(folder.path()).expect("removed");
        let error = folder.replace("a.json", b"third").expect_err("no folder");
        assert!(
            error.to_string().contains("a.json cannot be written"),
            "{error}"
        );
    }

    #[test]
    fn a_lock_waits_for_the_one_before() {
        let around = tempfile::tempdir().expect("a folder");
        let folder = StateFolder::open(around.path()).expect("open");
        let first = folder.lock("lock").expect("locked");
        let (told, hears) = std::sync::mpsc::channel();
        let other = folder.clone();
        let waiting = std::thread::spawn(move || {
            let _second = other.lock("lock").expect("locked");
            told.send(()).expect("heard");
        });
        let patience = std::time::Duration::from_millis(50);
        assert!(hears.recv_timeout(patience).is_err(), "both hold it");
        drop(first);
        waiting.join().expect("ended");
        assert_eq!(mode(&folder.file("lock")), FILE_MODE);
        assert!(hears.try_recv().is_ok());
    }

    #[test]
    fn nobody_waits_for_a_stuck_lock_for_ever() {
        let around = tempfile::tempdir().expect("a folder");
        let folder = StateFolder::open(around.path()).expect("open");
        let _held = folder.lock("lock").expect("locked");
        let before = Instant::now();
        let error = folder.lock("lock").map(drop).expect_err("held").to_string();
        assert!(
            error.contains("held by another process for 2 seconds"),
            "{error}"
        );
        let waited = before.elapsed();
        assert!(
            waited >= LONGEST_WAIT && waited < 4 * LONGEST_WAIT,
            "{waited:?}"
        );
    }
}
