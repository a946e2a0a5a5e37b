//! New token pairs that the store could not save: each is in a sealed file of the state folder until the store has it.
//!
//! HighLevel gives a new pair once, and the old one ends. If the database is away at that moment, the pair must not be in
//! the memory of the process alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::seal;
use crate::folder::StateFolder;
use crate::store::{Durability, KeyRing, SealedAt, Store};
use crate::{StoreError, sha256};

/// The most files at once. Only renewals under way when the database goes away leave one.
pub(super) const MOST: usize = 1_000;

/// The largest file, in bytes. HighLevel's pairs are smaller.
const LONGEST: u64 = 512 << 10;

const ENDING: &str = ".pair";

/// The files of one store. Its methods block.
#[derive(Clone)]
pub(super) struct PairSpill {
    folder: StateFolder,
    /// The prefix of their names: a folder may have the stores of several upstreams.
    prefix: String,
    ring: Arc<KeyRing>,
}

/// One file.
#[derive(Serialize, Deserialize)]
struct SpilledPair {
    /// Of the company or the install.
    id: String,
    /// Of the pair whose place it takes.
    generation: i64,
    sealed: String,
}

impl PairSpill {
    /// `None` where there is no folder.
    pub(super) fn beside(store: &Store) -> Option<Self> {
        let (folder, name) = store.folder()?;
        Some(Self {
            folder: folder.clone(),
            prefix: format!("{name}."),
            ring: store.ring(),
        })
    }

    /// Saves the successor of the pair of this generation.
    pub(super) fn keep(
        &self,
        id: &str,
        generation: i64,
        text: &SecretString,
    ) -> Result<(), StoreError> {
        let name = self.name(id);
        if !self.folder.file(&name).exists() && self.files().len() >= MOST {
            return Err(StoreError::from(format!(
                "{} holds {MOST} pairs that the store could not take, which is the most",
                self.folder.path().display()
            )));
        }
        let at = place(id, generation);
        let sealed = self.ring.seal(at, text.expose_secret().as_bytes())?;
        let pair = SpilledPair {
            id: id.to_owned(),
            generation,
            sealed: STANDARD.encode(sealed),
        };
        let bytes = serde_json::to_vec(&pair);
        let bytes = bytes.map_err(|error| StoreError::from(error.to_string()))?;
        self.folder.replace(&name, &bytes)
    }

    /// The successor of the pair of this generation. A file for another generation is out of date.
    pub(super) fn read(&self, id: &str, generation: i64) -> Option<SecretString> {
        let path = self.folder.file(&self.name(id));
        if !path.exists() {
            return None;
        }
        match self.open(&path) {
            Ok((pair, text)) if pair.id == id && pair.generation == generation => Some(text),
            Ok(_) => {
                self.remove(id);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a pair of tokens that the store could not take cannot be read");
                None
            }
        }
    }

    pub(super) fn remove(&self, id: &str) {
        let path = self.folder.file(&self.name(id));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, "{} is over and cannot be removed", path.display());
            }
            _ => {}
        }
    }

    fn open(&self, path: &Path) -> Result<(SpilledPair, SecretString), StoreError> {
        let unusable = |what: String| StoreError::from(format!("{} {what}", path.display()));
        let about = fs::metadata(path).map_err(|error| StoreError::system(path, "read", error))?;
        if about.len() > LONGEST {
            return Err(unusable("is too long for a pair of tokens".to_owned()));
        }
        let bytes = fs::read(path).map_err(|error| StoreError::system(path, "read", error))?;
        let pair: SpilledPair = serde_json::from_slice(&bytes)
            .map_err(|error| unusable(format!("is no pair of tokens: {error}")))?;
        let sealed = STANDARD.decode(&pair.sealed);
        let sealed = sealed.map_err(|_| unusable("is no base64".to_owned()))?;
        let text = self
            .ring
            .open(place(&pair.id, pair.generation), &sealed)
            .map_err(|error| unusable(format!("cannot be opened: {error}")))?;
        let text = String::from_utf8(text).map_err(|_| unusable("is no text".to_owned()))?;
        Ok((pair, text.into()))
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.folder.path()) else {
            return Vec::new();
        };
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&self.prefix) && name.ends_with(ENDING))
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(is_ours).take(MOST).collect()
    }

    /// An id is HighLevel's, and a name that no file system minds stands for it.
    fn name(&self, id: &str) -> String {
        let digest = sha256(id);
        let short = digest.get(..32).unwrap_or(&digest);
        format!("{}{short}{ENDING}", self.prefix)
    }
}

/// Writes the saved pairs into the store when it is opened. A pair that it still cannot take stays in its file. Blocks.
pub(crate) fn put_back(store: &Store) {
    let Some(spill) = PairSpill::beside(store) else {
        return;
    };
    for path in spill.files() {
        let put = spill.open(&path).and_then(|(pair, text)| {
            let (ring, id, generation) = (store.ring(), pair.id.clone(), pair.generation);
            let put = store.change(Durability::Disk, move |transaction| {
                let sealed = seal(&ring, &id, generation + 1, &text)?;
                let put = sqlx::query(super::PUT).bind(id.clone()).bind(generation);
                transaction.run(put.bind(sealed)).map(|rows| rows > 0)
            });
            Ok((pair.id, put.wait()?))
        });
        match put {
            Ok((id, is_put)) => {
                spill.remove(&id);
                if is_put {
                    tracing::info!(
                        holder = id,
                        "The store has a pair of tokens that it could not take before."
                    );
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a pair of tokens that the store could not take stays in its file");
            }
        }
    }
}

fn place(id: &str, generation: i64) -> SealedAt<'_> {
    SealedAt {
        table: "credential",
        row: id,
        column: "spilled",
        generation,
    }
}
