//! HighLevel's rate limits: requests per interval and day for each location or company `[E]`.

use std::collections::{BTreeMap, VecDeque};

use super::CountingWindow;

/// `[E]` milliseconds.
const INTERVAL: i64 = 10_000;
const DAY: i64 = 86_400_000;

/// Requests per interval and per day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub interval: usize,
    pub day: usize,
}

/// `[E]` an ordinary account.
pub const USUAL: Limit = Limit {
    interval: 100,
    day: 200_000,
};
/// `[M]` one of HighLevel's own sandbox accounts.
pub const SANDBOX_ACCOUNT: Limit = Limit {
    interval: 25,
    day: 10_000,
};

/// The requests so far, by resource.
pub struct ResourceLimits {
    window: CountingWindow,
    resources: BTreeMap<String, RequestCount>,
}

#[derive(Default)]
struct RequestCount {
    recent: VecDeque<i64>,
    day: i64,
    today: usize,
}

/// Whether a request is admitted, and the headers with the remaining number.
pub struct Verdict {
    pub let_in: bool,
    pub headers: [(&'static str, String); 5],
}

impl ResourceLimits {
    pub fn new(window: CountingWindow) -> Self {
        Self {
            window,
            resources: BTreeMap::new(),
        }
    }

    /// Counts one request for `resource` at `now`, in milliseconds since 1970.
    pub fn ask(&mut self, resource: &str, limit: Limit, now: i64) -> Verdict {
        let asked = self.resources.entry(resource.to_owned()).or_default();
        let start = match self.window {
            CountingWindow::Fixed => now - now.rem_euclid(INTERVAL),
            CountingWindow::Sliding => now - INTERVAL + 1,
        };
        while asked.recent.front().is_some_and(|at| *at < start) {
            asked.recent.pop_front();
        }
        if asked.day != now / DAY {
            asked.day = now / DAY;
            asked.today = 0;
        }
        let let_in = asked.recent.len() < limit.interval && asked.today < limit.day;
        if let_in {
            asked.recent.push_back(now);
            asked.today += 1;
        }
        let left = limit.interval - asked.recent.len();
        Verdict {
            let_in,
            headers: [
                ("x-ratelimit-limit-daily", limit.day.to_string()),
                (
                    "x-ratelimit-daily-remaining",
                    (limit.day - asked.today).to_string(),
                ),
                ("x-ratelimit-interval-milliseconds", INTERVAL.to_string()),
                ("x-ratelimit-max", limit.interval.to_string()),
                ("x-ratelimit-remaining", left.to_string()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `let_in` of the requests at these times are admitted.
    fn check(window: CountingWindow, times: &[i64], let_in: usize) {
        let limit = Limit {
            interval: 2,
            day: 5,
        };
        let mut limits = ResourceLimits::new(window);
        let count = times
            .iter()
            .filter(|now| limits.ask("L", limit, **now).let_in)
            .count();
        assert_eq!(count, let_in, "{window:?} {times:?}");
    }

    #[test]
    fn windows_accept_calls_up_to_their_limit() {
        check(
            CountingWindow::Fixed,
            &[9_000, 9_500, 9_900, 10_000, 10_001, 10_002],
            4,
        );
        check(
            CountingWindow::Sliding,
            &[9_000, 9_500, 9_900, 10_000, 10_001, 10_002],
            2,
        );
        check(CountingWindow::Sliding, &[0, 1, 10_000, 10_000, 10_001], 4);
        let day = [0, 1, 20_000, 20_001, 40_000, 40_001, DAY, DAY + 1];
        check(CountingWindow::Fixed, &day, 7);
        let mut limits = ResourceLimits::new(CountingWindow::Fixed);
        assert!(limits.ask("A", SANDBOX_ACCOUNT, 0).let_in);
        assert_eq!(limits.ask("B", USUAL, 0).headers[4].1, "99");
    }
}
