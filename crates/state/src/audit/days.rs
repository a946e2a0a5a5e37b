//! Days of the audit, and the files that there are of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::StoreError;

/// The file of a day.
pub fn file_path(folder: &Path, day: Date) -> PathBuf {
    folder.join(format!("audit.{day}.jsonl"))
}

/// Days are those of UTC, as all times in the files are.
pub fn day_at(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// The days that there are files of, oldest first.
pub fn days_with_files(folder: &Path) -> Result<Vec<Date>, StoreError> {
    let system = |error| StoreError::system(folder, "read", error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(system)?,
    };
    let mut days = Vec::new();
    for entry in entries {
        let name = entry.map_err(system)?.file_name();
        let name = name.to_string_lossy();
        let day = name.strip_prefix("audit.");
        let day = day.and_then(|rest| rest.strip_suffix(".jsonl")?.parse::<Date>().ok());
        // Other spellings of a date are no names of ours.
        days.extend(day.filter(|day| *name == format!("audit.{day}.jsonl")));
    }
    days.sort_unstable();
    Ok(days)
}
