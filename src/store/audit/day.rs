//! The file of a day: opened at its first line, removed when it is too old.
//!
//! Not `tracing-appender` (0.2.5), for what it does was tried: where it keeps n files, a second process that starts on
//! the same day removes the oldest as if today's were still to come, with n = 1 today's own; it tells age by the
//! file system's time of birth, which a restored backup has new; and where a new day's file cannot be opened it says so
//! on stderr, writes on into the old one and returns no error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::store::StoreError;
use crate::store::folder::{FILE_MODE, close};

/// The file that lines go to now.
pub struct DayFile {
    folder: PathBuf,
    keep_days: u32,
    day: Date,
    file: File,
    /// It may not end with the end of a line.
    torn: bool,
}

impl DayFile {
    pub fn open(folder: &Path, keep_days: u32, today: Date) -> Result<Self, StoreError> {
        let path = path(folder, today);
        let system = |error| StoreError::system(&path, "opened", error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(system)?;
        close(&path, file.metadata().map_err(system)?.mode(), FILE_MODE)?;
        let torn = ends_torn(&mut file).map_err(system)?;
        remove_old(folder, keep_days, today);
        Ok(Self {
            folder: folder.to_owned(),
            keep_days,
            day: today,
            file,
            torn,
        })
    }

    /// Appends whole lines by one write: between lines of other processes, never inside one.
    pub fn append(&mut self, today: Date, lines: &[u8]) -> Result<(), StoreError> {
        if today != self.day || self.is_gone() {
            *self = Self::open(&self.folder, self.keep_days, today)?;
        }
        let broken = [b"\n", lines].concat();
        let bytes = if self.torn { &broken } else { lines };
        let written = loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => break written,
            }
        };
        let failed = match written {
            Ok(count) if count == bytes.len() => {
                self.torn = false;
                return Ok(());
            }
            Ok(count) => {
                self.torn = true;
                let bytes = bytes.len();
                io::Error::other(format!("only {count} of {bytes} bytes were taken"))
            }
            Err(error) => error,
        };
        let path = path(&self.folder, self.day);
        Err(StoreError::system(&path, "written", failed))
    }

    /// Somebody removed it: what is written to it now, nobody will read.
    fn is_gone(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|metadata| metadata.nlink() == 0)
    }

    #[cfg(test)]
    pub fn stand_in(&mut self, file: File) {
        self.file = file;
    }
}

pub fn path(folder: &Path, day: Date) -> PathBuf {
    folder.join(format!("audit.{day}.jsonl"))
}

/// Days are those of UTC, as all times in the files are.
pub fn of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// The days that there are files of, oldest first.
pub fn days(folder: &Path) -> Result<Vec<Date>, StoreError> {
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

/// A file too many is no reason to refuse calls: it is only told.
fn remove_old(folder: &Path, keep_days: u32, today: Date) {
    let Ok(oldest) = today.checked_sub(i64::from(keep_days).days()) else {
        return;
    };
    let days = days(folder).unwrap_or_default();
    for day in days.into_iter().filter(|day| *day < oldest) {
        let path = path(folder, day);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "an old file of the audit cannot be removed");
            }
            _ => {}
        }
    }
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
