//! Records beside the keys themselves: when they were used, and who made or revoked them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use super::{KeptKey, KeyRecord, Keys};
use crate::StoreError;
use crate::events::{self, EventKind, NewEvent};
use crate::store::{Durability, Transaction};

/// Precision of a key's recorded last use, in milliseconds.
const USED_TO: i64 = 10 * 60 * 1_000;

impl Keys {
    /// The key of this name, from memory, a valid one before others.
    pub fn with_name(&self, name: &str) -> Option<Arc<KeyRecord>> {
        let known = self.mirror.value();
        let kept = known.as_ref().as_ref().ok()?.values();
        let named = kept.filter(|kept| kept.record.name == name);
        let best = named.max_by_key(|kept| (kept.record.revoked.is_none(), kept.record.created));
        best.map(|kept| Arc::clone(&kept.record))
    }

    pub(super) fn note_use(&self, kept: &KeptKey, now: Timestamp) {
        let (now, before) = (now.as_millisecond(), kept.noted.load(Ordering::Relaxed));
        if now.saturating_sub(before) < USED_TO {
            return;
        }
        let noted = &kept.noted;
        let noted = noted.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
        if noted.is_err() {
            return;
        }
        let id = kept.record.id.clone();
        // Queued when this returns. An unrecorded use does no harm.
        drop(self.store.change(Durability::System, move |transaction| {
            let note =
                "UPDATE access_key SET used_at = $2 WHERE id = $1 AND COALESCE(used_at, 0) < $2";
            let note = sqlx::query(note).bind(id.clone()).bind(now);
            transaction.run(note).map(drop)
        }));
    }
}

impl From<KeyRecord> for KeptKey {
    fn from(record: KeyRecord) -> Self {
        Self {
            noted: AtomicI64::new(record.used.map_or(0, Timestamp::as_millisecond)),
            record: Arc::new(record),
        }
    }
}

impl KeyRecord {
    pub(super) fn note(
        &self,
        transaction: &mut Transaction,
        kind: EventKind,
        by: Option<String>,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            kind,
            actor: by,
            subject: Some(self.id.clone()),
            detail: self.name.clone(),
        };
        events::write(transaction, event)
    }
}
