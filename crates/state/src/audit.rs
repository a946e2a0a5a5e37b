//! The audit: a line before and after every call that changes something, and one for every refusal.
//!
//! A line is with the operating system when it is acknowledged: if the process dies, none of those is lost. A power
//! failure may lose lines that the system has not yet written to the disk.

mod file;
mod follow;
mod line;
mod part;
mod records;
mod retention;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub(crate) use file::AuditFile;
pub use follow::Follow;
use line::limited;
pub(crate) use line::{AuditEnd, AuditLine};
pub use line::{AuditEntry, AuditedCall, Confirmation, ConfirmationRecord, GrantEntry};
pub use part::{AuditPart, AuditReader, call, part};
pub use records::{AuditQuery, AuditRecord, AuditRecords, RecordState, lines, records};
pub(crate) use retention::Retention;

use super::StoreError;
use super::store::{Durability, Pending, Store};

/// Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    full_arguments: bool,
    store: Store,
}

impl Audit {
    /// From now on, days before the last `keep_days` are removed from the store.
    pub fn new(store: &Store, keep_days: u32, full_arguments: bool) -> Result<Self, StoreError> {
        if keep_days == 0 {
            return Err(StoreError::from(
                "the audit would be kept for 0 days; keep it for 1 or more".to_owned(),
            ));
        }
        store.housekeeping().set_keep_days(keep_days);
        Ok(Self {
            full_arguments,
            store: store.clone(),
        })
    }

    /// Records the beginning of a call.
    pub fn call(&self, entry: &AuditEntry) -> Result<AuditedCall, StoreError> {
        AuditedCall::new(entry, self.full_arguments)
    }

    /// Records a refusal, with its reason `class` and its rule. The client is refused in any case: if this cannot be
    /// written, the log says so. The line is being written when this returns.
    pub fn refused(&self, entry: &AuditEntry, class: &str, rule: Option<&str>) -> Pending<()> {
        // A refused call is recorded by its digest: nobody's junk fills the disk.
        let call = match AuditedCall::new(entry, false) {
            Ok(call) => call,
            Err(error) => return Pending::failed(error),
        };
        let line = AuditLine::Refused(AuditedCall {
            class: Some(limited(class)),
            rule: rule.map(limited),
            ..call
        });
        self.store.change(Durability::System, move |transaction| {
            line.write(transaction)
        })
    }
}

/// By the wall clock, because people compare it with other logs; in the precision of a line.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Days are in UTC, like all times in the audit.
pub(crate) fn today() -> Date {
    day_at(now())
}

fn day_at(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

#[cfg(test)]
mod tests;
