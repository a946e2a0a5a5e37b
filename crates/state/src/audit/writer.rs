//! The thread that writes the audit, and the queue before it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::day::DayFile;
use super::days;
use super::now;
use crate::StoreError;

/// Most lines that wait, and places that are kept for the ends of calls under way.
const MOST_JOBS: usize = 16_384;

/// Most bytes that are written at once.
const MOST_BYTES: usize = 1 << 20;

/// How long the end of the process waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line, and whoever wants to know what came of it.
pub struct Job {
    line: Vec<u8>,
    /// It must be written, later where it cannot be now.
    is_end: bool,
    written: oneshot::Sender<Result<(), StoreError>>,
}

/// The way to the thread. Dropped, it waits for what is in the queue.
pub struct AuditWriter {
    queue: Option<Sender<Job>>,
    ended: Mutex<mpsc::Receiver<()>>,
    /// Refusals that found no place.
    lost: AtomicU64,
    #[cfg(test)]
    out: Arc<Mutex<Out>>,
}

/// The file, and what it owes.
pub struct Out {
    pub file: DayFile,
    /// Ends that could not be written; they go before the next line. As no call begins meanwhile, there are never more
    /// than calls were under way.
    owed: Vec<u8>,
    failing: bool,
}

impl Job {
    pub fn acknowledged(line: Vec<u8>) -> (Self, oneshot::Receiver<Result<(), StoreError>>) {
        Self::new(line, false)
    }

    pub fn end(line: Vec<u8>) -> (Self, oneshot::Receiver<Result<(), StoreError>>) {
        Self::new(line, true)
    }

    fn new(line: Vec<u8>, is_end: bool) -> (Self, oneshot::Receiver<Result<(), StoreError>>) {
        let (written, receiver) = oneshot::channel();
        let job = Self {
            line,
            is_end,
            written,
        };
        (job, receiver)
    }
}

impl AuditWriter {
    pub fn start(out: Out) -> Result<Self, StoreError> {
        let (queue, jobs) = channel(MOST_JOBS);
        let (says, is_ended) = mpsc::channel();
        let out = Arc::new(Mutex::new(out));
        let of_thread = Arc::clone(&out);
        let thread = thread::Builder::new().name("audit".to_owned());
        let started = thread.spawn(move || {
            write_all(&of_thread, jobs);
            // Nobody may listen any more.
            let _ = says.send(());
        });
        started.map_err(|error| {
            StoreError::from(format!(
                "no thread can be started for the audit: {error}; raise the limit on threads"
            ))
        })?;
        Ok(Self {
            queue: Some(queue),
            ended: Mutex::new(is_ended),
            lost: AtomicU64::new(0),
            #[cfg(test)]
            out,
        })
    }

    /// A place in the queue for later.
    pub async fn reserve(&self) -> Result<OwnedPermit<Job>, StoreError> {
        let queue = self.queue.clone().ok_or_else(closed_error)?;
        queue.reserve_owned().await.map_err(|_| closed_error())
    }

    pub async fn send(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or_else(closed_error)?;
        queue.send(job).await.map_err(|_| closed_error())
    }

    /// Whether there was a place. What finds none is counted, and the log says so now and then.
    pub fn try_send(&self, job: Job) -> bool {
        let sent = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(job).is_ok());
        if !sent {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(
                    lost,
                    "refusals were not written: too many lines wait for the audit"
                );
            }
        }
        sent
    }

    #[cfg(test)]
    pub fn out(&self) -> MutexGuard<'_, Out> {
        lock(&self.out)
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.queue = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(PATIENCE).is_err() {
            tracing::error!(
                "the last lines of the audit were not written: its disk is slow or stuck"
            );
        }
    }
}

/// Why nothing can be written: the thread is not there, which only the end of the process brings about.
pub fn closed_error() -> StoreError {
    StoreError::from("the audit is closed: the server stops".to_owned())
}

fn write_all(out: &Mutex<Out>, mut jobs: Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut bytes = first.line.len();
        let mut batch = vec![first];
        while bytes < MOST_BYTES
            && let Ok(next) = jobs.try_recv()
        {
            bytes += next.line.len();
            batch.push(next);
        }
        lock(out).write(batch);
    }
}

fn lock(out: &Mutex<Out>) -> MutexGuard<'_, Out> {
    out.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Out {
    pub fn new(file: DayFile) -> Self {
        Self {
            file,
            owed: Vec::new(),
            failing: false,
        }
    }

    /// Everything owed and these lines by one system call, or an error for all of them. The first of many is logged.
    pub fn write(&mut self, jobs: Vec<Job>) {
        let lines = jobs.iter().map(|job| job.line.as_slice());
        let all: Vec<u8> = std::iter::once(self.owed.as_slice())
            .chain(lines)
            .collect::<Vec<_>>()
            .concat();
        let done = self.file.append(days::day_at(now()), &all);
        match &done {
            Ok(()) => {
                self.owed.clear();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the audit can be written again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the audit cannot be written; until it can, calls are refused");
                }
                let ends = jobs.iter().filter(|job| job.is_end);
                self.owed.extend(ends.flat_map(|job| &job.line));
            }
        }
        for job in jobs {
            // Whoever asked may have gone.
            let _ = job.written.send(done.clone());
        }
    }
}
