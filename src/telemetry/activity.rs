//! The process's activity now and in the last hour, for operators. It is kept in memory alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::latencies::Latencies;
use super::usage::CallerUsage;
use crate::minutes::Minutes;

/// Calls under way that are known one by one. The server has places for fewer; what is beyond runs unlisted.
const MOST_KNOWN: usize = 1_000;

/// Calls under way, and the last hour.
pub struct Activity {
    /// When the process began to count.
    pub since: Timestamp,
    under_way: Mutex<UnderWay>,
    minutes: Minutes<CallMinute>,
    usage: CallerUsage,
}

#[derive(Default)]
struct UnderWay {
    last: u64,
    /// By numbers that grow: the oldest call stands first.
    calls: BTreeMap<u64, CallUnderWay>,
}

/// A call that has not ended.
#[derive(Clone, Debug)]
pub struct CallUnderWay {
    pub tool: &'static str,
    /// As the audit names the caller.
    pub who: String,
    /// Alias or id, once it is known.
    pub location: Option<String>,
    pub since: Instant,
}

/// The calls that ended in one minute.
#[derive(Clone, Debug, Default)]
pub struct CallMinute {
    pub worked: u32,
    /// They wait for somebody to agree.
    pub asked: u32,
    /// Rules, pauses and missing rights.
    pub refused: u32,
    /// At a limit of HighLevel's, by this server or by HighLevel.
    pub limited: u32,
    pub failed: u32,
    /// Their clients left.
    pub cancelled: u32,
    /// Of those that HighLevel answered, from the arguments to the answer.
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
    /// A call begins; by this number it is known until it ends.
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

    /// The calls that began longest ago, at most `most`, and how many there are beside them.
    pub fn calls(&self, most: usize) -> (Vec<CallUnderWay>, usize) {
        let under_way = self.under_way();
        let calls: Vec<_> = under_way.calls.values().take(most).cloned().collect();
        let beside = under_way.calls.len() - calls.len();
        (calls, beside)
    }

    /// The callers who called most in the last hour, with their calls, at most `most`, and how many there are beside them.
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

    /// All that ended.
    pub fn calls(&self) -> u32 {
        self.worked + self.asked + self.refused + self.limited + self.failed + self.cancelled
    }

    /// Adds another minute's.
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
