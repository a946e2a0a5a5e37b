//! The key by which rows are grouped, and one group of them.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::decimal::Decimal;
use super::filter::{inner_field, row_example};
use super::path::find_at;
use super::period::{Interval, Period, is_date};
use super::phone::{dialled, is_phone};
use super::project::IDS;

/// Longest text that tells groups apart by itself and is shown whole, in characters.
const LONGEST_LABEL: usize = 200;

/// Ids that a group shows where duplicates are looked for.
pub(super) const MOST_IDS: usize = 10;

/// A field that rows are grouped by, a date by its day, week or month.
#[derive(Clone, Debug)]
pub(super) struct GroupField {
    /// As it was given, such as `createdAt:month`.
    pub name: String,
    pub field: String,
    pub interval: Option<Interval>,
}

/// What one row is grouped under: equal keys are one group.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub key: String,
    pub shown: Value,
}

/// How values of one field were read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub taken: u64,
    /// Those that are of another kind than was asked for, and the first of them.
    pub strange: u64,
    pub example: Option<String>,
    /// A field inside, where the first value was an object.
    pub inside: Option<String>,
    /// A row had a list of several.
    pub has_lists: bool,
    /// Rows without a value.
    pub empty: u64,
}

/// Rows that are alike in what they are grouped by.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub(super) labels: Vec<Label>,
    pub(super) rows: u64,
    pub(super) figures: Vec<Figure>,
    pub(super) ids: Vec<Value>,
}

/// What the values of one field come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Figure {
    numbers: u64,
    sum: Decimal,
    /// The sum has more digits than are added up.
    is_beyond: bool,
    least: Option<(Extreme, Value)>,
    most: Option<(Extreme, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Extreme {
    Number(Decimal),
    Moment(Timestamp),
}

/// What a figure is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MeasureKind {
    Sum,
    Average,
    Least,
    Most,
}

impl GroupField {
    /// Reads `field` or `field:interval`; fails with the intervals that there are.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let (field, interval) = match name.split_once(':') {
            None => (name, None),
            Some((field, word)) => {
                let interval = Interval::parse(word.trim());
                let interval = interval.ok_or_else(|| {
                    format!("{name} must end in :day, :week or :month, or have no colon")
                })?;
                (field.trim(), Some(interval))
            }
        };
        Ok(Self {
            name: name.to_owned(),
            field: field.to_owned(),
            interval,
        })
    }

    /// What `row` is grouped under: of a list each of its values once, of nothing null.
    pub(super) fn labels(&self, row: &Value, zone: &TimeZone, reading: &mut Reading) -> Vec<Label> {
        let found = find_at(row, &self.field).unwrap_or_default();
        let found = found.as_ref();
        let mut labels: Vec<Label> = Vec::new();
        for value in found
            .as_array()
            .map_or(std::slice::from_ref(found), Vec::as_slice)
        {
            let label = self.label(value, zone, reading);
            if !labels.iter().any(|known| known.key == label.key) {
                labels.push(label);
            }
        }
        reading.has_lists |= labels.len() > 1;
        if labels.is_empty() {
            labels.push(Label::nothing());
        }
        labels
    }

    fn label(&self, value: &Value, zone: &TimeZone, reading: &mut Reading) -> Label {
        let text = match value {
            Value::Null => return Label::nothing(),
            Value::String(text) if text.trim().is_empty() => return Label::nothing(),
            Value::Object(_) => {
                let inside = inner_field(&self.field, value);
                reading.inside.get_or_insert(inside);
                return Label::nothing();
            }
            Value::String(text) => text.trim(),
            _ => "",
        };
        if let Some(interval) = self.interval {
            let label = interval.label(value, &self.field, zone);
            reading.count(label.is_some(), value);
            return match label {
                Some(label) => Label {
                    shown: json!(label),
                    key: label,
                },
                None => Label::nothing(),
            };
        }
        if text.is_empty() {
            let number = Decimal::read(value).map(Decimal::json);
            return Label {
                key: number.as_ref().unwrap_or(value).to_string(),
                shown: value.clone(),
            };
        }
        let phone = is_phone(&self.field).then(|| dialled(text)).flatten();
        let key = phone.unwrap_or_else(|| text.to_lowercase());
        match text.char_indices().nth(LONGEST_LABEL) {
            None => Label {
                key,
                shown: json!(text),
            },
            Some((end, _)) => {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                let head = text.get(..end).unwrap_or_default();
                Label {
                    key: format!("{head}{:x}", hasher.finish()),
                    shown: json!(format!("{head}…")),
                }
            }
        }
    }
}

impl Label {
    /// That of rows which have no value there. No other key is empty.
    pub(super) fn nothing() -> Self {
        Self {
            key: String::new(),
            shown: Value::Null,
        }
    }
}

impl Reading {
    fn count(&mut self, is_taken: bool, value: &Value) {
        if is_taken {
            self.taken += 1;
        } else {
            self.strange += 1;
            self.example.get_or_insert_with(|| row_example(value));
        }
    }
}

impl Group {
    pub(super) fn new(labels: Vec<Label>, fields: usize) -> Self {
        Self {
            labels,
            figures: vec![Figure::default(); fields],
            ..Self::default()
        }
    }

    /// Adds a row with these figures.
    pub(super) fn add(&mut self, row: &Value, figures: &[Figure], keeps_ids: bool) {
        self.rows += 1;
        for (own, figure) in self.figures.iter_mut().zip(figures) {
            own.merge(figure);
        }
        if keeps_ids && self.ids.len() < MOST_IDS {
            let id = IDS.iter().find_map(|name| row.get(*name));
            self.ids.extend(id.cloned());
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (own, figure) in self.figures.iter_mut().zip(&other.figures) {
            own.merge(figure);
        }
        let room = MOST_IDS.saturating_sub(self.ids.len());
        self.ids.extend(other.ids.iter().take(room).cloned());
    }

    /// What tells it apart.
    pub(super) fn key(labels: &[Label]) -> String {
        let keys: Vec<&str> = labels.iter().map(|label| label.key.as_str()).collect();
        keys.join("\u{1f}")
    }
}

impl Figure {
    /// The figure of a value, or of the values of a list; where it is to be added up, of numbers only.
    pub(super) fn read(value: Option<&Value>, is_added: bool, reading: &mut Reading) -> Self {
        let mut figure = Self::default();
        match value {
            Some(Value::Array(items)) if !items.is_empty() => {
                for item in items {
                    figure.merge(&Self::read_one(Some(item), is_added, reading));
                }
            }
            one => figure.merge(&Self::read_one(one, is_added, reading)),
        }
        figure
    }

    fn read_one(value: Option<&Value>, is_added: bool, reading: &mut Reading) -> Self {
        let none = Self::default();
        let Some(value) = value.filter(|value| !value.is_null() && *value != "") else {
            reading.empty += 1;
            return none;
        };
        let number = Decimal::read(value);
        let moment = || {
            let is_date = !is_added && is_date(value);
            is_date.then(|| Some(Period::read(value, &TimeZone::UTC)?.first()))?
        };
        let extreme = number.map(Extreme::Number);
        let extreme = extreme.or_else(|| moment().map(Extreme::Moment));
        reading.count(extreme.is_some(), value);
        let Some(extreme) = extreme else {
            return none;
        };
        let shown = number.map_or_else(|| value.clone(), Decimal::json);
        Self {
            numbers: 1,
            sum: number.unwrap_or_default(),
            is_beyond: false,
            least: Some((extreme, shown.clone())),
            most: Some((extreme, shown)),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.numbers += other.numbers;
        match self.sum.plus(other.sum) {
            Some(sum) => self.sum = sum,
            None => self.is_beyond = true,
        }
        self.is_beyond |= other.is_beyond;
        for (own, found, keeps) in [
            (&mut self.least, &other.least, std::cmp::Ordering::Less),
            (&mut self.most, &other.most, std::cmp::Ordering::Greater),
        ] {
            let Some((found, shown)) = found else {
                continue;
            };
            let is_further = own
                .as_ref()
                .is_none_or(|(known, _)| found.partial_cmp(known) == Some(keeps));
            if is_further {
                *own = Some((*found, shown.clone()));
            }
        }
    }

    /// Null where there was no number; a sum of none is 0.
    pub(super) fn json(&self, kind: MeasureKind) -> Value {
        let sum = Some(self.sum).filter(|_| !self.is_beyond);
        let shown = |extreme: &Option<(Extreme, Value)>| {
            let shown = extreme.as_ref().map(|(_, shown)| shown.clone());
            shown.unwrap_or_default()
        };
        match kind {
            MeasureKind::Sum => sum.map(Decimal::json).unwrap_or_default(),
            MeasureKind::Average => {
                let average = sum.and_then(|sum| sum.divided(self.numbers));
                average.map(Decimal::json).unwrap_or_default()
            }
            MeasureKind::Least => shown(&self.least),
            MeasureKind::Most => shown(&self.most),
        }
    }

    pub(super) fn sum(&self) -> Decimal {
        self.sum
    }

    pub(super) fn is_beyond(&self) -> bool {
        self.is_beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_mean_the_same_are_one_group() {
        fn check(name: &str, row: Value, expected: &[&str]) {
            let field = GroupField::parse(name).expect("a field");
            let labels = field.labels(&row, &TimeZone::UTC, &mut Reading::default());
            let keys: Vec<&str> = labels.iter().map(|label| label.key.as_str()).collect();
            assert_eq!(keys, expected, "{name} {row}");
        }
        let email = |text: &str| json!({"email": text});
        check("email", email(" A@x.com"), &["a@x.com"]);
        check("email", email(""), &[""]);
        check("email", json!({}), &[""]);
        for phone in [
            "+1 (415) 555-0133",
            "415.555.0133",
            "14155550133",
            "0014155550133",
        ] {
            check("phone", json!({"phone": phone}), &["4155550133"]);
        }
        check("phone", json!({"phone": "+49 30 123456"}), &["4930123456"]);
        check("phone", json!({"phone": "Ask"}), &["ask"]);
        check("n", json!({"n": 1.50}), &["1.5"]);
        check("ok", json!({"ok": true}), &["true"]);
        check("tags", json!({"tags": ["A", "b", "a"]}), &["a", "b"]);
        check("tags", json!({"tags": []}), &[""]);
        check(
            "customFields.c1",
            json!({"customFields": [{"id": "c1", "value": "Gold"}]}),
            &["gold"],
        );
        check(
            "d:week",
            json!({"d": "2026-11-25T00:00:00Z"}),
            &["2026-11-23"],
        );
        check("d:week", json!({"d": "soon"}), &[""]);
        check("contact", json!({"contact": {"id": "a"}}), &[""]);
        let long = |end: &str| json!({"email": format!("{}{end}", "x".repeat(200))});
        let keys = ["1", "2", "1"].map(|end| {
            let field = GroupField::parse("email").expect("a field");
            let labels = field.labels(&long(end), &TimeZone::UTC, &mut Reading::default());
            labels
                .into_iter()
                .map(|label| label.key)
                .collect::<String>()
        });
        assert!(keys[0] != keys[1] && keys[0] == keys[2], "{keys:?}");
    }

    #[test]
    fn figures_are_of_the_numbers_that_there_are() {
        fn check(values: &[Value], expected: Value) {
            let mut figure = Figure::default();
            let mut reading = Reading::default();
            for value in values {
                figure.merge(&Figure::read(Some(value), false, &mut reading));
            }
            use MeasureKind::{Average, Least, Most, Sum};
            let found: Vec<Value> = [Sum, Average, Least, Most]
                .map(|kind| figure.json(kind))
                .into();
            assert_eq!(json!([found, reading.strange]), expected, "{values:?}");
        }
        check(&[], json!([[0, null, null, null], 0]));
        let values = [
            json!(0.1),
            json!("0.20"),
            json!(null),
            json!(""),
            json!("free"),
        ];
        check(&values, json!([[0.3, 0.15, 0.1, 0.2], 1]));
        check(&[json!(-5), json!(10)], json!([[5, 2.5, -5, 10], 0]));
        let (early, late) = (json!("2026-01-01T00:00:00Z"), json!("2026-02-01"));
        check(
            &[late.clone(), early.clone()],
            json!([[0, 0, early, late], 0]),
        );
        let huge = json!("9999999999999999999999999999");
        let many = vec![huge.clone(); 3];
        check(
            &many[..1],
            json!([
                [huge_number(), huge_number(), huge_number(), huge_number()],
                0
            ]),
        );
    }

    fn huge_number() -> Value {
        serde_json::from_str("9999999999999999999999999999").expect("a number")
    }
}
