//! Keeps rows by a field, a comparison and a value.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::list::PLAIN;
use super::path::value_at;

/// One condition; rows must meet all that are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Dotted path inside the row.
    pub field: String,
    #[serde(default)]
    pub op: Comparison,
    #[serde(default)]
    pub value: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Comparison {
    #[default]
    #[serde(rename = "=", alias = "==", alias = "is")]
    Equal,
    #[serde(rename = "!=", alias = "not")]
    Unequal,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = "contains")]
    Contains,
    #[serde(rename = "before")]
    Before,
    #[serde(rename = "after")]
    After,
    #[serde(rename = "exists")]
    Exists,
}

impl Condition {
    pub fn holds(&self, row: &Value) -> bool {
        let found = self.found(row).unwrap_or(&Value::Null);
        match self.op {
            Comparison::Equal => equal(found, &self.value),
            Comparison::Unequal => !equal(found, &self.value),
            Comparison::Above => compare(found, &self.value).is_some_and(|order| order.is_gt()),
            Comparison::AtLeast => compare(found, &self.value).is_some_and(|order| order.is_ge()),
            Comparison::Below => compare(found, &self.value).is_some_and(|order| order.is_lt()),
            Comparison::AtMost => compare(found, &self.value).is_some_and(|order| order.is_le()),
            Comparison::Contains => contains(found, &self.value),
            Comparison::Before => moments(found, &self.value).is_some_and(|(a, b)| a < b),
            Comparison::After => moments(found, &self.value).is_some_and(|(a, b)| a > b),
            Comparison::Exists => found.is_null() == (self.value == Value::Bool(false)),
        }
    }
}

impl Condition {
    /// Whether `row` has the field.
    pub(super) fn finds(&self, row: &Value) -> bool {
        self.found(row).is_some()
    }

    /// Whether it is about the field being there.
    pub(super) fn asks_presence(&self) -> bool {
        self.op == Comparison::Exists
    }

    /// Why it can hold of no row, whatever that has.
    pub(super) fn fault(&self) -> Option<String> {
        let compares_times = matches!(self.op, Comparison::Before | Comparison::After);
        (compares_times && moment(&self.value).is_none()).then(|| {
            let value: String = self.value.to_string().chars().take(40).collect();
            format!(
                "before and after take a date (YYYY-MM-DD), RFC 3339 or an epoch: {value} is none."
            )
        })
    }

    /// A row that is no object is its own field.
    fn found<'v>(&self, row: &'v Value) -> Option<&'v Value> {
        if !row.is_object() && self.field == PLAIN {
            return Some(row);
        }
        let steps: Vec<&str> = self.field.split('.').collect();
        row.get(&self.field).or_else(|| value_at(row, &steps))
    }
}

/// One condition or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Condition>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<Condition>),
        One(Condition),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::Many(conditions) => conditions,
        OneOrMany::One(condition) => vec![condition],
    })
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// Texts without regard to case, numbers whether or not they are written as texts.
fn equal(found: &Value, wanted: &Value) -> bool {
    if let (Some(a), Some(b)) = (number(found), number(wanted)) {
        return (a - b).abs() < f64::EPSILON * a.abs().max(1.0);
    }
    match (found, wanted) {
        (Value::String(a), Value::String(b)) => a.to_lowercase() == b.to_lowercase(),
        (Value::Bool(a), Value::String(b)) => a.to_string() == b.to_lowercase(),
        (a, b) => a == b,
    }
}

/// As numbers, or else as moments, or else as texts.
fn compare(found: &Value, wanted: &Value) -> Option<std::cmp::Ordering> {
    if let (Some(a), Some(b)) = (number(found), number(wanted)) {
        return a.partial_cmp(&b);
    }
    if let Some((a, b)) = moments(found, wanted) {
        return Some(a.cmp(&b));
    }
    Some(found.as_str()?.cmp(wanted.as_str()?))
}

fn contains(found: &Value, wanted: &Value) -> bool {
    match found {
        Value::Array(items) => items.iter().any(|item| equal(item, wanted)),
        Value::String(text) => wanted
            .as_str()
            .is_some_and(|part| text.to_lowercase().contains(&part.to_lowercase())),
        _ => false,
    }
}

fn moments(found: &Value, wanted: &Value) -> Option<(Timestamp, Timestamp)> {
    moment(found).zip(moment(wanted))
}

/// RFC 3339, a date, or epoch milliseconds or seconds.
fn moment(value: &Value) -> Option<Timestamp> {
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    if let Some(text) = value.as_str() {
        let date = || {
            let date = text.parse::<Date>().ok()?;
            jiff::civil::DateTime::from(date)
                .to_zoned_datetime(TimeZone::UTC)
                .ok()
        };
        if let Some(moment) = text.parse().ok().or_else(|| Some(date()?.timestamp())) {
            return Some(moment);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "dates are far below 2^53")]
    let epoch = number(value)? as i64;
    if epoch.abs() >= MILLISECONDS_FROM {
        Timestamp::from_millisecond(epoch).ok()
    } else {
        Timestamp::from_second(epoch).ok()
    }
}
