//! Counts that are being written to rows, with the number of their part.

use std::sync::Arc;

use super::UsageCounts;

/// Counts since they were last written.
#[derive(Clone, Debug)]
pub(super) struct TallyRow {
    pub day: i64,
    pub kind: &'static str,
    pub id: Arc<str>,
    pub location: Arc<str>,
    pub effect: &'static str,
    pub counts: UsageCounts,
}

/// The rows that are being written.
pub(super) struct UsagePart {
    pub number: i64,
    pub rows: Vec<TallyRow>,
}

impl UsagePart {
    /// Each row once, in the order of the table, so that several processes lock rows in the same order.
    pub(super) fn new(number: i64, mut rows: Vec<TallyRow>) -> Self {
        rows.sort_by(|one, other| one.key().cmp(&other.key()));
        rows.dedup_by(|later, first| {
            let is_same = later.key() == first.key();
            if is_same {
                first.counts.add(later.counts);
            }
            is_same
        });
        Self { number, rows }
    }
}

impl TallyRow {
    fn key(&self) -> (i64, &str, &str, &str, &str) {
        (self.day, self.kind, &self.id, &self.location, self.effect)
    }

    /// The audit's name of the caller.
    pub(super) fn principal(&self) -> String {
        match &*self.id {
            "" => self.kind.to_owned(),
            id => format!("{}:{id}", self.kind),
        }
    }
}
