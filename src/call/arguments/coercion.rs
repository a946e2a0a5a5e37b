//! Converts values to a type that their schema accepts, if nothing is lost, and refuses numbers that lost
//! digits.

use serde_json::{Map, Number, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::forms::Forms;
use super::keywords::Way;
use crate::catalog::decoding::{MOST_VALUES, count_values};

/// From here on a 64-bit float does not hold every whole number, so digits may be lost.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Longest text that is parsed as a number, in bytes.
const LONGEST_NUMBER: usize = 64;

/// Coerces every value of a declared type, inside objects and lists too.
pub(super) fn coerce(
    schema: &Value,
    values: &mut Map<String, Value>,
    problems: &mut ArgumentProblems,
) {
    let mut coercion = Coercion {
        problems,
        left: MOST_VALUES,
    };
    coercion.fields(&Forms::new(Some(schema)), values, Way::Whole);
}

struct Coercion<'a> {
    problems: &'a mut ArgumentProblems,
    /// The number of values that texts may still decode to. Each text passed the request's limit as one
    /// value.
    left: usize,
}

impl Coercion<'_> {
    fn fields(&mut self, forms: &Forms<'_>, values: &mut Map<String, Value>, way: Way<'_>) {
        for (name, value) in values {
            self.value(&forms.field(name), value, Way::Field(&way, name));
        }
    }

    fn value(&mut self, forms: &Forms<'_>, value: &mut Value, way: Way<'_>) {
        if forms.is_typed() {
            match self.coerced(forms, value, way) {
                Ok(Some(coerced)) => *value = coerced,
                Ok(None) => {}
                Err(()) => return,
            }
        }
        match value {
            Value::Number(number) if number.as_f64().is_none() => {
                let shown = excerpt(value);
                self.problems.add(format!(
                    "{way} holds the number {shown}, which readers of JSON do not take; give it as a string"
                ));
            }
            Value::Object(object) => self.fields(forms, object, way),
            Value::Array(items) => {
                let forms = forms.items();
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&forms, item, Way::Item(&way, index));
                }
            }
            _ => {}
        }
    }

    /// `value` converted to an accepted type without loss. Fails if a text may not be decoded.
    fn coerced(
        &mut self,
        forms: &Forms<'_>,
        value: &Value,
        way: Way<'_>,
    ) -> Result<Option<Value>, ()> {
        let text = match value {
            Value::String(text) => text,
            value => return Ok(as_other(forms, value)),
        };
        if may_hold_values(forms, text) {
            if !self.has_room(text) {
                self.problems.add(format!(
                    "{way} is a text that holds, with others, more than {MOST_VALUES} values; send fewer at a time"
                ));
                return Err(());
            }
            let parsed = serde_json::from_str(text)
                .ok()
                .filter(|parsed| match parsed {
                    Value::Object(_) => forms.takes("object"),
                    _ => true,
                });
            if parsed.is_some() {
                return Ok(parsed);
            }
        }
        if forms.takes("string") {
            return Ok(None);
        }
        Ok(whole(forms, text)
            .or_else(|| truth(forms, text))
            .or_else(|| number(forms, text)))
    }

    /// Counts the values in `text`.
    fn has_room(&mut self, text: &str) -> bool {
        let left = self.left.checked_sub(count_values(text.as_bytes()));
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// Whether `text` may be the JSON of an object or list that is accepted.
fn may_hold_values(forms: &Forms<'_>, text: &str) -> bool {
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{') => forms.takes("object"),
        Some(b'[') => forms.takes("array"),
        _ => false,
    }
}

fn whole(forms: &Forms<'_>, text: &str) -> Option<Value> {
    let number: i64 = text.parse().ok().filter(|_| forms.takes("integer"))?;
    (number.to_string() == *text).then(|| number.into())
}

/// Parses as a number from the start: no list or object is built only to be rejected.
fn number(forms: &Forms<'_>, text: &str) -> Option<Value> {
    let is_taken = forms.takes("number") && text.len() <= LONGEST_NUMBER;
    let number = serde_json::from_str(text).ok();
    number.filter(|_| is_taken).map(Value::Number)
}

fn truth(forms: &Forms<'_>, text: &str) -> Option<Value> {
    let truth: bool = text.parse().ok()?;
    forms.takes("boolean").then_some(Value::Bool(truth))
}

/// A number or a boolean as another type.
fn as_other(forms: &Forms<'_>, value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_f64() && forms.takes("integer") => {
            let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            let whole = (number.abs() < EXACT).then_some(number as i64)?;
            Some(whole.into())
        }
        Value::Number(_) if forms.takes("number") || forms.takes("integer") => None,
        // A whole number written as a float (1e3) no longer has its original form.
        Value::Number(number) if forms.takes("string") && !lost_form(number) => {
            Some(Value::String(number.to_string()))
        }
        Value::Bool(truth) if forms.takes("string") && !forms.takes("boolean") => {
            Some(Value::String(truth.to_string()))
        }
        _ => None,
    }
}

fn lost_form(number: &Number) -> bool {
    number.is_f64() && number.as_f64().is_some_and(|number| number.fract() == 0.0)
}
