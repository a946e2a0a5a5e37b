//! A limit for the audit's lines about one caller's refusals: each costs the caller nothing, and all share the disk.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

/// Most lines of one caller in a minute: more than a person reads, and 0.1 MB a minute at most.
const MOST: u32 = 120;
const WINDOW: Duration = Duration::from_secs(60);

/// Callers that are counted at once; of more the one that was refused the longest ago is forgotten.
const MOST_CALLERS: usize = 10_000;

/// What was written of each caller.
pub(super) struct RefusalBudget(Mutex<LruCache<String, RefusalCount>>);

struct RefusalCount {
    since: Instant,
    lines: u32,
}

impl Default for RefusalBudget {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_CALLERS)))
    }
}

impl RefusalBudget {
    /// Whether one more refusal of `who` is written down.
    pub(super) fn take(&self, who: &str) -> bool {
        self.take_at(who, Instant::now())
    }

    fn take_at(&self, who: &str, now: Instant) -> bool {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || RefusalCount {
            since: now,
            lines: 0,
        };
        if !callers.contains_key(who) {
            callers.insert(who.to_owned(), fresh());
        }
        let Some(count) = callers.get_mut(who) else {
            return false;
        };
        if now.saturating_duration_since(count.since) >= WINDOW {
            *count = fresh();
        }
        count.lines = count.lines.saturating_add(1);
        if count.lines == MOST + 1 {
            tracing::warn!(
                who,
                "more than {MOST} refusals of one caller in a minute: the rest of them is not in the audit"
            );
        }
        count.lines <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_fills_no_disk_and_takes_nothing_from_another() {
        let (budget, start) = (RefusalBudget::default(), Instant::now());
        let taken = |who: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            (0..1_000).filter(|_| budget.take_at(who, now)).count()
        };
        for (who, seconds, expected) in [
            ("a", 0, 120),
            ("b", 1, 120),
            ("a", 59, 0),
            ("a", 60, 120),
            ("b", 60, 0),
            ("b", 61, 120),
        ] {
            assert_eq!(taken(who, seconds), expected, "{who} at {seconds}");
        }
        let many = (0..3 * MOST_CALLERS).filter(|number| budget.take(&number.to_string()));
        assert_eq!(many.count(), 3 * MOST_CALLERS);
        assert!(budget.0.lock().expect("the lock").len() <= MOST_CALLERS);
    }
}
