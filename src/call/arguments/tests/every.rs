//! Rules over every argument of every tool.

use serde_json::{Map, Value, json};

use super::super::schema::Schema;
use super::checked;
use crate::catalog::TOOLS;
use tool::{Place, Tool};

/// The problems of one argument, with the tool's other needs met.
fn problems(tool: &'static Tool, given: Value) -> Vec<String> {
    match checked(TOOLS, tool, Some("usual"), &given) {
        Ok(_) => Vec::new(),
        Err(rejection) => rejection.problems.into_iter().map(|one| one.what).collect(),
    }
}

#[test]
fn a_null_is_absent_for_every_argument_of_every_tool() {
    let mut failed = Vec::new();
    for tool in TOOLS.iter().flat_map(Tool::variants) {
        let without = problems(tool, json!({}));
        for argument in tool.arguments {
            let with = problems(tool, json!({argument.name: null}));
            if with != without {
                failed.push(format!("{} {}: {with:?}", tool.name, argument.name));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn nothing_in_a_url_is_an_empty_text_or_list() {
    let mut failed = Vec::new();
    for tool in TOOLS.iter().flat_map(Tool::variants) {
        let without = problems(tool, json!({}));
        let in_url = |place: Place| matches!(place, Place::Path | Place::Query | Place::Header);
        for argument in tool.arguments.iter().filter(|one| in_url(one.place)) {
            let empty = [
                Some(json!("")),
                (argument.place == Place::Query).then(|| json!([])),
            ];
            for value in empty.into_iter().flatten() {
                let with = problems(tool, json!({argument.name: value}));
                if with != without {
                    failed.push(format!("{} {} {value}: {with:?}", tool.name, argument.name));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Arguments that can be emptied are listed, and `clear` sends exactly a null for them.
#[test]
fn every_tool_that_can_empty_lists_and_does_it() {
    let mut tools = 0;
    for tool in TOOLS {
        let schema = Schema::new(tool).expect(tool.name);
        let shown: Value = serde_json::from_str(tool.advertised_schema).expect("JSON");
        let listed = &shown["properties"]["clear"]["items"]["enum"];
        let clearable = match schema.clearable.is_empty() {
            true => Value::Null,
            false => json!(schema.clearable),
        };
        assert_eq!(*listed, clearable, "{}", tool.name);
        tools += usize::from(!schema.clearable.is_empty());
        for name in &schema.clearable {
            let missing = |given: &Map<String, Value>| {
                let names = schema.root["required"].as_array().into_iter().flatten();
                let names = names.filter_map(Value::as_str);
                let given = given.clone();
                Vec::from_iter(
                    names
                        .map(str::to_owned)
                        .filter(move |name| !given.contains_key(name)),
                )
            };
            let mut given = Map::new();
            for required in missing(&given).iter().filter(|one| *one != name) {
                given.insert(
                    required.clone(),
                    example(&schema.root["properties"][required]),
                );
            }
            given.insert("clear".to_owned(), json!([name]));
            let found = checked(TOOLS, tool, Some("usual"), &Value::Object(given));
            let found = found
                .unwrap_or_else(|refusal| panic!("{} {name}: {}", tool.name, refusal.sentence()));
            let body = found.arguments.body.expect("a body");
            let argument = tool
                .arguments
                .iter()
                .find(|one| one.name == name)
                .expect("an argument");
            let nulls = body.as_object().into_iter().flatten();
            let nulls = nulls
                .filter(|(_, value)| value.is_null())
                .map(|(name, _)| name.as_str());
            assert_eq!(Vec::from_iter(nulls), [argument.wire_name], "{}", tool.name);
        }
    }
    assert!(tools > 5, "{tools}");
}

/// The smallest value that a schema accepts.
fn example(schema: &Value) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    let kinds = schema["type"].as_array();
    let first = kinds
        .and_then(|kinds| kinds.first())
        .unwrap_or(&schema["type"]);
    match first.as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([example(&schema["items"])]),
        Some("object") => {
            let names = schema["required"].as_array().into_iter().flatten();
            let names = names.filter_map(Value::as_str);
            let fields = names.map(|name| (name.to_owned(), example(&schema["properties"][name])));
            Value::Object(fields.collect())
        }
        _ => json!("x"),
    }
}

/// Clients of other models refuse a list of types, such as with null, and enums of anything but texts.
#[test]
fn every_advertised_value_has_one_type_and_words_that_are_texts() {
    fn walk(schema: &Value, path: &str, failed: &mut Vec<String>) {
        match schema {
            Value::Object(members) => {
                for (key, value) in members {
                    let inside = format!("{path}.{key}");
                    let is_schema = !path.ends_with(".properties");
                    let wrong = is_schema
                        && match key.as_str() {
                            "type" => !value.is_string() || value == "null",
                            "enum" => !value
                                .as_array()
                                .is_some_and(|values| values.iter().all(Value::is_string)),
                            "nullable" | "anyOf" | "oneOf" | "allOf" => true,
                            _ => false,
                        };
                    if wrong {
                        failed.push(format!("{inside}: {value}"));
                    }
                    walk(value, &inside, failed);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path, failed)),
            _ => {}
        }
    }
    let mut failed = Vec::new();
    for tool in TOOLS {
        let shown: Value = serde_json::from_str(tool.advertised_schema).expect("JSON");
        walk(&shown, tool.name, &mut failed);
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
