//! Approvals that wait for a person.

use super::Approvals;
use super::approval::Approval;
use crate::now;
use crate::store::{Durability, KeyRing, Pending, StoredRow};

const WAITING: &str = "SELECT id, digest, who, tool, effect, location, alias, state, created_at, expires_at, decided_at,
        decided_by, claimed_at, is_error, note, locations, 'null' AS shown, NULL AS request, NULL AS outcome, holder_decides
    FROM approval WHERE state = 'pending' AND expires_at > $1 ORDER BY created_at, id";

impl Approvals {
    /// Approvals that are undecided and have not expired, oldest first; without their requests, because pages poll
    /// this.
    pub fn waiting(&self) -> Pending<Vec<Approval>> {
        let ring = self.store.ring();
        self.store.read(move |transaction| {
            let find = sqlx::query(WAITING).bind(now().as_millisecond());
            Ok(readable(&ring, &transaction.all(find)?))
        })
    }

    /// Denies everything that `who` requested and nobody has decided, and returns it. The requester has ended, so
    /// nobody could run it.
    pub fn deny_all(&self, who: &str, by: &str) -> Pending<Vec<Approval>> {
        let (ring, who, by) = (self.store.ring(), who.to_owned(), by.to_owned());
        self.store.change(Durability::Disk, move |transaction| {
            let now = now().as_millisecond();
            let deny = "UPDATE approval SET state = 'denied', decided_at = $2, decided_by = $3
                WHERE who = $1 AND state = 'pending' AND expires_at > $2 RETURNING *";
            let deny = sqlx::query(deny)
                .bind(who.clone())
                .bind(now)
                .bind(by.clone());
            Ok(readable(&ring, &transaction.all(deny)?))
        })
    }
}

/// A broken row does not hide the others: the log names it.
pub(super) fn readable(ring: &KeyRing, rows: &[StoredRow]) -> Vec<Approval> {
    let one = |row| {
        let approval = Approval::from_row(ring, row);
        let left_out = |error| tracing::error!(%error, "an approval is left out");
        approval.map_err(left_out).ok()
    };
    rows.iter().filter_map(one).collect()
}
