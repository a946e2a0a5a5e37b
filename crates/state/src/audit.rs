//! The audit: a line before and after every call that changes something, and one for every refusal.
//!
//! A line is with the operating system when it is acknowledged: where the process dies, none of those is lost. A loss of
//! power can take what the system has not put on the disk yet (Linux: up to 30 s of lines). To wait for the disk would
//! cost each line 2 ms and now and then 20 or more (`sync_data` on ext4). Lines are written by a thread of their own, all
//! that wait by one system call, so that a slow disk holds up nobody but those who write.

mod day;
mod days;
mod follow;
mod line;
mod records;
mod retention;
mod writer;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::OwnedPermit;
use tokio::time::timeout;

use day::DayFile;
pub use follow::Follow;
use line::{AuditEnd, AuditLine, limited};
pub use line::{AuditEntry, AuditedCall, Confirmation, ConfirmationRecord};
pub use records::{AuditQuery, AuditRecord, AuditRecords, RecordState, records};
use writer::{AuditWriter, Job, Out};

use super::StoreError;
use super::folder::{LONGEST_WAIT, StateFolder};

/// What a call ended with that was dropped under way.
const CUT_OFF: &str = "cut_off";

/// Cheap to clone; every clone writes to the same file.
#[derive(Clone)]
pub struct Audit {
    full_arguments: bool,
    writer: Arc<AuditWriter>,
}

/// A call whose beginning is written. Dropped without an end, the call was cut off.
#[must_use]
pub struct OpenRecord {
    /// Empty once the end is on its way.
    id: String,
    /// The place of its end in the queue, so that an end is never refused and waits for nobody.
    place: Option<OwnedPermit<Job>>,
    /// The file stays open until the end is written.
    _writer: Arc<AuditWriter>,
}

impl Audit {
    /// Opens today's file in `folder` and removes those of before `keep_days` days.
    pub fn open(folder: &Path, keep_days: u32, full_arguments: bool) -> Result<Self, StoreError> {
        if keep_days == 0 {
            return Err(StoreError::from(
                "the audit would keep its files for 0 days; keep them for 1 or more".to_owned(),
            ));
        }
        let folder = StateFolder::open(folder)?;
        let file = DayFile::open(folder.path(), keep_days, days::day_at(now()))?;
        Ok(Self {
            full_arguments,
            writer: Arc::new(AuditWriter::start(Out::new(file))?),
        })
    }

    /// Writes that the call begins. Where that fails, or takes longer than a disk should, the call must not be made.
    pub async fn begin(&self, entry: &AuditEntry<'_>) -> Result<OpenRecord, StoreError> {
        let call = AuditedCall::new(entry, self.full_arguments)?;
        let id = call.id.clone();
        let line = AuditLine::Begun(call).bytes()?;
        let begun = async {
            let place = self.writer.reserve().await?;
            let (job, written) = Job::acknowledged(line);
            self.writer.send(job).await?;
            // From here on the line may be written: dropped, the call is cut off.
            let mut open = OpenRecord {
                id,
                place: Some(place),
                _writer: Arc::clone(&self.writer),
            };
            let done = written
                .await
                .unwrap_or_else(|_| Err(writer::closed_error()));
            done.inspect_err(|_| open.forget())?;
            Ok(open)
        };
        match timeout(LONGEST_WAIT, begun).await {
            Ok(begun) => begun,
            Err(_) => Err(StoreError::busy(
                "the audit was not written within 2 seconds; the disk of the state folder is slow or stuck",
            )),
        }
    }

    /// Writes that a call was refused, of which `class` says why, and by which rule. The client is refused in any
    /// case: where this cannot be written, the log says so. The line is on its way when this returns; to wait for
    /// the future is to know that it is written.
    pub fn refused(
        &self,
        entry: &AuditEntry,
        class: &str,
        rule: Option<&str>,
    ) -> impl Future<Output = ()> + use<> {
        let line = AuditedCall::new(entry, self.full_arguments).and_then(|call| {
            AuditLine::Refused(AuditedCall {
                class: Some(limited(class)),
                rule: rule.map(limited),
                ..call
            })
            .bytes()
        });
        // The writer logs what it cannot write.
        let written = line.ok().and_then(|line| {
            let (job, written) = Job::acknowledged(line);
            self.writer.try_send(job).then_some(written)
        });
        async move {
            if let Some(written) = written {
                drop(written.await);
            }
        }
    }

    #[cfg(test)]
    fn out(&self) -> std::sync::MutexGuard<'_, Out> {
        self.writer.out()
    }
}

impl OpenRecord {
    /// `outcome`: `ok` or the class of the failure. Where the end cannot be written, it is written before the next call
    /// begins. The end is on its way when this returns; to wait for the future is to know that it was tried.
    pub fn end(
        mut self,
        outcome: &str,
        status: Option<u16>,
        trace_id: Option<&str>,
    ) -> impl Future<Output = ()> + use<> {
        let id = std::mem::take(&mut self.id);
        let end = AuditLine::Done(AuditEnd::new(id, outcome, status, trace_id)).bytes();
        let written = self.place.take().zip(end.ok()).map(|(place, line)| {
            let (job, written) = Job::end(line);
            place.send(job);
            written
        });
        async move {
            if let Some(written) = written {
                drop(written.await);
            }
        }
    }

    /// For a call whose beginning was not written.
    fn forget(&mut self) {
        self.id.clear();
        self.place = None;
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let end = AuditEnd::new(std::mem::take(&mut self.id), CUT_OFF, None, None);
        if let Ok(line) = AuditLine::Done(end).bytes() {
            place.send(Job::end(line).0);
        }
    }
}

/// By the wall clock, as people compare it with other logs; no finer than a file tells it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
