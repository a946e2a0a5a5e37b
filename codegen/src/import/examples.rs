//! Records where a document's own examples contradict its schemas, at any depth, before the examples are dropped.

use serde_json::{Map, Value, json};

use super::types::{contradicts, type_name};
use crate::counts::Counts;

/// The JSON type of the example.
pub(super) const EXAMPLE_TYPE: &str = "x-example-type";

/// Required fields that the example leaves out.
pub(super) const EXAMPLE_LACKS: &str = "x-example-lacks";

/// A word that the enum does not have.
pub(super) const EXAMPLE_VALUE: &str = "x-example-value";

/// Most inspected items of a list.
const MOST_ITEMS: usize = 10;

/// Longest chain of references.
const MOST_STEPS: usize = 20;

/// A contradiction of the schema at a JSON pointer.
enum Contradiction {
    Type(&'static str),
    Lacks(String),
    Value(String),
}

/// Marks every schema of `document` that one of its own examples contradicts.
pub(super) fn record(document: &mut Value, counts: &mut Counts) {
    let mut search = ExampleSearch {
        document,
        found: Vec::new(),
    };
    search.node(search.document, "", false);
    let found = search.found;
    for (pointer, contradiction) in found {
        let schema = document.pointer_mut(&pointer);
        let Some(schema) = schema.and_then(Value::as_object_mut) else {
            continue;
        };
        match contradiction {
            Contradiction::Type(kind) if !schema.contains_key(EXAMPLE_TYPE) => {
                schema.insert(EXAMPLE_TYPE.to_owned(), json!(kind));
                counts.add("type that its own example contradicts, recorded", 1);
            }
            Contradiction::Value(word) if !schema.contains_key(EXAMPLE_VALUE) => {
                schema.insert(EXAMPLE_VALUE.to_owned(), json!(word));
                counts.add("enum that its own example is not of, recorded", 1);
            }
            Contradiction::Type(_) | Contradiction::Value(_) => {}
            Contradiction::Lacks(name) => {
                let names = schema.entry(EXAMPLE_LACKS).or_insert_with(|| json!([]));
                if let Some(names) = names.as_array_mut()
                    && !names.iter().any(|one| *one == name)
                {
                    names.push(json!(name));
                    counts.add("required field that an example leaves out, recorded", 1);
                }
            }
        }
    }
}

struct ExampleSearch<'a> {
    document: &'a Value,
    found: Vec<(String, Contradiction)>,
}

impl ExampleSearch<'_> {
    /// Searches for schemas with examples below `node`. In a map of named schemas, names are not keywords.
    fn node(&mut self, node: &Value, pointer: &str, is_named: bool) {
        match node {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.node(item, &format!("{pointer}/{index}"), false);
                }
            }
            Value::Object(members) => {
                if !is_named {
                    self.examples(members, pointer);
                }
                for (name, inner) in members {
                    let is_value =
                        matches!(name.as_str(), "example" | "examples" | "enum" | "default");
                    if is_named || !is_value {
                        let inside = format!("{pointer}/{}", escaped(name));
                        self.node(inner, &inside, !is_named && name == "properties");
                    }
                }
            }
            _ => {}
        }
    }

    /// The examples of a schema, or of a parameter or media type beside its schema.
    fn examples(&mut self, members: &Map<String, Value>, pointer: &str) {
        let mut examples: Vec<&Value> = members.get("example").into_iter().collect();
        match members.get("examples") {
            Some(Value::Array(several)) => examples.extend(several.first()),
            Some(Value::Object(several)) => {
                examples.extend(several.values().filter_map(|one| one.get("value")));
            }
            _ => {}
        }
        let schema = match members.get("schema") {
            Some(Value::Object(_)) => format!("{pointer}/schema"),
            _ => pointer.to_owned(),
        };
        for example in examples {
            self.compare(&schema, example);
        }
    }

    fn compare(&mut self, pointer: &str, example: &Value) {
        let Some(inside) = self.resolved(pointer) else {
            return;
        };
        let Some(schema) = self.document.pointer(&inside) else {
            return;
        };
        let has_forms = ["anyOf", "oneOf", "allOf"]
            .iter()
            .any(|key| schema.get(key).is_some());
        if has_forms || example.is_null() {
            return;
        }
        if let Some(declared) = schema.get("type").and_then(Value::as_str)
            && contradicts(declared, example)
        {
            let kind = type_name(example);
            self.found
                .push((pointer.to_owned(), Contradiction::Type(kind)));
            return;
        }
        match example {
            Value::String(word) if is_word(word) && is_missing(schema, word) => {
                self.found
                    .push((inside, Contradiction::Value(word.clone())));
            }
            Value::Object(given) => {
                let properties = schema.get("properties").and_then(Value::as_object);
                let required = schema.get("required").and_then(Value::as_array);
                for name in required.into_iter().flatten().filter_map(Value::as_str) {
                    let is_known = properties.is_some_and(|known| known.contains_key(name));
                    if is_known && !given.contains_key(name) {
                        let lacks = Contradiction::Lacks(name.to_owned());
                        self.found.push((inside.clone(), lacks));
                    }
                }
                for (name, value) in given {
                    if properties.is_some_and(|known| known.contains_key(name)) {
                        let field = format!("{inside}/properties/{}", escaped(name));
                        self.compare(&field, value);
                    }
                }
            }
            Value::Array(items) if schema.get("items").is_some_and(Value::is_object) => {
                for item in items.iter().take(MOST_ITEMS) {
                    self.compare(&format!("{inside}/items"), item);
                }
            }
            _ => {}
        }
    }

    /// The actual place of the schema at `pointer`: through references, and through an `allOf` of one.
    fn resolved(&self, pointer: &str) -> Option<String> {
        let mut pointer = pointer.to_owned();
        for _ in 0..MOST_STEPS {
            let schema = self.document.pointer(&pointer)?;
            if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
                reference.strip_prefix('#')?.clone_into(&mut pointer);
            } else if schema
                .get("allOf")
                .and_then(Value::as_array)
                .is_some_and(|all| all.len() == 1)
            {
                pointer.push_str("/allOf/0");
            } else {
                return Some(pointer);
            }
        }
        None
    }
}

/// Whether a text is a value, not a sentence or a list of values.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
}

/// Whether `schema` has an enum of texts without `word`.
fn is_missing(schema: &Value, word: &str) -> bool {
    let values = schema.get("enum").and_then(Value::as_array);
    values.is_some_and(|values| {
        values
            .iter()
            .all(|value| value.is_string() && value != word)
    })
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_that_examples_contradict_are_marked_in_place() {
        #[track_caller]
        fn check(schema: Value, pointer: &str, expected: Value) {
            let mut document = json!({"components": {"schemas": {
                "A": schema,
                "Address": {"type": "object", "required": ["street", "city"],
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}}},
            }}});
            record(&mut document, &mut Counts::default());
            let pointer = format!("/components/schemas/{pointer}");
            assert_eq!(document.pointer(&pointer), Some(&expected), "{document:#}");
        }
        let address = json!({"$ref": "#/components/schemas/Address"});
        // A contradiction is marked where the reference is.
        check(
            json!({"properties": {"address": {"allOf": [address], "example": "a street"}}}),
            "A/properties/address/x-example-type",
            json!("string"),
        );
        check(
            json!({"properties": {"business": {"properties": {"address": address}, "example": {"address": "a street"}}}}),
            "A/properties/business/properties/address/x-example-type",
            json!("string"),
        );
        check(
            json!({"type": "array", "items": {"type": "string"}, "example": [{"minAge": 18}]}),
            "A/items/x-example-type",
            json!("object"),
        );
        // Missing fields are marked at the schema that requires them.
        check(
            json!({"properties": {"address": address}, "example": {"address": {"street": "s"}}}),
            "Address/x-example-lacks",
            json!(["city"]),
        );
        check(
            json!({"type": "string", "enum": ["image", "video"], "example": "IMAGE"}),
            "A/x-example-value",
            json!("IMAGE"),
        );
        check(
            json!({"type": "string", "enum": ["a", "b"], "example": "a or b"}),
            "A",
            json!({"type": "string", "enum": ["a", "b"], "example": "a or b"}),
        );
        // A property may have the name of a keyword.
        check(
            json!({"type": "object", "properties": {"example": {"type": "string"}, "properties": {"type": "object", "example": "p"}}}),
            "A",
            json!({"type": "object", "properties": {"example": {"type": "string"}, "properties": {"type": "object", "example": "p", "x-example-type": "string"}}}),
        );
        check(
            json!({"type": "string", "example": "s"}),
            "A",
            json!({"type": "string", "example": "s"}),
        );
    }
}
