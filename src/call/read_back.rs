//! Warns of what HighLevel dropped without saying so: a value that is none of a custom field's options is
//! left out, and the answer is a success.

use serde_json::{Map, Value, json};

use crate::call::output::value_at;
use tool::{ReadBack, Tool};

/// Names under which a custom field's value travels.
const VALUE: [&str; 4] = ["value", "field_value", "fieldValue", "fieldValueString"];

/// What a call sent that HighLevel may drop, by id.
pub(super) struct SentValues {
    back: &'static ReadBack,
    values: Vec<(String, Value)>,
}

impl SentValues {
    /// `None` where nothing has an id, for then nothing can be compared.
    pub(super) fn in_arguments(
        tool: &'static Tool,
        arguments: &Map<String, Value>,
    ) -> Option<Self> {
        let back = tool.read_back.as_ref()?;
        let values = values(back, arguments)?;
        Some(Self { back, values })
    }

    /// `text` with a warning for each thing that `answer` does not show.
    pub(super) fn add_warnings(&self, text: String, answer: &Value) -> String {
        warned(self.back, &self.values, text, answer)
    }
}

fn values(back: &ReadBack, arguments: &Map<String, Value>) -> Option<Vec<(String, Value)>> {
    let given = arguments
        .iter()
        .find(|(name, _)| name.trim_start_matches("body_") == back.sent)
        .and_then(|(_, value)| value.as_array())?;
    let sent: Vec<(String, Value)> = given
        .iter()
        .filter_map(|item| Some((item["id"].as_str()?.to_owned(), value(item)?.clone())))
        .filter(|(_, value)| !is_empty(value))
        .collect();
    (!sent.is_empty()).then_some(sent)
}

fn warned(back: &ReadBack, sent: &[(String, Value)], text: String, answer: &Value) -> String {
    // An answer that shows no such list says nothing of what was kept.
    let Some(kept) = value_at(answer, back.found).and_then(Value::as_array) else {
        return text;
    };
    let warnings: Vec<String> = sent
        .iter()
        .filter_map(|(id, value)| warning(id, value, kept))
        .collect();
    match text.strip_suffix('}') {
        Some(open) if !warnings.is_empty() => format!("{open},\"_warnings\":{}}}", json!(warnings)),
        _ => text,
    }
}

fn warning(id: &str, sent: &Value, kept: &[Value]) -> Option<String> {
    let hint = "where the field has options, spell one exactly";
    match kept.iter().find(|item| item["id"] == id) {
        None => Some(format!("HighLevel did not keep the value of {id}: {hint}")),
        Some(item) => {
            let found = value(item)?;
            (!is_same(sent, found)).then(|| format!("{id} holds {found}, not {sent}: {hint}"))
        }
    }
}

fn value(item: &Value) -> Option<&Value> {
    VALUE.iter().find_map(|name| item.get(name))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Numbers and texts of them are one; only plain values are compared, for HighLevel writes dates and
/// objects in forms of its own.
fn is_same(sent: &Value, found: &Value) -> bool {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    match (sent, found) {
        (Value::Array(sent), Value::Array(found)) => sent
            .iter()
            .all(|one| found.iter().any(|other| is_same(one, other))),
        _ => match (plain(sent), plain(found)) {
            (Some(sent), Some(found)) => {
                sent == found
                    || found
                        .parse::<f64>()
                        .is_ok_and(|found| sent.parse() == Ok(found))
            }
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_said() {
        fn check(given: Value, answer: Value, expected: &str) {
            let back = ReadBack {
                sent: "customFields",
                found: &["contact", "customFields"],
            };
            let arguments = Map::from_iter([("customFields".to_owned(), given)]);
            let text = answer.to_string();
            let told = match values(&back, &arguments) {
                Some(sent) => warned(&back, &sent, text.clone(), &answer),
                None => text.clone(),
            };
            assert_eq!(told != text, !expected.is_empty(), "{told}");
            assert!(told.contains(expected), "{told}");
        }
        let answer = |fields: Value| json!({"contact": {"customFields": fields}});
        check(
            json!([{"id": "f", "field_value": "a"}]),
            answer(json!([{"id": "f", "value": "a"}])),
            "",
        );
        check(
            json!([{"id": "f", "value": 5}]),
            answer(json!([{"id": "f", "value": "5"}])),
            "",
        );
        check(
            json!([{"id": "f", "value": ["a", "b"]}]),
            answer(json!([{"id": "f", "value": ["b", "a"]}])),
            "",
        );
        check(
            json!([{"id": "f", "value": "a-b"}]),
            answer(json!([])),
            "did not keep the value of f",
        );
        check(
            json!([{"id": "f", "value": "a"}]),
            answer(json!([{"id": "f", "value": "z"}])),
            "f holds",
        );
        check(json!([{"key": "k", "value": "a"}]), answer(json!([])), "");
        check(json!([{"id": "f", "value": ""}]), answer(json!([])), "");
        check(
            json!([{"id": "f", "value": "a"}]),
            json!({"succeeded": true}),
            "",
        );
    }
}
