//! Usage: calls and requests to HighLevel by day, caller, location and effect. They are counted in memory and added to rows each
//! minute, so that no call waits for it.
//!
//! A process writes its counts in numbered parts. The number is in the same transaction as the rows, so a part whose
//! commit is in doubt is written once, however often it is tried. A process that dies loses its last minute.

mod labels;
mod part;
mod reading;
mod rows;
mod tally;

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::store::{Durability, Pending, Store};
pub use labels::{UsageLabels, UsageName};
pub use reading::{UsageGrouping, UsageQuery, UsageRow};
pub(crate) use rows::sweep;
pub(crate) use tally::UsageTally;

/// Replaces callers and locations of a day beyond the number that one process counts separately.
pub const OTHERS: &str = "others";

/// Counts of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// Calls with at least one sent request.
    pub calls: i64,
    /// Those of them that HighLevel did not answer with a success.
    pub failed: i64,
    /// Requests sent to HighLevel, including pages, retries, and look-ups of the server for a call.
    pub requests: i64,
}

/// An addition to the counts of a caller.
#[derive(Clone, Copy, Debug)]
pub struct UsageEntry<'a> {
    /// The audit's name before the colon, or all of it: `key`, `grant`, `credential`.
    pub kind: &'static str,
    /// The audit's name after the colon; empty without one.
    pub id: &'a str,
    /// HighLevel's id; empty for a call without a location, or with an unproven one.
    pub location: &'a str,
    pub effect: &'static str,
    pub counts: UsageCounts,
}

/// Counts the calls of this process. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    store: Store,
}

impl Usage {
    /// From now on calls are counted, and days before the last `keep_days` are removed from the store. `None` for 0
    /// days, or in a store that is lost with the process: nothing is counted then.
    pub fn new(store: &Store, keep_days: u32) -> Option<Self> {
        if !store.is_durable() {
            return None;
        }
        store.housekeeping().set_usage_days(keep_days);
        (keep_days > 0).then(|| Self {
            store: store.clone(),
        })
    }

    /// Counts in memory, for the present day.
    pub fn count(&self, entry: &UsageEntry) {
        let usage = self.store.housekeeping().usage();
        usage.count(day_number(Timestamp::now()), entry);
    }

    /// Writes the counts so far, without waiting for the minute. Returns whether there are more.
    pub fn write(&self) -> Pending<bool> {
        let housekeeping = Arc::clone(self.store.housekeeping());
        self.store.change(Durability::System, move |transaction| {
            housekeeping.usage().write_rest(transaction)
        })
    }
}

impl UsageCounts {
    pub fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failed = self.failed.saturating_add(other.failed);
        self.requests = self.requests.saturating_add(other.requests);
    }
}

/// Days since 1970-01-01, as in rows. Days are in UTC, as in the audit.
fn day_number(time: Timestamp) -> i64 {
    time.as_second().div_euclid(24 * 60 * 60)
}

fn number_of_date(date: Date) -> i64 {
    let first = Date::constant(1970, 1, 1);
    let days = date.since(first).map(|span| span.get_days());
    days.map_or(0, i64::from)
}

fn date_of_number(number: i64) -> Date {
    let days = number.clamp(0, 2_000_000).days();
    let first = Date::constant(1970, 1, 1);
    first.checked_add(days).unwrap_or(first)
}

#[cfg(test)]
mod tests;
