//! The check of arguments against a JSON Schema library: the same verdict on everything.

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::arguments::keywords::{Fault, Keywords};
use crate::catalog::TOOLS;

/// Values tried with each schema.
const TRIED: usize = 60;

fn check(schema: &Value, value: &Value) -> bool {
    let library = jsonschema::draft202012::new(schema).expect("a schema");
    let ours = Keywords::deserialize(schema).expect("known keywords");
    let broken = ours.broken(value, 20);
    assert_eq!(
        broken.is_empty(),
        library.is_valid(value),
        "{value} by {schema}: {broken:?}"
    );
    broken.is_empty()
}

#[test]
fn each_keyword_means_what_json_schema_says() {
    let mut verdicts = [0; 2];
    for (schema, values) in [
        (
            json!({"type": "integer"}),
            json!([1, 1.0, 1.5, "1", null, 1e30]),
        ),
        (
            json!({"type": ["number", "null"]}),
            json!([1, 1.5, "1", null, true]),
        ),
        (
            json!({"enum": [1, "a", null, [1], {"b": 1, "a": 2}]}),
            json!([1.0, "a", "b", null, [1.0], {"a": 2, "b": 1}, [2]]),
        ),
        (
            json!({"minimum": 1, "maximum": 2.5}),
            json!([0.9, 1, 2.5, 2.6, "0"]),
        ),
        (
            json!({"exclusiveMinimum": 1, "exclusiveMaximum": 3}),
            json!([1, 2, 3, 1.01]),
        ),
        (
            json!({"multipleOf": 0.5}),
            json!([1, 1.5, 1.25, 0, -2, "x"]),
        ),
        (
            json!({"minLength": 2, "maxLength": 3}),
            json!(["é", "éé", "漢漢漢", "abcd", "", 1]),
        ),
        (json!({"minLength": 1}), json!(["", "a"])),
        (
            json!({"pattern": "^\\d{4}-\\d{2}$"}),
            json!(["2024-01", "x2024-01", "２０２４-01", 1]),
        ),
        (
            json!({"minItems": 1, "maxItems": 2, "uniqueItems": true}),
            json!([[], [1], [1, 1.0], [1, "1"], [1, 2, 3], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]]),
        ),
        (
            json!({"items": {"type": "string"}}),
            json!([[], ["a"], ["a", 1], "a", {}]),
        ),
        (
            json!({"minProperties": 1, "maxProperties": 1}),
            json!([{}, {"a": 1}, {"a": 1, "b": 2}, []]),
        ),
        (
            json!({"properties": {"a": {"type": "string"}}, "additionalProperties": false}),
            json!([{}, {"a": "b"}, {"a": 1}, {"b": 1}]),
        ),
        (
            json!({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}),
            json!([{"a": "b"}, {"b": 1}, {"b": "1"}]),
        ),
        (
            json!({"additionalProperties": true, "required": ["a", "b"]}),
            json!([{"a": 1, "b": 1}, {"a": 1}, {}, "a"]),
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"required": ["a"]}]}),
            json!(["a", {"a": 1}, {"b": 1}]),
        ),
        (
            json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}),
            json!([0, 1, 3]),
        ),
        (json!({"not": {"type": "string"}}), json!(["a", 1])),
        (json!({"x-file": true}), json!([1, "a"])),
    ] {
        for value in values.as_array().expect("values") {
            verdicts[usize::from(check(&schema, value))] += 1;
        }
    }
    assert!(verdicts.iter().all(|many| *many > 30), "{verdicts:?}");
}

#[test]
fn an_unknown_keyword_is_an_error() {
    let unknown = Keywords::deserialize(&json!({"contains": {}})).expect_err("an error");
    assert!(unknown.to_string().contains("contains"), "{unknown}");
}

#[test]
fn every_tool_is_checked_as_json_schema_says() {
    let mut random = Rng::with_seed(7);
    let mut verdicts = [0; 2];
    for tool in TOOLS {
        for variant in tool.variants() {
            let schema: Value = serde_json::from_str(variant.check_schema).expect("JSON");
            let library = jsonschema::draft202012::new(&schema).expect("a schema");
            let ours = Keywords::deserialize(&schema).expect("known keywords");
            for _ in 0..TRIED {
                let value = value(&schema, &mut random);
                let mut broken = ours.broken(&value, 20);
                // No other reader of schemas knows the rules of filters.
                broken.retain(|one| !matches!(one.fault, Fault::Filter(_)));
                let valid = library.is_valid(&value);
                assert_eq!(
                    broken.is_empty(),
                    valid,
                    "{} {value}: {broken:?}",
                    tool.name
                );
                verdicts[usize::from(valid)] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|many| *many > 3000), "{verdicts:?}");
}

/// A value that mostly fits `schema`.
fn value(schema: &Value, random: &mut Rng) -> Value {
    if random.u8(..) < 6 {
        let odd = [
            json!(null),
            json!(0),
            json!(-1.5),
            json!("0"),
            json!(true),
            json!([1, 1]),
            json!({"odd": 1}),
        ];
        return random.choice(odd).unwrap_or_default();
    }
    if let Some(values) = schema["enum"].as_array() {
        return random.choice(values).cloned().unwrap_or_default();
    }
    if let Some(forms) = schema["anyOf"]
        .as_array()
        .filter(|_| schema.get("properties").is_none())
    {
        return random
            .choice(forms)
            .map(|form| value(form, random))
            .unwrap_or_default();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => random.choice(kinds).and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => {
            let longest = schema["maxLength"].as_u64().unwrap_or(4);
            let texts = ["12:30", "Europe/Berlin", "2024-01-31", "", "text"];
            match random.bool() {
                true => json!(random.choice(texts)),
                false => json!("é".repeat(random.usize(..longest as usize + 2))),
            }
        }
        Some("integer" | "number") => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0);
            let most = schema["maximum"].as_f64().unwrap_or(least + 9.0);
            json!((least + (most + 1.0 - least) * random.f64()).floor())
        }
        Some("boolean") => json!(random.bool()),
        Some("array") => (0..random.usize(..3))
            .map(|_| value(&schema["items"], random))
            .collect(),
        Some("object") => {
            let mut fields = Map::new();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if random.u8(..) < 240 {
                    fields.insert(name.clone(), value(field, random));
                }
            }
            if schema["additionalProperties"].is_object() || random.u8(..) < 8 {
                fields.insert(
                    "other".to_owned(),
                    value(&schema["additionalProperties"], random),
                );
            }
            Value::Object(fields)
        }
        _ => Value::Null,
    }
}
