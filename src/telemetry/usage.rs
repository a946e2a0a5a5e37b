//! The calls of each caller in the last hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::minutes::{MinuteRing, minute_number};

/// Most callers that are counted individually, at a quarter of a kilobyte each. Further ones are not counted until
/// others were idle for an hour.
const MOST_CALLERS: usize = 1_000;

/// The calls of the last hour, by caller.
pub(super) struct CallerUsage {
    since: Instant,
    counts: Mutex<CallerCounts>,
}

#[derive(Default)]
struct CallerCounts {
    by_caller: HashMap<String, MinuteRing<u32>>,
    /// The minute of the last search for idle callers.
    swept: usize,
}

impl Default for CallerUsage {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            counts: Mutex::default(),
        }
    }
}

impl CallerUsage {
    pub(super) fn count(&self, who: String) {
        let number = minute_number(self.since);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.count(who, number);
    }

    /// The callers with the most calls, at most `most`, and the number of the others.
    pub(super) fn busiest(&self, most: usize) -> (Vec<(String, u32)>, usize) {
        let number = minute_number(self.since);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.busiest(most, number)
    }
}

impl CallerCounts {
    fn count(&mut self, who: String, number: usize) {
        if let Some(ring) = self.by_caller.get_mut(&who) {
            return ring.add(number, |count| *count += 1);
        }
        if self.by_caller.len() >= MOST_CALLERS {
            // Once a minute: looking at all of them takes as long as a hundred calls.
            if self.swept >= number {
                return;
            }
            self.swept = number;
            self.by_caller
                .retain(|_, ring| ring.read(number).iter().any(|count| *count > 0));
            if self.by_caller.len() >= MOST_CALLERS {
                return;
            }
        }
        let ring = self.by_caller.entry(who).or_default();
        ring.add(number, |count| *count += 1);
    }

    fn busiest(&mut self, most: usize, number: usize) -> (Vec<(String, u32)>, usize) {
        let rings = self.by_caller.iter_mut();
        let sums = rings.map(|(who, ring)| (who, ring.read(number).iter().sum::<u32>()));
        let mut all: Vec<_> = sums.filter(|(_, sum)| *sum > 0).collect();
        all.sort_by(|(a, some), (b, more)| more.cmp(some).then(a.cmp(b)));
        let beside = all.len().saturating_sub(most);
        let busiest = all.into_iter().take(most);
        (
            busiest.map(|(who, sum)| (who.clone(), sum)).collect(),
            beside,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_sorted_by_calls_and_idle_ones_are_removed() {
        let mut counts = CallerCounts::default();
        for (who, minute) in [("a", 0), ("b", 0), ("b", 30), ("c", 59), ("c", 59)] {
            counts.count(who.to_owned(), minute);
        }
        let mut check = |minute, most, expected: &[(&str, u32)], beside| {
            let expected = expected.iter().map(|(who, sum)| ((*who).to_owned(), *sum));
            let told = counts.busiest(most, minute);
            assert_eq!(told, (expected.collect(), beside), "in minute {minute}");
        };
        check(59, 2, &[("b", 2), ("c", 2)], 1);
        check(60, 5, &[("c", 2), ("b", 1)], 0);
        check(200, 5, &[], 0);
    }

    #[test]
    fn no_number_of_callers_takes_more_memory() {
        let mut counts = CallerCounts::default();
        for number in 0..MOST_CALLERS + 10 {
            counts.count(format!("grant:{number}"), 1);
        }
        assert_eq!(counts.by_caller.len(), MOST_CALLERS);
        counts.count("grant:late".to_owned(), 61);
        assert_eq!(counts.by_caller.len(), 1, "the others rested for an hour");
    }
}
