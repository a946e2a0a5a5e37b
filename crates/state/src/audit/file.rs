//! A file of JSON lines beside the rows, for programs that collect logs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::folder::FILE_MODE;

/// Appends to a file by name: if somebody moved it away, a new one is created. Lines that cannot be written there are
/// still in the store.
pub(crate) struct AuditFile {
    path: PathBuf,
    file: Option<File>,
    is_failing: bool,
}

impl AuditFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            is_failing: false,
        }
    }

    /// Whole lines in one write: between lines of other processes, never inside one.
    pub(crate) fn append(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut text = lines.join("\n");
        text.push('\n');
        match self.write(text.as_bytes()) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                self.file = None;
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = self.path.display();
                    tracing::error!(%error, %path, "audit.file cannot be written; the store has the lines all the same");
                }
            }
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let is_there = self.file.as_ref().is_some_and(|file| {
            let held = file.metadata().map(|metadata| metadata.ino());
            let named = std::fs::metadata(&self.path).map(|metadata| metadata.ino());
            matches!((held, named), (Ok(held), Ok(named)) if held == named)
        });
        if !is_there {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(FILE_MODE)
                .open(&self.path)?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(text),
            None => Ok(()),
        }
    }
}
