//! Parses a caller's value as a date or time. Nothing here knows of forms, tools or locations.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::{DateTimeParser, PiecesOffset};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::zone::offset_text;

/// An epoch value is read in the only unit that puts it between 1980-01-01 and 2286-11-20, in seconds: a factor of
/// 32, so that no value fits two units. Days written without hyphens (20261201, 202612011230) fit none.
const EPOCH_FROM: i64 = 315_532_800;
const EPOCH_UNTIL: i64 = 10_000_000_000;

/// Seconds, milliseconds, microseconds and nanoseconds.
const UNITS: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// Longest text of a number: nanoseconds have 19 digits, a fraction of a second as many more.
const LONGEST_NUMBER: usize = 40;

/// A date or time as given.
#[derive(Debug)]
pub(super) struct GivenTime {
    pub kind: GivenKind,
    /// The zone that the value itself names.
    pub zone: Option<TimeZone>,
}

#[derive(Debug)]
pub(super) enum GivenKind {
    /// A point in time.
    Moment {
        at: Timestamp,
        /// The calendar day that the value itself gives.
        day: Option<Date>,
        /// The value's own text, if it is RFC 3339.
        rfc3339: Option<String>,
    },
    /// Date and time without an offset.
    Local(DateTime),
    /// A day.
    Day(Date),
}

/// The reason that a value is not a date.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DateFault {
    /// It has no known form.
    Form,
    /// It has a known form, but this is wrong with it.
    Meaning(String),
}

/// Parses a text or a number; `None` for any other value.
pub(super) fn read(value: &Value) -> Option<Result<GivenTime, DateFault>> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(match is_number(&text) {
        true => epoch(&text).ok_or(DateFault::Form).map(moment),
        false => read_text(&text),
    })
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= LONGEST_NUMBER && digits.splitn(2, '.').all(is_part)
}

/// The moment for a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    // Zero is the same in every unit: "from the beginning" in a window.
    if whole == 0 && fraction.bytes().all(|byte| byte == b'0') && !text.starts_with('-') {
        return Some(Timestamp::UNIX_EPOCH);
    }
    let unit = UNITS.into_iter().find(|unit| {
        let from = EPOCH_FROM.saturating_mul(*unit);
        (from..EPOCH_UNTIL.saturating_mul(*unit)).contains(&whole)
    })?;
    let in_second = (whole % unit) * (UNITS[3] / unit);
    // A fraction counts only for seconds: nobody gives parts of a millisecond.
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let rest = if unit == 1 { nanoseconds } else { in_second };
    Timestamp::from_second(whole / unit)
        .ok()?
        .checked_add(SignedDuration::from_nanos(rest))
        .ok()
}

fn moment(at: Timestamp) -> GivenTime {
    GivenTime {
        kind: GivenKind::Moment {
            at,
            day: None,
            rfc3339: None,
        },
        zone: None,
    }
}

/// Parses RFC 3339 or ISO 8601, with an optional zone of RFC 9557 in brackets, `mm-dd-yyyy`, or HighLevel's two
/// forms with AM and PM.
fn read_text(text: &str) -> Result<GivenTime, DateFault> {
    if let Ok(day) = Date::strptime("%m-%d-%Y", text) {
        return Ok(GivenTime {
            kind: GivenKind::Day(day),
            zone: None,
        });
    }
    let mut twelve_hour = ["%Y-%m-%d %I:%M %p", "%m-%d-%Y %I:%M %p"].into_iter();
    if let Some(local) = twelve_hour.find_map(|form| DateTime::strptime(form, text).ok()) {
        return Ok(GivenTime {
            kind: GivenKind::Local(local),
            zone: None,
        });
    }
    let pieces = DateTimeParser::new()
        .parse_pieces(text)
        .map_err(|_| DateFault::Form)?;
    let zone = pieces.to_time_zone().map_err(|_| {
        let named = text.split_once('[').map_or(text, |(_, named)| named);
        let named: String = named.chars().take(60).collect();
        let named = named.split(']').next().unwrap_or_default();
        DateFault::Meaning(format!(
            "names the time zone {named:?}, which is not known; give an IANA name such as America/Los_Angeles"
        ))
    })?;
    let kind = match (pieces.time(), pieces.offset()) {
        (None, None) => GivenKind::Day(pieces.date()),
        (None, Some(_)) => return Err(DateFault::Form),
        (Some(time), None) => GivenKind::Local(pieces.date().to_datetime(time)),
        (Some(time), Some(offset)) => {
            let local = pieces.date().to_datetime(time);
            with_offset(local, offset, zone.as_ref(), text)?
        }
    };
    Ok(GivenTime { kind, zone })
}

fn with_offset(
    local: DateTime,
    offset: PiecesOffset,
    zone: Option<&TimeZone>,
    text: &str,
) -> Result<GivenKind, DateFault> {
    let shift = offset.to_numeric_offset();
    let at = shift.to_timestamp(local).map_err(|_| DateFault::Form)?;
    let is_zulu = matches!(offset, PiecesOffset::Zulu);
    if let Some(zone) = zone
        && !is_zulu
        && zone.to_offset(at) != shift
    {
        return Err(DateFault::Meaning(format!(
            "says {} and names a time zone that is at {} then; give one of them",
            offset_text(shift),
            offset_text(zone.to_offset(at))
        )));
    }
    let day = match zone {
        Some(zone) => Some(zone.to_datetime(at).date()),
        // `Z` gives the moment and no zone (RFC 9557, 2.2). But programs write a day as midnight with `Z`.
        None if is_zulu => (local.time() == Time::midnight()).then_some(local.date()),
        None => Some(local.date()),
    };
    Ok(GivenKind::Moment {
        at,
        day,
        rfc3339: rfc3339(text),
    })
}

/// `text` without the zone in brackets, if it is RFC 3339; its letters in upper case, and a T between date and time.
fn rfc3339(text: &str) -> Option<String> {
    let text = text.split('[').next()?;
    let bytes = text.as_bytes();
    let is_shape = |shape: &str, from: usize| {
        let part = bytes.get(from..from + shape.len());
        part.is_some_and(|part| {
            part.iter()
                .zip(shape.bytes())
                .all(|(byte, shape)| match shape {
                    b'0' => byte.is_ascii_digit(),
                    shape => *byte == shape,
                })
        })
    };
    if !is_shape("0000-00-00", 0) || !is_shape("00:00:00", 11) {
        return None;
    }
    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|letter: char| letter.is_ascii_digit()),
        None => rest,
    };
    let from = text.len() - zone.len();
    let is_zone = matches!(zone, "Z" | "z")
        || zone.len() == 6 && (is_shape("+00:00", from) || is_shape("-00:00", from));
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    is_zone.then(|| format!("{date}T{}", time.to_ascii_uppercase()))
}
