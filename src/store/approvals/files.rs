//! The files of approvals: read by everybody, changed by who holds the lock.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::approval::{Approval, is_handle};
use crate::store::StoreError;
use crate::store::folder::{Folder, Lock};

const FOLDER: &str = "approvals";
const LOCK: &str = "lock";

#[derive(Clone, Debug)]
pub struct Files(Folder);

/// The right to change them.
pub struct Locked<'a> {
    files: &'a Files,
    _lock: Lock,
}

impl Files {
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        let state = Folder::open(state)?;
        Folder::open(&state.file(FOLDER)).map(Self)
    }

    pub fn lock(&self) -> Result<Locked<'_>, StoreError> {
        let lock = self.0.lock(LOCK)?;
        Ok(Locked {
            files: self,
            _lock: lock,
        })
    }

    /// `handle` is one.
    pub fn read(&self, handle: &str) -> Result<Option<Approval>, StoreError> {
        let path = self.0.file(&name(handle));
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| StoreError::system(&path, "read", error))?,
        };
        let approval = serde_json::from_slice(&text);
        approval.map(Some).map_err(|error| {
            StoreError(format!(
                "{} is broken: {error}; remove it, and its client must ask again",
                path.display()
            ))
        })
    }

    /// Oldest first. One that is broken must not hide the others: the log names it.
    pub fn all(&self) -> Result<Vec<Approval>, StoreError> {
        let folder = self.0.path();
        let system = |error| StoreError::system(folder, "read", error);
        let mut approvals = Vec::new();
        for entry in fs::read_dir(folder).map_err(system)? {
            let file = entry.map_err(system)?.file_name();
            let handle = file.to_str().and_then(|file| file.strip_suffix(".json"));
            let Some(handle) = handle.filter(|handle| is_handle(handle)) else {
                continue;
            };
            match self.read(handle) {
                Ok(approval) => approvals.extend(approval),
                Err(error) => tracing::error!(%error, "an approval is left out"),
            }
        }
        approvals.sort_by(|one, other| {
            let key = |approval: &Approval| (approval.created, approval.handle.clone());
            key(one).cmp(&key(other))
        });
        Ok(approvals)
    }
}

impl Locked<'_> {
    pub fn write(&self, approval: &Approval) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(approval)
            .map_err(|error| StoreError(format!("an approval is no JSON: {error}")))?;
        self.files.0.replace(&name(&approval.handle), &text)
    }

    pub fn remove(&self, handle: &str) -> Result<(), StoreError> {
        let path = self.files.0.file(&name(handle));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::system(&path, "removed", error))
            }
            _ => Ok(()),
        }
    }
}

fn name(handle: &str) -> String {
    format!("{handle}.json")
}
