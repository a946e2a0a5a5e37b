//! Names credentials in the audit file: the same over restarts, and of no use to whoever reads it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use ring::hmac;

use super::folder::StateFolder;
use super::{StoreError, hex, random};

/// The key's file.
const FILE: &str = "identity.key";

/// Bytes of the key.
const BYTES: usize = 32;

/// Bytes of the tag that are shown: enough to tell the credentials of one server apart.
const SHOWN: usize = 8;

/// An HMAC under a key of the state folder.
pub struct Identity(hmac::Key);

impl Default for Identity {
    /// Under a key that is known to nobody and told to nobody.
    fn default() -> Self {
        Self(hmac::Key::new(
            hmac::HMAC_SHA256,
            &random::<BYTES>().unwrap_or_default(),
        ))
    }
}

impl Identity {
    /// Under the key in `folder`, which is made where there is none.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = StateFolder::open(folder)?;
        let path = folder.file(FILE);
        let failed = |error: std::io::Error| StoreError::system(&path, "written", error);
        let key = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let fresh = random::<BYTES>()?;
                // Whole before it has its name: another process may look for it at this moment.
                let mut file = tempfile::NamedTempFile::new_in(folder.path()).map_err(failed)?;
                file.write_all(&fresh).map_err(failed)?;
                match file.persist_noclobber(&path) {
                    Ok(_) => fresh.to_vec(),
                    Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                        fs::read(&path).map_err(failed)?
                    }
                    Err(error) => return Err(failed(error.error)),
                }
            }
            read => read.map_err(|error| StoreError::system(&path, "read", error))?,
        };
        if key.len() != BYTES {
            return Err(StoreError::from(format!(
                "{} has {} bytes, and a key has {BYTES}: it was cut short or is another file; put it back from a backup, \
                 or remove it and the audit calls credentials by new names",
                path.display(),
                key.len()
            )));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// What stands for `credential`.
    pub fn name(&self, credential: &str) -> String {
        let tag = hmac::sign(&self.0, credential.as_bytes());
        hex(&tag.as_ref()[..SHOWN.min(tag.as_ref().len())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_one_name_in_one_folder() {
        let (one, two) = (
            tempfile::tempdir().expect("a folder"),
            tempfile::tempdir().expect("a folder"),
        );
        let name = |folder: &Path, of: &str| Identity::open(folder).expect("a key").name(of);
        let first = name(one.path(), "pit-a");
        assert_eq!(first.len(), 2 * SHOWN);
        assert_eq!(first, name(one.path(), "pit-a"));
        assert_ne!(first, name(one.path(), "pit-b"));
        assert_ne!(first, name(two.path(), "pit-a"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(one.path().join("identity.key"))
                .expect("a file")
                .permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_of_another_size_is_refused() {
        for (bytes, usable) in [
            (0, false),
            (5, false),
            (31, false),
            (32, true),
            (33, false),
            (4096, false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(FILE), vec![7; bytes]).expect("written");
            let opened = Identity::open(folder.path())
                .map(drop)
                .map_err(|error| error.to_string());
            let told = opened
                .as_ref()
                .is_err_and(|error| error.contains("a key has 32"));
            assert_eq!(
                (opened.is_ok(), told),
                (usable, !usable),
                "{bytes}: {opened:?}"
            );
        }
    }
}
