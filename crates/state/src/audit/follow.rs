//! Goes along with the audit as it is written, from one day into the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::days;
use super::line::AuditedCall;
use super::records::{
    AuditQuery, AuditRecord, AuditRecords, FilePosition, RecordState, joined, read,
};
use crate::StoreError;

/// Where a reader is.
pub struct Follow {
    folder: PathBuf,
    day: Option<Date>,
    place: FilePosition,
    /// Calls without an end so far.
    open: HashMap<String, AuditedCall>,
}

impl Follow {
    /// Stands before the first line of the newest file.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            day: None,
            place: FilePosition::default(),
            open: HashMap::new(),
        }
    }

    /// What was written since the last time, to be asked twice a second or so. A call comes when it begins and again
    /// when it ends; once where both happened since.
    pub fn more(&mut self, query: &AuditQuery) -> Result<AuditRecords, StoreError> {
        let mut found = AuditRecords::default();
        loop {
            // Asked before the file is read: when there is a newer one, nothing is added to this any more.
            let days = days::days_with_files(&self.folder)?;
            let later = match self.day {
                None => days.last(),
                Some(day) => days.iter().find(|other| **other > day),
            };
            if let Some(day) = self.day {
                self.read(day, later.is_some(), query, &mut found)?;
            }
            let Some(later) = later else {
                return Ok(found);
            };
            self.day = Some(*later);
            self.place = FilePosition::default();
        }
    }

    fn read(
        &mut self,
        day: Date,
        all: bool,
        query: &AuditQuery,
        found: &mut AuditRecords,
    ) -> Result<(), StoreError> {
        let path = days::file_path(&self.folder, day);
        let lines = read(&path, &mut self.place, all)?;
        found.unreadable.extend(lines.unreadable);
        let mut ends = HashMap::new();
        let mut records = joined(lines.lines, &mut ends);
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
        Ok(())
    }
}
