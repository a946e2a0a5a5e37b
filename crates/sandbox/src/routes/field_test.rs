//! One test of one field: an operator with its value.

use serde_json::Value;

use crate::call::moment;
use crate::refusal::Refusal;

/// [E] longest value, in characters.
const LONGEST: usize = 75;

/// The operators of each kind of field; `ANY`: of one whose kind is not known.
pub(super) const ID: &[&str] = &["eq", "not_eq"];
pub(super) const CHOICE: &[&str] = &["eq", "not_eq", "exists", "not_exists"];
pub(super) const TEXT: &[&str] = &[
    "eq",
    "not_eq",
    "contains",
    "not_contains",
    "exists",
    "not_exists",
];
pub(super) const DATE: &[&str] = &["range", "exists", "not_exists"];
pub(super) const NUMBER: &[&str] = &["range", "exists", "not_exists", "eq", "not_eq"];
pub(super) const ANY: &[&str] = &[
    "eq",
    "not_eq",
    "contains",
    "not_contains",
    "range",
    "exists",
    "not_exists",
];

/// The requirement on a field of a record.
pub(super) enum FieldTest {
    Equal(Vec<String>),
    NotEqual(Vec<String>),
    Contains(String),
    NotContains(String),
    Exists,
    NotExists,
    Range(Vec<(RangeBound, f64)>),
    /// [M: docs#289] a phone is never equal to anything.
    Never,
}

pub(super) enum RangeBound {
    Gte,
    Gt,
    Lte,
    Lt,
}

impl FieldTest {
    /// Parses a filter on `field`, which accepts these operators.
    pub(super) fn read(field: &str, operators: &[&str], filter: &Value) -> Result<Self, Refusal> {
        let operator = filter["operator"].as_str().unwrap_or_default();
        if !operators.contains(&operator) {
            return Err(wrong(format!(
                "Invalid operator {operator} for field {field}"
            )));
        }
        let value = &filter["value"];
        let invalid = || wrong(format!("Invalid value for field {field}"));
        // [E] numbers, texts and booleans; [I] for a list any.
        let texts = || {
            let values = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            let fit = values.iter().all(|one| {
                let text = one.as_str().unwrap_or_default();
                !one.is_null() && !one.is_object() && text.chars().count() <= LONGEST
            });
            let texts = values.iter().map(search_text).collect();
            fit.then_some(texts).ok_or_else(invalid)
        };
        let text = || {
            let text = value.as_str();
            let text = text.filter(|text| !text.is_empty() && text.chars().count() <= LONGEST);
            text.map(str::to_lowercase).ok_or_else(invalid)
        };
        Ok(match operator {
            "eq" => {
                let wanted = texts()?;
                if field == "phone" {
                    Self::Never
                } else {
                    Self::Equal(wanted)
                }
            }
            "not_eq" => Self::NotEqual(texts()?),
            "contains" => Self::Contains(text()?),
            "not_contains" => Self::NotContains(text()?),
            "exists" => Self::Exists,
            "not_exists" => Self::NotExists,
            _ => Self::Range(range(value).ok_or_else(invalid)?),
        })
    }

    pub(super) fn holds(&self, own: &Value) -> bool {
        let values: &[Value] = match own {
            Value::Array(items) => items,
            Value::Null => &[],
            one => std::slice::from_ref(one),
        };
        let is_equal = |wanted: &[String]| {
            let mut texts = values.iter().map(search_text);
            texts.any(|text| wanted.contains(&text))
        };
        let contains = |wanted: &str| {
            let mut texts = values.iter().map(search_text);
            texts.any(|text| text.contains(wanted))
        };
        // [I] an empty text is not a value.
        let exists = || values.iter().any(|one| one != "");
        match self {
            Self::Equal(wanted) => is_equal(wanted),
            Self::NotEqual(wanted) => !is_equal(wanted),
            Self::Contains(wanted) => contains(wanted),
            Self::NotContains(wanted) => !contains(wanted),
            Self::Exists => exists(),
            Self::NotExists => !exists(),
            Self::Range(bounds) => values.iter().filter_map(measure).any(|own| {
                bounds.iter().all(|(bound, edge)| match bound {
                    RangeBound::Gte => own >= *edge,
                    RangeBound::Gt => own > *edge,
                    RangeBound::Lte => own <= *edge,
                    RangeBound::Lt => own < *edge,
                })
            }),
            Self::Never => false,
        }
    }
}

/// [E] an object of bounds; [I] none, or an unknown one, is an error.
fn range(value: &Value) -> Option<Vec<(RangeBound, f64)>> {
    let bounds = value.as_object().filter(|bounds| !bounds.is_empty())?;
    bounds
        .iter()
        .map(|(name, edge)| {
            let bound = match name.as_str() {
                "gte" => RangeBound::Gte,
                "gt" => RangeBound::Gt,
                "lte" => RangeBound::Lte,
                "lt" => RangeBound::Lt,
                _ => return None,
            };
            Some((bound, measure(edge)?))
        })
        .collect()
}

/// Milliseconds of a date, or the number itself.
fn measure(value: &Value) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of dates that people write"
    )]
    let date = |value| moment(value).map(|at| at as f64);
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_f64().or(text).or_else(|| date(value))
}

/// For comparisons: text in lower case.
pub(super) fn search_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_lowercase)
}

/// [M] a 400 with a text about the fault.
pub(super) fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(400, message.into())
}
