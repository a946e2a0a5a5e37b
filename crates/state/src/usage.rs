//! Usage: calls and requests to HighLevel by day, caller, location and effect. They are counted in memory and added to rows each
//! minute, so that no call waits for it.
//!
//! A process writes what it has counted in numbered parts. The number stands in the same transaction as the rows, so that a
//! part whose end is not known is written once, however often it is tried. What dies with a process is its last minute.

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

/// Stands for those callers and locations of a day that are beyond what one process keeps apart.
pub const OTHERS: &str = "others";

/// What came of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// Calls of which at least one request was sent.
    pub calls: i64,
    /// Of these, those that HighLevel did not answer with a success.
    pub failed: i64,
    /// Requests that were sent to HighLevel: pages, repetitions, and what the server looked up for a call.
    pub requests: i64,
}

/// What is added to the counts of a caller.
#[derive(Clone, Copy, Debug)]
pub struct UsageEntry<'a> {
    /// What the audit has before the colon, or all that it has: `key`, `grant`, `credential`.
    pub kind: &'static str,
    /// What it has behind it; empty where there is no colon.
    pub id: &'a str,
    /// The id at HighLevel; empty where a call is for none, or for one that nobody proved.
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
    /// From now on calls are counted, and days before the last `keep_days` are removed from the store. `None`: for 0 days
    /// nothing is counted, nor in a store that is gone with the process.
    pub fn new(store: &Store, keep_days: u32) -> Option<Self> {
        if !store.is_durable() {
            return None;
        }
        store.housekeeping().set_usage_days(keep_days);
        (keep_days > 0).then(|| Self {
            store: store.clone(),
        })
    }

    /// Counts in memory, under the day of this moment.
    pub fn count(&self, entry: &UsageEntry) {
        let usage = self.store.housekeeping().usage();
        usage.count(day_number(Timestamp::now()), entry);
    }

    /// Writes what was counted so far, without waiting for its minute; whether there is more.
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

/// Days since the first of 1970, as rows have it. Days are those of UTC, as in the audit.
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
