//! Reads the audit: beginnings and ends joined into one record a call.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;

use jiff::{Timestamp, ToSpan};
use serde::{Serialize, Serializer};

use super::days;
use super::line::{AuditEnd, AuditLine, AuditedCall, milliseconds};
use crate::StoreError;

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditRecord {
    pub state: RecordState,
    #[serde(flatten)]
    pub call: AuditedCall,
    #[serde(
        serialize_with = "some_milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// Under way, or its process died: the outcome is unknown.
    Begun,
    Done,
    Refused,
}

/// Which records; everything is in that is not left out. A text that ends with `*` stands for all that begin so.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub tool: Option<String>,
    /// Id or alias.
    pub location: Option<String>,
    pub who: Option<String>,
    /// Of a refusal its class.
    pub outcome: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub state: Option<RecordState>,
    /// Only so many, the last.
    pub last: Option<usize>,
}

#[derive(Debug, Default)]
pub struct AuditRecords {
    /// In the order in which they began.
    pub records: Vec<AuditRecord>,
    /// Lines that are none, as `file:line`: half written where a process or the machine died.
    pub unreadable: Vec<String>,
}

/// How far a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FilePosition {
    bytes: u64,
    lines: u64,
}

/// What the files in `folder` hold of it.
pub fn records(folder: &Path, query: &AuditQuery) -> Result<AuditRecords, StoreError> {
    let mut found = AuditRecords::default();
    let mut ends = HashMap::new();
    // From the newest day back: who asks for the last ten reads one file.
    for day in days::days_with_files(folder)?.into_iter().rev() {
        if !query.reaches(day) {
            continue;
        }
        let lines = read(
            &days::file_path(folder, day),
            &mut FilePosition::default(),
            true,
        )?;
        found.unreadable.extend(lines.unreadable);
        let records = joined(lines.lines, &mut ends).into_iter().rev();
        found
            .records
            .extend(records.filter(|record| query.fits(record)));
        if query.last.is_some_and(|last| found.records.len() >= last) {
            break;
        }
    }
    found.records.truncate(query.last.unwrap_or(usize::MAX));
    found.records.reverse();
    Ok(found)
}

/// Lines of a file in their order.
#[derive(Default)]
pub struct Lines {
    pub lines: Vec<AuditLine>,
    pub unreadable: Vec<String>,
}

/// The lines from `place` on, which moves behind them. A last line without an end is one that is just being written;
/// `all` says that nobody waits for the rest of it.
pub fn read(path: &Path, place: &mut FilePosition, all: bool) -> Result<Lines, StoreError> {
    let mut lines = Lines::default();
    match read_on(path, place, all, &mut lines) {
        // Too old, and removed since the folder was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(lines),
        Err(error) => Err(StoreError::system(path, "read", error)),
        Ok(()) => Ok(lines),
    }
}

fn read_on(path: &Path, place: &mut FilePosition, all: bool, lines: &mut Lines) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place.bytes))?;
    let mut file = BufReader::new(file);
    let mut text = Vec::new();
    loop {
        text.clear();
        let count = file.read_until(b'\n', &mut text)?;
        let whole = text.pop_if(|last| *last == b'\n').is_some();
        if count == 0 || !(whole || all) {
            return Ok(());
        }
        place.bytes += u64::try_from(count).unwrap_or_default();
        place.lines += 1;
        // An empty line ends one that broke off.
        if text.is_empty() {
            continue;
        }
        let (line, lost) = AuditLine::parse(&text);
        lines.lines.extend(line);
        if lost {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            lines.unreadable.push(format!("{name}:{}", place.lines));
        }
    }
}

/// The calls of these lines with their ends, which may stand in lines that were read before. `ends` keeps those
/// without a beginning.
pub fn joined(lines: Vec<AuditLine>, ends: &mut HashMap<String, AuditEnd>) -> Vec<AuditRecord> {
    let mut calls = Vec::new();
    for line in lines {
        match line {
            AuditLine::Done(end) => drop(ends.insert(end.id.clone(), end)),
            AuditLine::Begun(call) => calls.push((RecordState::Begun, call)),
            AuditLine::Refused(call) => calls.push((RecordState::Refused, call)),
        }
    }
    let record = |(state, call): (RecordState, AuditedCall)| {
        let end = ends.remove(&call.id);
        AuditRecord::new(state, call, end)
    };
    calls.into_iter().map(record).collect()
}

impl AuditRecord {
    pub fn new(state: RecordState, call: AuditedCall, end: Option<AuditEnd>) -> Self {
        let without_end = Self {
            state,
            call,
            ended: None,
            outcome: None,
            status: None,
            trace_id: None,
        };
        match end {
            None => without_end,
            Some(end) => Self {
                state: RecordState::Done,
                ended: Some(end.time),
                outcome: Some(end.outcome),
                status: end.status,
                trace_id: end.trace_id,
                ..without_end
            },
        }
    }
}

impl AuditQuery {
    pub fn fits(&self, record: &AuditRecord) -> bool {
        let is = |asked: &Option<String>, held: &[Option<&str>]| {
            asked.as_ref().is_none_or(|asked| {
                let mut held = held.iter().flatten();
                match asked.strip_suffix('*') {
                    Some(start) => held.any(|held| held.starts_with(start)),
                    None => held.any(|held| held == asked),
                }
            })
        };
        let AuditRecord { state, call, .. } = record;
        let outcome = record.outcome.as_deref();
        is(&self.tool, &[Some(&call.tool)])
            && is(
                &self.location,
                &[call.location.as_deref(), call.alias.as_deref()],
            )
            && is(&self.who, &[Some(&call.who)])
            && is(&self.outcome, &[outcome, call.class.as_deref()])
            && self.since.is_none_or(|since| call.time >= since)
            && self.until.is_none_or(|until| call.time <= until)
            && self.state.is_none_or(|asked| asked == *state)
    }

    /// Whether the file of that day may hold of it; a call may end the day after it began.
    fn reaches(&self, day: jiff::civil::Date) -> bool {
        let after = |until| {
            let last = days::day_at(until);
            last.checked_add(1.day()).unwrap_or(last)
        };
        self.since.is_none_or(|since| day >= days::day_at(since))
            && self.until.is_none_or(|until| day <= after(until))
    }
}

fn some_milliseconds<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
