//! Lowers dates to the form that each field needs.
//!
//! HighLevel takes four forms in the official tools alone: epoch milliseconds as text and as a number,
//! `YYYY-MM-DD` and `mm-dd-yyyy`. A model writes RFC 3339. Without an offset a time is taken as UTC.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use serde_json::{Map, Value, json};

use super::ArgumentProblems;
use tool::{DateForm, Tool};

/// Epoch values from here on are milliseconds: as seconds they would lie after the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Puts every date argument into its form; what is no date is a problem.
pub(super) fn lower(
    tool: &Tool,
    schema: &Value,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    for argument in tool.arguments {
        let (Some(form), Some(value)) = (argument.date_form, values.get_mut(argument.name)) else {
            continue;
        };
        let as_text = schema["properties"][argument.name]["type"] == "string";
        match lowered(form, as_text, value) {
            Some(date) => *value = date,
            None if value.is_string() || value.is_number() => problems.add(format!(
                "{} must be a date such as 2026-01-31T09:00:00Z, not {value}",
                argument.name
            )),
            None => {}
        }
    }
}

fn lowered(form: DateForm, as_text: bool, value: &Value) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.as_i64()?.to_string(),
        _ => return None,
    };
    // An epoch value in an epoch field is the caller's own choice of unit.
    let epoch: Option<i64> = text.parse().ok();
    let (seconds, milliseconds) = (
        form == DateForm::EpochSeconds,
        form == DateForm::EpochMilliseconds,
    );
    if let (Some(number), true) = (epoch, seconds || milliseconds) {
        return Some(if as_text { json!(text) } else { json!(number) });
    }
    let moment = match epoch {
        Some(epoch) if epoch >= MILLISECONDS_FROM => utc(Timestamp::from_millisecond(epoch).ok()?),
        Some(epoch) => utc(Timestamp::from_second(epoch).ok()?),
        None => read(&text)?,
    };
    let date = moment.date();
    Some(match form {
        DateForm::EpochMilliseconds => number(moment.timestamp().as_millisecond(), as_text),
        DateForm::EpochSeconds => number(moment.timestamp().as_second(), as_text),
        DateForm::Date => json!(date.to_string()),
        DateForm::MonthDayYear => {
            json!(format!(
                "{:02}-{:02}-{:04}",
                date.month(),
                date.day(),
                date.year()
            ))
        }
        DateForm::DateTime if text.parse::<Timestamp>().is_ok() => json!(text),
        DateForm::DateTime => json!(moment.timestamp().to_string()),
    })
}

fn number(number: i64, as_text: bool) -> Value {
    if as_text {
        json!(number.to_string())
    } else {
        json!(number)
    }
}

/// RFC 3339 with its own offset, a time without one, a date, or `mm-dd-yyyy`.
fn read(text: &str) -> Option<ZonedDateTime> {
    if let Ok(pieces) = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text)
        && let Some(offset) = pieces.to_numeric_offset()
    {
        let time = pieces.time()?;
        let moment = offset.to_timestamp(pieces.date().to_datetime(time)).ok()?;
        return Some(moment.to_zoned_datetime(TimeZone::fixed(offset)));
    }
    let civil = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| month_day_year(text).map(DateTime::from))?;
    civil.to_zoned_datetime(TimeZone::UTC).ok()
}

fn month_day_year(text: &str) -> Option<Date> {
    Date::strptime("%m-%d-%Y", text).ok()
}

fn utc(moment: Timestamp) -> ZonedDateTime {
    moment.to_zoned_datetime(TimeZone::UTC)
}
