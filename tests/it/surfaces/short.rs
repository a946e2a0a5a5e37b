//! The answer to a write: on the orchestrator the id and the sent fields, elsewhere HighLevel's own payload.

use serde_json::{Value, json};
use test_support::server::LOCATION;

use super::{call, stack};

const UPDATE: &str = "contacts_update-contact";

fn record() -> Value {
    json!({"succeded": true, "contact": {
        "id": "c1", "firstName": "Ada", "firstNameLowerCase": "ada", "lastName": "Lovelace", "city": "Rome",
        "emailLowerCase": "ada@example.com", "tags": ["vip", "lead"], "dateAdded": "2026-11-01T10:00:00.000Z",
        "dateUpdated": "2026-11-29T10:00:00.000Z", "locationId": LOCATION,
        "customFields": [{"id": "f1", "value": "x"}, {"id": "f2", "value": "y"}],
    }})
}

fn arguments() -> Value {
    json!({"contactId": "c1", "city": "Rome", "customFields": [{"id": "f2", "field_value": "y"}]})
}

/// A part of HighLevel's answer, at the same paths.
fn short() -> Value {
    json!({
        "contact": {"id": "c1", "city": "Rome", "customFields": [{"id": "f2", "value": "y"}]},
        "succeded": true,
        "_location": {"id": LOCATION},
    })
}

#[tokio::test]
async fn a_write_of_the_orchestrator_answers_with_the_changes() {
    let (highlevel, server) = stack("/mcp/orchestrator", &record()).await;
    let asked = json!({"operation": UPDATE, "arguments": arguments()});
    let (answer, _) = call(&server, "call_write", asked).await;
    assert_eq!(answer, short());
    let many = json!({
        "operation": UPDATE, "arguments": {"city": "Rome"},
        "items": [{"contactId": "c1"}, {"contactId": "c1", "tags": ["vip"]}],
    });
    let (answer, _) = call(&server, "call_write", many).await;
    let outcomes = &answer["outcomes"];
    assert_eq!(
        outcomes[0]["answer"]["contact"],
        json!({"id": "c1", "city": "Rome"})
    );
    assert_eq!(
        outcomes[1]["answer"]["contact"]["tags"],
        json!(["vip", "lead"])
    );
    let whole = json!({"operation": UPDATE, "arguments": arguments(), "output": {"fields": ["*"]}});
    let (answer, _) = call(&server, "call_write", whole).await;
    assert_eq!(answer["contact"], record()["contact"]);
    assert_eq!(highlevel.take().len(), 4);
}

#[tokio::test]
async fn the_other_surfaces_answer_highlevels_payload() {
    let executed = json!({"operationId": UPDATE, "params": arguments(), "idempotencyKey": "k"});
    let legacy = json!({"path_contactId": "c1", "body_city": "Rome"});
    for (path, tool, asked, at) in [
        ("/mcp", UPDATE, arguments(), "/contact"),
        ("/mcp/official", UPDATE, arguments(), "/contact"),
        ("/mcp/compat", "execute_operation", executed, "/contact"),
        ("/mcp/legacy", UPDATE, legacy, "/data/contact"),
    ] {
        let (_highlevel, server) = stack(path, &record()).await;
        let (answer, _) = call(&server, tool, asked).await;
        assert_eq!(
            answer.pointer(at),
            Some(&record()["contact"]),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_shown_as_far_as_it_is_known() {
    let long = "x".repeat(300);
    let note = json!({"body": long.clone() + "y", "id": "n1", "userId": "u", "dateAdded": "d", "contactId": "c1"});
    let told = format!("{long}… (301 characters)");
    let rows = [
        // Already short.
        (json!({"note": {"id": "n1"}}), json!({"note": {"id": "n1"}})),
        // Long texts are truncated.
        (
            json!({"note": note}),
            json!({"note": {"id": "n1", "body": told}}),
        ),
        // The record itself.
        (note.clone(), json!({"id": "n1", "body": told})),
        // An unknown form.
        (json!({"other": [long]}), json!({"other": [long]})),
        (json!([long]), json!({"answer": [long]})),
    ];
    for (body, expected) in rows {
        let (_highlevel, server) = stack("/mcp/orchestrator", &body).await;
        let arguments = json!({"contactId": "c1", "body": "y"});
        let asked = json!({"operation": "contacts_create-note", "arguments": arguments});
        let (mut answer, _) = call(&server, "call_write", asked).await;
        let ours = answer
            .as_object_mut()
            .expect("an object")
            .remove("_location");
        assert_eq!(ours, Some(json!({"id": LOCATION})));
        assert_eq!(answer, expected);
    }
}
