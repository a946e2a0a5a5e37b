//! The filters of HighLevel's searches: the fields, the operators of each, and their values.
//!
//! HighLevel answers a wrong filter with nothing or with everything, and a 200. The table is in the documents'
//! repairs, as `x-filters` of the argument.

mod range;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::excerpt::excerpt;
use super::records::{NamedRecord, is_name};
use crate::catalog::custom_field::{IDS_FROM, is_id};
pub(super) use range::{FilterRange, RangeHolds, empty_range};
use range::{check_bounds, check_order};
use tool::nearest;

/// What a search can filter by.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SearchFilters {
    /// Operators by the kind of a field.
    kinds: BTreeMap<String, Vec<String>>,
    /// The kind of each field. A name that ends in `*` stands for all names that begin so.
    fields: BTreeMap<String, String>,
    /// Fields whose value is a list of conditions on fields of their own.
    nested: BTreeMap<String, BTreeMap<String, String>>,
    /// Longest value in characters, by operator.
    longest: BTreeMap<String, usize>,
    /// What to do in place of an operator that a field lacks, as a sentence without its period.
    instead: BTreeMap<String, String>,
}

/// One fault: its path, and a text to be read after it.
pub(super) type FilterFault = (String, String);

/// The operator of conditions inside a field.
const NESTED: &str = "nested";

/// The deepest nesting of groups: each level is a recursive call.
const DEEPEST: usize = 16;

/// Refuses a name in place of a record's id: HighLevel finds nothing by it.
fn check_record(field: &str, value: Option<&Value>) -> Result<(), String> {
    let Some((record, value)) = NamedRecord::in_field(field).zip(value) else {
        return Ok(());
    };
    let one = std::slice::from_ref(value);
    let mut values = value.as_array().map_or(one, Vec::as_slice).iter();
    let name = values.find(|value| value.as_str().is_some_and(is_name));
    name.map_or(Ok(()), |name| Err(record.instead_of(&excerpt(name))))
}

impl SearchFilters {
    /// The faults of a list of filters at `path`.
    pub(super) fn faults(&self, filters: &[Value], path: &str) -> Vec<FilterFault> {
        let mut faults = Vec::new();
        self.check_list(filters, path, 0, &mut faults);
        faults
    }

    fn check_list(
        &self,
        filters: &[Value],
        path: &str,
        depth: usize,
        faults: &mut Vec<FilterFault>,
    ) {
        for (index, filter) in filters.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match filter.as_object() {
                None => faults.push((
                    path,
                    format!(
                        "must be an object with field, operator and value, or with group and filters, not {}",
                        excerpt(filter)
                    ),
                )),
                Some(group) if group.contains_key("group") || group.contains_key("filters") => {
                    self.check_group(group, &path, depth, faults);
                }
                Some(condition) => self.check_condition(condition, &self.fields, &path, faults),
            }
        }
    }

    fn check_group(
        &self,
        group: &Map<String, Value>,
        path: &str,
        depth: usize,
        faults: &mut Vec<FilterFault>,
    ) {
        check_members(group, &["group", "filters"], path, faults);
        match group.get("group") {
            Some(Value::String(name)) if name == "AND" || name == "OR" => {}
            Some(other) => faults.push((
                format!("{path}.group"),
                format!("must be \"AND\" or \"OR\", not {}", excerpt(other)),
            )),
            None => faults.push((path.to_owned(), "needs group, \"AND\" or \"OR\"".to_owned())),
        }
        let path = format!("{path}.filters");
        match group.get("filters") {
            Some(Value::Array(_)) if depth == DEEPEST => {
                faults.push((
                    path,
                    "stands too deep: groups hold too many groups".to_owned(),
                ));
            }
            Some(Value::Array(filters)) if !filters.is_empty() => {
                self.check_list(filters, &path, depth + 1, faults);
            }
            _ => faults.push((path, "must be a list of filters".to_owned())),
        }
    }

    fn check_condition(
        &self,
        condition: &Map<String, Value>,
        fields: &BTreeMap<String, String>,
        path: &str,
        faults: &mut Vec<FilterFault>,
    ) {
        let known = faults.len();
        check_members(condition, &["field", "operator", "value"], path, faults);
        let mut text = |name: &str| {
            let found = condition.get(name).and_then(Value::as_str);
            // The fault of an unknown member already names what is meant.
            if found.is_none() && faults.len() == known {
                faults.push((path.to_owned(), format!("needs {name}, a text")));
            }
            found
        };
        let (Some(field), Some(operator)) = (text("field"), text("operator")) else {
            return;
        };
        let value = condition.get("value").filter(|value| !value.is_null());
        if let Some(inner) = self.nested.get(field) {
            return self.check_nested((field, operator, value), inner, path, faults);
        }
        let Some(kind) = kind_of(fields, field) else {
            faults.push((format!("{path}.field"), self.unknown_field(fields, field)));
            return;
        };
        if let Some(what) = Self::wrong_custom_field(fields, field) {
            faults.push((format!("{path}.field"), what));
            return;
        }
        let operators = self.kinds.get(kind).map_or(&[][..], Vec::as_slice);
        if !operators.iter().any(|one| one == operator) {
            let what = match self.instead.get(field) {
                Some(instead) => {
                    let operators = operators.join(", ");
                    let shown: String = operator.chars().take(64).collect();
                    format!("must be one of {operators} for {field}, not {shown}: {instead}")
                }
                None => wrong_operator(field, operator, operators),
            };
            faults.push((format!("{path}.operator"), what));
            return;
        }
        let wrong = self.check_value(operator, value, RangeHolds::of_kind(kind));
        if let Err(what) = wrong.and_then(|()| check_record(field, value)) {
            faults.push((format!("{path}.value"), what));
        }
    }

    fn check_nested(
        &self,
        (field, operator, value): (&str, &str, Option<&Value>),
        inner: &BTreeMap<String, String>,
        path: &str,
        faults: &mut Vec<FilterFault>,
    ) {
        if operator != NESTED {
            let what = wrong_operator(field, operator, &[NESTED.to_owned()]);
            faults.push((format!("{path}.operator"), what));
        }
        let path = format!("{path}.value");
        let Some(Value::Array(conditions)) = value else {
            let names = Vec::from_iter(inner.keys().map(String::as_str)).join(", ");
            let what = format!("must be a list of filters of {field}, by {names}");
            return faults.push((path, what));
        };
        for (index, condition) in conditions.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match condition.as_object() {
                Some(condition) => self.check_condition(condition, inner, &path, faults),
                None => faults.push((
                    path,
                    "must be an object with field, operator and value".to_owned(),
                )),
            }
        }
    }

    fn check_value(
        &self,
        operator: &str,
        value: Option<&Value>,
        holds: RangeHolds,
    ) -> Result<(), String> {
        let longest = self.longest.get(operator).copied().unwrap_or(usize::MAX);
        match (operator, value) {
            ("exists" | "not_exists", None) => Ok(()),
            ("exists" | "not_exists", Some(value)) => Err(format!(
                "must be left out, for {operator} takes none, not {}",
                excerpt(value)
            )),
            ("range", Some(Value::Object(bounds))) if !bounds.is_empty() => {
                check_bounds(bounds, holds)?;
                check_order(bounds)
            }
            ("range", _) => Err(
                "must be an object such as {\"gte\": …, \"lte\": …}, with gte, lte, gt or lt"
                    .to_owned(),
            ),
            (_, None) => Err(format!("is missing, and {operator} needs one")),
            (_, Some(Value::Array(values))) => {
                values.iter().try_for_each(|one| check_single(one, longest))
            }
            (_, Some(value)) => check_single(value, longest),
        }
    }

    /// A custom field that is not named by its id: HighLevel finds nothing by another name, with a 200.
    fn wrong_custom_field(fields: &BTreeMap<String, String>, field: &str) -> Option<String> {
        let (start, rest) = match fields.contains_key(field) {
            true => None,
            false => beginning(fields, field),
        }?;
        let id = rest.split('.').next().unwrap_or(rest);
        let shown = excerpt(&Value::from(rest));
        (!is_id(id)).then(|| {
            format!(
                "names a custom field {shown}, which is not an id; take its id from {IDS_FROM}, and write {start}<id>"
            )
        })
    }

    fn unknown_field(&self, fields: &BTreeMap<String, String>, field: &str) -> String {
        let names = fields.keys().map(|name| name.trim_end_matches('*'));
        let names = names.chain(self.nested.keys().map(String::as_str));
        let names = Vec::from_iter(names);
        let written = |name: &str| match name.ends_with('.') {
            true => format!("{name}<id>"),
            false => name.to_owned(),
        };
        // A longer form is a better suggestion than a similar spelling: lastName is lastNameLowerCase.
        let longer = names
            .iter()
            .find(|name| !field.is_empty() && name.starts_with(field));
        let near = || nearest(field, names.iter().map(|name| (*name, *name)));
        let near = longer.copied().or_else(near);
        let field: String = field.chars().take(64).collect();
        match near {
            Some(near) if near.ends_with('.') => format!(
                "must be one that HighLevel filters by, not {field}; a custom field is {}, with its id from {IDS_FROM}",
                written(near)
            ),
            Some(near) => format!(
                "must be one that HighLevel filters by: {field} is none, did you mean {near}?"
            ),
            None => format!(
                "must be one that HighLevel filters by, not {field}: {}",
                Vec::from_iter(names.into_iter().map(written)).join(", ")
            ),
        }
    }
}

/// The kind of `field`, by its name or by the beginning that a `*` ends.
fn kind_of<'s>(fields: &'s BTreeMap<String, String>, field: &str) -> Option<&'s str> {
    let by_beginning = || {
        let (start, _) = beginning(fields, field)?;
        fields.get(&format!("{start}*"))
    };
    fields.get(field).or_else(by_beginning).map(String::as_str)
}

/// The beginning that a `*` ends and that `field` has, with the rest of it.
fn beginning<'s>(
    fields: &'s BTreeMap<String, String>,
    field: &'s str,
) -> Option<(&'s str, &'s str)> {
    let mut open = fields.keys().filter_map(|name| name.strip_suffix('*'));
    open.find_map(|start| {
        let rest = field.strip_prefix(start)?;
        (!rest.is_empty()).then_some((start, rest))
    })
}

fn check_members(
    object: &Map<String, Value>,
    known: &[&str],
    path: &str,
    faults: &mut Vec<FilterFault>,
) {
    for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
        let shown: String = name.chars().take(64).collect();
        let starts = |known: &&&str| known.starts_with(name.as_str());
        let near = nearest(name, known.iter().map(|one| (*one, *one)));
        let what = match known.iter().find(starts).copied().or(near) {
            Some(near) => format!("has no member {shown}, did you mean {near}?"),
            None => format!("has no member {shown}, it takes {}", known.join(", ")),
        };
        faults.push((path.to_owned(), what));
    }
}

fn wrong_operator(field: &str, operator: &str, operators: &[String]) -> String {
    let shown: String = operator.chars().take(64).collect();
    let takes = |name: &str| operators.iter().any(|one| one == name);
    let bound = match operator {
        "gt" | ">" | "after" => "gt",
        "gte" | ">=" => "gte",
        "lt" | "<" | "before" => "lt",
        "lte" | "<=" => "lte",
        "eq" | "=" | "==" | "is" | "equals" | "on" if !takes("eq") => "gte\": …, \"lte",
        _ => "",
    };
    let hint = if !bound.is_empty() && takes("range") {
        format!("; give range with the value {{\"{bound}\": …}}")
    } else {
        let names = operators.iter().map(|one| (one.as_str(), one));
        let meant = match operator {
            "=" | "==" | "is" | "equals" | "in" => Some("eq"),
            "!=" | "not" | "not_equals" | "neq" | "ne" => Some("not_eq"),
            _ => None,
        };
        let near = meant.filter(|meant| takes(meant));
        let near = near.or_else(|| nearest(operator, names).map(String::as_str));
        near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
    };
    format!(
        "must be one of {} for {field}, not {shown}{hint}",
        operators.join(", ")
    )
}

fn check_single(value: &Value, longest: usize) -> Result<(), String> {
    match value {
        Value::String(text) if text.chars().count() > longest => Err(format!(
            "must have at most {longest} characters, it is {}",
            excerpt(value)
        )),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(()),
        other => Err(format!(
            "must be a text, a number, true or false, or a list of them, not {}",
            excerpt(other)
        )),
    }
}
