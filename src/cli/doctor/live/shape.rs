//! The shape of answers as names and types without values, and its differences from the documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use ::sandbox::DocumentedShape;

/// Deeper values are shown as `…`.
const DEEPEST: usize = 12;

/// Longest shown name that no document knows.
const LONGEST_NAME: usize = 30;

/// Replaces names that no document knows and that may be somebody's data: ids, dates, texts.
const HIDDEN: &str = "(other names)";

/// All values that occurred at one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ObservedShape {
    kinds: BTreeSet<&'static str>,
    members: BTreeMap<String, ObservedShape>,
    items: Option<Box<ObservedShape>>,
}

/// Differences between an answer and its document, by paths such as `contacts[].tags`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Documented, but in no row.
    pub missing: Vec<String>,
    /// Not documented.
    pub new: Vec<String>,
    /// Of another type than documented.
    pub other_type: Vec<String>,
}

/// Texts of answers, which must not appear as names.
pub(super) type Texts = BTreeSet<String>;

impl ObservedShape {
    /// `texts`: texts that names must not repeat.
    pub(super) fn new(value: &Value, documented: Option<&DocumentedShape>, texts: &Texts) -> Self {
        let mut shape = Self::default();
        shape.add(value, documented, texts, 0);
        shape
    }

    fn add(
        &mut self,
        value: &Value,
        documented: Option<&DocumentedShape>,
        texts: &Texts,
        depth: usize,
    ) {
        self.kinds.insert(kind(value));
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::Array(items) => {
                let documented = documented.and_then(|one| one.items.as_deref());
                for item in items {
                    let shape = self.items.get_or_insert_default();
                    shape.add(item, documented, texts, depth + 1);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    let member = documented.and_then(|one| one.members.get(name.as_str()));
                    let shown = member.is_some() || is_plain_name(name) && !texts.contains(name);
                    let name = if shown { name } else { HIDDEN };
                    let shape = self.members.entry(name.to_owned()).or_default();
                    shape.add(field, member, texts, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Types in place of values: `{"contacts": [{"id": "string", "tags": ["string"]}]}`.
    pub(super) fn json(&self) -> Value {
        let mut forms: Vec<Value> = Vec::new();
        for kind in &self.kinds {
            forms.push(match *kind {
                "object" => {
                    let members = self.members.iter();
                    let members = members.map(|(name, shape)| (name.clone(), shape.json()));
                    Value::Object(Map::from_iter(members))
                }
                "array" => {
                    let items = self.items.iter().map(|items| items.json());
                    Value::Array(items.collect())
                }
                kind => json!(kind),
            });
        }
        let all_words = forms.iter().all(Value::is_string);
        match forms.len() {
            1 => forms.pop().unwrap_or_default(),
            _ if all_words => {
                let words: Vec<&str> = forms.iter().filter_map(Value::as_str).collect();
                json!(words.join(" or "))
            }
            _ => json!({"one of": forms}),
        }
    }

    pub(super) fn differences(&self, documented: &DocumentedShape) -> Differences {
        let mut differences = Differences::default();
        self.compare(documented, "", &mut differences);
        differences
    }

    fn compare(&self, documented: &DocumentedShape, path: &str, found: &mut Differences) {
        let kinds = self.kinds.iter().filter(|kind| **kind != "null");
        let others: Vec<&str> = kinds
            .filter(|kind| !documented.kinds.is_empty() && !documented.kinds.contains(*kind))
            .copied()
            .collect();
        if !others.is_empty() {
            let place = if path.is_empty() { "the answer" } else { path };
            let documented = documented.kinds.join(" or ");
            let others = others.join(" or ");
            found
                .other_type
                .push(format!("{place}: {others}, documented as {documented}"));
        }
        if let (Some(items), Some(documented)) = (&self.items, &documented.items) {
            items.compare(documented, &format!("{path}[]"), found);
        }
        // Without documentation everything would be new.
        if documented.members.is_empty() || !self.kinds.contains("object") {
            return;
        }
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        for name in documented.members.keys() {
            if !self.members.contains_key(*name) {
                found.missing.push(below(name));
            }
        }
        for (name, shape) in &self.members {
            match documented.members.get(name.as_str()) {
                Some(documented) => shape.compare(documented, &below(name), found),
                None => found.new.push(below(name)),
            }
        }
    }
}

/// Collects every text of `value`, and every name in it that may be data.
pub(super) fn collect_texts(value: &Value, texts: &mut Texts) {
    match value {
        Value::String(text) => {
            texts.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(fields) => fields.values().for_each(|one| collect_texts(one, texts)),
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a name is one that programmers give fields: words of two or more letters, joined by capitals or underscores.
/// Ids, dates, addresses and most texts are not.
fn is_plain_name(name: &str) -> bool {
    let letters = name.trim_start_matches('_');
    let mut words = vec![0_usize];
    for byte in letters.bytes() {
        match byte {
            b'a'..=b'z' => {}
            b'A'..=b'Z' => words.push(0),
            b'_' => {
                words.push(0);
                continue;
            }
            _ => return false,
        }
        if let Some(last) = words.last_mut() {
            *last += 1;
        }
    }
    name.len() <= LONGEST_NAME && words.iter().all(|word| (2..=15).contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_data_are_hidden() {
        for name in [
            "id",
            "_id",
            "traceId",
            "date_added",
            "lastMessageBody",
            "succeded",
        ] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in [
            "",
            "Harbor Dental",
            "2026-01-31",
            "a@b.example",
            "fQxRtYpLmNbVcXzAsDfG",
            "+15550000000",
            "a1",
            "averyverylongnamethatnobodygivesafield",
        ] {
            assert!(!is_plain_name(name), "{name}");
        }
    }

    #[test]
    fn lists_are_merged_and_compared() {
        let documented = ::sandbox::documented_answer("GET", "/contacts/{contactId}").expect("one");
        let answer = json!({
            "contact": {"id": "c1", "tags": "vip", "brandNew": [{"a1": 1, "vip": null}], "email": null},
            "traceId": "t"
        });
        let mut texts = Texts::new();
        collect_texts(&answer, &mut texts);
        let shape = ObservedShape::new(&answer, Some(&documented), &texts);
        assert_eq!(
            shape.json(),
            json!({"contact": {"brandNew": [{"(other names)": "null or number"}], "email": "null", "id": "string", "tags": "string"}, "traceId": "string"})
        );
        let differences = shape.differences(&documented);
        assert_eq!(differences.new, ["contact.brandNew", "traceId"]);
        assert_eq!(
            differences.other_type,
            ["contact.tags: string, documented as array"]
        );
        assert!(differences.missing.contains(&"contact.phone".to_owned()));
    }
}
