//! A duplicate's error names the existing record, and the tools that lead to it.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::catalog::TOOLS;
use crate::upstream::errors::classify_error;

struct Row {
    tool: &'static str,
    body: Value,
    sentence: &'static str,
    remedy: &'static str,
}

fn check(row: &Row) {
    let tool = TOOLS.iter().find(|tool| tool.name == row.tool);
    let body = row.body.to_string();
    let failure = classify_error(
        tool.expect("a tool"),
        &SecretString::from("pit-secret"),
        StatusCode::BAD_REQUEST,
        &HeaderMap::new(),
        body.as_bytes(),
    );
    let text: Value = serde_json::from_str(&failure.text()).expect("JSON");
    assert_eq!(text["class"], "duplicate", "{text}");
    assert_eq!(text["error"], row.sentence, "{text}");
    assert_eq!(text["remedy"], row.remedy, "{text}");
    assert_eq!(text["meta"], row.body["meta"], "{text}");
    assert_eq!(text["code"], row.body["code"], "{text}");
}

#[test]
fn the_record_and_its_tools_are_named() {
    let contact = json!({
        "statusCode": 400,
        "message": "This location does not allow duplicated contacts.",
        "meta": {"contactId": "c1", "contactName": "Mia", "matchingField": "email"}
    });
    let opportunity = json!({
        "statusCode": 400,
        "message": "Can not create duplicate opportunity for the contact.",
        "code": "OPPORTUNITY_NO_DUPLICATE",
        "meta": {"locationId": "L1", "existingId": "o1"}
    });
    for row in [
        Row {
            tool: "contacts_create-contact",
            body: contact.clone(),
            sentence: "There is such a record already with the same email: its contactId is c1.",
            remedy: "Change that one with contacts_update-contact. contacts_upsert-contact finds it by itself.",
        },
        Row {
            tool: "contacts_update-contact",
            body: contact,
            sentence: "There is such a record already with the same email: its contactId is c1.",
            remedy: "Read that one with contacts_get-contact, and decide which of the two to change.",
        },
        Row {
            tool: "opportunities_create-opportunity",
            body: opportunity,
            sentence: "There is such a record already: its existingId is o1.",
            remedy: "Change that one with opportunities_update-opportunity. opportunities_upsert-opportunity finds it by itself.",
        },
        Row {
            tool: "contacts_create-contact",
            body: json!({"message": "This location does not allow duplicated contacts.", "meta": {"matchingField": "email"}}),
            sentence: "There is such a record already.",
            remedy: "Update the one that exists, or use an upsert.",
        },
    ] {
        check(&row);
    }
}
