//! The documented answer of an operation, for comparison with real answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::documents::{ImportedDocuments, documents};

/// Recursive schemas end at this depth.
const DEEPEST: usize = 12;

/// A document's description of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentedShape {
    /// `string`, `number`, `boolean`, `object`, `array`; empty if the document gives none, or its own example
    /// contradicts it.
    pub kinds: Vec<&'static str>,
    pub members: BTreeMap<&'static str, DocumentedShape>,
    pub items: Option<Box<DocumentedShape>>,
}

/// The documented success of an operation, by upper-case method and path template; `None` if there is none.
pub fn documented_answer(method: &str, path: &str) -> Option<DocumentedShape> {
    let documents = documents();
    let key = format!("{method} {path}");
    let mut operations = documents.operations.iter();
    let operation = operations.find(|one| one.key == key)?;
    Some(shape(documents, operation.document, operation.answer?, 0))
}

fn shape(
    documents: &ImportedDocuments,
    document: &str,
    schema: &'static Value,
    depth: usize,
) -> DocumentedShape {
    let schema = documents.resolved(document, schema);
    let mut whole = DocumentedShape::default();
    if depth > DEEPEST || schema.get("x-example-type").is_some() {
        return whole;
    }
    let branches = ["allOf", "oneOf", "anyOf"]
        .iter()
        .filter_map(|name| schema.get(*name).and_then(Value::as_array))
        .flatten();
    for branch in branches {
        whole.add(shape(documents, document, branch, depth + 1));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let member = shape(documents, document, property, depth + 1);
        whole.members.entry(name).or_default().add(member);
    }
    if let Some(items) = schema.get("items") {
        whole.items = Some(Box::new(shape(documents, document, items, depth + 1)));
    }
    let kind = match schema["type"].as_str() {
        Some("integer") => Some("number"),
        Some(kind) => Some(kind),
        None if !whole.members.is_empty() => Some("object"),
        None => None,
    };
    // An object without members may be anything.
    let says_nothing = kind == Some("object") && whole.members.is_empty();
    if let Some(kind) = kind.filter(|kind| !says_nothing && !whole.kinds.contains(kind)) {
        whole.kinds.push(kind);
    }
    whole
}

impl DocumentedShape {
    fn add(&mut self, other: Self) {
        for kind in other.kinds {
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
        }
        for (name, member) in other.members {
            self.members.entry(name).or_default().add(member);
        }
        if self.items.is_none() {
            self.items = other.items;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::documented_answer;

    #[test]
    fn an_answer_is_read_to_its_leaves() {
        let contact = documented_answer("GET", "/contacts/{contactId}").expect("an answer");
        let contact = &contact.members["contact"];
        assert_eq!(contact.kinds, ["object"]);
        assert_eq!(contact.members["email"].kinds, ["string"]);
        let tags = &contact.members["tags"];
        assert_eq!(tags.kinds, ["array"]);
        assert_eq!(tags.items.as_ref().expect("items").kinds, ["string"]);
        assert_eq!(documented_answer("GET", "/nowhere"), None);
    }
}
