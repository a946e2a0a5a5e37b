//! Calls that change something: what is counted, marked and recorded before one, and its outcome afterwards.
//!
//! Each is one transaction. A call that happens once is stored only as digests, and its answer sealed.

mod caps;
mod once;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::StoreError;
use super::audit::{AuditEnd, AuditLine, AuditedCall};
use super::folder::LONGEST_WAIT;
use super::grants::is_good;
use super::store::{Durability, KeyRing, Pending, QueuePlace, Store, Transaction};
pub use caps::CapPlace;
use once::OnceState;
pub(crate) use once::keep_alive;
pub use once::{
    ALIVE, AnswerCopy, KnownCall, MOST_KEPT_BYTES, MOST_OF_PRINCIPAL, OnceKey, OnceKind,
};

/// The needs of a call before it is sent.
#[derive(Clone, Debug, Default)]
pub struct CallStart {
    /// Under each of these keys the call happens once.
    pub once: Vec<OnceKey>,
    /// It needs a place in each.
    pub caps: Vec<CapPlace>,
    /// It is recorded.
    pub audit: Option<AuditedCall>,
    /// The id of the grant that allows it, if one does: neither the grant nor what it depends on may have ended.
    pub grant: Option<String>,
}

/// The result of beginning a call.
pub enum CallBegin {
    /// It may be sent, now and once.
    Open(OpenCall),
    /// The grant that allowed it has ended.
    GrantEnded,
    /// It was made before under a key of this kind, or is running.
    Known(OnceKind, KnownCall),
    /// Its principal has too many keys already, or all principals together have.
    TooManyKeys,
    /// The cap of this number has no free place, with the time until there is one.
    NoPlace(usize, Option<Duration>),
}

/// A call that may be sent. If it is dropped without an end, its outcome is unknown.
#[must_use]
pub struct OpenCall {
    store: Store,
    /// A reserved place in the queue for its end, so that an end is never refused and waits for nobody. Empty once the
    /// end is queued.
    reserved: Option<QueuePlace>,
    start: Arc<CallStart>,
    /// The caller has received it: from here on it may have been sent.
    is_taken: bool,
}

/// The outcome of a call.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// `ok`, the class of the failure, or `cut_off`.
    pub outcome: String,
    /// HighLevel's status, if it answered.
    pub status: Option<u16>,
    pub trace_id: Option<String>,
    /// It certainly did nothing: it may be tried again, and its places are free again.
    pub did_nothing: bool,
    /// Its answer, for a repeat.
    pub kept: Option<AnswerCopy>,
}

enum Begun {
    Open,
    GrantEnded,
    Known(OnceKind, KnownCall),
    TooManyKeys,
    NoPlace(usize, Option<Duration>),
}

impl CallOutcome {
    /// The outcome of a call that was dropped while running.
    pub fn cut_off() -> Self {
        Self {
            outcome: "cut_off".to_owned(),
            status: None,
            trace_id: None,
            did_nothing: false,
            kept: None,
        }
    }
}

impl Store {
    /// Records everything that a call needs before it is sent, in one transaction. If this fails, or takes longer than
    /// a disk should, the call must not be made.
    pub async fn begin(&self, start: CallStart) -> Result<CallBegin, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let store = self.clone();
        // In a separate task: a call that begins after its caller has left is ended there.
        tokio::spawn(async move {
            let begun = store.begin_call(start).await;
            drop(sender.send(begun));
        });
        match timeout(LONGEST_WAIT, receiver).await {
            Ok(Ok(Ok(CallBegin::Open(mut open)))) => {
                open.is_taken = true;
                Ok(CallBegin::Open(open))
            }
            Ok(Ok(begun)) => begun,
            Ok(Err(_)) => Err(StoreError::storage("the store was not reached".to_owned())),
            Err(_) => Err(StoreError::busy(
                "the store was not written within 2 seconds; the disk of the state folder, or the server of state.url, is slow or stuck",
            )),
        }
    }

    async fn begin_call(&self, start: CallStart) -> Result<CallBegin, StoreError> {
        // A power failure must not undo the mark of a used confirm token.
        let is_confirmed = start.once.iter().any(|key| key.kind == OnceKind::Confirm);
        let durability = match is_confirmed {
            true => Durability::Disk,
            false => Durability::System,
        };
        let reserved = self.reserve().await?;
        let start = Arc::new(start);
        let (ring, asked) = (self.ring(), Arc::clone(&start));
        let has_room = self.housekeeping().has_room();
        let begun = self.change_surely(durability, move |transaction| {
            begin(transaction, &ring, has_room, &asked)
        });
        Ok(match begun.await? {
            Begun::Open => {
                for key in &start.once {
                    self.housekeeping().enter(key.id);
                }
                CallBegin::Open(OpenCall {
                    store: self.clone(),
                    reserved: Some(reserved),
                    start,
                    is_taken: false,
                })
            }
            Begun::GrantEnded => CallBegin::GrantEnded,
            Begun::Known(kind, known) => CallBegin::Known(kind, known),
            Begun::TooManyKeys => CallBegin::TooManyKeys,
            Begun::NoPlace(index, wait) => CallBegin::NoPlace(index, wait),
        })
    }

    /// What the store has about a call, before any further check.
    pub fn known_call(&self, key: &OnceKey) -> Pending<Option<KnownCall>> {
        let (ring, key) = (self.ring(), key.clone());
        self.read(move |transaction| key.known(transaction, &ring))
    }

    /// The same for several, in order.
    pub fn known_calls(&self, keys: Vec<OnceKey>) -> Pending<Vec<Option<KnownCall>>> {
        let ring = self.ring();
        self.read(move |transaction| {
            let known = keys.iter().map(|key| key.known(transaction, &ring));
            known.collect()
        })
    }
}

/// Writes nothing if the call may not begin.
fn begin(
    transaction: &mut Transaction,
    ring: &KeyRing,
    has_room: bool,
    start: &CallStart,
) -> Result<Begun, StoreError> {
    // The rows cannot change meanwhile: a call is recorded before its grant ends, or not at all.
    if let Some(grant) = &start.grant
        && !is_good(transaction, grant)?
    {
        return Ok(Begun::GrantEnded);
    }
    for key in &start.once {
        if key.kind != OnceKind::Confirm && !has_room {
            return Ok(Begun::TooManyKeys);
        }
        match key.claim(transaction, ring)? {
            OnceState::Free => {}
            OnceState::Known(known) => return Ok(Begun::Known(key.kind, known)),
            OnceState::TooMany => return Ok(Begun::TooManyKeys),
        }
    }
    // Of several full caps, the one that lasts longest: there is no use in coming back sooner.
    let mut full: Option<(usize, Option<Duration>)> = None;
    for (index, cap) in start.caps.iter().enumerate() {
        if let Err(wait) = cap.is_free(transaction)? {
            let lasts = |wait: Option<Duration>| wait.unwrap_or(Duration::MAX);
            if full.is_none_or(|(_, other)| lasts(wait) >= lasts(other)) {
                full = Some((index, wait));
            }
        }
    }
    if let Some((index, wait)) = full {
        return Ok(Begun::NoPlace(index, wait));
    }
    for cap in &start.caps {
        cap.take(transaction)?;
    }
    for key in &start.once {
        key.insert(transaction)?;
    }
    if let Some(call) = &start.audit {
        AuditLine::Begun(call.clone()).write(transaction)?;
    }
    Ok(Begun::Open)
}

impl OpenCall {
    /// It is on its way when this returns; where it cannot be written, it is written before the next call begins, and
    /// whoever waits for it waits until then.
    pub fn end(mut self, outcome: CallOutcome) -> Pending<()> {
        self.send(outcome)
    }

    /// Whether its answer is stored.
    pub fn is_once(&self) -> bool {
        !self.start.once.is_empty()
    }

    /// Whether its end has the outcome: nobody asks for that of a call that is only counted.
    pub fn has_record(&self) -> bool {
        self.is_once() || self.start.audit.is_some()
    }

    /// Whether it is made for a row of a confirmed request.
    pub fn is_item(&self) -> bool {
        self.start.once.iter().any(|key| key.kind == OnceKind::Item)
    }

    fn send(&mut self, outcome: CallOutcome) -> Pending<()> {
        let Some(reserved) = self.reserved.take() else {
            return Pending::failed(StoreError::storage("the call has ended already".to_owned()));
        };
        let (ring, start) = (self.store.ring(), Arc::clone(&self.start));
        let audit = start.audit.as_ref().map(|call| {
            let trace_id = outcome.trace_id.as_deref();
            AuditEnd::new(call.id.clone(), &outcome.outcome, outcome.status, trace_id)
        });
        for key in &start.once {
            self.store.housekeeping().leave(key.id);
        }
        reserved.send(Durability::System, move |transaction| {
            for key in &start.once {
                match outcome.did_nothing {
                    true => once::release(transaction, key.id)?,
                    false => once::settle(transaction, &ring, key, outcome.kept.as_ref())?,
                }
            }
            for cap in start.caps.iter().filter(|_| outcome.did_nothing) {
                cap.give_back(transaction)?;
            }
            match &audit {
                Some(end) => AuditLine::Done(end.clone()).write(transaction),
                None => Ok(()),
            }
        })
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.reserved.is_some() {
            drop(self.send(CallOutcome {
                did_nothing: !self.is_taken,
                ..CallOutcome::cut_off()
            }));
        }
    }
}

/// Deletes what is over. Returns whether there is room for more idempotency keys.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<bool, StoreError> {
    caps::sweep(transaction)?;
    once::sweep(transaction)
}

#[cfg(test)]
mod tests;
