//! HighLevel's four meta-tools: arguments by any of their names and places, errors that name the right place, `output`.

use serde_json::{Value, json};
use test_support::recording::RecordedRequest;

use super::{call, stack};

const EXECUTE: &str = "execute_operation";

#[tokio::test]
async fn arguments_are_taken_by_every_name_in_every_place() {
    let (highlevel, server) = stack("/mcp/compat", &json!({"opportunities": []})).await;
    let search = "opportunities_search-opportunity";
    let tags = "contacts_add-tags";
    let rows = [
        (search, json!({"query": {"contactId": "c1"}})),
        (search, json!({"query": {"contact_id": "c1"}})),
        (search, json!({"contactId": "c1"})),
        (search, json!({"query_contact_id": "c1"})),
        (search, json!({"path": {"contactId": "c1"}})),
        (search, json!({"body": {"contact_id": "c1"}})),
        (
            tags,
            json!({"path": {"contactId": "c1"}, "body": {"tags": ["a"]}}),
        ),
        (tags, json!({"contactId": "c1", "tags": ["a"]})),
        (tags, json!({"query": {"contactId": "c1", "tags": ["a"]}})),
        (
            tags,
            json!({"path": {"contactId": "c1"}, "body": "{\"tags\": [\"a\"]}"}),
        ),
    ];
    for (operation, params) in rows {
        let asked = json!({"operationId": operation, "params": params, "idempotencyKey": params.to_string()});
        let (answer, is_error) = call(&server, EXECUTE, asked).await;
        assert!(!is_error, "{params}: {answer}");
        let sent = highlevel.take();
        let [sent] = sent.as_slice() else {
            panic!("{params}: {} requests", sent.len());
        };
        check(sent, operation == tags);
    }
}

#[track_caller]
fn check(sent: &RecordedRequest, is_tagging: bool) {
    match is_tagging {
        true => {
            assert_eq!(sent.path(), "/contacts/c1/tags");
            assert_eq!(sent.fields(), json!({"tags": ["a"]}));
        }
        false => assert_eq!(sent.query("contact_id").as_deref(), Some("c1")),
    }
}

#[tokio::test]
async fn errors_name_what_was_sent_and_say_where_the_rest_belongs() {
    let (highlevel, server) = stack("/mcp/compat", &json!({})).await;
    let rows = [
        (
            json!({}),
            "contactId is missing",
            json!({"path": ["contactId"], "body": ["tags"]}),
        ),
        (
            json!({"path": {"contactId": "c"}}),
            "tags is missing",
            json!({"body": ["tags"]}),
        ),
        (
            json!({"query": {"contctId": "c"}}),
            "contctId is not an argument of contacts_add-tags, did you mean contactId?",
            json!({"path": ["contactId"], "body": ["tags"]}),
        ),
        (
            json!({"path": {"contactId": "c"}, "body": {"tags": 5, "tagz": []}}),
            "tagz is not an argument of contacts_add-tags, did you mean tags?",
            Value::Null,
        ),
        (
            json!({"contactId": "c", "path": {"contactId": "d"}, "tags": ["a"]}),
            "contactId is given twice with different values",
            Value::Null,
        ),
        (
            json!({"bodi": {"tags": ["a"]}}),
            "params.bodi is not an argument of execute_operation, did you mean body?",
            Value::Null,
        ),
    ];
    for (params, expected, missing) in rows {
        let asked =
            json!({"operationId": "contacts_add-tags", "params": params, "idempotencyKey": "k"});
        let (answer, is_error) = call(&server, EXECUTE, asked).await;
        let error = answer["error"].as_str().expect("an error");
        assert!(is_error && error.contains(expected), "{params}: {error}");
        assert_eq!(answer["missing"], missing, "{params}: {answer}");
    }
    assert!(highlevel.take().is_empty());
}

#[tokio::test]
async fn output_makes_highlevels_payload_short() {
    let contact = json!({"id": "c1", "firstName": "Ada", "email": "a@example.com", "dnd": false});
    let body = json!({"contacts": [contact], "count": 1});
    let (_highlevel, server) = stack("/mcp/compat", &body).await;
    let ask = |output: Value| json!({"operationId": "contacts_get-contacts", "output": output});
    let (whole, _) = call(&server, EXECUTE, ask(Value::Null)).await;
    assert_eq!(whole, body);
    let (short, _) = call(&server, EXECUTE, ask(json!({"fields": ["id"]}))).await;
    assert_eq!(short["contacts"], json!([{"id": "c1"}]), "{short}");
    let filter = json!({"field": "firstName", "op": "=", "value": "Bob"});
    let (none, _) = call(&server, EXECUTE, ask(json!({"filter": filter}))).await;
    assert!(!none.to_string().contains("Ada"), "{none}");
    let (wrong, is_error) = call(&server, EXECUTE, ask(json!({"feilds": []}))).await;
    assert!(
        is_error
            && wrong["error"]
                .as_str()
                .expect("text")
                .contains("did you mean fields?")
    );
}

#[tokio::test]
async fn an_operation_is_described_by_places() {
    let (_highlevel, server) = stack("/mcp/compat", &json!({})).await;
    let describe = async |arguments: Value| call(&server, "describe_operation", arguments).await.0;
    let told = describe(json!({"operationId": "contacts_add-tags"})).await;
    assert_eq!(told["operationId"], "contacts_add-tags");
    assert_eq!(told["method"], "POST");
    assert_eq!(told["arguments"]["path"], "{contactId}");
    assert_eq!(told["arguments"]["body"], "{tags: string[] /* names */}");
    assert_eq!(told["arguments"].get("query"), None, "{told}");
    let inside = json!({"operationId": "calendars_update-calendar", "path": "openHours"});
    let told = describe(inside).await;
    assert!(
        told["fields"].as_str().expect("text").contains("hours"),
        "{told}"
    );
}
