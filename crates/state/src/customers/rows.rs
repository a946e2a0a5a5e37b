//! Rows of customers' links.

use jiff::{SignedDuration, Timestamp};

use super::ConnectLink;
use crate::events::{self, EventKind, NewEvent};
use crate::keys;
use crate::store::{StoredRow, Transaction};
use crate::{StoreError, now, time};

/// How long a link that is over is still listed.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Rows that are deleted at once: other work waits meanwhile.
const AT_ONCE: i64 = 500;

/// A key that may make links, of the builder `customer.builder`. Without one, nobody connects anything.
const BUILDER: &str = "SELECT 1 FROM access_key WHERE access_key.name = customer.builder AND access_key.ended_at IS NULL
    AND access_key.return_urls IS NOT NULL AND (access_key.expires_at IS NULL OR access_key.expires_at > $2)";

/// The link of this hash, if somebody may still connect by it.
pub(super) fn find_good(
    transaction: &mut Transaction,
    hash: &[u8],
) -> Result<Option<ConnectLink>, StoreError> {
    let find = format!(
        "SELECT * FROM customer WHERE hash = $1 AND expires_at > $2 AND ended_at IS NULL AND location IS NULL
            AND EXISTS ({BUILDER})"
    );
    let find = sqlx::query(sqlx::AssertSqlSafe(find))
        .bind(hash.to_vec())
        .bind(now().as_millisecond());
    one(transaction.one(find)?)
}

pub(super) fn find_by_code(
    transaction: &mut Transaction,
    hash: &[u8],
) -> Result<Option<ConnectLink>, StoreError> {
    let find = sqlx::query("SELECT * FROM customer WHERE code = $1 AND code_until > $2");
    let find = find.bind(hash.to_vec()).bind(now().as_millisecond());
    one(transaction.one(find)?)
}

pub(super) fn find(
    transaction: &mut Transaction,
    id: &str,
) -> Result<Option<ConnectLink>, StoreError> {
    let find = sqlx::query("SELECT * FROM customer WHERE link = $1").bind(id.to_owned());
    one(transaction.one(find)?)
}

/// Newest first.
pub(super) fn list(
    transaction: &mut Transaction,
    builder: &str,
    reference: Option<&str>,
    most: usize,
) -> Result<Vec<ConnectLink>, StoreError> {
    let list = "SELECT * FROM customer WHERE builder = $1 AND reference = COALESCE($2, reference)
        ORDER BY created_at DESC, link LIMIT $3";
    let list = sqlx::query(list)
        .bind(builder.to_owned())
        .bind(reference.map(str::to_owned))
        .bind(i64::try_from(most).unwrap_or(i64::MAX));
    let rows = transaction.all(list)?;
    rows.iter().map(ConnectLink::from_row).collect()
}

pub(super) fn count_open(transaction: &mut Transaction, builder: &str) -> Result<i64, StoreError> {
    let count = "SELECT COUNT(*) AS n FROM customer
        WHERE builder = $1 AND expires_at > $2 AND ended_at IS NULL AND location IS NULL";
    let count = sqlx::query(count)
        .bind(builder.to_owned())
        .bind(now().as_millisecond());
    let row = transaction.one(count)?;
    row.map_or(Ok(0), |row| row.integer("n"))
}

/// Whether a valid link brought this location.
pub(super) fn is_used(transaction: &mut Transaction, location: &str) -> Result<bool, StoreError> {
    let find = sqlx::query("SELECT link FROM customer WHERE location = $1 AND ended_at IS NULL");
    let found = transaction.one(find.bind(location.to_owned()))?;
    Ok(found.is_some())
}

/// Whether such a link has brought it first: then it ends with the last of them.
pub(super) fn is_owned(transaction: &mut Transaction, location: &str) -> Result<bool, StoreError> {
    let find =
        "SELECT link FROM customer WHERE location = $1 AND owns_location = 1 AND ended_at IS NULL";
    let found = transaction.one(sqlx::query(find).bind(location.to_owned()))?;
    Ok(found.is_some())
}

/// Forgets links that are long over. Those of connected customers stay, and those of customers who have left as long as their
/// usage is kept, which is told by their reference: for `usage_days`, where this process knows that.
pub(crate) fn sweep(
    transaction: &mut Transaction,
    usage_days: Option<u32>,
) -> Result<(), StoreError> {
    let forget =
        "DELETE FROM customer WHERE link IN (SELECT link FROM customer WHERE expires_at <= $1
        AND (ended_at <= $2 OR location IS NULL) ORDER BY expires_at LIMIT $3)";
    let ago = |kept: SignedDuration| {
        let time = now().checked_sub(kept).unwrap_or(Timestamp::MIN);
        time.as_millisecond()
    };
    let usage_kept = usage_days.map_or(SignedDuration::MAX, |days| {
        SignedDuration::from_hours(i64::from(days) * 24)
    });
    let forget = sqlx::query(forget)
        .bind(ago(KEPT))
        .bind(ago(KEPT.max(usage_kept)));
    transaction.run(forget.bind(AT_ONCE)).map(drop)
}

impl ConnectLink {
    pub(super) fn insert(
        &self,
        transaction: &mut Transaction,
        hash: &[u8],
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO customer
                (link, hash, builder, reference, return_url, rules, created_at, expires_at, owns_location)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)";
        let insert = sqlx::query(insert)
            .bind(self.id.clone())
            .bind(hash.to_vec())
            .bind(self.builder.clone())
            .bind(self.reference.clone())
            .bind(self.return_url.clone())
            .bind(self.rules.clone())
            .bind(self.created.as_millisecond())
            .bind(self.expires.as_millisecond());
        transaction.run(insert).map(drop)
    }

    pub(super) fn put_location(
        &self,
        transaction: &mut Transaction,
        code: &[u8],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let put = "UPDATE customer SET location = $2, owns_location = $3, connected_at = $4, code = $5, code_until = $6
            WHERE link = $1";
        let put = sqlx::query(put)
            .bind(self.id.clone())
            .bind(self.location.clone())
            .bind(i64::from(self.owns_location))
            .bind(now().as_millisecond())
            .bind(code.to_vec())
            .bind(until.as_millisecond());
        transaction.run(put).map(drop)
    }

    /// The code for it is used up.
    pub(super) fn put_key(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let put = "UPDATE customer SET access_key = $2, code = NULL WHERE link = $1";
        let put = sqlx::query(put)
            .bind(self.id.clone())
            .bind(self.key.clone());
        transaction.run(put).map(drop)
    }

    pub(super) fn put_end(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let put = "UPDATE customer SET ended_at = $2, code = NULL WHERE link = $1";
        let put = sqlx::query(put)
            .bind(self.id.clone())
            .bind(self.ended.map(Timestamp::as_millisecond));
        transaction.run(put).map(drop)
    }

    /// Ends the key that was issued last.
    pub(super) fn end_key(
        &self,
        transaction: &mut Transaction,
        why: &str,
    ) -> Result<(), StoreError> {
        match &self.key {
            Some(key) => keys::end(transaction, key, now(), why),
            None => Ok(()),
        }
    }

    pub(super) fn note(
        &self,
        transaction: &mut Transaction,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            kind,
            actor: None,
            subject: Some(self.id.clone()),
            detail: format!("for the customer {} of {}", self.reference, self.builder),
        };
        events::write(transaction, event)
    }

    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("link")?,
            builder: row.text("builder")?,
            reference: row.text("reference")?,
            return_url: row.text("return_url")?,
            rules: row.text("rules")?,
            created: time(row.integer("created_at")?),
            expires: time(row.integer("expires_at")?),
            location: row.optional_text("location")?,
            owns_location: row.integer("owns_location")? != 0,
            key: row.optional_text("access_key")?,
            ended: row.optional_integer("ended_at")?.map(time),
        })
    }
}

fn one(row: Option<StoredRow>) -> Result<Option<ConnectLink>, StoreError> {
    row.map(|row| ConnectLink::from_row(&row)).transpose()
}
