//! Calls that wait for a person: each approved one runs once, whoever runs it.

mod approval;
mod preview;
mod waiting;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::calls::ALIVE;
use super::store::{Durability, KeyRing, Pending, SealedAt, Statement, Store, Transaction};
use super::{StoreError, now};
use approval::KEPT;
pub use approval::{Approval, ApprovalState, Claim, LocationCount};
pub use preview::{MOST_PREVIEW, cut_preview};
use waiting::readable;

/// Most waiting calls of one caller by default: a person could not judge more.
const MOST_OF_ONE: usize = 20;

/// Most waiting calls in total.
const MOST_WAITING: i64 = 1_000;

/// Number of callers of one location that may use their full share of waiting calls.
const MOST_CALLERS_OF_LOCATION: i64 = 5;

/// Most stored approvals. Beyond it, denied and unused ones are deleted.
const MOST_KEPT: i64 = 2_000;

/// Most stored approvals with results.
const MOST_DONE: i64 = 20_000;

/// Approved calls that are read at once.
const AT_ONCE: usize = 20;

const LONGEST_NOTE: usize = 1000;

/// Longest request that is stored so that approving runs it, and longest answer that is stored for repeats.
pub const MOST_SEALED: usize = 64 << 10;

/// Replaces an answer that is too long to store.
const TOO_LONG: &str =
    "{\"done\":true,\"withheld\":\"The answer was too large to keep; read the record.\"}";

/// The approvals of a store. Cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    store: Store,
    most_of_one: i64,
}

/// A request for an approval.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// Digest of everything that is bound: operation, arguments, credential, location.
    pub digest: String,
    pub tool: String,
    pub effect: String,
    /// The location of the first call.
    pub location: Option<String>,
    pub alias: Option<String>,
    /// Every location of a batch.
    pub locations: Vec<LocationCount>,
    pub who: String,
    /// The preview for the person, cut if it is too long.
    pub preview: Value,
    /// The holder of the grant may decide, because only its own rules require a person.
    pub holder_decides: bool,
    /// How long it may be decided and run.
    pub lasts: Duration,
    /// Everything needed to run it without its client, sealed, up to `MOST_SEALED` bytes.
    pub request: Option<Vec<u8>>,
}

/// A call that a person has approved, to be run once.
#[derive(Clone, Debug)]
pub struct ApprovedCall {
    pub handle: String,
    pub request: Vec<u8>,
}

impl Approvals {
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            most_of_one: limit(MOST_OF_ONE),
        }
    }

    /// The same with this number of waiting calls of one caller.
    pub fn with_most_pending(self, most_of_one: usize) -> Self {
        Self {
            most_of_one: limit(most_of_one),
            ..self
        }
    }

    /// Requests an approval, and returns whether it is new. If the same was requested before and has not run, returns
    /// that one: nobody is asked twice.
    pub fn request(&self, new: NewApproval) -> Pending<(Approval, bool)> {
        let approval = match Approval::new(&new, now()) {
            Ok(approval) => approval,
            Err(error) => return Pending::failed(error),
        };
        let request = new.request.filter(|request| request.len() <= MOST_SEALED);
        let (ring, most_of_one) = (self.store.ring(), self.most_of_one);
        self.store.change(Durability::Disk, move |transaction| {
            tidy(transaction)?;
            // A running call is the same question too, as long as its process lives.
            let same = "SELECT * FROM approval WHERE digest = $1
                AND (state IN ('pending', 'approved') OR state = 'running' AND claimed_at > $2)";
            let alive = approval
                .created
                .as_millisecond()
                .saturating_sub(i64::try_from(ALIVE.as_millis()).unwrap_or(i64::MAX));
            let same = sqlx::query(same).bind(approval.digest.clone()).bind(alive);
            if let Some(row) = transaction.one(same)? {
                let mut same = Approval::from_row(&ring, &row)?;
                // Rules that now require a person apply to the earlier request, too.
                if same.holder_decides && !approval.holder_decides {
                    let narrow =
                        sqlx::query("UPDATE approval SET holder_decides = 0 WHERE id = $1");
                    transaction.run(narrow.bind(same.handle.clone()))?;
                    same.holder_decides = false;
                }
                return Ok((same, false));
            }
            make_room(transaction, &approval, most_of_one)?;
            let sealed = request
                .as_deref()
                .map(|request| ring.seal(sealed_at(&approval.handle, "request"), request));
            approval.insert(transaction, sealed.transpose()?)?;
            Ok((approval.clone(), true))
        })
    }

    /// `None` if there is none.
    pub fn get(&self, handle: &str) -> Pending<Option<Approval>> {
        let (ring, handle) = (self.store.ring(), handle.to_owned());
        self.store
            .read(move |transaction| find(transaction, &ring, &handle))
    }

    /// Its state, for frequent polling. `None` if there is none.
    pub fn state(&self, handle: &str) -> Pending<Option<ApprovalState>> {
        let handle = handle.to_owned();
        self.store.read(move |transaction| {
            let find = sqlx::query("SELECT state FROM approval WHERE id = $1");
            let row = transaction.one(find.bind(handle.clone()))?;
            let state = row.map(|row| row.text("state")).transpose()?;
            Ok(state.and_then(|state| ApprovalState::parse(&state)))
        })
    }

    /// Every stored approval, oldest first.
    pub fn list(&self) -> Pending<Vec<Approval>> {
        let ring = self.store.ring();
        self.store.read(move |transaction| {
            let all = sqlx::query("SELECT * FROM approval ORDER BY created_at, id");
            Ok(readable(&ring, &transaction.all(all)?))
        })
    }

    /// Records a person's decision. Only a pending approval can be decided.
    pub fn decide(
        &self,
        handle: &str,
        approve: bool,
        by: &str,
        note: Option<&str>,
    ) -> Pending<Approval> {
        if by.trim().is_empty() {
            return Pending::failed(StoreError::from(
                "the name of the person who decides is empty; give a name".to_owned(),
            ));
        }
        if note.is_some_and(|note| note.len() > LONGEST_NOTE) {
            return Pending::failed(StoreError::from(format!(
                "the note is longer than {LONGEST_NOTE} bytes; shorten it"
            )));
        }
        let (ring, handle) = (self.store.ring(), handle.to_owned());
        let (by, note) = (by.trim().to_owned(), note.map(str::to_owned));
        self.store.change(Durability::Disk, move |transaction| {
            let approval = present(transaction, &ring, &handle)?;
            let now = now();
            if let Some(what) = approval.undecidable(now) {
                return Err(StoreError::from(format!("{handle} {what}")));
            }
            let approval = Approval {
                state: match approve {
                    true => ApprovalState::Approved,
                    false => ApprovalState::Denied,
                },
                decided_at: Some(now),
                decided_by: Some(by.clone()),
                note: note.clone(),
                ..approval
            };
            let decide = "UPDATE approval SET state = $2, decided_at = $3, decided_by = $4, note = $5 WHERE id = $1";
            let decide = sqlx::query(decide)
                .bind(handle.clone())
                .bind(approval.state.name())
                .bind(now.as_millisecond())
                .bind(by.clone())
                .bind(note.clone());
            transaction.run(decide)?;
            Ok(approval)
        })
    }

    /// What a client with this handle and a call of this digest may do.
    pub async fn claim(&self, handle: &str, digest: &str) -> Result<Claim, StoreError> {
        // Most polling clients wait, and change nothing.
        let held = self.get(handle).await?;
        let claim = held.map_or(Claim::Missing, |held| held.claim(digest, now()));
        if !matches!(claim, Claim::Run | Claim::Expired) {
            return Ok(claim);
        }
        // In a separate task: it ends although the caller leaves.
        let (sender, receiver) = oneshot::channel();
        let (approvals, handle, digest) = (self.clone(), handle.to_owned(), digest.to_owned());
        tokio::spawn(async move {
            let claimed = approvals.take(&handle, digest).await;
            let claimed = claimed.map(|claim| ClaimOnItsWay {
                approvals,
                handle,
                claim,
            });
            if let Ok(claimed) = &claimed {
                claimed.depart();
            }
            drop(sender.send(claimed));
        });
        let gone = || StoreError::from("the approvals were not reached".to_owned());
        Ok(receiver.await.map_err(|_| gone())??.arrive())
    }

    /// On the disk before the call is made: after a power failure its state is unknown, not approved.
    fn take(&self, handle: &str, digest: String) -> Pending<Claim> {
        let (ring, handle) = (self.store.ring(), handle.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            tidy(transaction)?;
            let Some(approval) = find(transaction, &ring, &handle)? else {
                return Ok(Claim::Missing);
            };
            let now = now();
            let claim = approval.claim(&digest, now);
            if claim == Claim::Run {
                run(transaction, &handle)?;
            }
            Ok(claim)
        })
    }

    /// This process no longer runs it: without an end its outcome soon counts as unknown.
    pub fn leave(&self, handle: &str) {
        self.store.housekeeping().leave_approved(handle);
    }

    /// Approved calls with stored requests that have not run, without those in `skipped`; a few at a time. They must be
    /// claimed before they run. One that cannot be unsealed does not block the others.
    pub fn approved(&self, skipped: Vec<String>) -> Pending<Vec<ApprovedCall>> {
        let ring = self.store.ring();
        self.store.read(move |transaction| {
            let now = now().as_millisecond();
            let handles = transaction.all(sqlx::query(APPROVED).bind(now))?;
            let mut calls = Vec::new();
            for row in handles {
                let handle = row.text("id")?;
                if calls.len() == AT_ONCE || skipped.contains(&handle) {
                    continue;
                }
                let find = sqlx::query("SELECT request FROM approval WHERE id = $1");
                let Some(row) = transaction.one(find.bind(handle.clone()))? else {
                    continue;
                };
                match ring.open(sealed_at(&handle, "request"), &row.bytes("request")?) {
                    Ok(request) => calls.push(ApprovedCall { handle, request }),
                    Err(error) => {
                        tracing::warn!(%error, "an approved call runs only if its client comes back");
                    }
                }
            }
            Ok(calls)
        })
    }

    /// Keeps the answer of the call that `claim` said to run. It begins at once: a caller that goes away loses nothing, and
    /// one that waits does so until it is written.
    pub fn finish(&self, handle: &str, outcome: &str, is_error: bool) -> Pending<()> {
        let outcome = match outcome.len() <= MOST_SEALED {
            true => outcome,
            false => TOO_LONG,
        };
        let sealed = self
            .store
            .ring()
            .seal(sealed_at(handle, "outcome"), outcome.as_bytes());
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(error) => return Pending::failed(error),
        };
        let finish =
            "UPDATE approval SET state = 'done', outcome = $2, is_error = $3, request = NULL
            WHERE id = $1 AND state = 'running'";
        self.settle(handle, move |handle| {
            sqlx::query(finish)
                .bind(handle)
                .bind(sealed.clone())
                .bind(i64::from(is_error))
        })
    }

    /// Gives the approval back, for a call that provably did nothing: it may be claimed again. Begins at once.
    pub fn release(&self, handle: &str) -> Pending<()> {
        let release = "UPDATE approval SET state = 'approved', claimed_at = NULL WHERE id = $1 AND state = 'running'";
        self.settle(handle, move |handle| sqlx::query(release).bind(handle))
    }

    fn settle(
        &self,
        handle: &str,
        statement: impl Fn(String) -> Statement<'static> + Send + 'static,
    ) -> Pending<()> {
        self.leave(handle);
        let handle = handle.to_owned();
        self.store.owe(
            move |transaction| match transaction.run(statement(handle.clone()))? {
                0 => Err(StoreError::from(format!(
                    "{handle} is not running: nothing is left to finish"
                ))),
                _ => Ok(()),
            },
        )
    }
}

/// A claim until its caller has it. A sent one may still be dropped unread, because the caller may leave at any time.
struct ClaimOnItsWay {
    approvals: Approvals,
    handle: String,
    claim: Claim,
}

impl ClaimOnItsWay {
    fn depart(&self) {
        if self.claim == Claim::Run {
            let housekeeping = self.approvals.store.housekeeping();
            housekeeping.enter_approved(&self.handle);
        }
    }

    fn arrive(mut self) -> Claim {
        std::mem::replace(&mut self.claim, Claim::Missing)
    }
}

impl Drop for ClaimOnItsWay {
    fn drop(&mut self) {
        if self.claim == Claim::Run {
            // It begins at once, and is tried until it is written.
            drop(self.approvals.release(&self.handle));
        }
    }
}

const APPROVED: &str =
    "SELECT id FROM approval WHERE state = 'approved' AND expires_at > $1 AND request IS NOT NULL
    ORDER BY decided_at";

/// Notes that the process of these calls still lives.
pub(crate) fn keep_alive(
    transaction: &mut Transaction,
    handles: &HashSet<String>,
) -> Result<(), StoreError> {
    for handle in handles {
        let extend = "UPDATE approval SET claimed_at = $2 WHERE id = $1 AND state = 'running'";
        let extend = sqlx::query(extend).bind(handle.clone());
        transaction.run(extend.bind(now().as_millisecond()))?;
    }
    Ok(())
}

fn run(transaction: &mut Transaction, handle: &str) -> Result<(), StoreError> {
    let run = "UPDATE approval SET state = 'running', claimed_at = $2 WHERE id = $1";
    let run = sqlx::query(run).bind(handle.to_owned());
    transaction.run(run.bind(now().as_millisecond())).map(drop)
}

/// Marks approvals that were not decided or run in time, so that a clock set back does not revive them, and deletes old
/// ones.
fn tidy(transaction: &mut Transaction) -> Result<(), StoreError> {
    let now = now();
    let expire = "UPDATE approval SET state = 'expired', request = NULL
        WHERE state IN ('pending', 'approved') AND expires_at <= $1";
    transaction.run(sqlx::query(expire).bind(now.as_millisecond()))?;
    let over = now
        .as_millisecond()
        .saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX));
    let forget = "DELETE FROM approval WHERE state NOT IN ('pending', 'approved') AND COALESCE(decided_at, created_at) < $1";
    transaction.run(sqlx::query(forget).bind(over)).map(drop)
}

fn make_room(
    transaction: &mut Transaction,
    new: &Approval,
    most_of_one: i64,
) -> Result<(), StoreError> {
    let count = "SELECT COUNT(*) AS kept,
            COALESCE(SUM(CASE WHEN state IN ('pending', 'approved') THEN 1 ELSE 0 END), 0) AS waiting,
            COALESCE(SUM(CASE WHEN state IN ('pending', 'approved') AND who = $1 THEN 1 ELSE 0 END), 0) AS own,
            COALESCE(SUM(CASE WHEN state IN ('pending', 'approved') AND location = $2 THEN 1 ELSE 0 END), 0) AS there
        FROM approval";
    let count = sqlx::query(count)
        .bind(new.who.clone())
        .bind(new.location.clone().unwrap_or_default());
    let Some(counts) = transaction.one(count)? else {
        return Ok(());
    };
    // Many tokens of one location share that location's part.
    for (column, most, whose) in [
        ("own", most_of_one, " of this client"),
        (
            "there",
            most_of_one.saturating_mul(MOST_CALLERS_OF_LOCATION),
            " of this location",
        ),
        ("waiting", MOST_WAITING, ""),
    ] {
        let waiting = counts.integer(column)?;
        if waiting >= most {
            return Err(StoreError::from(format!(
                "{waiting} calls{whose} wait for an approval already; `highlevel-mcp approvals list` shows them"
            )));
        }
    }
    let kept = counts.integer("kept")?;
    let too_many = (kept + 1 - MOST_KEPT).max(0);
    // Results are kept for repeats: other requests do not push them out.
    let forget = "DELETE FROM approval WHERE id IN (SELECT id FROM approval
        WHERE state IN ('denied', 'expired') ORDER BY created_at, id LIMIT $1)";
    let forgotten = transaction.run(sqlx::query(forget).bind(too_many))?;
    let left = kept - i64::try_from(forgotten).unwrap_or_default();
    if left >= MOST_DONE {
        return Err(StoreError::from(format!(
            "{left} approvals are stored already, each for a week; ask again later"
        )));
    }
    Ok(())
}

fn find(
    transaction: &mut Transaction,
    ring: &KeyRing,
    handle: &str,
) -> Result<Option<Approval>, StoreError> {
    if !Approval::is_handle(handle) {
        return Ok(None);
    }
    let find = sqlx::query("SELECT * FROM approval WHERE id = $1").bind(handle.to_owned());
    let row = transaction.one(find)?;
    row.map(|row| Approval::from_row(ring, &row)).transpose()
}

fn present(
    transaction: &mut Transaction,
    ring: &KeyRing,
    handle: &str,
) -> Result<Approval, StoreError> {
    find(transaction, ring, handle)?.ok_or_else(|| {
        StoreError::from(format!(
            "there is no approval {handle}; `highlevel-mcp approvals list --all` shows those of the last week"
        ))
    })
}

fn sealed_at<'a>(handle: &'a str, column: &'a str) -> SealedAt<'a> {
    SealedAt {
        table: "approval",
        row: handle,
        column,
        generation: 0,
    }
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
