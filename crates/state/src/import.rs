//! Takes over the files of versions before the store: once, in the transaction that creates the tables.
//!
//! The files get names that end with `.imported`. `keys.json` and `pause.json` stay as markers that such a version
//! cannot parse: it then refuses every key, and everything but reads. If files of the old names are there again, an
//! older program was started on the folder, and this one does not start.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::approvals::Approval;
use crate::audit::AuditLine;
use crate::folder::StateFolder;
use crate::keys::KeyRecord;
use crate::pause::Pause;
use crate::store::{KeyRing, SECRET_BYTES, Transaction, meta, put_meta, put_secret};

const KEYS: &str = "keys.json";
const PAUSES: &str = "pause.json";
const IDENTITY: &str = "identity.key";
const APPROVALS: &str = "approvals";
const SEEN: &str = "audit.seen";

/// Lines of the audit per statement.
const AT_ONCE: usize = 500;

/// The content of a marker; no version that reads these files accepts it.
const MARKER: &str = "{\"moved_to\": \"the store beside this file; a later version of highlevel-mcp has taken it over\"}\n";

/// The files that were taken over, each with its stamp: if a process died before renaming them, the next one does.
const IMPORTED: &str = "imported";

/// Files that were taken over and must still be renamed.
pub(crate) struct OldFiles {
    files: BTreeMap<String, String>,
    sentence: Option<String>,
}

/// A field that this version does not know may be a restriction, so the file is refused, not half understood.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<KeyRecord>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseFile {
    pauses: Vec<Pause>,
}

#[derive(Default)]
struct ImportCounts {
    keys: usize,
    pauses: usize,
    approvals: usize,
    lines: usize,
}

/// `None` if there is nothing to take over or rename.
pub(crate) fn take_over(
    transaction: &mut Transaction,
    folder: &StateFolder,
    ring: &KeyRing,
) -> Result<Option<OldFiles>, StoreError> {
    let files = old_files(folder)?;
    let before = meta(transaction, IMPORTED)?;
    let before: Option<BTreeMap<String, String>> =
        before.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(before) = before {
        let newer = files
            .iter()
            .find(|(name, stamp)| before.get(*name) != Some(stamp));
        if let Some((name, _)) = newer {
            return Err(StoreError::from(format!(
                "{} was written by an older version of this program, after a later one had taken the folder over; stop \
                 the older one, then remove that file, or start with another state.folder",
                folder.file(name).display()
            )));
        }
        // A process may have died before it had renamed everything, or had written both markers.
        let is_marked = [KEYS, PAUSES].iter().all(|name| folder.file(name).exists());
        let is_finished = files.is_empty() && (before.is_empty() || is_marked);
        let sentence = None;
        return Ok((!is_finished).then_some(OldFiles { files, sentence }));
    }
    if files.is_empty() {
        put_meta(transaction, IMPORTED, "{}")?;
        return Ok(None);
    }
    refuse_used(folder, &files)?;
    let mut counts = ImportCounts::default();
    for name in files.keys() {
        take(transaction, folder, ring, name, &mut counts)?;
    }
    transaction.revise()?;
    let stamps = serde_json::to_string(&files)
        .map_err(|error| StoreError::from(format!("names of files are no JSON: {error}")))?;
    put_meta(transaction, IMPORTED, &stamps)?;
    let sentence = format!(
        "{} keys, {} pauses, {} approvals and {} lines of the audit were taken over from files of an earlier version; \
         those have names that end with .imported now",
        counts.keys, counts.pauses, counts.approvals, counts.lines
    );
    Ok(Some(OldFiles {
        files,
        sentence: Some(sentence),
    }))
}

impl OldFiles {
    /// Renames the files once the rows are on the disk. Returns a sentence if files were taken over now.
    pub(crate) fn finish(self, folder: &StateFolder) -> Result<Option<String>, StoreError> {
        for name in self.files.keys() {
            let path = folder.file(name);
            let renamed = folder.file(&format!("{name}.imported"));
            match fs::rename(&path, &renamed) {
                // Another process did it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                renamed => {
                    renamed.map_err(|error| StoreError::system(&path, "renamed", error))?;
                }
            }
        }
        folder.replace(KEYS, MARKER.as_bytes())?;
        folder.replace(PAUSES, MARKER.as_bytes())?;
        Ok(self.sentence)
    }
}

fn take(
    transaction: &mut Transaction,
    folder: &StateFolder,
    ring: &KeyRing,
    name: &str,
    counts: &mut ImportCounts,
) -> Result<(), StoreError> {
    let path = folder.file(name);
    match name {
        KEYS => {
            for key in parsed::<KeyFile>(&path)?.keys {
                key.insert(transaction)?;
                counts.keys += 1;
            }
        }
        PAUSES => {
            for pause in parsed::<PauseFile>(&path)?.pauses {
                pause.put(transaction)?;
                counts.pauses += 1;
            }
        }
        IDENTITY => {
            let key = fs::read(&path).map_err(|error| StoreError::system(&path, "read", error))?;
            if key.len() != SECRET_BYTES {
                return Err(StoreError::from(format!(
                    "{} has {} bytes, but a key has {}: restore it from a backup, or remove it, after which the audit \
                     names credentials anew",
                    path.display(),
                    key.len(),
                    SECRET_BYTES
                )));
            }
            put_secret(transaction, ring, "identity", &key)?;
        }
        SEEN => {
            let day = fs::read_to_string(&path).unwrap_or_default();
            put_meta(transaction, "audit_seen", day.trim())?;
        }
        APPROVALS => {
            for file in approvals(&path)? {
                let approval: Approval = parsed(&file)?;
                let outcome = approval.outcome.clone();
                approval.insert(transaction, None)?;
                if let Some(outcome) = outcome {
                    approval.put_outcome(transaction, ring, &outcome)?;
                }
                counts.approvals += 1;
            }
        }
        _ => {
            let file =
                fs::File::open(&path).map_err(|error| StoreError::system(&path, "read", error))?;
            let mut part = Vec::with_capacity(AT_ONCE);
            for line in BufReader::new(file).split(b'\n') {
                let line = line.map_err(|error| StoreError::system(&path, "read", error))?;
                // A process died and left half a line.
                part.extend(AuditLine::parse(&String::from_utf8_lossy(&line)));
                if part.len() == AT_ONCE {
                    counts.lines += part.len();
                    AuditLine::write_all(&part, transaction)?;
                    part.clear();
                }
            }
            counts.lines += part.len();
            AuditLine::write_all(&part, transaction)?;
        }
    }
    Ok(())
}

/// Whether a version before the store left files there.
pub(crate) fn has_old_files(folder: &Path) -> bool {
    [KEYS, PAUSES, IDENTITY]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// By name, each with a stamp that distinguishes it from a later file of that name.
fn old_files(folder: &StateFolder) -> Result<BTreeMap<String, String>, StoreError> {
    let path = folder.path();
    let system = |error| StoreError::system(path, "read", error);
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(system)? {
        let entry = entry.map_err(system)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_day = name
            .strip_prefix("audit.")
            .and_then(|rest| rest.strip_suffix(".jsonl"));
        let is_day = is_day.is_some_and(|day| day.parse::<jiff::civil::Date>().is_ok());
        let is_ours = is_day || [KEYS, PAUSES, IDENTITY, SEEN].contains(&name.as_str());
        let has_approvals = || approvals(&entry.path()).is_ok_and(|files| !files.is_empty());
        if !(is_ours || name == APPROVALS && has_approvals()) {
            continue;
        }
        if fs::read_to_string(entry.path()).is_ok_and(|text| text == MARKER) {
            continue;
        }
        let metadata = entry.metadata().map_err(system)?;
        let stamp = format!("{}:{}:{}", metadata.ino(), metadata.len(), metadata.mtime());
        files.insert(name, stamp);
    }
    Ok(files)
}

fn approvals(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let system = |error| StoreError::system(folder, "read", error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(system)? {
        let path = entry.map_err(system)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let text = fs::read(path).map_err(|error| StoreError::system(path, "read", error))?;
    serde_json::from_slice(&text).map_err(|error| {
        StoreError::from(format!(
            "{} is broken: {error}; correct or remove it, and start again. Nothing was taken over yet",
            path.display()
        ))
    })
}

/// A running older program has the day's audit file open; Linux shows which.
fn refuse_used(folder: &StateFolder, files: &BTreeMap<String, String>) -> Result<(), StoreError> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Ok(());
    };
    let days: Vec<PathBuf> = files
        .keys()
        .filter(|name| name.starts_with("audit."))
        .filter_map(|name| fs::canonicalize(folder.file(name)).ok())
        .collect();
    for process in processes.flatten() {
        // By its number: `self` is another name of this process.
        if process
            .file_name()
            .to_string_lossy()
            .parse::<u32>()
            .is_err()
        {
            continue;
        }
        let Ok(open) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut targets = open
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        if let Some(path) = targets.find(|target| days.contains(target)) {
            return Err(StoreError::from(format!(
                "{} is in use by an older version of this program, process {}; stop it, and start again",
                path.display(),
                process.file_name().to_string_lossy()
            )));
        }
    }
    Ok(())
}
