//! Reads the audit: beginnings and ends joined into one record a call.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::line::{AuditEnd, AuditLine, AuditedCall, milliseconds};
use crate::StoreError;
use crate::store::{Statement, Store, Transaction};

/// Lines that are read at once.
const AT_ONCE: i64 = 5_000;

/// Longest time between lines that came in the other order, and between a call and its end.
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
    /// As the audit has it, or the id alone of a key, connection, person or client.
    pub who: Option<String>,
    /// As OAuth knows it, or as it calls itself.
    pub client: Option<String>,
    pub effect: Option<String>,
    /// Only what ended otherwise than well.
    pub has_failed: bool,
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
    /// Lines that are none, by number.
    pub unreadable: Vec<i64>,
}

/// Lines of the store in their order, each with its number; one that is none is empty.
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

    /// When the latest of them was written.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        let times = self.0.iter().filter_map(|(_, line)| line.as_ref());
        times.map(AuditLine::time).max()
    }
}

pub(super) fn unreadable(lines: &Lines) -> impl Iterator<Item = i64> {
    let none = lines.0.iter().filter(|(_, line)| line.is_none());
    none.map(|(id, _)| *id)
}

/// What the store holds of it; blocks.
pub fn records(store: &Store, query: &AuditQuery) -> Result<AuditRecords, StoreError> {
    let mut found = AuditRecords::default();
    let mut ends = HashMap::new();
    let mut before = i64::MAX;
    // From the newest line back: who asks for the last ten reads few.
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

/// Every line as it was written, oldest first, in parts; blocks. `since` and `until` are times of lines.
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

/// The calls of these lines with their ends, which may stand in lines that were read before. `ends` keeps those
/// without a beginning.
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

    /// Whether lines up to that time are all before what is asked for.
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
