//! The keywords of JSON Schema that the generator writes, and the check of a value against them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use regex_lite::Regex;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::filters::SearchFilters;

/// A schema of JSON Schema 2020-12. A keyword that the generator does not write is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Keywords {
    #[serde(rename = "type", deserialize_with = "one_or_many")]
    kinds: Vec<Kind>,
    #[serde(rename = "enum")]
    values: Option<Vec<Value>>,
    required: Vec<String>,
    properties: BTreeMap<String, Keywords>,
    additional_properties: Option<Others>,
    items: Option<Box<Keywords>>,
    any_of: Vec<Keywords>,
    all_of: Vec<Keywords>,
    not: Option<Box<Keywords>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_minimum: Option<f64>,
    exclusive_maximum: Option<f64>,
    multiple_of: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    min_properties: Option<usize>,
    max_properties: Option<usize>,
    unique_items: bool,
    #[serde(deserialize_with = "regex")]
    pattern: Option<Regex>,
    /// The filters of a search, if the value is a list of them.
    #[serde(rename = "x-filters")]
    filters: Option<SearchFilters>,
    /// For the generator and the placement of files; it does not restrict the value.
    #[serde(rename = "x-file")]
    _file: IgnoredAny,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
    Null,
}

/// Fields that `properties` does not name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Others {
    Allowed(bool),
    Like(Box<Keywords>),
}

/// A keyword that a value violates.
#[derive(Debug)]
pub(super) struct Broken<'s> {
    /// Path of the value, such as `customFields[0].id`; empty for the whole.
    pub path: String,
    pub given: &'s Value,
    pub fault: Fault<'s>,
}

#[derive(Debug)]
pub(super) enum Fault<'s> {
    Kind(&'s [Kind]),
    Value(&'s [Value]),
    Missing(&'s str),
    /// Fields that an object does not take, and those that it takes.
    Unknown(Vec<&'s str>, Vec<&'s str>),
    /// Fields that exclude each other.
    Together(&'s [String]),
    Empty,
    Pattern(&'s str),
    /// The violations of each form that the value may take.
    AnyOf(Vec<Vec<Broken<'s>>>),
    /// A requirement on the value, in words.
    Bound(String),
    /// A faulty filter, as a text to be read after its path.
    Filter(String),
}

/// Receives a violation and returns whether to continue.
type Tell<'t, 's> = dyn FnMut(Broken<'s>) -> ControlFlow<()> + 't;

/// The path to a value. It is formatted only for a violation.
#[derive(Clone, Copy)]
pub(super) enum Way<'w> {
    Whole,
    Field(&'w Way<'w>, &'w str),
    Item(&'w Way<'w>, usize),
}

impl Keywords {
    /// The filters that the argument `name` takes, if it is a search's list of them.
    pub(super) fn search_filters(&self, name: &str) -> Option<&SearchFilters> {
        self.properties.get(name)?.filters.as_ref()
    }

    /// Whether any argument is a list of filters.
    pub(super) fn has_search_filters(&self) -> bool {
        self.properties.values().any(|one| one.filters.is_some())
    }

    /// The first `most` violations of `value`.
    pub(super) fn broken<'s>(&'s self, value: &'s Value, most: usize) -> Vec<Broken<'s>> {
        self.broken_at(value, Way::Whole, most)
    }

    fn broken_at<'s>(&'s self, value: &'s Value, way: Way<'_>, most: usize) -> Vec<Broken<'s>> {
        let mut all = Vec::new();
        let _ = self.check(value, way, &mut |broken| {
            all.push(broken);
            match all.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        all
    }

    fn holds(&self, value: &Value) -> bool {
        let stop = &mut |_| ControlFlow::Break(());
        self.check(value, Way::Whole, stop).is_continue()
    }

    fn check<'s>(
        &'s self,
        given: &'s Value,
        way: Way<'_>,
        tell: &mut Tell<'_, 's>,
    ) -> ControlFlow<()> {
        let mut fault = |fault| {
            tell(Broken {
                path: way.to_string(),
                given,
                fault,
            })
        };
        if !self.kinds.is_empty() && !self.kinds.iter().any(|kind| kind.fits(given)) {
            fault(Fault::Kind(&self.kinds))?;
        }
        if let Some(values) = &self.values
            && !values.iter().any(|value| same(value, given))
        {
            fault(Fault::Value(values))?;
        }
        if !self.any_of.is_empty() && !self.any_of.iter().any(|form| form.holds(given)) {
            let forms = self.any_of.iter();
            let forms = forms.map(|form| form.broken_at(given, way, usize::MAX));
            fault(Fault::AnyOf(forms.collect()))?;
        }
        if let Some(not) = self.not.as_ref().filter(|not| not.holds(given)) {
            fault(match not.required.as_slice() {
                [] => Fault::Bound("be something else".to_owned()),
                names => Fault::Together(names),
            })?;
        }
        match given {
            Value::Number(_) => {
                self.check_number(given.as_f64().unwrap_or(f64::NAN), &mut fault)?
            }
            Value::String(text) => self.check_text(text, &mut fault)?,
            Value::Array(items) => {
                let of = (self.min_items, self.max_items);
                check_length(items.len(), of, "items", &mut fault)?;
                if self.unique_items && !are_unique(items) {
                    fault(Fault::Bound("hold nothing twice".to_owned()))?;
                }
                if let Some(filters) = &self.filters {
                    for (path, what) in filters.faults(items, &way.to_string()) {
                        let fault = Fault::Filter(what);
                        tell(Broken { path, given, fault })?;
                    }
                }
                for (index, item) in items.iter().enumerate() {
                    if let Some(keywords) = &self.items {
                        keywords.check(item, Way::Item(&way, index), tell)?;
                    }
                }
            }
            Value::Object(fields) => {
                let of = (self.min_properties, self.max_properties);
                check_length(fields.len(), of, "fields", &mut fault)?;
                for name in &self.required {
                    if !fields.contains_key(name) {
                        fault(Fault::Missing(name))?;
                    }
                }
                if let Some(Others::Allowed(false)) = self.additional_properties {
                    let names = fields.keys().map(String::as_str);
                    let unknown = names.filter(|name| !self.properties.contains_key(*name));
                    let unknown = Vec::from_iter(unknown);
                    if !unknown.is_empty() {
                        let known = self.properties.keys().map(String::as_str);
                        fault(Fault::Unknown(unknown, known.collect()))?;
                    }
                }
                for (name, field) in fields {
                    let keywords = match (self.properties.get(name), &self.additional_properties) {
                        (Some(keywords), _) => keywords,
                        (None, Some(Others::Like(keywords))) => keywords,
                        _ => continue,
                    };
                    keywords.check(field, Way::Field(&way, name), tell)?;
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        self.all_of
            .iter()
            .try_for_each(|part| part.check(given, way, tell))
    }

    fn check_number<'s>(
        &self,
        given: f64,
        fault: &mut impl FnMut(Fault<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let bounds: [(Option<f64>, &str, fn(f64, f64) -> bool); 5] = [
            (self.minimum, "at least", |given, bound| given >= bound),
            (self.maximum, "at most", |given, bound| given <= bound),
            (self.exclusive_minimum, "more than", |given, bound| {
                given > bound
            }),
            (self.exclusive_maximum, "less than", |given, bound| {
                given < bound
            }),
            (self.multiple_of, "a multiple of", |given, bound| {
                let times = given / bound;
                (times - times.round()).abs() < 1e-9
            }),
        ];
        bounds
            .into_iter()
            .try_for_each(|(bound, words, holds)| match bound {
                Some(bound) if !holds(given, bound) => {
                    fault(Fault::Bound(format!("be {words} {bound}")))
                }
                _ => ControlFlow::Continue(()),
            })
    }

    fn check_text<'s>(
        &'s self,
        text: &str,
        fault: &mut impl FnMut(Fault<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let of = (self.min_length, self.max_length);
        if of != (None, None) {
            check_length(text.chars().count(), of, "characters", fault)?;
        }
        match &self.pattern {
            Some(pattern) if !pattern.is_match(text) => fault(Fault::Pattern(pattern.as_str())),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::String, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::Null, Value::Null) => true,
            // 1.0 is an integer.
            (Self::Integer, Value::Number(number)) => {
                let is_whole = |number: f64| number.fract() == 0.0;
                number.as_f64().is_some_and(is_whole)
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Field(Self::Whole, name) => f.write_str(name),
            Self::Field(above, name) => write!(f, "{above}.{name}"),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

fn check_length<'s>(
    length: usize,
    (least, most): (Option<usize>, Option<usize>),
    what: &str,
    fault: &mut impl FnMut(Fault<'s>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match (least, most) {
        (Some(1), _) if length == 0 => fault(Fault::Empty),
        (Some(least), _) if length < least => {
            fault(Fault::Bound(format!("have at least {least} {what}")))
        }
        (_, Some(most)) if length > most => {
            fault(Fault::Bound(format!("have at most {most} {what}")))
        }
        _ => ControlFlow::Continue(()),
    }
}

/// Numbers compare by value, objects in any order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            json_text(one) == json_text(other)
        }
        _ => one == other,
    }
}

fn are_unique(items: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    items.iter().all(|item| seen.insert(json_text(item)))
}

/// Equal values give equal texts.
fn json_text(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(number) => format!("{number:?}"),
            None => number.to_string(),
        },
        Value::Array(items) => format!(
            "[{}]",
            Vec::from_iter(items.iter().map(json_text)).join(",")
        ),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name, json_text(field)));
            format!("{:?}", BTreeMap::from_iter(fields))
        }
        _ => value.to_string(),
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kind>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kinds {
        One(Kind),
        Many(Vec<Kind>),
    }
    Ok(match Kinds::deserialize(deserializer)? {
        Kinds::One(kind) => vec![kind],
        Kinds::Many(kinds) => kinds,
    })
}

fn regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Regex::new(&pattern).map(Some).map_err(D::Error::custom)
}
