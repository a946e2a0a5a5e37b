//! The state folder: private to its owner, with each file written completely or not at all.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::StoreError;

/// Only for its owner.
const FOLDER_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// Changes take some milliseconds: a process that blocks others for longer is stuck.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Everybody may write to such a folder, for example `/tmp`.
const STICKY: u32 = 0o1000;

#[derive(Clone, Debug)]
pub(crate) struct StateFolder(PathBuf);

impl StateFolder {
    /// Creates it if it is missing, and makes it private to its owner.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path);
        made.map_err(|error| StoreError::system(path, "made", error))?;
        let metadata =
            fs::metadata(path).map_err(|error| StoreError::system(path, "read", error))?;
        if metadata.mode() & STICKY != 0 || path.parent().is_none() {
            return Err(StoreError::from(format!(
                "{} is not a state folder, because other programs use it too; give a folder only for this server",
                path.display()
            )));
        }
        close(path, metadata.mode(), FOLDER_MODE)?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Afterwards the file has `bytes`; after a power failure either those or its earlier content.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
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
        // The new name is in the folder, which must be written separately.
        File::open(&self.0)?.sync_all()
    }

    /// Afterwards the names of its files are on the disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.0).and_then(|folder| folder.sync_all());
        synced.map_err(|error| StoreError::system(&self.0, "written", error))
    }
}

/// Removes permissions beyond `mode` from a file or folder.
pub(crate) fn close(path: &Path, present: u32, mode: u32) -> Result<(), StoreError> {
    if present & 0o777 & !mode == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| StoreError::system(path, "closed to other users", error))
}

/// Network file systems, where file locks do not work between machines, and often not between processes, by Linux's
/// number of each kind (statfs(2)).
#[cfg(target_os = "linux")]
const NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0bd0_0bd0, "Lustre"),
];

/// The network file system of a folder; `None` if it is on none, or that is unknown.
#[cfg(target_os = "linux")]
pub fn network_file_system(folder: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(folder).ok()?;
    network_name(u64::try_from(found.f_type).ok()?)
}

/// Only Linux gives it as a number.
#[cfg(not(target_os = "linux"))]
pub fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(target_os = "linux")]
fn network_name(kind: u64) -> Option<&'static str> {
    // Some kinds are negative 32-bit numbers.
    let kind = kind & 0xffff_ffff;
    let mut known = NETWORK.iter();
    known
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name)
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
        check(Some(0o1777), Err("give a folder only for this server"));
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
    #[cfg(target_os = "linux")]
    fn network_file_systems_are_known_by_their_numbers() {
        for (kind, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("SMB")),
            (0xffff_ffff_fe53_4d42, Some("SMB")),
            (0xef53, None),
            (0x0102_1994, None),
        ] {
            assert_eq!(network_name(kind), name, "{kind:#x}");
        }
        assert_eq!(network_file_system(Path::new("/")), None);
    }
}
