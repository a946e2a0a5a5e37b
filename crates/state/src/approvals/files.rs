//! The files of approvals: read by everybody, changed by who holds the lock.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::approval::{Approval, Lifetime, is_handle};
use crate::StoreError;
use crate::folder::{Lock, StateFolder};
use crate::json_file::Stamp;

const FOLDER: &str = "approvals";
const LOCK: &str = "lock";

#[derive(Clone, Debug)]
pub struct Files {
    folder: StateFolder,
    /// By handle, so that a file is read once and not at every question.
    summaries: Arc<Mutex<HashMap<String, (Stamp, Summary)>>>,
}

/// What of an approval a new one has to be compared with.
#[derive(Clone, Debug)]
pub struct Summary {
    pub handle: String,
    pub digest: String,
    pub who: String,
    pub lifetime: Lifetime,
}

/// The right to change them.
pub struct ApprovalsLock<'a> {
    files: &'a Files,
    _lock: Lock,
}

impl Files {
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        let state = StateFolder::open(state)?;
        Ok(Self {
            folder: StateFolder::open(&state.file(FOLDER))?,
            summaries: Arc::default(),
        })
    }

    pub fn lock(&self) -> Result<ApprovalsLock<'_>, StoreError> {
        let lock = self.folder.lock(LOCK)?;
        Ok(ApprovalsLock {
            files: self,
            _lock: lock,
        })
    }

    /// `handle` is one.
    pub fn read(&self, handle: &str) -> Result<Option<Approval>, StoreError> {
        let path = self.folder.file(&name(handle));
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| StoreError::system(&path, "read", error))?,
        };
        let approval = serde_json::from_slice(&text);
        approval.map(Some).map_err(|error| {
            StoreError::from(format!(
                "{} is broken: {error}; remove it, and its client must ask again",
                path.display()
            ))
        })
    }

    /// Oldest first. One that is broken must not hide the others: the log names it.
    pub fn all(&self) -> Result<Vec<Approval>, StoreError> {
        let mut approvals = Vec::new();
        for handle in self.handles()? {
            match self.read(&handle) {
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

    /// What is to know of every approval, oldest first; a file is read only where it has changed.
    pub fn summaries(&self) -> Result<Vec<Summary>, StoreError> {
        let mut known = self
            .summaries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        for handle in self.handles()? {
            let Ok(metadata) = fs::metadata(self.folder.file(&name(&handle))) else {
                continue;
            };
            let stamp = Stamp::new(&metadata);
            if let Some(same) = before.remove(&handle).filter(|(read, _)| *read == stamp) {
                known.insert(handle, same);
                continue;
            }
            match self.read(&handle) {
                Ok(Some(approval)) => {
                    let summary = Summary {
                        handle: handle.clone(),
                        lifetime: approval.lifetime(),
                        digest: approval.digest,
                        who: approval.who,
                    };
                    known.insert(handle, (stamp, summary));
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "an approval is left out"),
            }
        }
        let mut summaries: Vec<Summary> = known.values().map(|(_, one)| one.clone()).collect();
        summaries.sort_by(|one, other| {
            (one.lifetime.created, &one.handle).cmp(&(other.lifetime.created, &other.handle))
        });
        Ok(summaries)
    }

    fn handles(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.folder.path();
        let system = |error| StoreError::system(folder, "read", error);
        let mut handles = Vec::new();
        for entry in fs::read_dir(folder).map_err(system)? {
            let file = entry.map_err(system)?.file_name();
            let handle = file.to_str().and_then(|file| file.strip_suffix(".json"));
            handles.extend(handle.filter(|handle| is_handle(handle)).map(str::to_owned));
        }
        Ok(handles)
    }
}

impl ApprovalsLock<'_> {
    pub fn write(&self, approval: &Approval) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(approval)
            .map_err(|error| StoreError::from(format!("an approval is no JSON: {error}")))?;
        self.files.folder.replace(&name(&approval.handle), &text)
    }

    pub fn remove(&self, handle: &str) -> Result<(), StoreError> {
        let path = self.files.folder.file(&name(handle));
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
