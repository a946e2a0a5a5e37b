//! Writes and removes rows of usage.

use jiff::civil::Date;

use super::number_of_date;
use super::part::{TallyRow, UsagePart};
use crate::store::Transaction;
use crate::{StoreError, now};

/// Rows in one statement.
const TOGETHER: usize = 100;

/// Rows that are removed at once: other work waits meanwhile.
const AT_ONCE: i64 = 5_000;

/// How long a process's last written part is remembered, in milliseconds: as long as it may still ask.
const WRITER_KEPT: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Adds the part unless it was added already. Returns whether it was added now.
pub(super) fn add(
    transaction: &mut Transaction,
    writer: &[u8],
    part: &UsagePart,
) -> Result<bool, StoreError> {
    let note = "INSERT INTO usage_writer (id, part, at) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET part = $2, at = $3 WHERE usage_writer.part < $2";
    let note = sqlx::query(note)
        .bind(writer.to_vec())
        .bind(part.number)
        .bind(now().as_millisecond());
    if transaction.run(note)? == 0 {
        return Ok(false);
    }
    for rows in part.rows.chunks(TOGETHER) {
        add_together(transaction, rows)?;
    }
    Ok(true)
}

fn add_together(transaction: &mut Transaction, rows: &[TallyRow]) -> Result<(), StoreError> {
    let values: Vec<String> = (0..rows.len())
        .map(|row| {
            let parameters: Vec<String> =
                (1..=7).map(|one| format!("${}", row * 7 + one)).collect();
            format!("({})", parameters.join(", "))
        })
        .collect();
    let add = format!(
        "INSERT INTO usage (day, principal, location, effect, calls, failed, requests) VALUES {}
        ON CONFLICT (day, principal, location, effect) DO UPDATE SET calls = usage.calls + excluded.calls,
            failed = usage.failed + excluded.failed, requests = usage.requests + excluded.requests",
        values.join(", ")
    );
    let mut add = sqlx::query(sqlx::AssertSqlSafe(add));
    for row in rows {
        add = add
            .bind(row.day)
            .bind(row.principal())
            .bind(row.location.to_string())
            .bind(row.effect)
            .bind(row.counts.calls)
            .bind(row.counts.failed)
            .bind(row.counts.requests);
    }
    transaction.run(add).map(drop)
}

/// Removes days before the last `days`, as many rows as may go at once, and processes that are long gone. For 0 days
/// everything is removed.
pub(crate) fn sweep(
    transaction: &mut Transaction,
    today: Date,
    days: u32,
) -> Result<(), StoreError> {
    let first = number_of_date(today) + 1 - i64::from(days);
    let old = "DELETE FROM usage WHERE (day, principal, location, effect) IN
        (SELECT day, principal, location, effect FROM usage WHERE day < $1 ORDER BY day LIMIT $2)";
    let old = sqlx::query(old).bind(first).bind(AT_ONCE);
    transaction.run(old)?;
    let gone = sqlx::query("DELETE FROM usage_writer WHERE at < $1");
    let before = now().as_millisecond() - WRITER_KEPT;
    transaction.run(gone.bind(before)).map(drop)
}
