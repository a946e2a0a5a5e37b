//! A JSON file in the state folder: read when it is another than before, changed by one process at a time, replaced whole.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::folder::StateFolder;

/// A file that holds a `T`; where there is no file, that of `T::default()`.
pub struct JsonFile<T> {
    folder: StateFolder,
    name: &'static str,
    lock: &'static str,
    /// What to do about a broken one.
    remedy: &'static str,
    holds: PhantomData<fn() -> T>,
}

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

/// What a file holds, or how it is broken.
pub struct Reading<T> {
    pub value: Result<T, StoreError>,
    pub stamp: Stamp,
}

impl<T: Serialize + DeserializeOwned + Default> JsonFile<T> {
    /// Opens or makes the folder.
    pub fn open(
        folder: &Path,
        name: &'static str,
        lock: &'static str,
        remedy: &'static str,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            folder: StateFolder::open(folder)?,
            name,
            lock,
            remedy,
            holds: PhantomData,
        })
    }

    pub fn read(&self) -> Result<T, StoreError> {
        let read = self.changed(Stamp::Unknown)?;
        read.map_or_else(|| Ok(T::default()), |read| read.value)
    }

    /// Reads the file where its stamp is not `known`. Fails where it cannot be got at.
    pub fn changed(&self, known: Stamp) -> Result<Option<Reading<T>>, StoreError> {
        let path = self.folder.file(self.name);
        let system = |error| StoreError::system(&path, "read", error);
        let stamp = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Stamp::Missing,
            metadata => Stamp::new(&metadata.map_err(system)?),
        };
        if stamp == known {
            return Ok(None);
        }
        if stamp == Stamp::Missing {
            let value = Ok(T::default());
            return Ok(Some(Reading { value, stamp }));
        }
        let mut file = File::open(&path).map_err(system)?;
        // Of the file that is read, should it have been replaced meanwhile.
        let stamp = Stamp::new(&file.metadata().map_err(system)?);
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(system)?;
        let value = serde_json::from_slice(&text).map_err(|error| {
            StoreError::from(format!(
                "{} is broken: {error}; {}",
                path.display(),
                self.remedy
            ))
        });
        Ok(Some(Reading { value, stamp }))
    }

    /// Changes what it holds while no other process does. Nothing is written where `change` fails.
    pub fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let _lock = self.folder.lock(self.lock)?;
        let mut value = self.read()?;
        let done = change(&mut value)?;
        let text = serde_json::to_vec_pretty(&value).map_err(|error| {
            StoreError::from(format!("{} would be no JSON: {error}", self.name))
        })?;
        self.folder.replace(self.name, &text)?;
        Ok(done)
    }
}

impl Stamp {
    pub fn new(metadata: &Metadata) -> Self {
        Self::File {
            inode: metadata.ino(),
            bytes: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}
