//! The file of a day: opened at its first line.
//!
//! Not `tracing-appender` (0.2.5), for what it does was tried: where it keeps n files, a second process that starts on
//! the same day removes the oldest as if today's were still to come, with n = 1 today's own; it tells age by the
//! file system's time of birth, which a restored backup has new; and where a new day's file cannot be opened it says so
//! on stderr, writes on into the old one and returns no error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::civil::Date;

use super::days::file_path;
use super::retention::Retention;
use crate::StoreError;
use crate::folder::{FILE_MODE, close};

/// The file that lines go to now.
pub struct DayFile {
    folder: PathBuf,
    retention: Retention,
    day: Date,
    file: File,
    /// It may not end with the end of a line.
    torn: bool,
}

impl DayFile {
    pub fn open(folder: &Path, keep_days: u32, today: Date) -> Result<Self, StoreError> {
        let (file, torn) = open_file(folder, today)?;
        let mut retention = Retention::new(keep_days);
        retention.remove_old(folder, today, Instant::now());
        Ok(Self {
            folder: folder.to_owned(),
            retention,
            day: today,
            file,
            torn,
        })
    }

    /// Appends whole lines by one write: between lines of other processes, never inside one.
    pub fn append(&mut self, today: Date, lines: &[u8]) -> Result<(), StoreError> {
        if today != self.day || self.is_gone() {
            (self.file, self.torn) = open_file(&self.folder, today)?;
            self.day = today;
            self.retention
                .remove_old(&self.folder, today, Instant::now());
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
        let path = file_path(&self.folder, self.day);
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

/// The file of that day, and whether it may not end with the end of a line.
fn open_file(folder: &Path, today: Date) -> Result<(File, bool), StoreError> {
    let path = file_path(folder, today);
    let system = |error| StoreError::system(&path, "opened", error);
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        // Lines must not go where somebody else's link leads.
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path);
    let is_link = || fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
    let mut file = match file {
        Err(_) if is_link() => {
            return Err(StoreError::from(format!(
                "{} is a symbolic link, which the audit does not follow; find out who made it, and remove it",
                path.display()
            )));
        }
        file => file.map_err(system)?,
    };
    let metadata = file.metadata().map_err(system)?;
    if !metadata.is_file() {
        return Err(StoreError::from(format!(
            "{} is no plain file; find out who made it, and remove it",
            path.display()
        )));
    }
    close(&path, metadata.mode(), FILE_MODE)?;
    let torn = ends_torn(&mut file).map_err(system)?;
    Ok((file, torn))
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
