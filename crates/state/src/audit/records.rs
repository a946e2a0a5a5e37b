//! Reads the audit: joins beginnings and ends into one record per call.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::line::{AuditEnd, AuditLine, AuditedCall, milliseconds};
use crate::StoreError;
use crate::store::{Statement, Store, Transaction};

/// Lines that are read at once.
const AT_ONCE: i64 = 5_000;

/// Longest time between lines in reverse order, and between a call and its end.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

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
    /// Running, or its process died: the outcome is unknown.
    Begun,
    Done,
    Refused,
}

/// The wanted records; absent conditions match all. A text that ends with `*` matches all texts with that beginning.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub tool: Option<String>,
    /// Id or alias.
    pub location: Option<String>,
    /// The audit's name, or just the id of a key, connection, person or client.
    pub who: Option<String>,
    /// Its id in OAuth, or its own name.
    pub client: Option<String>,
    pub effect: Option<String>,
    /// Only calls that did not end well.
    pub has_failed: bool,
    /// For a refusal, its class.
    pub outcome: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub state: Option<RecordState>,
    /// Only the last ones, this many.
    pub last: Option<usize>,
}

#[derive(Debug, Default)]
pub struct AuditRecords {
    /// In the order of their beginnings.
    pub records: Vec<AuditRecord>,
    /// Numbers of lines that cannot be parsed.
    pub unreadable: Vec<i64>,
}

/// Lines of the store in order, each with its number. An invalid one is empty.
#[derive(Default)]
pub(super) struct Lines(Vec<(i64, Option<AuditLine>)>);

impl Lines {
    pub(super) fn read(
        transaction: &mut Transaction,
        statement: Statement,
    ) -> Result<Self, StoreError> {
        let rows = transaction.all(statement)?;
        let lines = rows.iter().map(|row| {
            let line = AuditLine::parse(&row.text("line")?);
            Ok((row.integer("id")?, line))
        });
        lines.collect::<Result<_, StoreError>>().map(Self)
    }

    pub(super) fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (i64, Option<AuditLine>)> {
        self.0.into_iter()
    }

    pub(super) fn last_id(&self) -> Option<i64> {
        self.0.last().map(|(id, _)| *id)
    }

    /// The time of the latest line.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        let times = self.0.iter().filter_map(|(_, line)| line.as_ref());
        times.map(AuditLine::time).max()
    }
}

pub(super) fn unreadable(lines: &Lines) -> impl Iterator<Item = i64> {
    let none = lines.0.iter().filter(|(_, line)| line.is_none());
    none.map(|(id, _)| *id)
}

/// The matching records of the store. Blocks.
pub fn records(store: &Store, query: &AuditQuery) -> Result<AuditRecords, StoreError> {
    let mut found = AuditRecords::default();
    let mut ends = HashMap::new();
    let mut before = i64::MAX;
    // From the newest line back, so that a query for the last ten reads few lines.
    loop {
        let lines = store.read(move |transaction| {
            let page = "SELECT id, line FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
            Lines::read(transaction, sqlx::query(page).bind(before).bind(AT_ONCE))
        });
        let lines = lines.wait()?;
        let Some(last) = lines.last_id() else {
            break;
        };
        before = last;
        let is_over = query.is_before(lines.latest());
        found.unreadable.extend(unreadable(&lines));
        let records = joined(lines.reversed(), &mut ends).into_iter().rev();
        found
            .records
            .extend(records.filter(|record| query.fits(record)));
        let is_enough = query.last.is_some_and(|last| found.records.len() >= last);
        if is_over || is_enough {
            break;
        }
    }
    found.records.truncate(query.last.unwrap_or(usize::MAX));
    found.records.reverse();
    Ok(found)
}

/// Every line as written, oldest first, in parts. Blocks. `since` and `until` are times of lines.
pub fn lines(
    store: &Store,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    mut part: impl FnMut(Vec<String>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
    let until = until.map_or(i64::MAX, Timestamp::as_millisecond);
    let mut after = i64::MIN;
    loop {
        let page = store.read(move |transaction| {
            let page = "SELECT id, line FROM audit WHERE id > $1 AND at >= $2 AND at <= $3 ORDER BY id LIMIT $4";
            let page = sqlx::query(page).bind(after).bind(since).bind(until);
            let rows = transaction.all(page.bind(AT_ONCE))?;
            let last = rows.last().map(|row| row.integer("id")).transpose()?;
            let texts = rows.iter().map(|row| row.text("line"));
            Ok((last, texts.collect::<Result<Vec<_>, _>>()?))
        });
        let (last, texts) = page.wait()?;
        let Some(last) = last else {
            return Ok(());
        };
        after = last;
        part(texts)?;
    }
}

/// The calls of these lines with their ends, which may be in lines read earlier. `ends` keeps those without a
/// beginning.
pub(super) fn joined(lines: Lines, ends: &mut HashMap<String, AuditEnd>) -> Vec<AuditRecord> {
    let mut calls = Vec::new();
    for line in lines.0.into_iter().filter_map(|(_, line)| line) {
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
            && is(
                &self.who,
                &[
                    Some(&call.who),
                    call.who.split_once(':').map(|(_, id)| id),
                    call.person.as_deref(),
                    call.client_id.as_deref(),
                    call.key.as_deref(),
                ],
            )
            && is(
                &self.client,
                &[call.client_id.as_deref(), call.client.as_deref()],
            )
            && is(&self.effect, &[Some(&call.effect)])
            && (!self.has_failed || outcome.is_some_and(|outcome| outcome != "ok"))
            && is(&self.outcome, &[outcome, call.class.as_deref()])
            && self.since.is_none_or(|since| call.time >= since)
            && self.until.is_none_or(|until| call.time <= until)
            && self.state.is_none_or(|asked| asked == *state)
    }

    /// Whether all lines up to that time are before the wanted ones.
    pub(super) fn is_before(&self, latest: Option<Timestamp>) -> bool {
        let since = self.since.and_then(|since| since.checked_sub(SLACK).ok());
        since
            .zip(latest)
            .is_some_and(|(since, latest)| latest < since)
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
