//! The audit in parts, from the newest call back: for pages, which show few calls and may read only part of it.

use std::collections::HashMap;

use jiff::Timestamp;

use super::line::{AuditEnd, AuditLine};
use super::records::{AuditQuery, AuditRecord, Lines, RecordState};
use crate::StoreError;
use crate::store::{Store, Transaction};

/// Lines that are read at once.
const AT_ONCE: i64 = 5_000;

/// Most lines that are searched for one part.
const MOST_READ: i64 = 50_000;

/// Longest distance in lines between a call and its end, if the end is searched separately.
const FURTHEST_END: i64 = 200_000;

/// Some calls, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditPart {
    /// With the number of each call's first line.
    pub calls: Vec<(i64, AuditRecord)>,
    /// The start of the next part; `None`: there is nothing earlier.
    pub before: Option<i64>,
}

/// The calls that a person who does not run the server may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReader {
    /// The id of the person: calls of that person's connections.
    pub person: String,
    /// Aliases of locations that the person connected, with the time: an alias may have belonged to another before.
    pub locations: Vec<(String, Timestamp)>,
}

impl AuditReader {
    fn may_see(&self, record: &AuditRecord) -> bool {
        let call = &record.call;
        if call.person.as_deref() == Some(self.person.as_str()) {
            return true;
        }
        let mut own = self.locations.iter();
        own.any(|(alias, since)| call.alias.as_ref() == Some(alias) && call.time >= *since)
    }
}

/// At most `most` calls that match and that `reader` may see, and that began before the line of that number. If few
/// match, a part has fewer, or none, and the next one continues. `reader`: `None` for operators.
pub async fn part(
    store: &Store,
    query: &AuditQuery,
    reader: Option<&AuditReader>,
    before: Option<i64>,
    most: usize,
) -> Result<AuditPart, StoreError> {
    let mut part = AuditPart {
        before,
        ..AuditPart::default()
    };
    let mut ends = ends_after(store, before).await?;
    for _ in 0..MOST_READ / AT_ONCE {
        let from = part.before.unwrap_or(i64::MAX);
        let lines = store.read(move |transaction| {
            let page = "SELECT id, line FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
            Lines::read(transaction, sqlx::query(page).bind(from).bind(AT_ONCE))
        });
        let lines = lines.await?;
        let Some(last) = lines.last_id() else {
            part.before = None;
            break;
        };
        let is_over = query.is_before(lines.latest());
        for (id, line) in lines.into_iter() {
            part.before = Some(id);
            let Some(record) = line.and_then(|line| join(line, &mut ends)) else {
                continue;
            };
            if query.fits(&record) && reader.is_none_or(|reader| reader.may_see(&record)) {
                part.calls.push((id, record));
            }
            if part.calls.len() >= most {
                break;
            }
        }
        if part.calls.len() >= most {
            // If this was the very first line, the next part is empty and ends the list.
            break;
        }
        if is_over {
            part.before = None;
            break;
        }
        part.before = Some(last);
    }
    Ok(part)
}

/// The call whose first line has this number, if `reader` may see it.
pub async fn call(
    store: &Store,
    id: i64,
    reader: Option<&AuditReader>,
) -> Result<Option<AuditRecord>, StoreError> {
    let found = store.read(move |transaction| find(transaction, id)).await?;
    Ok(found.filter(|record| reader.is_none_or(|reader| reader.may_see(record))))
}

fn find(transaction: &mut Transaction, id: i64) -> Result<Option<AuditRecord>, StoreError> {
    let own = sqlx::query("SELECT id, line FROM audit WHERE id = $1").bind(id);
    let mut lines = Lines::read(transaction, own)?.into_iter();
    let Some((_, Some(line))) = lines.next() else {
        return Ok(None);
    };
    let mut ends = HashMap::new();
    if let AuditLine::Begun(call) = &line {
        // The beginning of such lines.
        let start = format!("{{\"state\":\"done\",\"id\":\"{}\"%", call.id);
        let end = "SELECT id, line FROM audit WHERE id > $1 AND id <= $2 AND line LIKE $3 ORDER BY id LIMIT 1";
        let end = sqlx::query(end).bind(id).bind(id + FURTHEST_END);
        for (_, line) in Lines::read(transaction, end.bind(start))?.into_iter() {
            if let Some(AuditLine::Done(end)) = line {
                ends.insert(end.id.clone(), end);
            }
        }
    }
    Ok(join(line, &mut ends))
}

/// Ends of calls that began before that line, by call id.
async fn ends_after(
    store: &Store,
    before: Option<i64>,
) -> Result<HashMap<String, AuditEnd>, StoreError> {
    let Some(from) = before else {
        return Ok(HashMap::new());
    };
    let lines = store.read(move |transaction| {
        let next = "SELECT id, line FROM audit WHERE id >= $1 ORDER BY id LIMIT $2";
        Lines::read(transaction, sqlx::query(next).bind(from).bind(AT_ONCE))
    });
    let ends = lines.await?.into_iter().filter_map(|(_, line)| match line {
        Some(AuditLine::Done(end)) => Some((end.id.clone(), end)),
        _ => None,
    });
    Ok(ends.collect())
}

/// The call that begins with this line; an end is kept for it.
fn join(line: AuditLine, ends: &mut HashMap<String, AuditEnd>) -> Option<AuditRecord> {
    let (state, call) = match line {
        AuditLine::Done(end) => {
            ends.insert(end.id.clone(), end);
            return None;
        }
        AuditLine::Begun(call) => (RecordState::Begun, call),
        AuditLine::Refused(call) => (RecordState::Refused, call),
    };
    let end = ends.remove(&call.id);
    Some(AuditRecord::new(state, call, end))
}
