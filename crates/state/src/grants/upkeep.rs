//! Deletes codes, tokens and grants whose time is over.

use super::now;
use crate::StoreError;
use crate::store::Transaction;

/// Rows that are removed at once.
const AT_ONCE: i64 = 500;

/// Grants that are removed at once, each with its tokens.
const GRANTS_AT_ONCE: i64 = 50;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// How long people see that a grant has ended, and why.
pub(super) const ENDED_KEPT: i64 = 30 * DAY;

/// How long a used code is remembered, in case it is shown again.
const CODE_KEPT: i64 = DAY;

/// In batches, because other work waits meanwhile.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let now = now();
    for (forget, before) in [
        (
            "DELETE FROM code WHERE hash IN (SELECT hash FROM code WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now - CODE_KEPT,
        ),
        (
            "DELETE FROM access WHERE hash IN
                (SELECT hash FROM access WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now,
        ),
        (
            "UPDATE oauth_grant SET ended_at = $1, ended_why = 'expired' WHERE id IN (SELECT id FROM oauth_grant
                WHERE ended_at IS NULL AND (idle_until <= $1 OR hard_until <= $1) LIMIT $2)",
            now,
        ),
    ] {
        transaction.run(sqlx::query(forget).bind(before).bind(AT_ONCE))?;
    }
    forget_ended(transaction, now - ENDED_KEPT)
}

fn forget_ended(transaction: &mut Transaction, before: i64) -> Result<(), StoreError> {
    let over = "SELECT id FROM oauth_grant WHERE ended_at <= $1 ORDER BY ended_at LIMIT $2";
    let over = sqlx::query(over).bind(before).bind(GRANTS_AT_ONCE);
    for grant in &transaction.all(over)? {
        let id = grant.text("id")?;
        for forget in [
            "DELETE FROM code WHERE grant_id = $1",
            "DELETE FROM access WHERE grant_id = $1",
            "DELETE FROM retired WHERE grant_id = $1",
            "DELETE FROM grant_location WHERE grant_id = $1",
            "DELETE FROM oauth_grant WHERE id = $1",
        ] {
            transaction.run(sqlx::query(forget).bind(id.clone()))?;
        }
    }
    Ok(())
}
