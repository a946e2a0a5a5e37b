//! `keys.json`: read when it is another than before, replaced whole.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::store::StoreError;
use crate::store::folder::Folder;

const NAME: &str = "keys.json";
const LOCK: &str = "keys.lock";

pub struct KeyFile(Folder);

/// Tells a file from the one that was there before: each change makes a new file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// Never looked.
    #[default]
    Unknown,
    Missing,
    File {
        inode: u64,
        bytes: u64,
        seconds: i64,
        nanoseconds: i64,
    },
}

/// What the file holds, or how it is broken.
pub struct Held {
    pub keys: Result<Vec<Record>, StoreError>,
    pub stamp: Stamp,
}

/// A field that this version does not know may be a restriction: the file is refused, not half understood.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    keys: Vec<Record>,
}

impl KeyFile {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Folder::open(folder).map(Self)
    }

    pub fn read(&self) -> Result<Vec<Record>, StoreError> {
        let read = self.changed(&Stamp::Unknown)?;
        read.map_or_else(|| Ok(Vec::new()), |read| read.keys)
    }

    /// Reads the file where its stamp is not `known`. Fails where it cannot be got at.
    pub fn changed(&self, known: &Stamp) -> Result<Option<Held>, StoreError> {
        let path = self.0.file(NAME);
        let system = |error| StoreError::system(&path, "read", error);
        let stamp = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Stamp::Missing,
            metadata => Stamp::of(&metadata.map_err(system)?),
        };
        if stamp == *known {
            return Ok(None);
        }
        if stamp == Stamp::Missing {
            let keys = Ok(Vec::new());
            return Ok(Some(Held { keys, stamp }));
        }
        let mut file = File::open(&path).map_err(system)?;
        // Of the file that is read, should it have been replaced meanwhile.
        let stamp = Stamp::of(&file.metadata().map_err(system)?);
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(system)?;
        let contents = serde_json::from_slice(&text).map_err(|error| {
            StoreError(format!(
                "{} is broken: {error}; put it right, or remove it and make new keys",
                path.display()
            ))
        });
        let keys = contents.map(|Contents { keys }| keys);
        Ok(Some(Held { keys, stamp }))
    }

    /// Changes the keys while no other process does. Nothing is written where `change` fails.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Record>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _lock = self.0.lock(LOCK)?;
        let mut keys = self.read()?;
        let done = change(&mut keys)?;
        let text = serde_json::to_vec_pretty(&Contents { keys });
        let text = text.map_err(|error| StoreError(format!("the keys are no JSON: {error}")))?;
        self.0.replace(NAME, &text)?;
        Ok(done)
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self::File {
            inode: metadata.ino(),
            bytes: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}
