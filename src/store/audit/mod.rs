//! The audit: a line before and after every call that changes something, and one for every refusal.
//!
//! A line is with the operating system when it is written: where the process dies, none is lost. A loss of power can
//! take what the system has not put on the disk yet (Linux: up to 30 s of lines). To wait for the disk would cost each
//! line 2 ms and now and then 20 or more (`sync_data` on ext4), on a thread that other calls need; a line costs 10 µs.

mod day;
mod follow;
mod line;
mod records;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use day::DayFile;
pub use follow::Follow;
pub use line::{Call, Confirmation, Confirmed, Entry};
use line::{End, Line, limited};
pub use records::{Found, Query, Record, State, records};

use super::folder::Folder;
use super::{StoreError, now};

/// What a call ended with that was dropped under way.
const CUT_OFF: &str = "cut_off";

/// Cheap to clone; every clone writes to the same file.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    full_arguments: bool,
    out: Mutex<Out>,
}

struct Out {
    file: DayFile,
    /// Ends that could not be written; they go before the next line. As no call begins meanwhile, there are never more
    /// than calls were under way.
    owed: Vec<u8>,
    failing: bool,
}

/// A call whose beginning is written. Dropped without an end, the call was cut off.
#[must_use]
pub struct Open {
    audit: Audit,
    /// Empty once the end is written.
    id: String,
}

impl Audit {
    /// Opens today's file in `folder` and removes those of before `keep_days` days.
    pub fn open(folder: &Path, keep_days: u32, full_arguments: bool) -> Result<Self, StoreError> {
        if keep_days == 0 {
            return Err(StoreError::from(
                "the audit would keep its files for 0 days; keep them for 1 or more".to_owned(),
            ));
        }
        let folder = Folder::open(folder)?;
        let out = Out {
            file: DayFile::open(folder.path(), keep_days, day::of(now()))?,
            owed: Vec::new(),
            failing: false,
        };
        Ok(Self(Arc::new(Shared {
            full_arguments,
            out: Mutex::new(out),
        })))
    }

    /// Writes that the call begins. Where that fails, the call must not be made.
    pub fn begin(&self, entry: &Entry) -> Result<Open, StoreError> {
        let call = Call::new(entry, self.0.full_arguments)?;
        let id = call.id.clone();
        self.out().write(&Line::Begun(call))?;
        let audit = self.clone();
        Ok(Open { audit, id })
    }

    /// Writes that a call was refused, of which `class` says why, and by which rule. The client is refused in any
    /// case: where this cannot be written, the log says so.
    pub fn refused(&self, entry: &Entry, class: &str, rule: Option<&str>) {
        let refused = Call::new(entry, self.0.full_arguments).and_then(|call| {
            self.out().write(&Line::Refused(Call {
                class: Some(limited(class)),
                rule: rule.map(limited),
                ..call
            }))
        });
        // `write` has logged it.
        drop(refused);
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.0.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    /// Everything owed and this line, or an error. The first of many is logged.
    fn write(&mut self, line: &Line) -> Result<(), StoreError> {
        let lines = [self.owed.as_slice(), &line.bytes()?].concat();
        match self.file.append(day::of(now()), &lines) {
            Ok(()) => {
                self.owed.clear();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the audit can be written again");
                }
                Ok(())
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the audit cannot be written; until it can, calls are refused");
                }
                Err(error)
            }
        }
    }

    fn write_end(&mut self, end: End) {
        let line = Line::Done(end);
        if self.write(&line).is_err() {
            self.owed.extend(line.bytes().unwrap_or_default());
        }
    }
}

impl Open {
    /// `outcome`: `ok` or the class of the failure. Where the end cannot be written, it is written before the next call
    /// begins.
    pub fn end(mut self, outcome: &str, status: Option<u16>, trace_id: Option<&str>) {
        let id = std::mem::take(&mut self.id);
        let end = End::new(id, outcome, status, trace_id);
        self.audit.out().write_end(end);
    }

    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.id.is_empty() {
            let end = End::new(std::mem::take(&mut self.id), CUT_OFF, None, None);
            self.audit.out().write_end(end);
        }
    }
}

#[cfg(test)]
mod tests;
