//! Writes a date or time in the form that a field takes.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use serde_json::{Value, json};

use super::zone::offset_text;
use tool::DateForm;

/// Subtracted to get the last moment of a day, which ends the windows in HighLevel's own examples.
const BEFORE_NEXT_DAY: SignedDuration = SignedDuration::from_millis(-1);

/// A local time in `zone`. At a change of clocks a time may occur twice or never. A read takes the usual one (RFC
/// 5545: the first, or the one after the gap); a write must say which is meant.
pub(super) fn in_zone(
    local: DateTime,
    zone: &TimeZone,
    is_read: bool,
) -> Result<ZonedDateTime, String> {
    let ambiguous = zone.to_ambiguous_zoned_datetime(local);
    let what = match ambiguous.offset() {
        AmbiguousOffset::Fold { before, after } if !is_read => Some(format!(
            "comes twice that night, as clocks go back; give it the offset {} or {}",
            offset_text(before),
            offset_text(after)
        )),
        AmbiguousOffset::Gap { before, after } if !is_read => Some(format!(
            "does not exist that night, as clocks go from {} to {}; give another time",
            offset_text(before),
            offset_text(after)
        )),
        _ => None,
    };
    match what {
        Some(what) => Err(what),
        None => ambiguous.compatible().map_err(|_| out_of_range()),
    }
}

/// The first millisecond of a day in `zone`, or its last.
pub(super) fn edge_of_day(
    day: Date,
    zone: &TimeZone,
    is_end: bool,
) -> Result<ZonedDateTime, String> {
    let start = |day: Date| day.to_zoned_datetime(zone.clone()).ok();
    let edge = match is_end {
        false => start(day),
        true => day
            .tomorrow()
            .ok()
            .and_then(start)
            .and_then(|next| next.checked_add(BEFORE_NEXT_DAY).ok()),
    };
    edge.ok_or_else(out_of_range)
}

fn out_of_range() -> String {
    "is out of range".to_owned()
}

/// A moment in `form`. `rfc3339` is the caller's own text.
pub(super) fn write_moment(
    form: DateForm,
    as_text: bool,
    moment: &ZonedDateTime,
    rfc3339: Option<String>,
) -> Value {
    match form {
        DateForm::EpochMilliseconds => number(moment.timestamp().as_millisecond(), as_text),
        DateForm::EpochSeconds => number(moment.timestamp().as_second(), as_text),
        DateForm::DateTime => json!(rfc3339.unwrap_or_else(|| to_rfc3339(moment))),
        DateForm::LocalTwelveHour
        | DateForm::LocalTwentyFourHour
        | DateForm::LocalTwelveHourMonthFirst => write_local(form, moment.datetime()),
        DateForm::Date | DateForm::MonthDayYear | DateForm::UtcMidnight => {
            write_day(form, moment.date())
        }
    }
}

/// A day in `form`.
pub(super) fn write_day(form: DateForm, day: Date) -> Value {
    match form {
        DateForm::MonthDayYear => json!(day.strftime("%m-%d-%Y").to_string()),
        DateForm::UtcMidnight => json!(format!("{day}T00:00:00.000Z")),
        _ => json!(day.to_string()),
    }
}

/// A local time in `form`.
pub(super) fn write_local(form: DateForm, local: DateTime) -> Value {
    let format = match form {
        DateForm::LocalTwelveHour => "%Y-%m-%d %I:%M %p",
        DateForm::LocalTwelveHourMonthFirst => "%m-%d-%Y %I:%M %p",
        _ => "%Y-%m-%d %H:%M:%S",
    };
    json!(local.strftime(format).to_string())
}

fn to_rfc3339(moment: &ZonedDateTime) -> String {
    if moment.offset() == Offset::UTC {
        return Timestamp::to_string(&moment.timestamp());
    }
    moment.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
}

fn number(number: i64, as_text: bool) -> Value {
    if as_text {
        json!(number.to_string())
    } else {
        json!(number)
    }
}
