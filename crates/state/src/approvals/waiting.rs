//! What waits for a person.

use super::Approvals;
use super::approval::Approval;
use crate::now;
use crate::store::{KeyRing, Pending, StoredRow};

impl Approvals {
    /// Those that nobody has decided and that have not expired, oldest first.
    pub fn waiting(&self) -> Pending<Vec<Approval>> {
        let ring = self.store.ring();
        self.store.read(move |transaction| {
            let find = "SELECT * FROM approval WHERE state = 'pending' AND expires_at > $1 ORDER BY created_at, id";
            let find = sqlx::query(find).bind(now().as_millisecond());
            Ok(readable(&ring, &transaction.all(find)?))
        })
    }
}

/// One that is broken hides no other: the log names it.
pub(super) fn readable(ring: &KeyRing, rows: &[StoredRow]) -> Vec<Approval> {
    let one = |row| {
        let approval = Approval::from_row(ring, row);
        let left_out = |error| tracing::error!(%error, "an approval is left out");
        approval.map_err(left_out).ok()
    };
    rows.iter().filter_map(one).collect()
}
