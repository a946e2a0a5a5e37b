//! Counted calls of many rules, and the room that they take.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::{Cap, CapWindow};
use crate::selector::Class;

/// What calls are counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapKey {
    /// Whose calls they are.
    pub under: String,
    /// The section that has the rule.
    pub place: String,
    pub class: Class,
    pub window: CapWindow,
}

/// Counts that share one bound.
#[derive(Debug, Default)]
pub struct CapPool {
    calls: BTreeMap<CapKey, CallTimes>,
    /// The second in which what is over was last dropped everywhere.
    swept: i64,
    /// From this many keys on it is time for that again.
    crowded: usize,
}

/// The calls of one window by the moment they were counted at, ascending.
#[derive(Debug, Default)]
struct CallTimes {
    at: VecDeque<(i64, u32)>,
    total: u32,
}

/// Fewer are not worth a look at all of them.
const FEW_KEYS: usize = 1_000;

/// The part of a full pool that goes at once, so that not every call has to look for the oldest.
const PART_EVICTED: usize = 8;

impl CapPool {
    /// Whether calls are counted under `key` already.
    pub fn counts(&self, key: &CapKey) -> bool {
        self.calls.contains_key(key)
    }

    /// Whether there is a place under `cap`, and otherwise when there is one.
    pub fn free(&mut self, key: &CapKey, cap: &Cap, now: Timestamp) -> (bool, Option<Duration>) {
        match self.calls.get_mut(key) {
            Some(calls) => calls.free(cap, now),
            None => (cap.most > 0, None),
        }
    }

    /// Counts a call, and says at which moment.
    pub fn add(&mut self, key: &CapKey, moment: i64) -> i64 {
        self.calls.entry(key.clone()).or_default().add(moment)
    }

    pub fn remove(&mut self, key: &CapKey, moment: i64) {
        if let Some(calls) = self.calls.get_mut(key) {
            calls.remove(moment);
            if calls.at.is_empty() {
                self.calls.remove(key);
            }
        }
    }

    /// Whether `more` keys may come; drops what is over when it gets crowded, once a second at most.
    pub fn has_room(&mut self, more: usize, most: usize, now: Timestamp) -> bool {
        let crowded = self.crowded.clamp(FEW_KEYS, most);
        if self.calls.len() + more > crowded && self.swept != now.as_second() {
            self.swept = now.as_second();
            self.calls.retain(|key, calls| {
                calls.forget(key.window, now);
                !calls.at.is_empty()
            });
            self.crowded = self.calls.len() * 2;
        }
        self.calls.len() + more <= most
    }

    /// Has room for `more` keys: where all are in use, those go whose last call is the longest ago.
    pub fn make_room(&mut self, more: usize, most: usize, now: Timestamp) -> bool {
        if self.has_room(more, most, now) {
            return true;
        }
        let mut by_age: Vec<(i64, CapKey)> = self
            .calls
            .iter()
            .map(|(key, calls)| (calls.at.back().map_or(0, |(at, _)| *at), key.clone()))
            .collect();
        by_age.sort_unstable();
        for (_, key) in by_age.into_iter().take((most / PART_EVICTED).max(more)) {
            self.calls.remove(&key);
        }
        true
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.calls.len()
    }
}

impl CallTimes {
    /// Whether there is a place under `cap`, and otherwise when there is one.
    fn free(&mut self, cap: &Cap, now: Timestamp) -> (bool, Option<Duration>) {
        self.forget(cap.window, now);
        let Some(over) = self.total.checked_sub(cap.most) else {
            return (true, None);
        };
        // Where the cap was lowered, more than one call must leave.
        let mut must_leave = u64::from(over) + 1;
        for (moment, calls) in &self.at {
            must_leave = must_leave.saturating_sub(u64::from(*calls));
            if must_leave == 0 {
                let seconds = moment + cap.window.seconds() - now.as_second();
                let seconds = u64::try_from(seconds).unwrap_or_default();
                return (false, Some(Duration::from_secs(seconds)));
            }
        }
        (false, None)
    }

    /// Counts a call, and says at which moment: no earlier than the last one where the clock was put back.
    fn add(&mut self, moment: i64) -> i64 {
        self.total = self.total.saturating_add(1);
        match self.at.back_mut() {
            Some((last, calls)) if *last >= moment => {
                *calls = calls.saturating_add(1);
                *last
            }
            _ => {
                self.at.push_back((moment, 1));
                moment
            }
        }
    }

    fn remove(&mut self, moment: i64) {
        let Ok(place) = self.at.binary_search_by_key(&moment, |(at, _)| *at) else {
            return;
        };
        self.total = self.total.saturating_sub(1);
        if let Some((_, calls)) = self.at.get_mut(place) {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                self.at.remove(place);
            }
        }
    }

    fn forget(&mut self, window: CapWindow, now: Timestamp) {
        let over = |moment: i64| moment + window.seconds() <= now.as_second();
        while let Some((moment, calls)) = self.at.front().copied()
            && over(moment)
        {
            self.total = self.total.saturating_sub(calls);
            self.at.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_window_takes_at_most_an_entry_for_each_of_its_moments() {
        let mut one = CallTimes::default();
        for second in 0..20_000 {
            let now = Timestamp::from_second(1_764_000_007 + second / 2).expect("a time");
            one.add(CapWindow::Hour.moment(now));
            one.forget(CapWindow::Hour, now);
        }
        assert!(
            one.at.len() <= 3_601 && one.total <= 7_202,
            "{}",
            one.at.len()
        );
    }
}
