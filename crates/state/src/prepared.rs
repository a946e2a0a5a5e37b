//! Previewed requests, stored sealed until they are confirmed: exactly the shown request runs, in every process on the
//! store.

use jiff::{SignedDuration, Timestamp};

use super::store::{Durability, Pending, SealedAt, Store, StoredRow, Transaction};
use super::{StoreError, hex};
use crate::clock::now;

/// Longest stored request, in bytes.
pub const MOST_PREPARED_BYTES: usize = 256 << 10;

/// Most requests of one principal. A further one replaces its oldest unconfirmed one.
const MOST_OF_PRINCIPAL: i64 = 100;

/// Most bytes of one principal, and in total.
const MOST_BYTES_OF_PRINCIPAL: i64 = 8 << 20;
const MOST_BYTES: i64 = 256 << 20;

/// How long a confirmed request is stored, so that its run can continue. The keys of its calls last longer.
const KEPT_CONFIRMED: SignedDuration = SignedDuration::from_hours(6);

/// A request to store.
#[derive(Clone, Debug)]
pub struct NewPreparation {
    /// Identifies principal and confirm token.
    pub id: [u8; 32],
    pub principal: [u8; 32],
    pub request: Vec<u8>,
    pub expires_at: Timestamp,
}

/// A stored request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    pub request: Vec<u8>,
    /// The mode of its confirmation, and who confirmed it; `None` until then.
    pub confirmed: Option<(String, String)>,
}

impl Store {
    /// Stores a request. Returns whether there was room. The same again is left unchanged.
    pub fn prepare(&self, new: NewPreparation) -> Pending<bool> {
        if new.request.len() > MOST_PREPARED_BYTES {
            return Pending::failed(StoreError::from(format!(
                "a previewed request has {} bytes, more than the {MOST_PREPARED_BYTES} that are kept",
                new.request.len()
            )));
        }
        let row = hex(&new.id);
        let sealed = match self.ring().seal(sealed_at(&row), &new.request) {
            Ok(sealed) => sealed,
            Err(error) => return Pending::failed(error),
        };
        let bytes = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        self.change(Durability::Disk, move |transaction| {
            if !make_room(transaction, &new.principal, bytes)? {
                return Ok(false);
            }
            let insert =
                "INSERT INTO prepared (id, principal, request, bytes, created_at, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";
            let insert = sqlx::query(insert)
                .bind(row.clone())
                .bind(new.principal.to_vec())
                .bind(sealed.clone())
                .bind(bytes)
                .bind(now())
                .bind(new.expires_at.as_millisecond());
            transaction.run(insert).map(|_| true)
        })
    }

    /// The request of this id, while it is valid.
    pub fn prepared(&self, id: [u8; 32]) -> Pending<Option<Preparation>> {
        let (ring, row) = (self.ring(), hex(&id));
        self.read(move |transaction| {
            let find =
                "SELECT request, mode, agreed_by FROM prepared WHERE id = $1 AND expires_at > $2";
            let find = sqlx::query(find).bind(row.clone()).bind(now());
            let Some(found) = transaction.one(find)? else {
                return Ok(None);
            };
            Ok(Some(Preparation {
                request: ring.open(sealed_at(&row), &found.bytes("request")?)?,
                confirmed: confirmed(&found)?,
            }))
        })
    }

    /// Records its confirmation on the disk: the mode, and who confirmed it. The first confirmation stays.
    pub fn confirm_prepared(&self, id: [u8; 32], mode: &str, by: &str) -> Pending<()> {
        let (row, mode, by) = (hex(&id), mode.to_owned(), by.to_owned());
        self.change(Durability::Disk, move |transaction| {
            let until = now().saturating_add(i64::try_from(KEPT_CONFIRMED.as_millis()).unwrap_or(i64::MAX));
            let confirm = "UPDATE prepared SET mode = $2, agreed_by = $3, expires_at = $4 WHERE id = $1 AND mode IS NULL";
            let confirm = sqlx::query(confirm)
                .bind(row.clone())
                .bind(mode.clone())
                .bind(by.clone())
                .bind(until);
            transaction.run(confirm).map(drop)
        })
    }
}

fn confirmed(row: &StoredRow) -> Result<Option<(String, String)>, StoreError> {
    Ok(row
        .optional_text("mode")?
        .zip(row.optional_text("agreed_by")?))
}

/// Whether there is room for these bytes. Nobody takes another's room, and confirmed requests stay.
fn make_room(
    transaction: &mut Transaction,
    principal: &[u8; 32],
    bytes: i64,
) -> Result<bool, StoreError> {
    let all = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS kept FROM prepared";
    let all = transaction.one(sqlx::query(all))?;
    if all.map_or(Ok(0), |row| row.integer("kept"))? + bytes > MOST_BYTES {
        return Ok(false);
    }
    let own = "SELECT id, bytes, mode FROM prepared WHERE principal = $1 ORDER BY created_at, id";
    let own = transaction.all(sqlx::query(own).bind(principal.to_vec()))?;
    let (mut count, mut kept) = (1, bytes);
    for row in &own {
        count += 1;
        kept += row.integer("bytes")?;
    }
    for row in &own {
        if count <= MOST_OF_PRINCIPAL && kept <= MOST_BYTES_OF_PRINCIPAL {
            break;
        }
        if row.optional_text("mode")?.is_some() {
            continue;
        }
        let forget = sqlx::query("DELETE FROM prepared WHERE id = $1").bind(row.text("id")?);
        transaction.run(forget)?;
        count -= 1;
        kept -= row.integer("bytes")?;
    }
    Ok(count <= MOST_OF_PRINCIPAL && kept <= MOST_BYTES_OF_PRINCIPAL)
}

/// Deletes requests that were not confirmed in time, or were confirmed long ago.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let sweep = "DELETE FROM prepared WHERE expires_at <= $1";
    transaction.run(sqlx::query(sweep).bind(now())).map(drop)
}

fn sealed_at(row: &str) -> SealedAt<'_> {
    SealedAt {
        table: "prepared",
        row,
        column: "request",
        generation: 0,
    }
}

#[cfg(test)]
mod tests;
