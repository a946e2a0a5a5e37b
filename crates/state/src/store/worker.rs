//! A thread with a connection, and the queue of its jobs.

use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};
use tokio::time::timeout;

use super::connection::{CommitFate, StoreConnection};
use super::job::{Delivery, Job, Pending, QueuedChange};
use super::mirror::Mirrors;
use super::rows::{Effects, Transaction};
use super::{Durability, StoreHooks};
use crate::StoreError;
use crate::clock::SteadyClock;
use crate::folder::LONGEST_WAIT;

/// Most waiting changes, including the places reserved for the ends of running calls.
const MOST_JOBS: usize = 16_384;

/// Most changes in one transaction.
const MOST_TOGETHER: usize = 256;

/// How often a thread checks whether another process has changed keys or pauses. A change is known within twice this
/// time.
const INTERVAL: Duration = Duration::from_millis(100);

/// How often the writing thread keeps running work alive and sweeps.
const BEAT: Duration = Duration::from_secs(5);

/// The same if instances on other machines wait for this one's sign.
const SHARED_BEAT: Duration = Duration::from_secs(2);

/// The interval between attempts to write owed changes.
const AGAIN: Duration = Duration::from_millis(250);

/// How long the end of the process waits for queued work.
const PATIENCE: Duration = Duration::from_secs(2);

/// The queue to the thread. On drop it waits for queued work.
pub(super) struct Worker {
    queue: Option<Sender<Box<dyn Job>>>,
    ended: Mutex<blocking::Receiver<()>>,
}

/// The work of every few seconds.
pub(crate) type Tidy = dyn FnMut(&mut Transaction) -> Result<(), StoreError> + Send;

/// The work at the end. Returns whether there is more.
pub(crate) type Finish = dyn FnMut(&mut Transaction) -> Result<bool, StoreError> + Send;

/// Receives the announced lines.
pub(crate) type Announce = dyn FnMut(&[String]) + Send;

/// The other work of the writing thread.
pub(super) struct Writing {
    /// Read again after changes of this process.
    mirrors: Arc<Mirrors>,
    hooks: StoreHooks,
    /// How often it keeps running work alive and sweeps.
    beat: Duration,
}

/// A reserved place in the queue.
pub(crate) struct QueuePlace(OwnedPermit<Box<dyn Job>>);

impl QueuePlace {
    pub(crate) fn send<T: Send + 'static>(
        self,
        durability: Durability,
        change: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (job, pending) = QueuedChange::boxed(durability, Delivery::Owed, change);
        self.0.send(job);
        pending
    }
}

impl Worker {
    /// One that changes rows.
    pub(super) fn write(connection: StoreConnection, writing: Writing) -> Result<Self, StoreError> {
        Self::start("state", move |jobs| {
            write_all(connection, jobs, writing).close();
        })
    }

    /// A thread that reads, and refreshes mirrors.
    pub(super) fn read(
        connection: StoreConnection,
        mirrors: Weak<Mirrors>,
    ) -> Result<Self, StoreError> {
        Self::start("state-read", move |jobs| {
            read_all(connection, jobs, mirrors).close();
        })
    }

    fn start(
        name: &str,
        work: impl FnOnce(Receiver<Box<dyn Job>>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = channel(MOST_JOBS);
        let (says, ended) = blocking::channel();
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            work(jobs);
            // Nobody may be listening any more.
            let _ = says.send(());
        });
        spawned.map_err(|error| {
            StoreError::storage(format!(
                "no thread can be started for the store: {error}; raise the limit on threads"
            ))
        })?;
        Ok(Self {
            queue: Some(queue),
            ended: Mutex::new(ended),
        })
    }

    pub(super) fn send<T: Send + 'static>(
        &self,
        durability: Durability,
        delivery: Delivery,
        change: impl FnMut(&mut Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (job, pending) = QueuedChange::boxed(durability, delivery, change);
        let Some(queue) = &self.queue else {
            return Pending::failed(StoreError::closed());
        };
        match queue.try_send(job) {
            Ok(()) => pending,
            Err(TrySendError::Closed(_)) => Pending::failed(StoreError::closed()),
            Err(TrySendError::Full(_)) => Pending::failed(StoreError::busy(
                "too many changes wait for the store; its disk or its server is slow or stuck",
            )),
        }
    }

    pub(super) async fn reserve(&self) -> Result<QueuePlace, StoreError> {
        let queue = self.queue.clone().ok_or_else(StoreError::closed)?;
        let place = timeout(LONGEST_WAIT, queue.reserve_owned()).await;
        match place {
            Ok(place) => place.map(QueuePlace).map_err(|_| StoreError::closed()),
            Err(_) => Err(StoreError::busy(
                "the store was not written for 2 seconds; the disk of the state folder, or the server of state.url, is slow or stuck",
            )),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(PATIENCE).is_err() {
            tracing::error!(
                "the last changes of the store were not written: its disk or its server is slow or stuck"
            );
        }
    }
}

/// A change that is tried again.
struct LeftOver {
    job: Box<dyn Job>,
    /// It is unknown whether it was written.
    is_unsettled: bool,
}

/// Writes changes in the order of their arrival; all waiting ones share a transaction.
fn write_all(
    mut connection: StoreConnection,
    mut jobs: Receiver<Box<dyn Job>>,
    mut writing: Writing,
) -> StoreConnection {
    let mut left: Vec<LeftOver> = Vec::new();
    let mut log = FailureLog::default();
    let mut beat = Instant::now();
    let every = writing.beat;
    loop {
        // Left-over changes do not wait for the next change.
        let wait = match left.is_empty() && !connection.is_unsettled() {
            true => every.saturating_sub(beat.elapsed()),
            false => AGAIN,
        };
        let next = async { timeout(wait, jobs.recv()).await };
        let next = connection.wait_for(next);
        let settled = writing.settle(&mut connection, &mut left);
        let mut batch = match &settled {
            Ok(()) => std::mem::take(&mut left),
            Err(_) => Vec::new(),
        };
        // However much there is to write.
        if beat.elapsed() >= every && settled.is_ok() {
            beat = Instant::now();
            log.note(&writing.tidy(&mut connection));
        }
        let is_over = matches!(next, Ok(None));
        let new = |job| LeftOver {
            job,
            is_unsettled: false,
        };
        batch.extend(next.ok().flatten().map(new));
        while batch.len() < MOST_TOGETHER
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(new(next));
        }
        if batch.is_empty() {
            match is_over {
                true => break,
                false => continue,
            }
        }
        let was_settled = settled.is_ok();
        let outcomes = match settled {
            Ok(()) => writing.write(&mut connection, &mut batch),
            Err(error) => vec![Err(error); batch.len()],
        };
        for (mut entry, done) in batch.into_iter().zip(outcomes) {
            log.note(&done);
            let is_lost = done
                .as_ref()
                .is_err_and(|error| error.is_storage() || error.is_busy());
            entry.is_unsettled = is_lost && was_settled && connection.is_unsettled();
            match entry.job.delivery() {
                Delivery::Known if entry.is_unsettled => left.push(entry),
                Delivery::Owed if is_lost => left.push(entry),
                _ => entry.job.end(done),
            }
        }
        // Owed changes were tried once more.
        if is_over {
            break;
        }
    }
    writing.finish(&mut connection);
    connection
}

/// Logs once that the store cannot be written, and once that it can be again.
#[derive(Default)]
struct FailureLog {
    is_failing: bool,
}

impl FailureLog {
    fn note(&mut self, done: &Result<(), StoreError>) {
        match done {
            Err(error) if error.is_storage() => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "the store cannot be written; until it can, calls that change something are refused");
                }
            }
            Err(_) => {}
            Ok(()) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the store can be written again");
                }
            }
        }
    }
}

impl Writing {
    pub(super) fn new(mirrors: Arc<Mirrors>, hooks: StoreHooks, is_shared: bool) -> Self {
        Self {
            mirrors,
            hooks,
            beat: if is_shared { SHARED_BEAT } else { BEAT },
        }
    }

    fn tidy(&mut self, connection: &mut StoreConnection) -> Result<(), StoreError> {
        let tidy = &mut self.hooks.tidy;
        let done = connection.transact(Durability::System, &mut |transaction| tidy(transaction));
        if let Err(error) = &done
            && !error.is_storage()
        {
            tracing::warn!(%error, "what is over was not removed from the store");
        }
        done.map(drop)
    }

    /// Resolves changes whose commit was not acknowledged.
    fn settle(
        &mut self,
        connection: &mut StoreConnection,
        left: &mut Vec<LeftOver>,
    ) -> Result<(), StoreError> {
        match connection.settle()? {
            None => {}
            Some(CommitFate::Written(effects)) => {
                for entry in left.iter_mut().filter(|entry| entry.is_unsettled) {
                    entry.job.end(Ok(()));
                }
                left.retain(|entry| !entry.is_unsettled);
                self.follow(effects, connection);
            }
            Some(CommitFate::Lost) => {
                for entry in left.iter_mut() {
                    entry.is_unsettled = false;
                }
            }
        }
        Ok(())
    }

    /// Writes what was left for the end.
    fn finish(&mut self, connection: &mut StoreConnection) {
        let finish = &mut self.hooks.finish;
        let mut has_more = self.hooks.housekeeping.usage().has_rest();
        while has_more {
            has_more = false;
            let done = connection.transact(Durability::System, &mut |transaction| {
                has_more = finish(transaction)?;
                Ok(())
            });
            if let Err(error) = done {
                tracing::warn!(%error, "the usage of the last minute was not written");
                return;
            }
        }
    }

    /// The result of each change: all together, or, if one of many is refused, each in its own transaction. After a
    /// disk error, all have failed.
    fn write(
        &mut self,
        connection: &mut StoreConnection,
        jobs: &mut [LeftOver],
    ) -> Vec<Result<(), StoreError>> {
        let together = self.write_together(connection, jobs);
        match together {
            Err(error) if jobs.len() > 1 && error.is_request() => jobs
                .iter_mut()
                .map(|job| self.write_together(connection, std::slice::from_mut(job)))
                .collect(),
            done => vec![done; jobs.len()],
        }
    }

    fn write_together(
        &mut self,
        connection: &mut StoreConnection,
        jobs: &mut [LeftOver],
    ) -> Result<(), StoreError> {
        let durability = jobs.iter().map(|entry| entry.job.durability()).max();
        let durability = durability.unwrap_or(Durability::System);
        let effects = connection.transact(durability, &mut |transaction| {
            jobs.iter_mut()
                .try_for_each(|entry| entry.job.act(transaction))
        })?;
        self.follow(effects, connection);
        Ok(())
    }

    fn follow(&mut self, effects: Effects, connection: &mut StoreConnection) {
        let lines = &effects.lines;
        if let Some(announce) = self.hooks.announce.as_mut().filter(|_| !lines.is_empty()) {
            announce(lines);
        }
        if effects.is_mirrored {
            // Before the change is acknowledged, because its caller relies on it at once.
            let _ = connection.look(&mut |transaction| {
                self.mirrors.refresh(transaction);
                Ok(())
            });
        }
    }
}

fn read_all(
    mut connection: StoreConnection,
    mut jobs: Receiver<Box<dyn Job>>,
    mirrors: Weak<Mirrors>,
) -> StoreConnection {
    let mut looked = Instant::now();
    loop {
        let wait = INTERVAL.saturating_sub(looked.elapsed());
        let next = async { timeout(wait, jobs.recv()).await };
        let next = connection.wait_for(next);
        // However much there is to read.
        if looked.elapsed() >= INTERVAL {
            looked = Instant::now();
            // A clock that nobody reads would notice a jump only at the next reading.
            SteadyClock::now();
            follow(&mirrors, &mut connection);
        }
        match next {
            Ok(None) => return connection,
            Ok(Some(mut job)) => {
                let done = connection.look(&mut |transaction| job.act(transaction));
                job.end(done);
            }
            Err(_) => {}
        }
    }
}

/// Follows changes of mirrored rows by other processes, and notices a replaced file.
fn follow(mirrors: &Weak<Mirrors>, connection: &mut StoreConnection) {
    let Some(mirrors) = mirrors.upgrade() else {
        return;
    };
    if let Err(error) = connection.check() {
        mirrors.fail(&error);
        return;
    }
    let looked = connection.look(&mut |transaction| {
        mirrors.refresh(transaction);
        Ok(())
    });
    if let Err(error) = looked {
        mirrors.fail(&error);
    }
}
