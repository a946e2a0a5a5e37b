//! Places in caps: a maximum number of calls in a sliding window.

use std::time::Duration;

use crate::StoreError;
use crate::clock::SteadyClock;
use crate::store::Transaction;

/// The place of one call in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapPlace {
    /// Identifies the rule and the counted calls.
    pub bucket: Vec<u8>,
    /// The time of the call, in seconds since 1970.
    pub now: i64,
    /// The second at which it counts: the end of a step of the sliding window.
    pub moment: i64,
    /// Length of the window, in seconds.
    pub window: i64,
    /// Most calls in a window.
    pub most: i64,
}

impl CapPlace {
    /// Whether there is a place, and otherwise the time until there is one.
    pub fn is_free(
        &self,
        transaction: &mut Transaction,
    ) -> Result<Result<(), Option<Duration>>, StoreError> {
        let now = self.now;
        let used = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS used FROM cap WHERE bucket = $1 AND expires_at > $2";
        let used = sqlx::query(used).bind(self.bucket.clone()).bind(now);
        let used = transaction.one(used)?;
        let used = used.map_or(Ok(0), |row| row.integer("used"))?;
        if used < self.most {
            return Ok(Ok(()));
        }
        if self.most == 0 {
            return Ok(Err(None));
        }
        // If the cap was lowered, more than one call must leave the window.
        let mut must_leave = used - self.most + 1;
        let counted =
            "SELECT n, expires_at FROM cap WHERE bucket = $1 AND expires_at > $2 ORDER BY moment";
        let counted = sqlx::query(counted).bind(self.bucket.clone()).bind(now);
        for row in transaction.all(counted)? {
            must_leave -= row.integer("n")?;
            if must_leave <= 0 {
                let seconds = row.integer("expires_at")? - now;
                let seconds = u64::try_from(seconds).unwrap_or_default();
                return Ok(Err(Some(Duration::from_secs(seconds))));
            }
        }
        Ok(Err(None))
    }

    pub fn take(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let take = "INSERT INTO cap (bucket, moment, n, expires_at) VALUES ($1, $2, 1, $3)
            ON CONFLICT (bucket, moment) DO UPDATE SET n = cap.n + 1";
        let take = sqlx::query(take)
            .bind(self.bucket.clone())
            .bind(self.moment)
            .bind(self.moment + self.window);
        transaction.run(take).map(drop)
    }

    pub fn give_back(&self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let give = "UPDATE cap SET n = n - 1 WHERE bucket = $1 AND moment = $2 AND n > 0";
        let give = sqlx::query(give)
            .bind(self.bucket.clone())
            .bind(self.moment);
        transaction.run(give).map(drop)
    }
}

/// Deletes windows that are over.
pub(super) fn sweep(transaction: &mut Transaction) -> Result<(), StoreError> {
    let now = SteadyClock::now().as_second();
    let sweep = "DELETE FROM cap WHERE expires_at <= $1";
    transaction.run(sqlx::query(sweep).bind(now)).map(drop)
}
