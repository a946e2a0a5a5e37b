//! How many calls an hour and a day: what was counted for each rule and location, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use toml::Value;

use super::Denied;
use super::file::Problems;
use super::selector::Class;

/// So many calls of a class in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Such as `[server] caps send = { hour = 50 }`.
    pub rule: String,
    pub class: Class,
    pub window: Window,
    pub most: u32,
    /// The section alone: what was counted stays when the number changes.
    place: String,
}

/// Slides: the calls of any hour or day count, whenever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    Hour,
    Day,
}

/// What was counted. Cheap to clone; one for the whole process.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<Counted>>);

/// The places that one call took; they stay taken unless given back.
#[derive(Debug)]
pub struct Taken {
    counts: Counts,
    /// Each with the moment it was counted at.
    keys: Vec<(Key, i64)>,
}

#[derive(Debug, Default)]
struct Counted {
    calls: BTreeMap<Key, Calls>,
    /// The second in which what is over was last dropped everywhere.
    swept: i64,
    /// From this many keys on it is time for that again.
    crowded: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    location: String,
    place: String,
    class: Class,
    window: Window,
}

/// The calls of one window by the moment they were counted at, ascending.
#[derive(Debug, Default)]
struct Calls {
    at: VecDeque<(i64, u32)>,
    total: u32,
}

/// Most rules and locations that are counted at once. Each takes 60 KB at most, and that only where calls fell
/// on every moment of its window.
const MOST_KEYS: usize = 50_000;

/// Fewer are not worth a look at all of them.
const FEW_KEYS: usize = 1_000;

/// When to come back where too much is counted.
const CROWDED: Duration = Duration::from_secs(60);

impl Window {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The moment that a call counts at, in seconds: rounded up, so that never more than the cap are in a
    /// window, and one window takes at most 3,600 numbers, whatever the cap.
    fn moment(self, now: Timestamp) -> i64 {
        let step = self.seconds() / 3_600;
        (now.as_second().div_euclid(step) + 1) * step
    }
}

impl Cap {
    pub fn new(place: &str, class: Class, window: Window, most: u32) -> Self {
        Self {
            rule: format!(
                "{place} caps {} = {{ {} = {most} }}",
                class.name(),
                window.name()
            ),
            class,
            window,
            most,
            place: place.to_owned(),
        }
    }

    /// The caps of one class, such as `{ hour = 50, day = 200 }`.
    pub fn read(at: &str, value: &Value, problems: &mut Problems) -> Option<Vec<(Window, u32)>> {
        let mut caps = Vec::new();
        let table = problems.table(at, value)?;
        if table.is_empty() {
            problems.add(at, "names neither hour nor day");
        }
        for (key, value) in table {
            let window = [Window::Hour, Window::Day].into_iter();
            match window.clone().find(|window| window.name() == key) {
                Some(window) => {
                    let most = problems.whole_number(&format!("{at} {key}"), value);
                    caps.extend(most.map(|most| (window, most)));
                }
                None => problems.unknown(at, key, &["hour", "day"]),
            }
        }
        Some(caps)
    }

    fn key(&self, location: &str) -> Key {
        Key {
            location: location.to_owned(),
            place: self.place.clone(),
            class: self.class,
            window: self.window,
        }
    }

    fn used_up(&self, retry_after: Option<Duration>) -> Denied {
        let (class, window, most) = (self.class.name(), self.window.name(), self.most);
        let what = match retry_after {
            _ if most == 0 => {
                format!("No calls of the class {class} are allowed for this location.")
            }
            _ => format!(
                "The {most} calls of the class {class} that are allowed for this location in any {window} are used up."
            ),
        };
        Denied {
            rule: self.rule.clone(),
            what,
            retry_after,
        }
    }
}

impl Counts {
    /// Takes a place under every one of `caps`, or none at all where one is used up.
    pub fn take(&self, caps: &[Cap], location: &str, now: Timestamp) -> Result<Taken, Denied> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<(Key, i64)> = caps
            .iter()
            .map(|cap| (cap.key(location), cap.window.moment(now)))
            .collect();
        let mut used_up: Option<Denied> = None;
        for (cap, (key, _)) in caps.iter().zip(&keys) {
            let (free, retry_after) = match counted.calls.get_mut(key) {
                Some(calls) => calls.free(cap, now),
                None => (cap.most > 0, None),
            };
            // Of several the one that lasts longest: to come back sooner helps nobody.
            let lasts = |denied: &Denied| denied.retry_after.unwrap_or(Duration::MAX);
            let denied = (!free).then(|| cap.used_up(retry_after));
            used_up = used_up.into_iter().chain(denied).max_by_key(lasts);
        }
        if let Some(denied) = used_up {
            return Err(denied);
        }
        if !counted.has_room(keys.len(), now) {
            return Err(Denied {
                rule: caps.first().map(|cap| cap.rule.clone()).unwrap_or_default(),
                what: "Calls of more locations are counted than this server has room for."
                    .to_owned(),
                retry_after: Some(CROWDED),
            });
        }
        let keys = keys
            .into_iter()
            .map(|(key, moment)| {
                let calls = counted.calls.entry(key.clone()).or_default();
                (key, calls.add(moment))
            })
            .collect();
        let counts = self.clone();
        Ok(Taken { counts, keys })
    }
}

impl Taken {
    /// For a call that was never sent.
    pub fn give_back(self) {
        let mut counted = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, moment) in self.keys {
            if let Some(calls) = counted.calls.get_mut(&key) {
                calls.remove(moment);
                if calls.at.is_empty() {
                    counted.calls.remove(&key);
                }
            }
        }
    }
}

impl Counted {
    /// Whether `more` keys may come; drops what is over when it gets crowded, once a second at most.
    fn has_room(&mut self, more: usize, now: Timestamp) -> bool {
        let crowded = self.crowded.clamp(FEW_KEYS, MOST_KEYS);
        if self.calls.len() + more > crowded && self.swept != now.as_second() {
            self.swept = now.as_second();
            self.calls.retain(|key, calls| {
                calls.forget(key.window, now);
                !calls.at.is_empty()
            });
            self.crowded = self.calls.len() * 2;
        }
        self.calls.len() + more <= MOST_KEYS
    }
}

impl Calls {
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

    fn forget(&mut self, window: Window, now: Timestamp) {
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
mod tests;
