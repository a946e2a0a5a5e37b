//! Plausible values for parts of a schema that the sandbox does not know. The same request gets the same answer.

use serde_json::{Map, Value, json};

use super::documents::{DocumentedOperation, ImportedDocuments};

/// Recursive schemas end at this depth.
const DEEPEST: usize = 6;

/// Makes values for one operation. `known`: the values of the request, used if names agree.
pub(crate) struct Sampler<'a> {
    documents: &'a ImportedDocuments,
    document: &'static str,
    known: Map<String, Value>,
    random: fastrand::Rng,
    now: String,
}

impl<'a> Sampler<'a> {
    /// `seed` distinguishes requests; `now` is RFC 3339.
    pub(crate) fn new(
        documents: &'a ImportedDocuments,
        operation: &DocumentedOperation,
        known: Map<String, Value>,
        seed: u64,
        now: String,
    ) -> Self {
        Self {
            documents,
            document: operation.document,
            known,
            random: fastrand::Rng::with_seed(seed),
            now,
        }
    }

    /// A value of `schema`.
    pub(crate) fn sample(&mut self, schema: &'static Value) -> Value {
        self.value(schema, "", 0)
    }

    /// `value` with the members that `schema` requires and it lacks.
    pub(crate) fn completed(&mut self, schema: &'static Value, value: Value) -> Value {
        let schema = self.documents.resolved(self.document, schema);
        match value {
            Value::Object(mut members) => {
                let required = schema.get("required").and_then(Value::as_array);
                for name in required.into_iter().flatten().filter_map(Value::as_str) {
                    if members.get(name).is_none_or(Value::is_null)
                        && let Some(property) = schema["properties"].get(name)
                    {
                        let sample = self.value(property, name, 1);
                        members.insert(name.to_owned(), sample);
                    }
                }
                for (name, member) in &mut members {
                    if let Some(property) = schema["properties"].get(name) {
                        *member = self.completed(property, member.take());
                    }
                }
                Value::Object(members)
            }
            Value::Array(items) => {
                let complete = |item| match schema.get("items") {
                    Some(schema) => self.completed(schema, item),
                    None => item,
                };
                Value::Array(items.into_iter().map(complete).collect())
            }
            plain => plain,
        }
    }

    fn value(&mut self, schema: &'static Value, name: &str, depth: usize) -> Value {
        let schema = self.documents.resolved(self.document, schema);
        if let Some(branches) = schema
            .get("oneOf")
            .or(schema.get("anyOf"))
            .and_then(Value::as_array)
            && let Some(first) = branches.first()
        {
            return self.value(first, name, depth + 1);
        }
        let parts = schema.get("allOf").and_then(Value::as_array);
        if let Some(parts) = parts {
            let mut whole = Map::new();
            for part in parts {
                if let Value::Object(members) = self.value(part, name, depth + 1) {
                    whole.extend(members);
                }
            }
            return Value::Object(whole);
        }
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && let Some(first) = allowed.first()
        {
            return match self.known.get(name) {
                Some(known) if allowed.contains(known) => known.clone(),
                _ => first.clone(),
            };
        }
        let declared = schema.get("type").and_then(Value::as_str);
        match (declared, self.known.get(name)) {
            (Some("string"), Some(known @ Value::String(_)))
            | (Some("number"), Some(known @ Value::Number(_)))
            | (Some("boolean"), Some(known @ Value::Bool(_))) => return known.clone(),
            _ => {}
        }
        match declared {
            Some("string") => self.text(name, schema),
            Some("number" | "integer") => self.number(schema),
            Some("boolean") => json!(is_success(name) || self.random.bool()),
            Some("array") if depth < DEEPEST => {
                let count = if depth < 3 { 2 } else { 1 };
                let items = schema.get("items");
                let items = items.into_iter().flat_map(|one| vec![one; count]);
                Value::Array(items.map(|one| self.value(one, name, depth + 1)).collect())
            }
            Some("array") => json!([]),
            _ => {
                let required = schema.get("required").and_then(Value::as_array);
                let properties = schema.get("properties").and_then(Value::as_object);
                let members = properties.into_iter().flatten().filter(|(name, _)| {
                    depth < DEEPEST
                        || required.is_some_and(|list| list.contains(&json!(name)))
                            && depth < 2 * DEEPEST
                });
                let members = members
                    .map(|(name, schema)| (name.clone(), self.value(schema, name, depth + 1)));
                let mut whole: Map<String, Value> = members.collect();
                // Some documents require members that they do not describe.
                for name in required.into_iter().flatten().filter_map(Value::as_str) {
                    whole
                        .entry(name)
                        .or_insert_with(|| json!(format!("sandbox {name}")));
                }
                Value::Object(whole)
            }
        }
    }

    fn number(&mut self, schema: &Value) -> Value {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let least = bound("minimum").unwrap_or(1);
        let most = bound("maximum").unwrap_or(least + 99).max(least);
        json!(self.random.u64(least..=most))
    }

    fn text(&mut self, name: &str, schema: &Value) -> Value {
        let lower = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
        let format = schema.get("format").and_then(Value::as_str);
        // The patterns in the documents' answers are for a day and a time of day.
        let pattern = schema.get("pattern").and_then(Value::as_str);
        let text = if pattern.is_some_and(|pattern| !pattern.contains("{4}")) {
            "09:00".to_owned()
        } else if pattern.is_some() || format == Some("date") {
            self.now.chars().take(10).collect()
        } else if format == Some("date-time")
            || ends(&["at", "date", "time", "dateadded", "dateupdated"])
        {
            self.now.clone()
        } else if ends(&["email"]) || format == Some("email") {
            "someone@example.com".to_owned()
        } else if ends(&["url", "link", "image", "logo"]) {
            "https://example.com/sandbox".to_owned()
        } else if ends(&["phone"]) {
            "+15550100".to_owned()
        } else if ends(&["id"]) {
            self.id()
        } else if ends(&["currency"]) {
            "USD".to_owned()
        } else {
            format!("sandbox {name}")
        };
        let most = schema.get("maxLength").and_then(Value::as_u64);
        let most = most.and_then(|most| usize::try_from(most).ok());
        Value::String(text.chars().take(most.unwrap_or(usize::MAX)).collect())
    }

    fn id(&mut self) -> String {
        std::iter::repeat_with(|| self.random.alphanumeric())
            .take(20)
            .collect()
    }
}

fn is_success(name: &str) -> bool {
    matches!(name, "success" | "succeded" | "succeeded")
}
