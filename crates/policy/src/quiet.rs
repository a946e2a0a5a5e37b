//! Quiet hours: hours of the day and whole days without sends, by the local time of a zone.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use toml::Value;

use super::problems::PolicyProblems;
use super::selector::nearest;

/// Quiet hours of one section.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    /// From the first time to before the second; over midnight if the second is earlier.
    hours: Option<(Time, Time)>,
    days: Vec<Weekday>,
    zone: TimeZone,
    zone_name: String,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// More consecutive stretches than three sections can have in a week that is not quiet throughout.
const MOST_STRETCHES: usize = 64;

impl Quiet {
    pub(crate) fn read(at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<Self> {
        let (mut from, mut to, mut days, mut zone) = (None, None, Vec::new(), None);
        let before = problems.count();
        for (key, value) in problems.table(at, value)? {
            let inside = format!("{at} {key}");
            match key.as_str() {
                "from" => from = time(&inside, value, problems),
                "to" => to = time(&inside, value, problems),
                "days" => days = weekdays(&inside, value, problems),
                "zone" => zone = time_zone(&inside, value, problems),
                _ => problems.unknown(at, key, &["from", "to", "days", "zone"]),
            }
        }
        if problems.count() > before {
            return None;
        }
        let hours = match (from, to) {
            (Some(from), Some(to)) if from == to => {
                problems.add(at, "from and to are the same. For whole days use days");
                None
            }
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) if !days.is_empty() => None,
            _ => {
                problems.add(at, "from and to are needed, or days");
                None
            }
        };
        let Some((zone_name, zone)) = zone else {
            problems.add(at, "zone is missing, such as zone = \"Europe/Berlin\"");
            return None;
        };
        Some(Self {
            hours,
            days,
            zone,
            zone_name,
        })
    }

    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        let local = now.to_zoned_datetime(self.zone.clone());
        self.days.contains(&local.weekday())
            || self.hours.is_some_and(|(from, to)| {
                let time = local.time();
                let (after, before) = (time >= from, time < to);
                if from < to {
                    after && before
                } else {
                    after || before
                }
            })
    }

    /// `time` in local time.
    pub(crate) fn local(&self, time: Timestamp) -> String {
        let local = time.to_zoned_datetime(self.zone.clone());
        local.strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The end of the stretch that contains `now`; another may follow.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned_datetime(self.zone.clone());
        if self.days.contains(&local.weekday()) {
            let next_day = local.tomorrow().ok()?.start_of_day().ok()?;
            return Some(next_day.timestamp());
        }
        let (_, to) = self.hours?;
        let day = if local.time() < to {
            local.date()
        } else {
            local.date().tomorrow().ok()?
        };
        let end = self.zone.to_ambiguous_timestamp(day.to_datetime(to));
        if let AmbiguousOffset::Gap { .. } = end.offset() {
            // Clocks skip `to` when they go forward, so the stretch ends at that change.
            return Some(self.zone.following(now).next()?.timestamp());
        }
        // An hour that occurs twice may be in its second round.
        let first = end.earlier().ok()?;
        if first > now {
            return Some(first);
        }
        end.later().ok()
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = DAYS.iter().filter(|(_, day)| self.days.contains(day));
        let days: Vec<&str> = days.map(|(name, _)| *name).collect();
        if let Some((from, to)) = self.hours {
            let (from, to) = (from.strftime("%H:%M"), to.strftime("%H:%M"));
            write!(f, "from {from} to {to}")?;
        }
        if !days.is_empty() {
            let and = if self.hours.is_some() { " and " } else { "" };
            write!(f, "{and}on {}", days.join(", "))?;
        }
        write!(f, " ({})", self.zone_name)
    }
}

/// The first moment from `now` on at which none of `all` applies, if there is one.
pub(crate) fn end<'a>(
    all: impl Iterator<Item = &'a Quiet> + Clone,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut time = now;
    for _ in 0..MOST_STRETCHES {
        match all.clone().find(|quiet| quiet.holds(time)) {
            None => return Some(time),
            Some(quiet) => time = quiet.until(time)?,
        }
    }
    None
}

fn time(at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<Time> {
    let digits = |part: &str| match part.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => part.parse::<i8>().ok(),
        _ => None,
    };
    let read = value.as_str().and_then(|text| {
        let (hour, minute) = text.split_once(':')?;
        Time::new(digits(hour)?, digits(minute)?, 0, 0).ok()
    });
    if read.is_none() {
        problems.add(at, "must be a time such as \"20:00\"");
    }
    read
}

fn weekdays(at: &str, value: &Value, problems: &mut PolicyProblems) -> Vec<Weekday> {
    let mut days = Vec::new();
    for name in problems.texts(at, value) {
        match DAYS.iter().find(|(known, _)| *known == name) {
            Some((_, day)) => days.push(*day),
            None => {
                let all = DAYS.map(|(known, _)| known).join(", ");
                problems.add(at, format_args!("{name} is not a day; there are {all}"));
            }
        }
    }
    if DAYS.iter().all(|(_, day)| days.contains(day)) {
        problems.add(at, "names all seven days; deny \"effect:send\" instead");
    }
    days
}

fn time_zone(at: &str, value: &Value, problems: &mut PolicyProblems) -> Option<(String, TimeZone)> {
    let Some(name) = value.as_str() else {
        problems.add(at, "must be the name of a zone, such as \"Europe/Berlin\"");
        return None;
    };
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() => Some((name.to_owned(), zone)),
        _ => {
            let known: Vec<String> = jiff::tz::db()
                .available()
                .map(|zone| zone.to_string())
                .collect();
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "give one such as Europe/Berlin".to_owned(),
            };
            problems.add(at, format_args!("{name} is not a known zone; {hint}"));
            None
        }
    }
}
