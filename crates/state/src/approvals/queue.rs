//! Approvals for calls under way: files are touched on threads that may block, one change at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::{Approval, Approvals, Claim, NewApproval};
use crate::StoreError;
use crate::folder::LONGEST_WAIT;

/// Reads of single files that may block at once; more wait in line.
const MOST_READS: usize = 4;

/// How often what came of a call is written again where another process holds the lock: it is known nowhere else.
const TRIES: u32 = 5;

/// The turns of a process. In it changes wait in line here, so that one thread at most waits for the lock.
#[derive(Debug)]
pub struct Turns {
    changes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            changes: Arc::new(Semaphore::new(1)),
            reads: Arc::new(Semaphore::new(MOST_READS)),
        }
    }
}

impl Approvals {
    /// Asks for an approval, and says whether it is a new question. Where the same is asked for already and was not
    /// run, that one; nobody is asked twice. Fails after some seconds where another process holds the lock.
    pub async fn request(&self, new: NewApproval) -> Result<(Approval, bool), StoreError> {
        self.change(move |approvals| approvals.request_blocking(&new))
            .await
    }

    /// What a client may do that comes with this handle and a call of this digest.
    pub async fn claim(&self, handle: &str, digest: &str) -> Result<Claim, StoreError> {
        let (handle, digest) = (handle.to_owned(), digest.to_owned());
        // Most who ask wait, and need no lock to be told so.
        let (same_handle, same_digest) = (handle.clone(), digest.clone());
        let look = move |approvals: &Self| approvals.look(&same_handle, &same_digest);
        match self.take_turn(&self.turns().reads, look).await? {
            Claim::Run | Claim::Expired => self.claim_for_caller(handle, digest).await,
            claim => Ok(claim),
        }
    }

    /// Claims on a task of its own: where the caller has gone when it may run, nobody will, and it is given back.
    async fn claim_for_caller(&self, handle: String, digest: String) -> Result<Claim, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let approvals = self.clone();
        tokio::spawn(async move {
            let same = handle.clone();
            let claimed = approvals
                .change(move |approvals| approvals.claim_blocking(&same, &digest))
                .await;
            if let Err(Ok(Claim::Run)) = sender.send(claimed)
                && let Err(error) = approvals.release(&handle).await
            {
                tracing::error!(%error, handle, "an approval whose caller left was not given back");
            }
        });
        let gone = || StoreError::from("the approvals were not reached".to_owned());
        receiver.await.map_err(|_| gone())?
    }

    /// Keeps the answer of the call that `claim` said to run. It begins at once: a caller that goes away loses nothing.
    pub fn finish(
        &self,
        handle: &str,
        outcome: &str,
        is_error: bool,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let (handle, outcome) = (handle.to_owned(), outcome.to_owned());
        let task =
            self.settle(move |approvals| approvals.finish_blocking(&handle, &outcome, is_error));
        async { task.await.map_err(|error| join_error(&error))? }
    }

    /// Gives the approval back, for a call that provably did nothing: it may be claimed once more. Begins at once.
    pub fn release(&self, handle: &str) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let handle = handle.to_owned();
        let task = self.settle(move |approvals| approvals.release_blocking(&handle));
        async { task.await.map_err(|error| join_error(&error))? }
    }

    fn settle(
        &self,
        act: impl Fn(&Self) -> Result<(), StoreError> + Clone + Send + 'static,
    ) -> JoinHandle<Result<(), StoreError>> {
        let approvals = self.clone();
        tokio::spawn(async move {
            let mut tries = TRIES;
            loop {
                tries -= 1;
                let done = approvals.change(act.clone()).await;
                match done {
                    Err(error) if error.is_busy() && tries > 0 => {
                        tracing::warn!(%error, "what came of an approved call is not written yet");
                    }
                    done => return done,
                }
            }
        })
    }

    async fn change<R: Send + 'static>(
        &self,
        act: impl FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.take_turn(&self.turns().changes, act).await
    }

    /// The turn belongs to the thread, not to the caller, who may go away.
    async fn take_turn<R: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        act: impl FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        // In line stands who waits for those who wait for the lock themselves.
        let patience = LONGEST_WAIT + Duration::from_millis(500);
        let turn = timeout(patience, Arc::clone(turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(StoreError::busy(
                "the approvals are held by another process or by a slow disk; end that process, or try again",
            ));
        };
        let approvals = self.clone();
        let thread = spawn_blocking(move || {
            let _turn = turn;
            act(&approvals)
        });
        thread.await.map_err(|error| join_error(&error))?
    }
}

fn join_error(error: &tokio::task::JoinError) -> StoreError {
    StoreError::from(format!("the approvals were not reached: {error}"))
}
