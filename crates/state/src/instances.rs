//! Servers on one database: which of them are alive, by a sign that each gives every two seconds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::{Durability, Pending, Store, StoredRow, Transaction, newest_schema};
use super::{StoreError, hex, random};
use crate::clock::now;

/// An instance counts as gone after this time without a sign: five missed signs, and the time until the others notice.
const GONE: Duration = Duration::from_secs(12);

/// After this time all the others know of a new instance, and share with it.
const HEARD: Duration = Duration::from_secs(6);

/// An instance's description of itself.
#[derive(Clone, Debug)]
pub struct InstanceNote {
    /// The program's version.
    pub version: String,
    /// Identifies the rules in its file, which should be the same everywhere.
    pub rules: String,
}

/// A live instance.
struct LiveInstance {
    id: String,
    rules: String,
}

/// This process among the servers on its database. Cheap to clone. Until it joins, and if the store is not shared, it
/// is alone.
#[derive(Clone, Debug)]
pub struct Membership(Arc<MembershipInner>);

#[derive(Debug)]
struct MembershipInner {
    id: String,
    live: AtomicU32,
    standing: Mutex<InstanceStanding>,
}

#[derive(Debug, Default)]
struct InstanceStanding {
    /// Its description; `None`: the others do not see it.
    note: Option<InstanceNote>,
    /// The time of its first sign.
    joined: Option<JoinTime>,
    /// Others have different rules.
    differs: bool,
}

#[derive(Clone, Copy, Debug)]
struct JoinTime {
    at: Instant,
    was_alone: bool,
}

impl Membership {
    pub(crate) fn new() -> Result<Self, StoreError> {
        Ok(Self(Arc::new(MembershipInner {
            id: format!("i_{}", hex(&random::<16>()?)),
            live: AtomicU32::new(1),
            standing: Mutex::default(),
        })))
    }

    /// The number of live instances, including this one. If the database is away, the last known number.
    pub fn live(&self) -> u32 {
        self.0.live.load(Ordering::Relaxed).max(1)
    }

    /// Whether all others know of this one and leave it its share.
    pub fn is_settled(&self) -> bool {
        let standing = self.standing();
        let is_heard = |joined: JoinTime| joined.was_alone || joined.at.elapsed() >= HEARD;
        standing.note.is_none() || standing.joined.is_some_and(is_heard)
    }

    fn standing(&self) -> MutexGuard<'_, InstanceStanding> {
        self.0
            .standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, note: Option<InstanceNote>) {
        self.standing().note = note;
    }

    /// Gives its sign, and counts the others'.
    pub(crate) fn beat(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let Some(note) = self.standing().note.clone() else {
            return Ok(());
        };
        let now = now();
        let put = "INSERT INTO instance (id, version, schema, rules, started_at, beat_at) VALUES ($1, $2, $3, $4, $5, $5)
            ON CONFLICT (id) DO UPDATE SET rules = $4, beat_at = $5";
        let put = sqlx::query(put)
            .bind(self.0.id.clone())
            .bind(note.version)
            .bind(newest_schema())
            .bind(note.rules.clone())
            .bind(now);
        transaction.run(put)?;
        let live = alive(transaction, now)?;
        let others = live.iter().filter(|instance| instance.id != self.0.id);
        let differs = others.clone().any(|other| other.rules != note.rules);
        let others = u32::try_from(others.count()).unwrap_or(u32::MAX);
        self.0
            .live
            .store(others.saturating_add(1), Ordering::Relaxed);
        let mut standing = self.standing();
        standing.joined.get_or_insert(JoinTime {
            at: Instant::now(),
            was_alone: others == 0,
        });
        if std::mem::replace(&mut standing.differs, differs) != differs {
            match differs {
                true => tracing::warn!(
                    "another instance on the database has other rules in its file: what is allowed depends on which one is \
                     asked; give all of them the same policy.file"
                ),
                false => tracing::info!("all instances on the database have the same rules"),
            }
        }
        Ok(())
    }
}

impl Store {
    /// This process among the servers on the database.
    pub fn membership(&self) -> Membership {
        self.housekeeping().membership.clone()
    }

    /// Registers this process among the servers on the database, or updates its description. In an unshared store it
    /// stays the only one.
    pub fn join(&self, note: InstanceNote) {
        if self.database().is_none() {
            return;
        }
        let membership = self.membership();
        membership.say(Some(note));
        // One sign at once; the others follow with the beat of the writing thread.
        drop(self.owe(move |transaction| membership.beat(transaction)));
    }

    /// Leaves, so that the others need not wait until it counts as gone.
    pub fn leave(&self) -> Pending<()> {
        if self.database().is_none() {
            return self.read(|_| Ok(()));
        }
        let membership = self.membership();
        membership.say(None);
        self.change(Durability::System, move |transaction| {
            let leave = sqlx::query("DELETE FROM instance WHERE id = $1");
            let leave = leave.bind(membership.0.id.clone());
            transaction.run(leave).map(drop)
        })
    }
}

fn alive(transaction: &mut Transaction, now: i64) -> Result<Vec<LiveInstance>, StoreError> {
    let find = "SELECT id, rules FROM instance WHERE beat_at > $1";
    let since = now.saturating_sub(i64::try_from(GONE.as_millis()).unwrap_or(i64::MAX));
    let rows = transaction.all(sqlx::query(find).bind(since))?;
    rows.iter().map(LiveInstance::from_row).collect()
}

/// Deletes instances that are gone.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let since = now().saturating_sub(24 * 60 * 60 * 1_000);
    let sweep = sqlx::query("DELETE FROM instance WHERE beat_at <= $1");
    transaction.run(sweep.bind(since)).map(drop)
}

impl LiveInstance {
    fn from_row(row: &StoredRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?,
            rules: row.text("rules")?,
        })
    }
}
