//! The calls of one day: our own count or HighLevel's, whichever is greater.

use std::time::Duration;

use jiff::Timestamp;

use super::rate_limit_headers::RateLimitHeaders;

const DAY_MS: i64 = 86_400_000;

/// Above this percentage of the day's calls, only reads are sent.
const READS_ONLY_PERCENT: u64 = 95;

/// Counts the calls of a day in UTC; HighLevel does not say when its day begins.
pub(super) struct DailyQuota {
    seed: u64,
    limit: u64,
    number: i64,
    /// Calls of all instances by the last report, and this instance's calls since.
    told: u64,
    own: u64,
    /// Calls taken since the beginning, and their number at the last call with a report.
    taken: u64,
    heard: u64,
}

/// The place of one call in the day.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuotaSlot {
    number: i64,
    taken: u64,
}

impl DailyQuota {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            limit: seed,
            number: 0,
            told: 0,
            own: 0,
            taken: 0,
            heard: 0,
        }
    }

    /// The wait of a call until the next day; `None` if it may be sent. Each of `instances` has an equal part of what
    /// was left at the last report, and at least one call.
    pub(super) fn wait(&mut self, now: Timestamp, reads: bool, instances: u64) -> Option<Duration> {
        self.begin(now);
        let left = self.allowed(reads).saturating_sub(self.told);
        let part = (left / instances).max(left.min(1));
        let to_midnight = DAY_MS - now.as_millisecond().rem_euclid(DAY_MS);
        (self.own >= part).then(|| Duration::from_millis(to_midnight.unsigned_abs()))
    }

    /// The number of a day's calls for reads, or for everything else.
    pub(super) fn allowed(&self, reads: bool) -> u64 {
        if reads {
            self.limit
        } else {
            // Rounded up, so that a limit of a few calls is not all reserve.
            (self.limit * READS_ONLY_PERCENT).div_ceil(100)
        }
    }

    pub(super) fn take(&mut self, now: Timestamp) -> QuotaSlot {
        self.begin(now);
        self.own += 1;
        self.taken += 1;
        QuotaSlot {
            number: self.number,
            taken: self.taken,
        }
    }

    /// Takes HighLevel's own count if it is greater. A report of yesterday says nothing about today.
    pub(super) fn correct(&mut self, turn: QuotaSlot, reported: RateLimitHeaders) {
        if turn.number != self.number {
            return;
        }
        if turn.taken > self.heard
            && let Some(daily) = reported.daily
        {
            self.heard = turn.taken;
            self.limit = daily.min(self.seed);
        }
        if let Some(remaining) = reported.daily_remaining {
            let limit = reported.daily.unwrap_or(self.limit);
            self.tell(limit.saturating_sub(remaining), self.taken - turn.taken);
        }
    }

    /// All instances had made `used` calls when this one had reported all of its own.
    pub(super) fn raise(&mut self, now: Timestamp, used: u64) {
        self.begin(now);
        self.tell(used, 0);
    }

    /// The greater count applies: `told`, and `own` calls since.
    fn tell(&mut self, told: u64, own: u64) {
        if told.saturating_add(own) > self.told.saturating_add(self.own) {
            self.told = told;
            self.own = own;
        }
    }

    /// The day's used calls, and its limit.
    pub(super) fn used(&mut self, now: Timestamp) -> (u64, u64) {
        self.begin(now);
        (self.count(), self.limit)
    }

    /// Whether dropping the day's count could let too many calls through.
    pub(super) fn is_half_used(&mut self, now: Timestamp) -> bool {
        self.begin(now);
        self.count() > 0 && self.count().saturating_mul(2) >= self.limit
    }

    /// A call that was never sent is not counted.
    pub(super) fn unsent(&mut self, turn: QuotaSlot) {
        if turn.number == self.number {
            match self.own.checked_sub(1) {
                Some(own) => self.own = own,
                None => self.told = self.told.saturating_sub(1),
            }
        }
    }

    fn count(&self) -> u64 {
        self.told.saturating_add(self.own)
    }

    fn begin(&mut self, now: Timestamp) {
        let number = now.as_millisecond().div_euclid(DAY_MS);
        if self.number != number {
            self.number = number;
            self.told = 0;
            self.own = 0;
            self.heard = self.taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_at(day: i64, millis: i64) -> Timestamp {
        Timestamp::from_millisecond(day * DAY_MS + millis).expect("a time")
    }

    fn daily_headers(daily: u64, remaining: u64) -> RateLimitHeaders {
        RateLimitHeaders {
            daily: Some(daily),
            daily_remaining: Some(remaining),
            ..RateLimitHeaders::default()
        }
    }

    #[test]
    fn the_last_twentieth_is_for_reads_and_after_it_nothing_goes_until_midnight() {
        let mut day = DailyQuota::new(100);
        for _ in 0..95 {
            assert_eq!(day.wait(time_at(1, 0), false, 1), None);
            day.take(time_at(1, 0));
        }
        assert_eq!(
            day.wait(time_at(1, DAY_MS - 5), false, 1),
            Some(Duration::from_millis(5))
        );
        for _ in 0..5 {
            assert_eq!(day.wait(time_at(1, 0), true, 1), None);
            day.take(time_at(1, 0));
        }
        assert_eq!(
            day.wait(time_at(1, DAY_MS - 1), true, 1),
            Some(Duration::from_millis(1))
        );
        assert_eq!(day.wait(time_at(2, 0), false, 1), None);
    }

    #[test]
    fn the_greater_count_holds_in_whatever_order_answers_come() {
        let mut day = DailyQuota::new(200_000);
        let (first, second) = (day.take(time_at(1, 0)), day.take(time_at(1, 0)));
        day.correct(second, daily_headers(10_000, 0));
        day.correct(first, daily_headers(10_000, 9_000));
        assert!(
            day.wait(time_at(1, 1), true, 1).is_some(),
            "an older answer gives nothing back"
        );
        let late = day.take(time_at(2, 0));
        day.correct(second, daily_headers(10_000, 0));
        assert_eq!(
            day.wait(time_at(2, 1), true, 1),
            None,
            "an answer of yesterday"
        );
        day.correct(late, daily_headers(10_000, 600));
        assert_eq!(day.wait(time_at(2, 1), false, 1), None);
        day.correct(late, daily_headers(10_000, 500));
        assert!(day.wait(time_at(2, 1), false, 1).is_some());
        assert_eq!(day.wait(time_at(2, 1), true, 1), None);
    }

    #[test]
    fn requests_that_were_not_sent_are_not_counted() {
        let mut day = DailyQuota::new(1);
        let turn = day.take(time_at(1, 0));
        assert!(day.wait(time_at(1, 0), true, 1).is_some());
        day.unsent(turn);
        assert_eq!(day.wait(time_at(1, 0), true, 1), None);
    }
}
