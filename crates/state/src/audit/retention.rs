//! Decides which days of the audit are too old, with a clock that may be wrong.
//!
//! Removed lines must be old by the clock and by earlier knowledge. The store has the last believed day. The next day
//! is believed at once. A later day is believed only if the clock still shows it after this process has run for a day.
//! An earlier day is believed at once, because it removes nothing. So a single reading of a clock that is 400 days
//! ahead removes nothing, nor does a restart under one. Whatever the clock shows, at most twice as many days are kept
//! as configured.

use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::day_at;
use crate::store::{Transaction, meta, put_meta};
use crate::{StoreError, time};

/// The last believed day.
const SEEN: &str = "audit_seen";

/// How long a clock must be ahead, by another clock, before it is believed.
const DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

/// Lines that are removed at once: other work waits meanwhile.
const AT_ONCE: i64 = 5_000;

#[derive(Debug, Default)]
pub(crate) struct Retention {
    /// The time since when the clock is more than a day ahead.
    ahead_since: Option<Instant>,
}

impl Retention {
    /// Removes old lines, as many as may go at once. Returns the first kept day, for other data with the same
    /// retention.
    pub(crate) fn remove_old(
        &mut self,
        transaction: &mut Transaction,
        keep_days: u32,
        today: Date,
        at: Instant,
    ) -> Result<Option<Timestamp>, StoreError> {
        let days = days(transaction)?;
        let believed = self.believe(transaction, today, at, &days)?;
        let oldest = believed.min(today).checked_sub(i64::from(keep_days).days());
        let most = usize::try_from(keep_days).unwrap_or(usize::MAX);
        let too_many = days.len().saturating_sub(most.saturating_mul(2));
        let crowded = days.get(too_many).filter(|_| too_many > 0).copied();
        let first = oldest.ok().into_iter().chain(crowded).max();
        let Some(first) = first.map(|first| start(first.min(today))) else {
            return Ok(None);
        };
        let remove = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
        let remove = sqlx::query(remove).bind(first.as_millisecond());
        transaction.run(remove.bind(AT_ONCE))?;
        Ok(Some(first))
    }

    /// The believed day, for other data that is kept by days.
    pub(crate) fn believed_day(
        &mut self,
        transaction: &mut Transaction,
        today: Date,
        at: Instant,
    ) -> Result<Date, StoreError> {
        let days = days(transaction)?;
        let believed = self.believe(transaction, today, at, &days)?;
        Ok(believed.min(today))
    }

    /// Determines the believed day, and records it.
    fn believe(
        &mut self,
        transaction: &mut Transaction,
        today: Date,
        at: Instant,
        days: &[Date],
    ) -> Result<Date, StoreError> {
        let seen = meta(transaction, SEEN)?;
        let seen: Option<Date> = seen.and_then(|text| text.parse().ok());
        // Without earlier knowledge, nothing is old.
        let before =
            seen.unwrap_or_else(|| days.first().map_or(today, |oldest| *oldest.min(&today)));
        let next = before.tomorrow().unwrap_or(before);
        let believed = if today <= next {
            self.ahead_since = None;
            today
        } else {
            let since = *self.ahead_since.get_or_insert(at);
            if at.saturating_duration_since(since) >= DOUBT {
                self.ahead_since = None;
                today
            } else {
                before
            }
        };
        if seen != Some(believed) {
            put_meta(transaction, SEEN, &believed.to_string())?;
        }
        Ok(believed)
    }
}

/// The days with lines, oldest first.
fn days(transaction: &mut Transaction) -> Result<Vec<Date>, StoreError> {
    let mut days = Vec::new();
    let mut from = i64::MIN;
    loop {
        // One step per day through the index, however many lines a day has.
        let next = sqlx::query("SELECT MIN(at) AS at FROM audit WHERE at >= $1");
        let next = transaction.one(next.bind(from))?;
        let Some(at) = next.map_or(Ok(None), |row| row.optional_integer("at"))? else {
            return Ok(days);
        };
        let day = day_at(time(at));
        days.push(day);
        let Ok(tomorrow) = day.tomorrow() else {
            return Ok(days);
        };
        from = start(tomorrow).as_millisecond();
    }
}

fn start(day: Date) -> Timestamp {
    let start = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
    start.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::store::for_tests;

    const BEGINNING: Date = date(2026, 11, 1);

    fn day(number: i64) -> Date {
        BEGINNING.checked_add(number.days()).expect("a day")
    }

    /// A line in the last millisecond of that day.
    fn write(transaction: &mut Transaction, number: i64) {
        let insert = sqlx::query("INSERT INTO audit (at, line) VALUES ($1, '{}')");
        let at = start(day(number + 1)).as_millisecond() - 1;
        transaction.run(insert.bind(at)).expect("written");
    }

    /// Each step: hours that the machine has run, the clock's day, whether the process is new, the first day with
    /// lines, and the number of days. There are lines of the first ten days, and six days are kept.
    #[track_caller]
    fn check(name: &str, seen: Option<i64>, steps: &[(u64, i64, bool, i64, usize)]) {
        for_tests::in_memory(|transaction| {
            for number in 0..10 {
                write(transaction, number);
            }
            if let Some(seen) = seen {
                put_meta(transaction, SEEN, &day(seen).to_string()).expect("written");
            }
            let beginning = Instant::now();
            let mut retention = Retention::default();
            for (hours, today, restarted, first, count) in steps {
                if *restarted {
                    retention = Retention::default();
                }
                write(transaction, *today);
                let at = beginning + Duration::from_secs(hours * 3_600);
                let removed = retention.remove_old(transaction, 6, day(*today), at);
                removed.expect("removed");
                let left = days(transaction).expect("read");
                let found = (left[0], left.len());
                assert_eq!(found, (day(*first), *count), "{name} at {hours}");
            }
        });
    }

    #[on_both]
    fn one_reading_of_a_clock_removes_nothing() {
        check(
            "as it goes",
            Some(9),
            &[
                (0, 9, false, 3, 7),
                (24, 10, false, 4, 7),
                (48, 11, false, 5, 7),
            ],
        );
        check(
            "a step ahead",
            Some(9),
            &[(0, 400, false, 3, 8), (1, 9, false, 3, 8)],
        );
        check(
            "ahead at every start",
            Some(9),
            &[
                (0, 400, true, 3, 8),
                (30, 400, true, 3, 8),
                (60, 401, true, 3, 9),
            ],
        );
        check(
            "ahead, right, ahead",
            Some(9),
            &[
                (0, 400, false, 3, 8),
                (12, 9, false, 3, 8),
                (25, 400, false, 3, 8),
            ],
        );
        check(
            "ahead for a day",
            Some(9),
            &[
                (0, 400, false, 3, 8),
                (23, 400, false, 3, 8),
                (25, 401, false, 400, 2),
            ],
        );
        check(
            "off for a week",
            Some(9),
            &[(0, 16, false, 3, 8), (24, 17, false, 16, 2)],
        );
        check(
            "never seen",
            None,
            &[(0, 9, false, 0, 10), (25, 10, false, 4, 7)],
        );
        check(
            "never seen, and ahead",
            None,
            &[(0, 400, false, 0, 11), (1, 401, true, 0, 12)],
        );
        check(
            "put back, then right",
            Some(9),
            &[
                (0, -200, false, -200, 11),
                (1, 9, false, -200, 11),
                (26, 10, false, 4, 7),
            ],
        );
    }

    #[on_both]
    fn a_clock_that_is_never_right_fills_no_disk() {
        for_tests::in_memory(|transaction| {
            for number in (0..50).map(|each| each * 100) {
                write(transaction, number);
                let removed =
                    Retention::default().remove_old(transaction, 5, day(number), Instant::now());
                removed.expect("removed");
            }
            let left = days(transaction).expect("read");
            assert_eq!((left.len(), left[0]), (10, day(4_000)));
        });
    }

    /// Other work waits while lines are removed.
    #[on_both]
    fn so_many_lines_are_removed_at_once_the_oldest_first() {
        for_tests::in_memory(|transaction| {
            put_meta(transaction, SEEN, &day(99).to_string()).expect("written");
            let fill =
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
                INSERT INTO audit (at, line) SELECT i, '{}' FROM n";
            transaction.run(sqlx::query(fill)).expect("written");
            write(transaction, 99);
            let mut retention = Retention::default();
            for left in [7_001, 2_001, 1, 1] {
                let removed = retention.remove_old(transaction, 6, day(99), Instant::now());
                removed.expect("removed");
                let kept = "SELECT COUNT(*) AS n, MIN(at) AS first FROM audit";
                let row = transaction.one(sqlx::query(kept)).expect("read");
                let row = row.expect("a row");
                assert_eq!(row.integer("n"), Ok(left));
                let first = row.integer("first").expect("a number");
                assert!(left == 1 || first == 12_001 - left + 1, "{first}");
            }
        });
    }
}
