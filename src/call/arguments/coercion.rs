//! Turns values into their one declared type where nothing is lost, and refuses numbers that lost digits.

use serde_json::{Map, Number, Value};

use super::ArgumentProblems;
use crate::catalog::decoding::{MOST_VALUES, count_values};

/// From here on not every whole number is a 64-bit float, so that digits may be gone.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Most bytes of a text that is taken for a number.
const LONGEST_NUMBER: usize = 64;

/// Coerces every value that has one declared type, inside objects and lists too.
pub(super) fn coerce(
    schema: &Value,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    let mut coercion = Coercion {
        problems,
        left: MOST_VALUES,
    };
    coercion.fields(Some(schema), values, "");
}

struct Coercion<'a> {
    problems: &'a mut ArgumentProblems,
    /// Values that texts may still decode to: all of them passed the limit of requests as one value each.
    left: usize,
}

impl Coercion<'_> {
    fn fields(&mut self, schema: Option<&Value>, values: &mut Map<String, Value>, path: &str) {
        let properties = schema.and_then(|schema| schema.get("properties"));
        for (name, value) in values {
            let schema = properties.and_then(|properties| properties.get(name));
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            self.value(schema, value, &path);
        }
    }

    fn value(&mut self, schema: Option<&Value>, value: &mut Value, path: &str) {
        if let Some(kind) = schema.and_then(one_type) {
            if !self.has_room(kind, value) {
                self.problems.add(format!(
                    "{path} is a text that holds, with others, more than {MOST_VALUES} values; send fewer at a time"
                ));
                return;
            }
            if let Some(coerced) = coerced(kind, value) {
                *value = coerced;
            }
        }
        match value {
            Value::Number(number) if lost_digits(number) => self.problems.add(format!(
                "{path} is a number too large to be kept exactly, give it as a string"
            )),
            Value::Object(object) => self.fields(schema, object, path),
            Value::Array(items) => {
                let schema = schema.and_then(|schema| schema.get("items"));
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(schema, item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    /// Counts what `value` decodes to, where it is a text that stands for an object or a list.
    fn has_room(&mut self, kind: &str, value: &Value) -> bool {
        let Value::String(text) = value else {
            return true;
        };
        if !matches!(kind, "object" | "array") {
            return true;
        }
        let left = self.left.checked_sub(count_values(text.as_bytes()));
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// The type of a schema that declares one, `null` beside it not counted.
fn one_type(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => {
            let mut kinds = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null");
            kinds.next().filter(|_| kinds.next().is_none())
        }
        _ => None,
    }
}

/// `value` as a `kind`, where it is another type that says the same.
fn coerced(kind: &str, value: &Value) -> Option<Value> {
    match (kind, value) {
        ("integer", Value::String(text)) => {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == *text).then(|| number.into())
        }
        ("integer", Value::Number(number)) if number.is_f64() => {
            let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            let whole = (number.abs() < EXACT).then_some(number as i64)?;
            Some(whole.into())
        }
        // As a number from the first: no list or object is built to find that it is none.
        ("number", Value::String(text)) if text.len() <= LONGEST_NUMBER => {
            serde_json::from_str(text).ok().map(Value::Number)
        }
        ("boolean", Value::String(text)) => match text.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        // A whole number written as a float (1e3) has lost the form in which it was given.
        ("string", Value::Number(number)) if !lost_form(number) => {
            Some(Value::String(number.to_string()))
        }
        ("string", Value::Bool(truth)) => Some(Value::String(truth.to_string())),
        ("object" | "array", Value::String(text)) => serde_json::from_str(text)
            .ok()
            .filter(|parsed: &Value| parsed.is_object() == (kind == "object"))
            .filter(|parsed| parsed.is_object() || parsed.is_array()),
        _ => None,
    }
}

fn lost_form(number: &Number) -> bool {
    number.is_f64() && number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn lost_digits(number: &Number) -> bool {
    lost_form(number) && number.as_f64().is_some_and(|number| number.abs() >= EXACT)
}
