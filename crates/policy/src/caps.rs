//! How many calls an hour and a day: what was counted for each rule and location or token, in memory.

mod pool;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use toml::Value;

use super::Denial;
use super::problems::PolicyProblems;
use super::selector::Class;
use pool::{CapKey, CapPool};

/// So many calls of a class in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Such as `[server] caps send = { hour = 50 }`.
    pub rule: String,
    pub class: Class,
    pub window: CapWindow,
    pub most: u32,
    /// The section alone: what was counted stays when the number changes.
    place: String,
}

/// Slides: the calls of any hour or day count, whenever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapWindow {
    Hour,
    Day,
}

/// What was counted. Cheap to clone; one for the whole process.
#[derive(Clone, Debug, Default)]
pub struct CapCounts(Arc<Mutex<CapPools>>);

/// The places that one call took; they stay taken unless given back.
#[derive(Debug)]
pub struct Taken {
    counts: CapCounts,
    /// Each with the moment it was counted at.
    keys: Vec<(CapKey, i64)>,
}

#[derive(Debug, Default)]
struct CapPools {
    locations: CapPool,
    /// Everything that is no proven location. Anybody can get tokens, so that what is counted for them may not
    /// take the room of locations.
    tokens: CapPool,
}

/// Most rules and locations that are counted at once. Each takes 60 KB at most, and that only where calls fell
/// on every moment of its window.
const MOST_LOCATIONS: usize = 50_000;

/// The same for rules and tokens.
const MOST_TOKENS: usize = 10_000;

/// When to come back where too much is counted.
const CROWDED: Duration = Duration::from_secs(60);

/// What the name of a location that HighLevel proved begins with in `CapCounts::take`.
const LOCATION: &str = "location:";

impl CapWindow {
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
    pub fn new(place: &str, class: Class, window: CapWindow, most: u32) -> Self {
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
    pub fn read(
        at: &str,
        value: &Value,
        problems: &mut PolicyProblems,
    ) -> Option<Vec<(CapWindow, u32)>> {
        let mut caps = Vec::new();
        let table = problems.table(at, value)?;
        if table.is_empty() {
            problems.add(at, "names neither hour nor day");
        }
        for (key, value) in table {
            let window = [CapWindow::Hour, CapWindow::Day].into_iter();
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

    /// The default cap on sends, which a setting makes and no section.
    pub fn by_setting(most: u32) -> Self {
        const SETTING: &str = "policy.sends_per_hour";
        Self {
            rule: format!("the setting {SETTING} = {most}"),
            class: Class::Send,
            window: CapWindow::Hour,
            most,
            place: SETTING.to_owned(),
        }
    }

    fn key(&self, under: &str) -> CapKey {
        CapKey {
            under: under.to_owned(),
            place: self.place.clone(),
            class: self.class,
            window: self.window,
        }
    }

    fn used_up(&self, under: &str, retry_after: Option<Duration>) -> Denial {
        let (class, window, most) = (self.class.name(), self.window.name(), self.most);
        let whose = match under.starts_with(LOCATION) {
            true => "location",
            false => "token",
        };
        let what = match most {
            0 => format!("No calls of the class {class} are allowed for this {whose}."),
            _ => format!(
                "The {most} calls of the class {class} that are allowed for this {whose} in any {window} are used up."
            ),
        };
        Denial {
            rule: self.rule.clone(),
            what,
            retry_after,
        }
    }
}

impl CapCounts {
    /// Takes a place under every one of `caps`, or none at all where one is used up. `under` is what HighLevel
    /// proved of the caller, `location:<id>` or `token:<what stands for it>`: never what the caller merely names.
    pub fn take(&self, caps: &[Cap], under: &str, now: Timestamp) -> Result<Taken, Denial> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = counted.pool(under);
        let keys: Vec<(CapKey, i64)> = caps
            .iter()
            .map(|cap| (cap.key(under), cap.window.moment(now)))
            .collect();
        let mut used_up: Option<Denial> = None;
        for (cap, (key, _)) in caps.iter().zip(&keys) {
            let (free, retry_after) = pool.free(key, cap, now);
            // Of several the one that lasts longest: to come back sooner helps nobody.
            let lasts = |denied: &Denial| denied.retry_after.unwrap_or(Duration::MAX);
            let denied = (!free).then(|| cap.used_up(under, retry_after));
            used_up = used_up.into_iter().chain(denied).max_by_key(lasts);
        }
        if let Some(denied) = used_up {
            return Err(denied);
        }
        let new = keys.iter().filter(|(key, _)| !pool.counts(key));
        let new = new.count();
        let has_room = match under.starts_with(LOCATION) {
            true => new == 0 || pool.has_room(new, MOST_LOCATIONS, now),
            false => pool.make_room(new, MOST_TOKENS, now),
        };
        if !has_room {
            return Err(Denial {
                rule: caps.first().map(|cap| cap.rule.clone()).unwrap_or_default(),
                what: "Calls of more locations are counted than this server has room for."
                    .to_owned(),
                retry_after: Some(CROWDED),
            });
        }
        let keys = keys
            .into_iter()
            .map(|(key, moment)| {
                let moment = pool.add(&key, moment);
                (key, moment)
            })
            .collect();
        let counts = self.clone();
        Ok(Taken { counts, keys })
    }
}

impl Taken {
    /// For a call that was never sent, or that HighLevel refused for its token.
    pub fn give_back(self) {
        let mut counted = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, moment) in self.keys {
            counted.pool(&key.under).remove(&key, moment);
        }
    }
}

impl CapPools {
    fn pool(&mut self, under: &str) -> &mut CapPool {
        match under.starts_with(LOCATION) {
            true => &mut self.locations,
            false => &mut self.tokens,
        }
    }
}

#[cfg(test)]
mod tests;
