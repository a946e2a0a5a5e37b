//! Calls that happen once: under an idempotency key, by the run of a confirm token, or as one of its rows.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::StoreError;
use crate::clock::SteadyClock;
use crate::store::{KeyRing, SealedAt, Transaction};

/// Most idempotency keys of one principal: beyond this a new key is refused. No other principal can use them up.
pub const MOST_OF_PRINCIPAL: i64 = 10_000;

/// Most stored row calls of one principal, each for a day.
const MOST_ITEMS_OF_PRINCIPAL: i64 = 50_000;

/// Most of all principals, at some 200 bytes each without answers.
const MOST: i64 = 1_000_000;

/// Longest stored answer, in bytes.
pub const MOST_KEPT_BYTES: usize = 64 << 10;

/// Most bytes of stored answers for one principal.
const MOST_BYTES_OF_PRINCIPAL: i64 = 64 << 20;

/// How long a call counts as running without a sign from its process, which gives one every third of this time.
pub const ALIVE: Duration = Duration::from_secs(15);

/// The key under which a call happens once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceKey {
    pub kind: OnceKind,
    /// Identifies principal and key.
    pub id: [u8; 32],
    /// Identifies the caller.
    pub principal: [u8; 32],
    /// Identifies the call: the same key with another call is refused.
    pub call: [u8; 32],
    /// It is stored until then in any case.
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceKind {
    /// A key of the client's making.
    Key,
    /// A confirm token.
    Confirm,
    /// A row of a confirmed request.
    Item,
}

/// The answer of a call, for a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerCopy {
    pub whole: Vec<u8>,
    /// Replaces it if there is no room.
    pub short: Vec<u8>,
}

/// What the store has about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownCall {
    /// The key was used with another call.
    Other,
    UnderWay,
    /// It may or may not have happened.
    Unknown,
    /// It was made; its answer.
    Done(Vec<u8>),
}

/// Whether a call may begin.
pub enum OnceState {
    Free,
    Known(KnownCall),
    TooMany,
}

impl KnownCall {
    pub fn is_under_way(&self) -> bool {
        *self == Self::UnderWay
    }
}

impl OnceKind {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Confirm => "confirm",
            Self::Item => "item",
        }
    }
}

impl OnceKind {
    /// Most of one principal; marks of used confirm tokens have no limit.
    fn most_of_principal(self) -> Option<i64> {
        match self {
            Self::Key => Some(MOST_OF_PRINCIPAL),
            Self::Item => Some(MOST_ITEMS_OF_PRINCIPAL),
            Self::Confirm => None,
        }
    }
}

impl OnceKey {
    /// What the store has about the call.
    pub fn known(
        &self,
        transaction: &mut Transaction,
        ring: &KeyRing,
    ) -> Result<Option<KnownCall>, StoreError> {
        let now = SteadyClock::now().as_millisecond();
        let find = "SELECT call, state, sealed, alive_until FROM once WHERE id = $1 AND (expires_at > $2 OR state = 'running')";
        let find = sqlx::query(find).bind(self.id.to_vec()).bind(now);
        let Some(row) = transaction.one(find)? else {
            return Ok(None);
        };
        if row.bytes("call")? != self.call {
            return Ok(Some(KnownCall::Other));
        }
        Ok(Some(match row.text("state")?.as_str() {
            "done" => {
                let sealed = row.bytes("sealed")?;
                KnownCall::Done(ring.open(sealed_at(&crate::hex(&self.id)), &sealed)?)
            }
            "running" if row.integer("alive_until")? > now => KnownCall::UnderWay,
            _ => KnownCall::Unknown,
        }))
    }

    pub fn claim(
        &self,
        transaction: &mut Transaction,
        ring: &KeyRing,
    ) -> Result<OnceState, StoreError> {
        if let Some(known) = self.known(transaction, ring)? {
            return Ok(OnceState::Known(known));
        }
        if let Some(most) = self.kind.most_of_principal()
            && counts(transaction, self.principal, self.kind)?.0 >= most
        {
            return Ok(OnceState::TooMany);
        }
        Ok(OnceState::Free)
    }

    pub fn insert(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        // An expired row that was not swept yet.
        let insert = "INSERT INTO once (id, kind, principal, call, state, sealed, bytes, alive_until, expires_at)
            VALUES ($1, $2, $3, $4, 'running', NULL, 0, $5, $6)
            ON CONFLICT (id) DO UPDATE SET call = $4, state = 'running', sealed = NULL, bytes = 0, alive_until = $5,
                expires_at = $6";
        let insert = sqlx::query(insert)
            .bind(self.id.to_vec())
            .bind(self.kind.name())
            .bind(self.principal.to_vec())
            .bind(self.call.to_vec())
            .bind(alive_until())
            .bind(self.expires_at.as_millisecond());
        transaction.run(insert).map(drop)
    }
}

/// The number of a principal's keys of this kind, and the bytes of all its answers.
fn counts(
    transaction: &mut Transaction,
    principal: [u8; 32],
    kind: OnceKind,
) -> Result<(i64, i64), StoreError> {
    let count = "SELECT COALESCE(SUM(CASE WHEN kind = $2 THEN 1 ELSE 0 END), 0) AS keys,
            CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS kept
        FROM once WHERE principal = $1";
    let count = sqlx::query(count)
        .bind(principal.to_vec())
        .bind(kind.name());
    let row = transaction.one(count)?;
    row.map_or(Ok((0, 0)), |row| {
        Ok((row.integer("keys")?, row.integer("kept")?))
    })
}

/// The call did nothing: its key is free again.
pub(super) fn release(transaction: &mut Transaction, id: [u8; 32]) -> Result<(), StoreError> {
    let release = "DELETE FROM once WHERE id = $1 AND state = 'running'";
    transaction
        .run(sqlx::query(release).bind(id.to_vec()))
        .map(drop)
}

/// The call was made. Without an answer, its outcome is unknown.
pub(super) fn settle(
    transaction: &mut Transaction,
    ring: &KeyRing,
    key: &OnceKey,
    kept: Option<&AnswerCopy>,
) -> Result<(), StoreError> {
    let (state, sealed) = match kept {
        None => ("unknown", None),
        Some(kept) => {
            let bytes = counts(transaction, key.principal, key.kind)?.1;
            let fits = kept.whole.len() <= MOST_KEPT_BYTES && bytes < MOST_BYTES_OF_PRINCIPAL;
            let text = if fits { &kept.whole } else { &kept.short };
            (
                "done",
                Some(ring.seal(sealed_at(&crate::hex(&key.id)), text)?),
            )
        }
    };
    let bytes = sealed.as_ref().map_or(0, Vec::len);
    let settle =
        "UPDATE once SET state = $2, sealed = $3, bytes = $4 WHERE id = $1 AND state = 'running'";
    let settle = sqlx::query(settle)
        .bind(key.id.to_vec())
        .bind(state)
        .bind(sealed)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX));
    transaction.run(settle).map(drop)
}

/// Notes that the process of these calls still lives.
pub(crate) fn keep_alive(
    transaction: &mut Transaction,
    under_way: &HashSet<[u8; 32]>,
) -> Result<(), StoreError> {
    let until = alive_until();
    for id in under_way {
        let extend = "UPDATE once SET alive_until = $2 WHERE id = $1 AND state = 'running'";
        transaction.run(sqlx::query(extend).bind(id.to_vec()).bind(until))?;
    }
    Ok(())
}

/// Deletes expired keys. Returns whether there is room for more.
pub(super) fn sweep(transaction: &mut Transaction) -> Result<bool, StoreError> {
    let now = SteadyClock::now().as_millisecond();
    let sweep =
        "DELETE FROM once WHERE expires_at <= $1 AND (state <> 'running' OR alive_until <= $1)";
    transaction.run(sqlx::query(sweep).bind(now))?;
    let count = transaction.one(sqlx::query("SELECT COUNT(*) AS n FROM once"))?;
    Ok(count.map_or(Ok(0), |row| row.integer("n"))? < MOST)
}

fn alive_until() -> i64 {
    let alive = i64::try_from(ALIVE.as_millis()).unwrap_or(i64::MAX);
    SteadyClock::now().as_millisecond().saturating_add(alive)
}

fn sealed_at(id: &str) -> SealedAt<'_> {
    SealedAt {
        table: "once",
        row: id,
        column: "sealed",
        generation: 0,
    }
}
