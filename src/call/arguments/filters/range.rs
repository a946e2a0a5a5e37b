//! Ranges of a filter: their bounds, their order, and those that hold dates.

use serde_json::{Map, Value};

use super::{SearchFilters, excerpt, kind_of};

/// Members of a range.
const BOUNDS: [&str; 4] = ["gte", "lte", "gt", "lt"];

/// What the bounds of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum RangeHolds {
    /// Points in time.
    Times,
    /// Days, which have no zone.
    Days,
    /// Numbers or days: a custom field is either.
    NumbersOrDays,
    Numbers,
}

/// One range of a filter on dates.
pub(in super::super) struct FilterRange<'f> {
    /// Path of the value, such as `filters[0].value`.
    pub path: String,
    pub holds: RangeHolds,
    pub bounds: &'f mut Map<String, Value>,
}

impl RangeHolds {
    /// By the name of a field's kind.
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "date" => Self::Times,
            "day" => Self::Days,
            "any" => Self::NumbersOrDays,
            _ => Self::Numbers,
        }
    }

    /// Whether `bound` is to be taken as a date.
    pub(in super::super) fn is_date(self, bound: &Value) -> bool {
        match self {
            Self::Times | Self::Days => true,
            Self::NumbersOrDays => bound.is_string() && number(bound).is_none(),
            Self::Numbers => false,
        }
    }
}

impl SearchFilters {
    /// Every range that may hold dates, in groups too.
    pub(in super::super) fn date_ranges<'f>(
        &self,
        filters: &'f mut [Value],
        path: &str,
    ) -> Vec<FilterRange<'f>> {
        let mut found = Vec::new();
        self.add_ranges(filters, path, 0, &mut found);
        found
    }

    fn add_ranges<'f>(
        &self,
        filters: &'f mut [Value],
        path: &str,
        depth: usize,
        found: &mut Vec<FilterRange<'f>>,
    ) {
        for (index, filter) in filters.iter_mut().enumerate() {
            let path = format!("{path}[{index}]");
            if filter.get("filters").is_some() {
                let inner = filter.get_mut("filters").and_then(Value::as_array_mut);
                if let Some(inner) = inner.filter(|_| depth < super::DEEPEST) {
                    self.add_ranges(inner, &format!("{path}.filters"), depth + 1, found);
                }
                continue;
            }
            let field = filter.get("field").and_then(Value::as_str);
            let kind = field.and_then(|field| kind_of(&self.fields, field));
            let holds = RangeHolds::of_kind(kind.unwrap_or_default());
            if holds == RangeHolds::Numbers || filter.get("operator") != Some(&"range".into()) {
                continue;
            }
            if let Some(bounds) = filter.get_mut("value").and_then(Value::as_object_mut) {
                let path = format!("{path}.value");
                found.push(FilterRange {
                    path,
                    holds,
                    bounds,
                });
            }
        }
    }
}

/// Checks the members of a range. Dates were checked when they were converted.
pub(super) fn check_bounds(bounds: &Map<String, Value>, holds: RangeHolds) -> Result<(), String> {
    bounds.iter().try_for_each(|(name, bound)| {
        if !BOUNDS.contains(&name.as_str()) {
            return Err(format!("takes gte, lte, gt and lt, not {name}"));
        }
        match (bound, holds) {
            (Value::Number(_) | Value::String(_), _) => Ok(()),
            (other, RangeHolds::Times | RangeHolds::Days) => Err(format!(
                "must have dates such as 2026-11-20, not {}",
                excerpt(other)
            )),
            (other, _) => Err(format!(
                "must have numbers or texts, not {}",
                excerpt(other)
            )),
        }
    })
}

/// Refuses a range of numbers that holds none: HighLevel finds nothing, with a 200.
pub(super) fn check_order(bounds: &Map<String, Value>) -> Result<(), String> {
    let bounds = bounds.iter();
    let numbers =
        bounds.filter_map(|(name, bound)| Some((name.as_str(), number(bound)?, excerpt(bound))));
    empty_range(&Vec::from_iter(numbers)).map_or(Ok(()), Err)
}

/// What is wrong with bounds between which nothing lies: the name of each, its place in the order, its text.
pub(in super::super) fn empty_range<T: PartialOrd>(bounds: &[(&str, T, String)]) -> Option<String> {
    let called = |names: [&'static str; 2]| {
        let bounds = bounds.iter();
        bounds.filter(move |(name, ..)| names.contains(name))
    };
    let lower = called(["gte", "gt"]);
    let mut pairs = lower.flat_map(|low| called(["lte", "lt"]).map(move |high| (low, high)));
    let ((low, _, from), (high, _, until)) = pairs.find(|((low, from, _), (high, until, _))| {
        let takes_equal = *low == "gte" && *high == "lte";
        from > until || from == until && !takes_equal
    })?;
    Some(format!(
        "holds nothing: {low} is {from} and {high} is {until}; give the earlier or smaller one as gte and the other as lte"
    ))
}

fn number(bound: &Value) -> Option<f64> {
    let text = || bound.as_str()?.trim().parse().ok();
    bound
        .as_f64()
        .or_else(text)
        .filter(|number: &f64| number.is_finite())
}
