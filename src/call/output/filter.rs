//! Keeps rows by a field, a comparison and a value, and says where none can be kept.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::tz::TimeZone;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::decimal::Decimal;
use super::path::find_at;
use super::period::{Period, is_date, needs_zone};
use super::phone::{dialled, is_phone};
use crate::call::arguments::records::NamedRecord;
use crate::catalog::custom_field::is_id;

/// Longest value that an error repeats, in characters.
const LONGEST_EXAMPLE: usize = 40;

/// One condition; rows must meet all that are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Dotted path inside the row.
    pub field: String,
    #[serde(default, alias = "operator")]
    pub op: Comparison,
    #[serde(default)]
    pub value: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    #[default]
    Equal,
    Unequal,
    Above,
    AtLeast,
    Below,
    AtMost,
    Contains,
    Lacks,
    In,
    NotIn,
    Before,
    After,
    Exists,
    Absent,
}

impl Comparison {
    /// What each is called; the first are those that are advertised.
    pub(in crate::call) const WORDS: [(&'static str, Self); 24] = [
        ("=", Self::Equal),
        ("!=", Self::Unequal),
        (">", Self::Above),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        ("<=", Self::AtMost),
        ("contains", Self::Contains),
        ("not_contains", Self::Lacks),
        ("in", Self::In),
        ("not_in", Self::NotIn),
        ("before", Self::Before),
        ("after", Self::After),
        ("exists", Self::Exists),
        ("not_exists", Self::Absent),
        ("==", Self::Equal),
        ("is", Self::Equal),
        ("eq", Self::Equal),
        ("not", Self::Unequal),
        ("ne", Self::Unequal),
        ("not_eq", Self::Unequal),
        ("gt", Self::Above),
        ("gte", Self::AtLeast),
        ("lt", Self::Below),
        ("lte", Self::AtMost),
    ];

    fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, one)| *one == self)
            .map_or("", |(word, _)| word)
    }

    /// Whether it takes numbers and dates only.
    fn is_order(self) -> bool {
        use Comparison::{Above, After, AtLeast, AtMost, Before, Below};
        matches!(self, Above | AtLeast | Below | AtMost | Before | After)
    }

    pub(super) fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::Unequal) || self.takes_list()
    }

    fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }
}

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = String::deserialize(from)?;
        let mut words = Self::WORDS.iter();
        let found = words.find(|(word, _)| *word == given);
        found
            .map(|(_, comparison)| *comparison)
            .ok_or_else(|| D::Error::custom("no comparison"))
    }
}

impl Condition {
    /// Whether it holds of `row`; days and times without an offset are those of `zone`.
    pub fn holds(&self, row: &Value, zone: &TimeZone) -> bool {
        let found = find_at(row, &self.field).unwrap_or_default();
        let found = found.as_ref();
        let equals = |wanted: &Value| self.equals(found, wanted, zone);
        let order = || self.compare(found, &self.value, zone);
        match self.op {
            Comparison::Equal => equals(&self.value),
            Comparison::Unequal => !equals(&self.value),
            Comparison::Above | Comparison::After => order().is_some_and(Ordering::is_gt),
            Comparison::AtLeast => order().is_some_and(Ordering::is_ge),
            Comparison::Below | Comparison::Before => order().is_some_and(Ordering::is_lt),
            Comparison::AtMost => order().is_some_and(Ordering::is_le),
            Comparison::Contains => self.contains(found, zone),
            Comparison::Lacks => !self.contains(found, zone),
            Comparison::In => self.choices().iter().any(equals),
            Comparison::NotIn => !self.choices().iter().any(equals),
            Comparison::Exists => is_there(found) != is_false(&self.value),
            Comparison::Absent => is_there(found) == is_false(&self.value),
        }
    }

    /// Whether it is about the field being there.
    pub(super) fn asks_presence(&self) -> bool {
        matches!(self.op, Comparison::Exists | Comparison::Absent)
    }

    /// Whether what it means depends on the location's zone.
    pub(super) fn needs_zone(&self) -> bool {
        needs_zone(&self.value) || self.choices().iter().any(needs_zone)
    }

    /// Why it can hold of no row, whatever that has.
    pub(super) fn fault(&self) -> Option<String> {
        let (op, shown) = (self.op.word(), example(&self.value));
        let is_ordered = Decimal::read(&self.value).is_some()
            || float(&self.value).is_some()
            || Period::read(&self.value, &TimeZone::UTC).is_some();
        match self.op {
            Comparison::Before | Comparison::After
                if Period::read(&self.value, &TimeZone::UTC).is_none() =>
            {
                Some(format!(
                    "before and after take a date (YYYY-MM-DD), RFC 3339 or an epoch: {shown} is none"
                ))
            }
            op if op.is_order() && !is_ordered => Some(format!(
                "{} takes a number or a date (YYYY-MM-DD or RFC 3339): {shown} is neither",
                op.word()
            )),
            Comparison::In | Comparison::NotIn if self.choices().is_empty() => {
                Some(format!("{op} takes a list of values: {shown} is none"))
            }
            Comparison::Contains | Comparison::Lacks if !is_single(&self.value) => Some(format!(
                "{op} takes one text or number: {shown} is none; give a condition for each"
            )),
            Comparison::Equal | Comparison::Unequal if self.value.is_array() => {
                let other = match self.op {
                    Comparison::Equal => "in",
                    _ => "not_in",
                };
                Some(format!(
                    "{op} takes one value, not a list: take {other} for any of several"
                ))
            }
            Comparison::Exists | Comparison::Absent if truth(&self.value).is_none() => Some(
                format!("{op} takes true or false, or no value: {shown} is neither"),
            ),
            _ => None,
        }
    }

    /// Why it can hold of no row like these, or holds of all.
    pub(super) fn misfit(&self, rows: &[Value], zone: &TimeZone) -> Option<String> {
        let found = rows.iter().filter_map(|row| find_at(row, &self.field));
        let found: Vec<Cow<'_, Value>> = found.filter(|value| !value.is_null()).collect();
        let found: Vec<&Value> = found.iter().map(AsRef::as_ref).collect();
        let is_list = !found.is_empty() && found.iter().all(|value| value.is_array());
        let found: Vec<&Value> = found.into_iter().filter(|value| is_there(value)).collect();
        let (field, op) = (&self.field, self.op.word());
        if is_list && self.op.is_equality() {
            let other = match self.op {
                Comparison::Unequal | Comparison::NotIn => "not_contains",
                _ => "contains",
            };
            return Some(format!("{field} is a list: take {other} in place of {op}"));
        }
        let first = *found.first()?;
        let holds = format!("{field} holds {}", row_example(first));
        match self.op {
            Comparison::Exists | Comparison::Absent => None,
            _ if found.iter().all(|value| value.is_object()) => Some(format!(
                "{field} is an object: name a field in it, such as {}",
                inner_field(field, first)
            )),
            Comparison::Contains | Comparison::Lacks if has_objects(&found) => Some(format!(
                "{field} is a list of objects: name a field in them, such as {field}.value"
            )),
            Comparison::Contains | Comparison::Lacks
                if is_date(&self.value) && found.iter().all(|value| is_date(value)) =>
            {
                Some(format!(
                    "{field} holds dates, which {op} compares as texts: take =, before or after"
                ))
            }
            Comparison::Contains | Comparison::Lacks => {
                let takes = |value: &&Value| value.is_string() || value.is_array();
                (!found.iter().any(takes))
                    .then(|| format!("{op} looks into texts and lists, and {holds}: take ="))
            }
            op if op.is_order() => {
                let mut orders = found
                    .iter()
                    .map(|value| self.compare(value, &self.value, zone));
                orders.all(|order| order.is_none()).then(|| {
                    let wanted = example(&self.value);
                    format!("{holds}, which {} cannot compare with {wanted}", op.word())
                })
            }
            _ if found.iter().all(|value| is_record_id(value)) && self.has_name() => {
                let record = NamedRecord::in_field(field);
                let from = record.map_or_else(String::new, |record| {
                    format!(
                        ": take the id of the {} from {}",
                        record.record, record.list
                    )
                });
                Some(format!("{field} holds ids{from}"))
            }
            _ => {
                let mut wanted = match self.op.takes_list() {
                    true => self.choices().iter(),
                    false => std::slice::from_ref(&self.value).iter(),
                };
                let is_all = |is: fn(&Value) -> bool| found.iter().all(|value| is(value));
                let wrong = wanted.find(|wanted| {
                    let is_period = || Period::read(wanted, zone).is_some();
                    let is_number = || Decimal::read(wanted).is_some() || float(wanted).is_some();
                    is_there(wanted)
                        && (wanted.is_string() && is_all(is_date) && !is_period()
                            || is_all(Value::is_number) && !is_number() && !is_period()
                            || is_all(Value::is_boolean) && truth_or_digit(wanted).is_none()
                            || wanted.is_boolean() && !is_all(Value::is_boolean))
                })?;
                Some(format!(
                    "{holds}, and {} is nothing like it",
                    example(wrong)
                ))
            }
        }
    }

    /// Whether a value of an equality is no id.
    fn has_name(&self) -> bool {
        let one = std::slice::from_ref(&self.value);
        let mut wanted = self.value.as_array().map_or(one, Vec::as_slice).iter();
        wanted.any(|wanted| is_there(wanted) && !is_record_id(wanted))
    }

    /// The values of `in`.
    fn choices(&self) -> &[Value] {
        let listed = self.value.as_array().filter(|_| self.op.takes_list());
        listed.map_or(&[], Vec::as_slice)
    }

    /// Texts without regard to case, numbers whether or not they are written as texts, moments and their days.
    fn equals(&self, found: &Value, wanted: &Value, zone: &TimeZone) -> bool {
        match (found, wanted) {
            (found, wanted) if !is_there(wanted) => !is_there(found),
            (Value::String(found), wanted) if self.is_phone_number(found, wanted) => true,
            (Value::String(a), Value::String(b)) if same_text(a, b) => true,
            (Value::Bool(a), wanted) => truth_or_digit(wanted) == Some(*a),
            (Value::String(_), Value::String(_)) if !is_date(found) || !is_date(wanted) => false,
            (Value::String(_) | Value::Number(_), Value::String(_) | Value::Number(_)) => {
                self.compare(found, wanted, zone) == Some(Ordering::Equal)
            }
            (a, b) => a == b,
        }
    }

    /// Whether the field holds phone numbers, and `found` is the one that is wanted.
    fn is_phone_number(&self, found: &str, wanted: &Value) -> bool {
        let wanted = || dialled(&bare_text(wanted));
        is_phone(&self.field) && dialled(found).is_some_and(|found| wanted() == Some(found))
    }

    /// As numbers, or else as moments.
    fn compare(&self, found: &Value, wanted: &Value, zone: &TimeZone) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (Decimal::read(found), Decimal::read(wanted)) {
            return Some(a.cmp(&b));
        }
        if let (Some(a), Some(b)) = (float(found), float(wanted)) {
            return a.partial_cmp(&b);
        }
        let found = Period::in_row(found, &self.field, zone)?;
        Some(found.compare(Period::read(wanted, zone)?))
    }

    fn contains(&self, found: &Value, zone: &TimeZone) -> bool {
        match found {
            Value::Array(items) => items
                .iter()
                .any(|item| self.equals(item, &self.value, zone)),
            Value::String(text) => {
                let wanted = bare_text(&self.value);
                let digits = is_phone(&self.field).then(|| dialled(&wanted)).flatten();
                let has_digits = |part| dialled(text).is_some_and(|all| all.contains(part));
                text.to_lowercase().contains(&wanted.to_lowercase())
                    || digits.as_deref().is_some_and(has_digits)
            }
            _ => false,
        }
    }
}

/// One condition or a list of them; one text or several.
pub(super) fn one_or_many<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let given = Value::deserialize(from)?;
    let many = match given {
        Value::Array(_) => given,
        one => Value::Array(vec![one]),
    };
    serde_json::from_value(many).map_err(D::Error::custom)
}

/// A value in an error.
pub(super) fn example(value: &Value) -> String {
    let whole = value.to_string();
    let mut shown: String = whole.chars().take(LONGEST_EXAMPLE).collect();
    if shown.len() < whole.len() {
        shown.push('…');
    }
    shown
}

/// The value of a row in an error. Several words may be somebody's instructions, and an error has no fences.
pub(super) fn row_example(value: &Value) -> String {
    let is_sentence = |text: &str| {
        let has_words =
            text.split_whitespace().nth(1).is_some() && text.contains(char::is_alphabetic);
        has_words || !text.is_ascii() || text.len() > LONGEST_EXAMPLE
    };
    match value {
        Value::String(text) if is_sentence(text) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => example(other),
    }
}

/// A field inside an object that a field holds.
pub(super) fn inner_field(field: &str, object: &Value) -> String {
    let names = object
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys());
    let name = names.clone().find(|name| *name == "id");
    let name = name.or_else(|| names.clone().next());
    format!("{field}.{}", name.map_or("id", String::as_str))
}

fn has_objects(found: &[&Value]) -> bool {
    let mut items = found.iter().filter_map(|value| value.as_array()).flatten();
    let is_list = found.iter().all(|value| value.is_array());
    is_list && items.all(Value::is_object)
}

/// Whether a row has a value there: nothing stands in what is empty.
fn is_there(found: &Value) -> bool {
    match found {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn is_single(value: &Value) -> bool {
    matches!(value, Value::String(text) if !text.is_empty())
        || matches!(value, Value::Number(_) | Value::Bool(_))
}

fn is_false(value: &Value) -> bool {
    truth(value) == Some(false)
}

/// True where nothing is given.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(true),
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    }
}

/// The same, and 1 or 0.
fn truth_or_digit(value: &Value) -> Option<bool> {
    match value.as_u64() {
        Some(1) => Some(true),
        Some(0) => Some(false),
        _ => truth(value),
    }
}

/// Whether a value has the form of HighLevel's ids.
fn is_record_id(value: &Value) -> bool {
    const UUID: usize = "11112222-3333-4444-5555-666677778888".len();
    value.as_str().is_some_and(|text| {
        let is_plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        is_id(text) || text.len() == UUID && text.bytes().all(is_plain)
    })
}

pub(super) fn same_text(a: &str, b: &str) -> bool {
    a == b || a.trim().to_lowercase() == b.trim().to_lowercase()
}

fn bare_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A number of more digits than a decimal takes.
fn float(value: &Value) -> Option<f64> {
    let text = || value.as_str()?.trim().parse().ok();
    value
        .as_f64()
        .or_else(text)
        .filter(|number| number.is_finite())
}
