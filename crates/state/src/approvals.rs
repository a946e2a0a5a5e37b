//! Calls that wait for a person: one file each, and each approved one runs once.
//!
//! Every change waits for the disk (some milliseconds), and for a process that is changing something: what is async
//! here does so on threads that may block, everything else blocks.

mod approval;
mod files;
mod preview;
mod queue;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{StoreError, now};
use approval::is_handle;
pub use approval::{Approval, ApprovalState, Claim, LocationCount};
use files::{ApprovalsLock, Files, Summary};
pub use preview::{MOST_PREVIEW, cut_preview};
use queue::Turns;

/// Most calls of one caller that wait at once, where the settings say nothing else: a person could not judge more.
const MOST_OF_ONE: usize = 20;

/// Most calls that wait at once.
const MOST_WAITING: usize = 1_000;

/// Most files; of more those go that nobody waits for any more.
const MOST_FILES: usize = 2_000;

const LONGEST_NOTE: usize = 1000;

/// The approvals of a state folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Approvals {
    files: Files,
    most_of_one: usize,
    turns: Arc<Turns>,
}

/// What is to be approved.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// Of all that is bound: operation, arguments, credential, location.
    pub digest: String,
    pub tool: String,
    pub effect: String,
    /// The location of the first call.
    pub location: Option<String>,
    pub alias: Option<String>,
    /// Every location of a batch.
    pub locations: Vec<LocationCount>,
    pub who: String,
    /// What the person is shown; cut where it is too long.
    pub preview: Value,
    /// How long it may be decided and run.
    pub lasts: Duration,
}

impl Approvals {
    /// Opens or makes `approvals/` in the state folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            files: Files::open(folder)?,
            most_of_one: MOST_OF_ONE,
            turns: Arc::default(),
        })
    }

    /// The same, with so many calls of one caller that may wait.
    pub fn with_most_pending(self, most_of_one: usize) -> Self {
        Self {
            most_of_one,
            ..self
        }
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }

    fn request_blocking(&self, new: &NewApproval) -> Result<(Approval, bool), StoreError> {
        let locked = self.files.lock()?;
        let now = now();
        let (mut of_caller, mut waiting) = (0, 0);
        let mut past: Vec<Summary> = Vec::new();
        for summary in self.files.summaries()? {
            let lifetime = summary.lifetime;
            if lifetime.is_over(now) {
                locked.remove(&summary.handle)?;
            } else if lifetime.waits(now) {
                if summary.digest == new.digest
                    && let Some(approval) = self.files.read(&summary.handle)?
                {
                    return Ok((approval, false));
                }
                waiting += 1;
                of_caller += usize::from(summary.who == new.who);
            } else {
                if lifetime.is_to_expire(now) {
                    self.expire(&locked, &summary.handle)?;
                }
                past.push(summary);
            }
        }
        if of_caller >= self.most_of_one {
            return Err(StoreError::from(format!(
                "{of_caller} calls of this client wait for an approval already; `highlevel-mcp approvals list` shows them"
            )));
        }
        if waiting >= MOST_WAITING {
            return Err(StoreError::from(format!(
                "{waiting} calls wait for an approval already; `highlevel-mcp approvals list` shows them"
            )));
        }
        let too_many = (waiting + past.len() + 1).saturating_sub(MOST_FILES);
        past.retain(|one| one.lifetime.state != ApprovalState::Running);
        for summary in past.iter().take(too_many) {
            locked.remove(&summary.handle)?;
        }
        let approval = Approval::new(new, now)?;
        locked.write(&approval)?;
        Ok((approval, true))
    }

    /// From now on no clock revives it.
    fn expire(&self, locked: &ApprovalsLock, handle: &str) -> Result<(), StoreError> {
        match self.files.read(handle)? {
            Some(approval) => locked.write(&Approval {
                state: ApprovalState::Expired,
                ..approval
            }),
            None => Ok(()),
        }
    }

    /// `None` where there is none such.
    pub fn get(&self, handle: &str) -> Result<Option<Approval>, StoreError> {
        if is_handle(handle) {
            self.files.read(handle)
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
            return Err(StoreError::from(format!(
                "the note is longer than {LONGEST_NOTE} bytes; shorten it"
            )));
        }
        let (locked, approval) = self.present(handle)?;
        let now = now();
        if let Some(what) = approval.undecidable(now) {
            return Err(StoreError::from(format!("{handle} {what}")));
        }
        let approval = Approval {
            state: if approve {
                ApprovalState::Approved
            } else {
                ApprovalState::Denied
            },
            decided_at: Some(now),
            decided_by: Some(by.to_owned()),
            note: note.map(str::to_owned),
            ..approval
        };
        locked.write(&approval)?;
        Ok(approval)
    }

    /// What a claim would be told, without making it.
    fn look(&self, handle: &str, digest: &str) -> Result<Claim, StoreError> {
        let claim = self.get(handle)?.map(|held| held.claim(digest, now()));
        Ok(claim.unwrap_or(Claim::Missing))
    }

    fn claim_blocking(&self, handle: &str, digest: &str) -> Result<Claim, StoreError> {
        let locked = self.files.lock()?;
        let Some(approval) = self.get(handle)? else {
            return Ok(Claim::Missing);
        };
        let now = now();
        let claim = approval.claim(digest, now);
        match claim {
            // On the disk before the call is made: after a loss of power it is unknown, not approved.
            Claim::Run => locked.write(&Approval {
                state: ApprovalState::Running,
                claimed_at: Some(now),
                ..approval
            })?,
            Claim::Expired if approval.lifetime().is_to_expire(now) => {
                self.expire(&locked, handle)?;
            }
            _ => {}
        }
        Ok(claim)
    }

    fn finish_blocking(
        &self,
        handle: &str,
        outcome: &str,
        is_error: bool,
    ) -> Result<(), StoreError> {
        let (locked, approval) = self.running(handle)?;
        locked.write(&Approval {
            state: ApprovalState::Done,
            outcome: Some(outcome.to_owned()),
            is_error,
            ..approval
        })
    }

    fn release_blocking(&self, handle: &str) -> Result<(), StoreError> {
        let (locked, approval) = self.running(handle)?;
        locked.write(&Approval {
            state: ApprovalState::Approved,
            claimed_at: None,
            ..approval
        })
    }

    fn running(&self, handle: &str) -> Result<(ApprovalsLock<'_>, Approval), StoreError> {
        let (locked, approval) = self.present(handle)?;
        match approval.state {
            ApprovalState::Running => Ok((locked, approval)),
            _ => Err(StoreError::from(format!(
                "{handle} is not running: nothing is left to finish"
            ))),
        }
    }

    /// Every approval that is kept, oldest first.
    pub fn list(&self) -> Result<Vec<Approval>, StoreError> {
        self.files.all()
    }

    fn present(&self, handle: &str) -> Result<(ApprovalsLock<'_>, Approval), StoreError> {
        let locked = self.files.lock()?;
        let approval = self.get(handle)?.ok_or_else(|| {
            StoreError::from(format!(
                "there is no approval {handle}; `highlevel-mcp approvals list` shows all"
            ))
        })?;
        Ok((locked, approval))
    }
}

#[cfg(test)]
mod tests;
