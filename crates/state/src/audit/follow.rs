//! Follows the audit as it is written.

use std::collections::HashMap;

use super::line::AuditedCall;
use super::records::{
    AuditQuery, AuditRecord, AuditRecords, Lines, RecordState, joined, unreadable,
};
use crate::StoreError;
use crate::store::Store;

/// Lines that are read at once.
const AT_ONCE: i64 = 2_000;

/// The position of a reader.
pub struct Follow {
    store: Store,
    /// The last line that was read.
    after: Option<i64>,
    /// Calls without an end so far.
    open: HashMap<String, AuditedCall>,
}

impl Follow {
    /// Starts some thousand lines before the last.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            after: None,
            open: HashMap::new(),
        }
    }

    /// The new lines since the last call of this function, which may be made about twice a second. A call appears when
    /// it begins and again when it ends; once if both happened since. Blocks.
    pub fn more(&mut self, query: &AuditQuery) -> Result<AuditRecords, StoreError> {
        let mut found = AuditRecords::default();
        loop {
            let after = self.after;
            let lines = self.store.read(move |transaction| match after {
                Some(after) => {
                    let next = "SELECT id, line FROM audit WHERE id > $1 ORDER BY id LIMIT $2";
                    Lines::read(transaction, sqlx::query(next).bind(after).bind(AT_ONCE))
                }
                None => {
                    let last = sqlx::query("SELECT id, line FROM audit ORDER BY id DESC LIMIT $1");
                    Lines::read(transaction, last.bind(AT_ONCE)).map(Lines::reversed)
                }
            });
            let lines = lines.wait()?;
            let Some(last) = lines.last_id() else {
                // If every line was removed, numbers start again.
                let newest = self.store.read(|transaction| {
                    let newest = sqlx::query("SELECT COALESCE(MAX(id), 0) AS id FROM audit");
                    let row = transaction.one(newest)?;
                    row.map_or(Ok(0), |row| row.integer("id"))
                });
                let newest = newest.wait()?;
                self.after = Some(self.after.unwrap_or(0).min(newest));
                return Ok(found);
            };
            self.after = Some(last);
            self.add(lines, query, &mut found);
        }
    }

    fn add(&mut self, lines: Lines, query: &AuditQuery, found: &mut AuditRecords) {
        found.unreadable.extend(unreadable(&lines));
        let mut ends = HashMap::new();
        let mut records = joined(lines, &mut ends);
        let begun = records
            .iter()
            .filter(|record| record.state == RecordState::Begun)
            .map(|record| (record.call.id.clone(), record.call.clone()));
        self.open.extend(begun);
        let mut ended: Vec<AuditRecord> = ends
            .into_values()
            .filter_map(|end| {
                let call = self.open.remove(&end.id)?;
                Some(AuditRecord::new(RecordState::Begun, call, Some(end)))
            })
            .collect();
        ended.sort_by_key(|record| record.ended);
        ended.append(&mut records);
        ended.retain(|record| query.fits(record));
        found.records.append(&mut ended);
    }
}
