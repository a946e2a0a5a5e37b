//! Every shape of HighLevel's error answers.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{LARGEST_META, LONGEST_MESSAGE, UpstreamErrorBody};

fn read(body: &str) -> UpstreamErrorBody {
    UpstreamErrorBody::read(body.as_bytes(), &[&SecretString::from("pit-secret")])
}

#[track_caller]
fn check(body: &Value, message: &str, code: Option<&str>, meta: &Value) {
    let said = read(&body.to_string());
    assert_eq!(said.message.as_deref(), Some(message), "{body}");
    assert_eq!(said.code.as_deref(), code, "{body}");
    let found = said.meta.map_or(Value::Null, Value::Object);
    assert_eq!(found, *meta, "{body}");
}

#[test]
fn the_sentence_of_an_error_is_found_in_many_places() {
    let none = &Value::Null;
    check(&json!("Unauthorized"), "Unauthorized", None, none);
    check(&json!(["a", "b"]), "a; b", None, none);
    check(&json!({"msg": "m", "statusCode": 400}), "m", None, none);
    check(
        &json!({"message": "", "error": "Bad Request"}),
        "Bad Request",
        None,
        none,
    );
    check(
        &json!({"message": {"message": "m", "code": "C"}}),
        "m",
        Some("C"),
        none,
    );
    check(
        &json!({"error": {"message": "m", "code": "C", "meta": {"id": "x"}}}),
        "m",
        Some("C"),
        &json!({"id": "x"}),
    );
    check(
        &json!({"success": false, "data": {"message": "m"}}),
        "m",
        None,
        none,
    );
    check(
        &json!({"message": "m", "errors": ["a", "m", "b"]}),
        "m; a; b",
        None,
        none,
    );
    check(
        &json!({"errors": [{"field": "email", "message": "is taken"}]}),
        "email: is taken",
        None,
        none,
    );
    check(
        &json!({"message": "Validation failed", "details": [{"path": ["a", 0], "message": "Required"}]}),
        "Validation failed; a.0: Required",
        None,
        none,
    );
    check(
        &json!({"message": [{"property": "email", "constraints": {"isEmail": "email must be an email"}, "children": []},
            {"property": "a", "children": [{"property": "b", "constraints": {"isString": "b must be a string"}}]}]}),
        "email must be an email; b must be a string",
        None,
        none,
    );
    check(
        &json!({"message": "m", "canonicalCode": "CONVERSATIONS_X", "code": 4}),
        "m",
        Some("CONVERSATIONS_X"),
        none,
    );
    check(
        &json!({"message": "m", "details": "at x.js:1"}),
        "m",
        None,
        none,
    );
}

#[test]
fn nothing_secret_and_not_too_much_is_kept() {
    let meta = json!({"contactId": "c1", "accessToken": "abc", "note": "your pit-secret", "large": "x".repeat(LARGEST_META)});
    let masked = json!({"contactId": "c1", "accessToken": "[a secret]", "note": "your [a secret]"});
    check(
        &json!({"message": "m", "code": "pit-secret", "meta": meta}),
        "m",
        Some("[a secret]"),
        &masked,
    );
    for meta in [json!([1]), json!("text"), json!({}), Value::Null] {
        check(
            &json!({"message": "m", "meta": meta}),
            "m",
            None,
            &Value::Null,
        );
    }
    let many: Vec<String> = (0..10_000).map(|index| format!("fault {index}")).collect();
    let said = read(&json!({"message": many}).to_string());
    assert_eq!(said.sentences.len(), 20);
    let mut nested = json!("m");
    for _ in 0..100 {
        nested = json!({"message": nested});
    }
    let said = read(&nested.to_string());
    let shown = said.message.expect("a message");
    assert!(shown.chars().count() <= LONGEST_MESSAGE, "{shown}");
    let meta: serde_json::Map<String, Value> = (0..5000)
        .map(|index| (format!("k{index}"), json!(index)))
        .collect();
    let kept = read(&json!({"meta": meta}).to_string()).meta.expect("some");
    assert!(Value::Object(kept).to_string().len() <= LARGEST_META);
}
