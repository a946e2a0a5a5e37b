//! The parts for PostgreSQL: the order of its transactions, and the fate of one whose commit was not acknowledged.
//!
//! One transaction writes at a time, in any process, as in SQLite: each first takes one lock of the database, which
//! ends with it. What it reads before it writes stays true until it is written, so no statement needs another text, or
//! a retry. A transaction's lock also works behind PgBouncer, and before there are tables.

use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use sqlx::{AnyConnection, ConnectOptions, Executor};
use tokio::runtime::Runtime;

use super::place::{DatabaseAddress, StorePlace};
use super::rows::{StoredRow, Transaction, wait_for};
use crate::StoreError;
use crate::clock::SteadyClock;
use crate::folder::LONGEST_WAIT;

/// The interval between attempts to connect.
pub(super) const REST: Duration = Duration::from_millis(250);

/// How long a statement waits for the lock, and how long it may take. An idle holder of the lock, such as a stopped
/// process, loses it after the same time.
pub(super) const LONGEST_LOCK_MS: u128 = 1_500;

/// The oldest supported version, by its number: 13.
const OLDEST: i64 = 130_000;

pub(super) const BEGIN: &str = "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = 1500; \
     SET LOCAL statement_timeout = 1500; SET LOCAL idle_in_transaction_session_timeout = 1500";

/// Everything that it reads is of one moment.
pub(super) const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL statement_timeout = 1500; SET LOCAL idle_in_transaction_session_timeout = 1500";

/// The number of the lock, the same in every program of ours: the first letters of its name.
pub(super) const LOCK: i64 = 0x6869_6768_6c65_7665;

pub(super) fn open(
    runtime: &Runtime,
    place: &StorePlace,
    address: &DatabaseAddress,
) -> Result<AnyConnection, StoreError> {
    let options: sqlx::any::AnyConnectOptions = address
        .url()
        .parse()
        .map_err(|error| place.explain(&error))?;
    let options = options.disable_statement_logging();
    let mut connection =
        wait_for(runtime, place, options.connect()).map_err(|unheard| unheard.error)?;
    let ask = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now,
            CAST(current_setting('server_version_num') AS BIGINT) AS version";
    let asked = Instant::now();
    // In one message, because behind PgBouncer a second one could reach another server.
    let row = connection.fetch_one(sqlx::raw_sql(ask));
    let row = wait_for(runtime, place, row).map_err(|unheard| unheard.error)?;
    let row = StoredRow::from(row);
    if row.integer("version")? < OLDEST {
        return Err(StoreError::from(format!(
            "{} is older than version 13; use a newer server",
            address.shown()
        )));
    }
    follow_clock(row.integer("now")?, asked);
    Ok(connection)
}

/// Waits until nobody else writes. Returns the number of the transaction, by which it can be found later.
pub(super) fn take_turn(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let take = "SELECT txid_current() AS number, CAST(pg_advisory_xact_lock($1) AS TEXT) AS lock";
    let row = transaction.one(sqlx::query(take).bind(LOCK))?;
    row.ok_or_else(StoreError::closed)?.integer("number")
}

/// The fate of a transaction by its number. Fails while it runs.
pub(super) fn is_written(transaction: &mut Transaction, number: i64) -> Result<bool, StoreError> {
    let begun = Instant::now();
    loop {
        let ask = sqlx::query("SELECT txid_status($1) AS fate").bind(number);
        let row = transaction.one(ask)?.ok_or_else(StoreError::closed)?;
        match row.optional_text("fate")?.as_deref() {
            Some("committed") => return Ok(true),
            Some("in progress") if begun.elapsed() >= LONGEST_WAIT => {
                return Err(StoreError::busy(
                    "PostgreSQL has not ended a transaction whose connection broke off",
                ));
            }
            Some("in progress") => thread::sleep(Duration::from_millis(20)),
            // A transaction so old that the server has no record of it was never acknowledged.
            _ => return Ok(false),
        }
    }
}

/// All processes on a database follow its clock: each compares the others' times with its own.
pub(super) fn follow_clock(database_milliseconds: i64, asked: Instant) {
    let there = jiff::Timestamp::from_millisecond(database_milliseconds).unwrap_or_default();
    // The answer is half the round trip old.
    let age = SignedDuration::try_from(asked.elapsed() / 2).unwrap_or_default();
    SteadyClock::follow(there.duration_since(jiff::Timestamp::now()) + age);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_timeout_is_the_longest_wait_for_a_lock() {
        for begin in [BEGIN, BEGIN_TO_READ] {
            assert!(begin.contains(&format!("statement_timeout = {LONGEST_LOCK_MS}")));
        }
        assert_eq!(&LOCK.to_be_bytes(), b"highleve");
    }
}
