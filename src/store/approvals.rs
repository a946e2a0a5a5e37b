//! Calls that wait for a person: one file each, and each approved one runs once.
//!
//! Every change waits for the disk (some milliseconds); in a runtime call these where blocking is allowed.

mod approval;
mod files;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{StoreError, now};
use approval::is_handle;
pub use approval::{Approval, Claim, State};
use files::{Files, Locked};

/// Most calls of one client that wait at once: a person could not judge more, and each is a file.
const MOST_WAITING: usize = 100;

const LONGEST_NOTE: usize = 1000;

/// The approvals of a state folder.
#[derive(Clone, Debug)]
pub struct Approvals(Files);

/// What is to be approved.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// Of all that is bound: operation, arguments, credential, location.
    pub digest: &'a str,
    pub tool: &'a str,
    pub effect: &'a str,
    pub location: Option<&'a str>,
    pub alias: Option<&'a str>,
    pub who: &'a str,
    /// What the person is shown.
    pub preview: &'a Value,
    /// How long it may be decided and run.
    pub lasts: Duration,
}

impl Approvals {
    /// Opens or makes `approvals/` in the state folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Files::open(folder).map(Self)
    }

    /// Asks for an approval. Where the same is asked for already and was not run, that one; nobody is asked twice.
    pub fn request(&self, new: &New) -> Result<Approval, StoreError> {
        let locked = self.0.lock()?;
        let now = now();
        let mut waiting = 0;
        for approval in self.0.all()? {
            if approval.is_over(now) {
                locked.remove(&approval.handle)?;
            } else if approval.waits(now) && approval.digest == new.digest {
                return Ok(approval);
            } else if approval.waits(now) && approval.who == new.who {
                waiting += 1;
            }
        }
        if waiting >= MOST_WAITING {
            return Err(StoreError(format!(
                "{waiting} calls of this client wait for an approval already; `highlevel-mcp approvals list` shows them"
            )));
        }
        let approval = Approval::new(new, now)?;
        locked.write(&approval)?;
        Ok(approval)
    }

    /// `None` where there is none such.
    pub fn get(&self, handle: &str) -> Result<Option<Approval>, StoreError> {
        if is_handle(handle) {
            self.0.read(handle)
        } else {
            Ok(None)
        }
    }

    /// What a person says. Only what is pending can be decided.
    pub fn decide(
        &self,
        handle: &str,
        approve: bool,
        by: &str,
        note: Option<&str>,
    ) -> Result<Approval, StoreError> {
        if note.is_some_and(|note| note.len() > LONGEST_NOTE) {
            return Err(StoreError(format!(
                "the note is longer than {LONGEST_NOTE} bytes; shorten it"
            )));
        }
        let (locked, approval) = self.present(handle)?;
        let now = now();
        if let Some(what) = approval.undecidable(now) {
            return Err(StoreError(format!("{handle} {what}")));
        }
        let approval = Approval {
            state: if approve {
                State::Approved
            } else {
                State::Denied
            },
            decided_at: Some(now),
            decided_by: Some(by.to_owned()),
            note: note.map(str::to_owned),
            ..approval
        };
        locked.write(&approval)?;
        Ok(approval)
    }

    /// What a client may do that comes with this handle and a call of this digest.
    pub fn claim(&self, handle: &str, digest: &str) -> Result<Claim, StoreError> {
        // Most who ask wait, and need no lock to be told so.
        let said = self.get(handle)?.map(|held| held.claim(digest, now()));
        if said != Some(Claim::Run) {
            return Ok(said.unwrap_or(Claim::Missing));
        }
        let locked = self.0.lock()?;
        let Some(approval) = self.get(handle)? else {
            return Ok(Claim::Missing);
        };
        let now = now();
        let claim = approval.claim(digest, now);
        if claim == Claim::Run {
            // On the disk before the call is made: after a loss of power it is unknown, not approved.
            locked.write(&Approval {
                state: State::Running,
                claimed_at: Some(now),
                ..approval
            })?;
        }
        Ok(claim)
    }

    /// The answer of the call that `claim` said to run.
    pub fn finish(&self, handle: &str, outcome: &str) -> Result<(), StoreError> {
        let (locked, approval) = self.present(handle)?;
        if approval.state != State::Running {
            return Err(StoreError(format!(
                "{handle} is not running: nothing is left to finish"
            )));
        }
        locked.write(&Approval {
            state: State::Done,
            outcome: Some(outcome.to_owned()),
            ..approval
        })
    }

    /// Every approval that is kept, oldest first.
    pub fn list(&self) -> Result<Vec<Approval>, StoreError> {
        self.0.all()
    }

    fn present(&self, handle: &str) -> Result<(Locked<'_>, Approval), StoreError> {
        let locked = self.0.lock()?;
        let approval = self.get(handle)?.ok_or_else(|| {
            StoreError(format!(
                "there is no approval {handle}; `highlevel-mcp approvals list` shows all"
            ))
        })?;
        Ok((locked, approval))
    }
}

#[cfg(test)]
mod tests;
