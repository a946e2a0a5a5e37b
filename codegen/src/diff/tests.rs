//! How changes of single fields are reported and rated. `codegen/tests/edits.rs` has whole documents.

use serde_json::{Value, json};

use super::Mark;
use super::fields::{Fields, collect, compare};

/// The change of the argument `x` from `old` to `new` is reported as `lines`.
fn check(old: Value, new: Value, lines: &[&str]) {
    let fields = |schema: &Value| {
        let mut fields = Fields::new();
        if !schema.is_null() {
            let required = schema["x-needed"] == true;
            collect(schema, "x", required, &mut fields);
        }
        fields
    };
    let mut told = Vec::new();
    compare(&fields(&old), &fields(&new), &mut |mark, what| {
        let mark = if mark == Mark::Breaks { "BREAKS " } else { "" };
        told.push(format!("{mark}{what}"));
    });
    assert_eq!(told, lines, "{old} to {new}");
}

#[test]
fn fields_come_and_go() {
    let text = json!({"type": "string"});
    let needed = json!({"type": "string", "x-needed": true});
    check(text.clone(), text.clone(), &[]);
    check(Value::Null, text.clone(), &["argument x added"]);
    check(
        Value::Null,
        needed.clone(),
        &["BREAKS argument x added, required"],
    );
    check(text.clone(), Value::Null, &["BREAKS argument x removed"]);
    check(
        text.clone(),
        needed.clone(),
        &["BREAKS argument x newly required"],
    );
    check(needed, text.clone(), &["argument x no longer required"]);
    // The fields inside an added or removed field are not reported separately.
    let list = json!({"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": text}}});
    check(Value::Null, list.clone(), &["argument x added"]);
    check(list.clone(), Value::Null, &["BREAKS argument x removed"]);
    check(
        json!({"type": "array", "items": {"type": "object"}}),
        list.clone(),
        &["BREAKS argument x[].id added, required"],
    );
    check(
        list,
        json!({"type": "array"}),
        &["BREAKS argument x[] removed"],
    );
    // A dot in a name does not mean nesting.
    let dotted = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}});
    check(
        dotted("a.b"),
        dotted("a.c"),
        &[
            "argument x.a.c added",
            "BREAKS argument x.a.b removed; x.a.c may be its new name",
        ],
    );
}

#[test]
fn less_taken_breaks_and_more_does_not() {
    let typed = |kind: &str| json!({"type": kind});
    check(
        typed("string"),
        typed("integer"),
        &["BREAKS argument x retyped from string to integer"],
    );
    check(
        typed("integer"),
        typed("number"),
        &["argument x retyped from integer to number"],
    );
    check(
        typed("number"),
        typed("integer"),
        &["BREAKS argument x retyped from number to integer"],
    );
    check(
        typed("string"),
        json!({"type": ["string", "null"]}),
        &["argument x retyped from string to null or string"],
    );
    check(
        typed("string"),
        json!({}),
        &["argument x retyped from string to any type"],
    );
    check(
        json!({}),
        typed("string"),
        &["BREAKS argument x retyped from any type to string"],
    );
    check(
        json!({"enum": ["a", "b"]}),
        json!({"enum": ["b", "c"]}),
        &[
            "BREAKS argument x no longer takes \"a\"",
            "argument x takes \"c\" too",
        ],
    );
    check(
        json!({}),
        json!({"enum": ["a"]}),
        &["BREAKS argument x takes only \"a\""],
    );
    check(
        json!({"enum": ["a"]}),
        json!({}),
        &["argument x takes any value now"],
    );
}
