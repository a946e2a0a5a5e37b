//! Caps: the number of calls per hour and day. The counter gets from here the name that a call counts under, and the
//! time.

use std::time::Duration;

use jiff::Timestamp;
use toml::Value;

use super::Denial;
use super::problems::PolicyProblems;
use super::selector::Class;

/// The most calls of a class in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Such as `[server] caps send = { hour = 50 }`.
    pub rule: String,
    pub class: Class,
    pub window: CapWindow,
    pub most: u32,
    /// The section only: counts stay when the number changes.
    place: String,
    /// It counts the calls of its caller in all locations.
    pub is_callers: bool,
}

/// A sliding window: the calls of any hour or day count, whenever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapWindow {
    Hour,
    Day,
}

/// Prefix of the name of a location that HighLevel proved.
const LOCATION: &str = "location:";

/// Prefix of the name of a caller.
const CALLER: &str = "caller:";

impl CapWindow {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The second at which a call counts: rounded up, so that a window never has more calls than the cap. A window has
    /// at most 3,600 such numbers, whatever the cap.
    pub fn moment(self, now: Timestamp) -> i64 {
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
            is_callers: false,
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

    /// The default cap on sends, from a setting and no section.
    pub fn by_setting(most: u32) -> Self {
        const SETTING: &str = "policy.sends_per_hour";
        Self {
            rule: format!("the setting {SETTING} = {most}"),
            class: Class::Send,
            window: CapWindow::Hour,
            most,
            place: SETTING.to_owned(),
            is_callers: false,
        }
    }

    /// Identifies the rule and the counted calls. `under` is what HighLevel proved of the caller, `location:<id>` or
    /// `token:<its digest>`, never what the caller only claims; or `caller:<its digest>` if the cap counts a caller's
    /// own calls.
    pub fn bucket(&self, under: &str) -> Vec<u8> {
        let (class, window) = (self.class.name(), self.window.name());
        // Only the last part may contain a line break.
        [class, window, &self.place, under].join("\n").into_bytes()
    }

    /// The denial if no place is free.
    pub fn used_up(&self, under: &str, retry_after: Option<Duration>) -> Denial {
        let (class, window, most) = (self.class.name(), self.window.name(), self.most);
        let whose = if under.starts_with(LOCATION) {
            "location"
        } else if under.starts_with(CALLER) {
            "connection"
        } else {
            "token"
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
            is_callers: self.is_callers,
        }
    }
}

#[cfg(test)]
mod tests;
