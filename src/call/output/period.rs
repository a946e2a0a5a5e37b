//! Moments and days, as rows and callers write them, and the intervals that rows are grouped by.

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

use super::path::last_step;

/// Numbers from here on are milliseconds since 1970, below it seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A text with a smaller number is no epoch: 1973, when nobody used HighLevel.
const EPOCH_TEXTS_FROM: i64 = 100_000_000;

/// How HighLevel writes a day without a time where its field holds times.
const MIDNIGHTS: [&str; 2] = ["T00:00:00.000Z", "T00:00:00Z"];

/// A moment, or a day from its first moment to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    first: Timestamp,
    last: Timestamp,
}

/// What dates are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Period {
    /// RFC 3339, a day, a time without an offset, or an epoch; days and times are those of `zone`.
    pub(super) fn read(value: &Value, zone: &TimeZone) -> Option<Self> {
        let Some(text) = value.as_str() else {
            return Self::epoch(value);
        };
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Some(Self::moment(moment));
        }
        match local(text) {
            Some(Local::Day(day)) => Self::day(day, zone),
            Some(Local::Time(time)) => {
                let moment = zone.to_ambiguous_zoned_datetime(time).compatible().ok()?;
                Some(Self::moment(moment.timestamp()))
            }
            None => Self::epoch(value),
        }
    }

    /// The same of what a row has in `field`.
    pub(super) fn in_row(value: &Value, field: &str, zone: &TimeZone) -> Option<Self> {
        match midnight_day(value, field) {
            Some(day) => Self::day(day, zone),
            None => Self::read(value, zone),
        }
    }

    pub(super) fn first(self) -> Timestamp {
        self.first
    }

    /// Before, within or after: a moment is equal to its day.
    pub(super) fn compare(self, other: Self) -> Ordering {
        if self.last < other.first {
            Ordering::Less
        } else if self.first > other.last {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    fn moment(moment: Timestamp) -> Self {
        Self {
            first: moment,
            last: moment,
        }
    }

    fn day(day: Date, zone: &TimeZone) -> Option<Self> {
        let start = |day: Date| Some(day.to_zoned_datetime(zone.clone()).ok()?.timestamp());
        let next = start(day.tomorrow().ok()?)?;
        Some(Self {
            first: start(day)?,
            last: next.checked_sub(Span::new().nanoseconds(1)).ok()?,
        })
    }

    fn epoch(value: &Value) -> Option<Self> {
        let text = value.as_str().map(str::trim);
        let fraction = value.as_f64().filter(|_| value.is_number());
        #[expect(clippy::cast_possible_truncation, reason = "dates are far below 2^53")]
        let number = match text {
            // A phone number begins with a sign.
            Some(text) if text.starts_with('+') => return None,
            Some(text) => text.parse().ok()?,
            None => fraction? as i64,
        };
        // A year, or a day without hyphens, is no second of 1970.
        if text.is_some() && number.abs() < EPOCH_TEXTS_FROM {
            return None;
        }
        let moment = if number.abs() >= MILLISECONDS_FROM {
            Timestamp::from_millisecond(number)
        } else {
            Timestamp::from_second(number)
        };
        moment.ok().map(Self::moment)
    }
}

impl Interval {
    /// The interval that `word` names.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            "month" => Some(Self::Month),
            _ => None,
        }
    }

    /// What the interval is called that a row's date falls into: its day, its week's Monday, its month.
    pub(super) fn label(self, value: &Value, field: &str, zone: &TimeZone) -> Option<String> {
        let day = midnight_day(value, field);
        let day = day.or_else(|| match value.as_str().and_then(local) {
            Some(Local::Day(day)) => Some(day),
            Some(Local::Time(time)) => Some(time.date()),
            None => {
                let moment = Period::read(value, zone)?.first;
                Some(moment.to_zoned_datetime(zone.clone()).date())
            }
        })?;
        let back = i64::from(day.weekday().to_monday_zero_offset());
        Some(match self {
            Self::Day => day.to_string(),
            Self::Week => day.checked_sub(Span::new().days(back)).ok()?.to_string(),
            Self::Month => format!("{:04}-{:02}", day.year(), day.month()),
        })
    }
}

/// A date or time that says nothing of its zone.
enum Local {
    Day(Date),
    Time(DateTime),
}

/// Whether a text is a date, with a zone or without.
pub(super) fn is_date(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.parse::<Timestamp>().is_ok() || local(text).is_some()
}

/// Whether what a text means depends on the zone.
pub(super) fn needs_zone(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.parse::<Timestamp>().is_err() && local(text).is_some()
}

fn local(text: &str) -> Option<Local> {
    const DAY: usize = "2026-01-31".len();
    if text.len() == DAY {
        return text.parse().ok().map(Local::Day);
    }
    (text.len() > DAY)
        .then(|| text.parse().ok().map(Local::Time))
        .flatten()
}

/// The day of a field that holds days, which HighLevel keeps as midnight of UTC: in a zone west of it that is the day
/// before. Fields of times, such as `startTime`, are midnight of UTC by chance.
fn midnight_day(value: &Value, field: &str) -> Option<Date> {
    let name = last_step(field);
    let holds_days = name.ends_with("Date") || name == "dateOfBirth";
    let text = value.as_str().filter(|_| holds_days)?;
    let mut days = MIDNIGHTS.iter().filter_map(|end| text.strip_suffix(end));
    days.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    #[test]
    fn a_day_is_that_of_the_zone() {
        fn check(a: Value, b: Value, expected: Option<Ordering>) {
            let zone = zone("America/Los_Angeles");
            let periods = Period::in_row(&a, "createdAt", &zone).zip(Period::read(&b, &zone));
            assert_eq!(periods.map(|(a, b)| a.compare(b)), expected, "{a} {b}");
        }
        let day = json!("2026-11-20");
        for (moment, expected) in [
            (json!("2026-11-20T07:59:59.999Z"), Ordering::Less),
            (json!("2026-11-20T08:00:00Z"), Ordering::Equal),
            (json!("2026-11-21T07:59:59Z"), Ordering::Equal),
            (json!("2026-11-21T08:00:00Z"), Ordering::Greater),
            (json!("2026-11-20T23:59"), Ordering::Equal),
            (json!("2026-11-21 00:00:00"), Ordering::Greater),
            (json!(1_795_161_600), Ordering::Equal),
            (json!("1795161600000"), Ordering::Equal),
            (json!("2026-11-19"), Ordering::Less),
        ] {
            check(moment.clone(), day.clone(), Some(expected));
            check(day.clone(), moment, Some(expected.reverse()));
        }
        for other in [
            json!("never"),
            json!(null),
            json!([]),
            json!("2026-13-01"),
            json!(1e300),
        ] {
            check(other, day.clone(), None);
        }
    }

    #[test]
    fn intervals_are_those_of_the_zone() {
        fn check(value: &str, field: &str, expected: [&str; 3]) {
            let zone = zone("America/Los_Angeles");
            for (word, expected) in ["day", "week", "month"].into_iter().zip(expected) {
                let interval = Interval::parse(word).expect("an interval");
                let label = interval.label(&json!(value), field, &zone);
                assert_eq!(label.as_deref(), Some(expected), "{value} {word}");
            }
        }
        let last_of_november = ["2026-11-30", "2026-11-30", "2026-11"];
        check("2026-12-01T07:59:00Z", "createdAt", last_of_november);
        check(
            "2026-11-29T20:00:00-08:00",
            "createdAt",
            ["2026-11-29", "2026-11-23", "2026-11"],
        );
        check(
            "2026-12-01",
            "createdAt",
            ["2026-12-01", "2026-11-30", "2026-12"],
        );
        check(
            "2026-12-01T00:00",
            "createdAt",
            ["2026-12-01", "2026-11-30", "2026-12"],
        );
        check("2026-12-01T00:00:00.000Z", "createdAt", last_of_november);
        // A day that is kept as midnight of UTC is that day.
        check(
            "2026-12-01T00:00:00.000Z",
            "invoice.dueDate",
            ["2026-12-01", "2026-11-30", "2026-12"],
        );
        assert_eq!(Interval::parse("year"), None);
    }
}
