//! The time at which a caller last read other people's words, for every process on the store.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::SteadyClock;
use super::store::{Durability, Pending, Store, Transaction};
use super::{StoreError, time};

impl Store {
    /// Notes that `principal` read other people's words at `at`; deleted after `lasts`.
    pub fn note_stranger_read(
        &self,
        principal: [u8; 32],
        at: Timestamp,
        lasts: Duration,
    ) -> Pending<()> {
        let at = at.as_millisecond();
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        self.change(Durability::System, move |transaction| {
            let note = "INSERT INTO stranger_read (principal, at, expires_at) VALUES ($1, $2, $3)
                ON CONFLICT (principal) DO UPDATE SET at = $2, expires_at = $3 WHERE stranger_read.at < $2";
            let note = sqlx::query(note)
                .bind(principal.to_vec())
                .bind(at)
                .bind(at.saturating_add(lasts));
            transaction.run(note).map(drop)
        })
    }

    /// The time of the last such read.
    pub fn last_stranger_read(&self, principal: [u8; 32]) -> Pending<Option<Timestamp>> {
        self.read(move |transaction| {
            let find = sqlx::query("SELECT at FROM stranger_read WHERE principal = $1");
            let row = transaction.one(find.bind(principal.to_vec()))?;
            row.map(|row| row.integer("at").map(time)).transpose()
        })
    }
}

/// Deletes entries that no rule needs any more.
pub(crate) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let now = SteadyClock::now().as_millisecond();
    let sweep = sqlx::query("DELETE FROM stranger_read WHERE expires_at <= $1");
    transaction.run(sweep.bind(now)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::for_tests::{beside, folder, open};

    #[on_both]
    fn every_process_knows_the_last_read_until_it_is_forgotten() {
        let folder = folder();
        let (one, other) = (open(&folder), open(&folder));
        let lasts = Duration::from_secs(600);
        let now = crate::now();
        let ago = |seconds: i64| time(now.as_millisecond() - seconds * 1_000);
        let last = |principal: u8| other.last_stranger_read([principal; 32]).wait();
        for (principal, seconds, expected) in [
            (1, 60, 60),
            (1, 30, 30),
            // An older one is not the last.
            (1, 90, 30),
            (2, 601, 601),
        ] {
            let noted = one.note_stranger_read([principal; 32], ago(seconds), lasts);
            noted.wait().expect("noted");
            let known = last(principal).expect("read");
            assert_eq!(known, Some(ago(expected)), "{principal} {seconds}");
        }
        assert_eq!(last(3).expect("read"), None);
        beside(&folder, sweep);
        assert!(last(1).expect("read").is_some());
        assert_eq!(last(2).expect("read"), None);
    }
}
