//! The process's activity now and in the last hour, for operators. It is kept only in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::latencies::Latencies;
use super::usage::CallerUsage;
use crate::minutes::Minutes;

/// Most running calls that are listed. The server has places for fewer; further ones run unlisted.
const MOST_KNOWN: usize = 1_000;

/// Running calls, and the last hour.
pub struct Activity {
    /// The time since when the process counts.
    pub since: Timestamp,
    under_way: Mutex<UnderWay>,
    minutes: Minutes<CallMinute>,
    usage: CallerUsage,
}

#[derive(Default)]
struct UnderWay {
    last: u64,
    /// By ascending numbers: the oldest call is first.
    calls: BTreeMap<u64, CallUnderWay>,
}

/// A running call.
#[derive(Clone, Debug)]
pub struct CallUnderWay {
    pub tool: &'static str,
    /// The audit's name of the caller.
    pub who: String,
    /// Alias or id, once it is known.
    pub location: Option<String>,
    pub since: Instant,
}

/// The calls that ended in one minute.
#[derive(Clone, Debug, Default)]
pub struct CallMinute {
    pub worked: u32,
    /// Calls that wait for somebody's consent.
    pub asked: u32,
    /// Refused by rules, pauses or missing rights.
    pub refused: u32,
    /// Stopped at a limit of HighLevel's, by this server or by HighLevel.
    pub limited: u32,
    pub failed: u32,
    /// Calls whose clients left.
    pub cancelled: u32,
    /// Durations of the calls that HighLevel answered, from the arguments to the answer.
    pub latencies: Latencies,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            since: Timestamp::now(),
            under_way: Mutex::default(),
            minutes: Minutes::default(),
            usage: CallerUsage::default(),
        }
    }
}

impl Activity {
    /// Adds a running call. Returns its number.
    pub(super) fn begin(&self, tool: &'static str, who: String, since: Instant) -> Option<u64> {
        let mut under_way = self.under_way();
        if under_way.calls.len() >= MOST_KNOWN {
            return None;
        }
        under_way.last += 1;
        let number = under_way.last;
        let call = CallUnderWay {
            tool,
            who,
            location: None,
            since,
        };
        under_way.calls.insert(number, call);
        Some(number)
    }

    pub(super) fn locate(&self, number: u64, location: &str) {
        if let Some(call) = self.under_way().calls.get_mut(&number) {
            call.location = Some(location.to_owned());
        }
    }

    /// `outcome`: `ok`, `cancelled` or the class of the failure. `is_answered`: by HighLevel.
    pub(super) fn end(
        &self,
        number: Option<u64>,
        outcome: &str,
        is_answered: bool,
        took: Duration,
    ) {
        let known = number.and_then(|number| self.under_way().calls.remove(&number));
        if let Some(call) = known {
            self.usage.count(call.who);
        }
        self.minutes.add(|minute| {
            *minute.count(outcome) += 1;
            if is_answered {
                minute.latencies.add(took);
            }
        });
    }

    /// The oldest running calls, at most `most`, and the number of the others.
    pub fn calls(&self, most: usize) -> (Vec<CallUnderWay>, usize) {
        let under_way = self.under_way();
        let calls: Vec<_> = under_way.calls.values().take(most).cloned().collect();
        let beside = under_way.calls.len() - calls.len();
        (calls, beside)
    }

    /// The callers with the most calls in the last hour, at most `most`, and the number of the others.
    pub fn busiest(&self, most: usize) -> (Vec<(String, u32)>, usize) {
        self.usage.busiest(most)
    }

    /// The last hour, oldest minute first.
    pub fn minutes(&self) -> Vec<CallMinute> {
        self.minutes.read()
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallMinute {
    fn count(&mut self, outcome: &str) -> &mut u32 {
        match outcome {
            "ok" => &mut self.worked,
            "needs_confirmation" => &mut self.asked,
            "refused" | "auth" | "scope" | "token_class" | "location" => &mut self.refused,
            "rate_limited" => &mut self.limited,
            "cancelled" => &mut self.cancelled,
            _ => &mut self.failed,
        }
    }

    /// All calls that ended.
    pub fn calls(&self) -> u32 {
        self.worked + self.asked + self.refused + self.limited + self.failed + self.cancelled
    }

    /// Adds the numbers of another minute.
    pub fn merge(&mut self, other: &Self) {
        self.worked += other.worked;
        self.asked += other.asked;
        self.refused += other.refused;
        self.limited += other.limited;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.latencies.merge(&other.latencies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_until_it_ends_and_counted_then() {
        let activity = Activity::default();
        let begin = |who: &str| activity.begin("search", who.to_owned(), Instant::now());
        let (first, second) = (begin("key:a"), begin("grant:b"));
        activity.locate(first.expect("a number"), "acme");
        let (calls, beside) = activity.calls(1);
        assert_eq!((calls.len(), beside), (1, 1));
        assert_eq!(calls[0].who, "key:a", "the oldest");
        assert_eq!(calls[0].location.as_deref(), Some("acme"));
        activity.end(first, "ok", true, Duration::from_millis(10));
        activity.end(second, "refused", false, Duration::ZERO);
        let minute = activity.minutes().pop().expect("the minute that runs");
        assert_eq!((minute.worked, minute.refused), (1, 1));
        assert_eq!(minute.calls(), 2);
        assert!(activity.calls(10).0.is_empty());
    }

    #[test]
    fn no_number_of_calls_takes_more_memory() {
        let activity = Activity::default();
        let begun = (0..MOST_KNOWN + 5).map(|_| activity.begin("a", String::new(), Instant::now()));
        let unknown = begun.filter(Option::is_none).count();
        assert_eq!(unknown, 5);
        activity.end(None, "ok", false, Duration::ZERO);
        let minute = activity.minutes().pop().expect("the minute that runs");
        assert_eq!(minute.worked, 1, "counted all the same");
    }
}
