//! Warns of what HighLevel dropped without saying so: a value that is none of a custom field's options is
//! left out, and the answer is a success.

use serde_json::{Map, Value, json};

use crate::call::output::{is_empty, value_at};
use crate::catalog::custom_field::IDS_FROM;
use tool::{ReadBack, Tool};

/// Names under which a custom field's value travels.
const VALUE: [&str; 4] = ["value", "field_value", "fieldValue", "fieldValueString"];

/// What a call sent that HighLevel may drop.
pub(super) struct SentValues {
    back: &'static ReadBack,
    values: Vec<SentItem>,
    texts: Vec<(&'static str, String)>,
}

/// An item of the list.
struct SentItem {
    name: String,
    value: Value,
    /// It was named by its key, and answers name items by id alone.
    by_key: bool,
}

impl SentValues {
    /// `None` where nothing was sent that can be compared.
    pub(super) fn in_arguments(
        tool: &'static Tool,
        arguments: &Map<String, Value>,
    ) -> Option<Self> {
        Self::of_read_back(tool.read_back.as_ref()?, arguments)
    }

    fn of_read_back(back: &'static ReadBack, arguments: &Map<String, Value>) -> Option<Self> {
        let values = values(back, arguments);
        let given = |name: &&'static str| Some((*name, argument(name, arguments)?.as_str()?));
        let texts: Vec<(&str, String)> = back
            .texts
            .iter()
            .filter_map(given)
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(name, text)| (name, text.to_owned()))
            .collect();
        let is_empty = values.is_empty() && texts.is_empty();
        (!is_empty).then_some(Self {
            back,
            values,
            texts,
        })
    }

    /// A warning for each thing that `answer` does not show.
    pub(super) fn warnings(&self, answer: &Value) -> Vec<String> {
        let mut warnings = Vec::new();
        // An answer that shows no such list says nothing of what was kept.
        if let Some(kept) = value_at(answer, self.back.found).and_then(Value::as_array) {
            warnings.extend(self.values.iter().filter_map(|sent| warning(sent, kept)));
        }
        let holder = self.back.found.split_last();
        let holder = holder.and_then(|(_, holder)| value_at(answer, holder)?.as_object());
        for (name, sent) in holder.iter().flat_map(|_| &self.texts) {
            let found = holder.and_then(|holder| holder.get(*name)?.as_str());
            let is_kept = match found {
                Some(found) => is_alike(sent, found),
                // Only of a contact that was there before HighLevel drops some, and such an answer says so.
                None => answer["new"] != false,
            };
            if !is_kept {
                let found = found.map_or("nothing".to_owned(), |found| json!(found).to_string());
                let sent = json!(sent);
                warnings.push(format!(
                    "HighLevel's answer shows {found} as {name}, not {sent}: another contact may have it, or this \
                     operation changes it on new contacts only"
                ));
            }
        }
        warnings
    }
}

fn argument<'a>(name: &str, arguments: &'a Map<String, Value>) -> Option<&'a Value> {
    let mut arguments = arguments.iter();
    let found = arguments.find(|(given, _)| given.trim_start_matches("body_") == name);
    found.map(|(_, value)| value)
}

fn values(back: &ReadBack, arguments: &Map<String, Value>) -> Vec<SentItem> {
    let given = argument(back.sent, arguments).and_then(Value::as_array);
    let items = given.into_iter().flatten().filter_map(|item| {
        let (name, by_key) = match (item["id"].as_str(), item["key"].as_str()) {
            (Some(id), _) => (id, false),
            (None, Some(key)) => (key, true),
            (None, None) => return None,
        };
        Some(SentItem {
            name: name.to_owned(),
            value: value(item)?.clone(),
            by_key,
        })
    });
    items.filter(|item| !is_empty(&item.value)).collect()
}

fn warning(sent: &SentItem, kept: &[Value]) -> Option<String> {
    let hint = "where the field has options, spell one exactly";
    // Under a wrong name no value is kept, however it is spelt.
    let unnamed = |kind: &str| format!("take the field's {kind} from {IDS_FROM}, and {hint}");
    let SentItem {
        name,
        value: given,
        by_key,
    } = sent;
    if *by_key {
        let named = kept.iter().find(|item| {
            let keys = [&item["key"], &item["fieldKey"]];
            keys.iter().any(|key| key.as_str() == Some(name))
        });
        // Without a name of its own it may be any item that holds the value.
        let is_kept = match named {
            Some(item) => value(item).is_none_or(|found| is_same(given, found)),
            None => {
                let mut found = kept.iter().filter_map(value);
                found.any(|found| is_same(given, found))
            }
        };
        return (!is_kept).then(|| {
            let unnamed = unnamed("key or id");
            format!(
                "HighLevel's answer shows no custom field with the value given for {name}: {unnamed}"
            )
        });
    }
    match kept.iter().find(|item| item["id"] == name.as_str()) {
        None => Some(format!(
            "HighLevel did not keep the value of {name}: {}",
            unnamed("id")
        )),
        Some(item) => {
            let found = value(item)?;
            (!is_same(given, found)).then(|| format!("{name} holds {found}, not {given}: {hint}"))
        }
    }
}

/// Whether two texts are one in HighLevel: phones with or without their country, whatever the case.
fn is_alike(sent: &str, found: &str) -> bool {
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let is_phone = digits.len() >= 7 && !text.contains(char::is_alphabetic);
        is_phone.then(|| digits.trim_start_matches('0').to_owned())
    };
    match (digits(sent), digits(found)) {
        (Some(sent), Some(found)) => found.ends_with(&sent) || sent.ends_with(&found),
        _ => sent.trim().to_lowercase() == found.trim().to_lowercase(),
    }
}

fn value(item: &Value) -> Option<&Value> {
    VALUE.iter().find_map(|name| item.get(name))
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
    fn values_that_highlevel_dropped_are_reported() {
        fn check(given: Value, answer: Value, expected: &str) {
            const BACK: ReadBack = ReadBack {
                sent: "customFields",
                found: &["contact", "customFields"],
                texts: &["email", "phone", "gender"],
            };
            let arguments = match given {
                Value::Object(arguments) => arguments,
                fields => Map::from_iter([("customFields".to_owned(), fields)]),
            };
            let sent = SentValues::of_read_back(&BACK, &arguments);
            let told = sent.map_or_else(Vec::new, |sent| sent.warnings(&answer));
            assert_eq!(told.is_empty(), expected.is_empty(), "{told:?}");
            assert!(told.join("; ").contains(expected), "{told:?}");
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
            "did not keep the value of f: take the field's id from locations_get-custom-fields",
        );
        check(
            json!([{"id": "f", "value": "a"}]),
            answer(json!([{"id": "f", "value": "z"}])),
            "f holds",
        );
        let by_key = json!([{"key": "k", "value": "a"}]);
        check(
            by_key.clone(),
            answer(json!([])),
            "shows no custom field with the value given for k",
        );
        check(
            by_key.clone(),
            answer(json!([{"id": "f", "value": "z"}])),
            "given for k",
        );
        check(
            by_key.clone(),
            answer(json!([{"id": "f", "value": "a"}])),
            "",
        );
        check(
            by_key,
            answer(json!([{"id": "f", "value": "a"}, {"fieldKey": "k", "value": "z"}])),
            "given for k",
        );
        check(json!([{"id": "f", "value": ""}]), answer(json!([])), "");
        check(
            json!([{"id": "f", "value": "a"}]),
            json!({"succeeded": true}),
            "",
        );
        let person = json!({"email": "A@b.example", "phone": "(415) 555-0100", "gender": "female"});
        let contact = |more: Value| json!({"new": false, "contact": more});
        check(
            person.clone(),
            contact(json!({"email": "a@b.example", "phone": "+14155550100", "gender": "Female"})),
            "",
        );
        check(
            person.clone(),
            contact(json!({"email": "a@b.example", "gender": "female"})),
            "shows nothing as phone",
        );
        check(
            person.clone(),
            contact(json!({"email": "a@b.example", "phone": "+14155550199", "gender": "female"})),
            "as phone, not",
        );
        check(
            person.clone(),
            contact(json!({"email": "a@b.example", "phone": "+14155550100", "gender": "male"})),
            "as gender, not",
        );
        check(person.clone(), json!({"contact": {"id": "c"}}), "");
        check(person, json!({"traceId": "t"}), "");
    }
}
