//! Values that count as absent, values that are emptied on purpose, and lists and types that may be given in two
//! ways.

use serde_json::{Value, json};

use super::{checked, sent};
use crate::catalog::TOOLS;

const LOCATION: &str = "usual";

struct Row {
    tool: &'static str,
    given: Value,
    /// By place, or parts of the refusal.
    expected: Result<Value, &'static [&'static str]>,
}

#[track_caller]
fn check(row: Row) {
    let Row {
        tool,
        given,
        expected,
    } = row;
    let found = TOOLS.iter().find(|one| one.name == tool).expect(tool);
    match (sent(TOOLS, found, Some(LOCATION), &given), expected) {
        (Ok(sent), Ok(expected)) => assert_eq!(sent, expected, "{tool} given {given}"),
        (Err(refusal), Err(parts)) => {
            for part in parts {
                assert!(
                    refusal.contains(part),
                    "{tool} given {given}: {part:?} is not in {refusal:?}"
                );
            }
        }
        (sent, expected) => panic!("{tool} given {given}: {sent:?} is not {expected:?}"),
    }
}

fn updates(given: Value, body: Value) {
    let mut given = given;
    given["contactId"] = json!("c");
    let expected = Ok(json!({"path": {"contactId": "c"}, "body": body}));
    check(Row {
        tool: "contacts_update-contact",
        given,
        expected,
    });
}

fn refuses_update(given: Value, parts: &'static [&'static str]) {
    let mut given = given;
    given["contactId"] = json!("c");
    check(Row {
        tool: "contacts_update-contact",
        given,
        expected: Err(parts),
    });
}

#[test]
fn a_null_is_absent_at_every_place() {
    updates(
        json!({"city": "Rome", "email": null, "phone": null, "tags": null, "dnd": null}),
        json!({"city": "Rome"}),
    );
    updates(
        json!({"customFields": [{"id": "f", "key": null, "field_value": "v"}]}),
        json!({"customFields": [{"id": "f", "field_value": "v"}]}),
    );
    updates(
        json!({"customFields": "[{\"id\": \"f\", \"field_value\": null}]"}),
        json!({"customFields": [{"id": "f"}]}),
    );
    // An item of a list stays, and is checked.
    refuses_update(
        json!({"tags": ["a", null]}),
        &["tags[1] must be a string, not null"],
    );
    // Fields outside the document belong to the caller.
    check(Row {
        tool: "objects_update-object-record",
        given: json!({"schemaKey": "custom_objects.pet", "id": "r", "properties": {"nick": null}}),
        expected: Ok(json!({
            "path": {"schemaKey": "custom_objects.pet", "id": "r"},
            "query": {"locationId": LOCATION},
            "body": {"properties": {"nick": null}},
        })),
    });
}

#[test]
fn a_null_that_may_be_meant_to_empty_a_field_gets_a_warning() {
    fn check(given: Value, expected: &[&str]) {
        let tool = TOOLS
            .iter()
            .find(|one| one.name == "contacts_update-contact");
        let found = checked(TOOLS, tool.expect("a tool"), Some(LOCATION), &given);
        assert_eq!(found.expect("arguments").warnings, expected, "{given}");
    }
    check(json!({"contactId": "c", "city": "Rome"}), &[]);
    check(json!({"contactId": "c", "city": "Rome", "tags": null}), &[]);
    check(
        json!({"contactId": "c", "email": null, "clear": ["email"]}),
        &[],
    );
    check(
        json!({"contactId": "c", "email": null}),
        &["email is null, which changes nothing; to empty one give clear: [\"email\"]"],
    );
    check(
        json!({"contactId": "c", "lastName": null, "phone": null}),
        &[
            "lastName, phone are null, which changes nothing; to empty one give clear: [\"lastName\"]",
        ],
    );
}

#[test]
fn the_fields_in_clear_are_emptied() {
    updates(json!({"clear": ["email"]}), json!({"email": null}));
    updates(
        json!({"clear": "[\"email\", \"lastName\", \"email\"]", "city": "Rome"}),
        json!({"email": null, "lastName": null, "city": "Rome"}),
    );
    updates(
        json!({"clear": ["body_email"], "email": ""}),
        json!({"email": null}),
    );
    for nothing in [json!(null), json!([]), json!("[]"), json!("")] {
        updates(
            json!({"clear": nothing, "city": "Rome"}),
            json!({"city": "Rome"}),
        );
    }
    refuses_update(
        json!({"clear": ["email"], "email": "a@b.c"}),
        &["email is given as \"a@b.c\" and named in clear; do one of both"],
    );
    refuses_update(
        json!({"clear": ["tags", "shoe"]}),
        &[
            "clear names tags, but these can be emptied: firstName, ",
            "clear names shoe, but",
        ],
    );
    for wrong in [json!("email"), json!(5), json!({"email": true}), json!([1])] {
        refuses_update(
            json!({"clear": wrong}),
            &["clear must be a list of names, such as [\"email\"], not "],
        );
    }
    check(Row {
        tool: "contacts_get-contact",
        given: json!({"contactId": "c", "clear": ["email"]}),
        expected: Err(&["clear names email, but nothing of this tool can be emptied"]),
    });
    check(Row {
        tool: "contacts_bulk-set-business",
        given: json!({"ids": ["c"], "clear": ["businessId"]}),
        expected: Ok(json!({"body": {"locationId": LOCATION, "ids": ["c"], "businessId": null}})),
    });
    check(Row {
        tool: "contacts_bulk-set-business",
        given: json!({"ids": ["c"], "businessId": null}),
        expected: Err(&["businessId is missing"]),
    });
}

#[test]
fn a_text_without_a_letter_is_absent_where_it_is_no_content() {
    updates(
        json!({"firstName": "", "email": "", "phone": "", "assignedTo": "", "dateOfBirth": ""}),
        json!({"firstName": ""}),
    );
    check(Row {
        tool: "conversations_search-conversation",
        given: json!({"locationId": "", "contactId": "", "query": "", "status": "", "startDate": "", "assignedTo": "", "limit": ""}),
        expected: Ok(json!({"query": {"locationId": LOCATION}})),
    });
    check(Row {
        tool: "contacts_get-contact",
        given: json!({"contactId": ""}),
        expected: Err(&["contactId is missing"]),
    });
    check(Row {
        tool: "opportunities_update-opportunity",
        given: json!({"id": "o", "status": "", "monetaryValue": "", "pipelineId": "", "name": ""}),
        expected: Ok(json!({"path": {"id": "o"}, "body": {"name": ""}})),
    });
}

#[test]
fn words_for_nothing_are_refused_as_ids_emails_and_phones() {
    refuses_update(
        json!({"phone": "null"}),
        &["phone must be a phone number, not the word \"null\""],
    );
    refuses_update(
        json!({"email": "None"}),
        &["email must be an email, not the word \"None\""],
    );
    refuses_update(
        json!({"assignedTo": "undefined"}),
        &["assignedTo must be an id"],
    );
    refuses_update(
        json!({"customFields": [{"id": "undefined"}]}),
        &["customFields[0].id must be an id"],
    );
    check(Row {
        tool: "contacts_get-contact",
        given: json!({"contactId": "undefined"}),
        expected: Err(&["contactId must be an id, not the word \"undefined\""]),
    });
    check(Row {
        tool: "contacts_get-contacts",
        given: json!({"query": "null"}),
        expected: Ok(json!({"query": {"locationId": LOCATION, "query": "null"}})),
    });
    updates(json!({"lastName": "None"}), json!({"lastName": "None"}));
}

#[test]
fn a_list_may_be_given_as_its_json_text_wherever_a_list_may_be() {
    let messages = |kinds: Value, query: Value| {
        check(Row {
            tool: "conversations_get-messages",
            given: json!({"conversationId": "v", "type": kinds}),
            expected: Ok(json!({"path": {"conversationId": "v"}, "query": query})),
        });
    };
    let both = json!({"type": "TYPE_SMS,TYPE_CALL"});
    messages(json!("[\"TYPE_SMS\",\"TYPE_CALL\"]"), both.clone());
    messages(json!(["TYPE_SMS", "TYPE_CALL"]), both.clone());
    messages(json!("TYPE_SMS, TYPE_CALL"), both);
    check(Row {
        tool: "conversations_get-messages",
        given: json!({"conversationId": "v", "type": "TYPE_SMS,bogus"}),
        expected: Err(&["type[1] must be one of \"TYPE_CALL\", ", "not \"bogus\""]),
    });
    check(Row {
        tool: "proposals_list-documents-contracts",
        given: json!({"status": "bogus"}),
        expected: Err(&["status[0] must be one of \"draft\", "]),
    });
    check(Row {
        tool: "contacts_get-contacts",
        given: json!({"query": "[draft] list"}),
        expected: Ok(json!({"query": {"locationId": LOCATION, "query": "[draft] list"}})),
    });
    // An empty list in a query is not a filter.
    check(Row {
        tool: "conversations_search-conversation",
        given: json!({"assignedTo": [], "followers": "[]"}),
        expected: Ok(json!({"query": {"locationId": LOCATION}})),
    });
}

#[test]
fn numbers_keep_their_digits_or_are_refused() {
    let opportunity = |value: Value, expected: Result<Value, &'static [&'static str]>| {
        check(Row {
            tool: "opportunities_update-opportunity",
            given: json!({"id": "o", "monetaryValue": value}),
            expected: expected
                .map(|value| json!({"path": {"id": "o"}, "body": {"monetaryValue": value}})),
        });
    };
    let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    for kept in [
        "12.50",
        "0.1234567890123456789",
        "12345678901234567890123",
        "1e-400",
        "1e300",
    ] {
        opportunity(number(kept), Ok(number(kept)));
        opportunity(json!(kept), Ok(number(kept)));
    }
    opportunity(
        number("1e400"),
        Err(&["monetaryValue holds the number 1e+400, which readers of JSON do not take"]),
    );
    updates(
        json!({"lastName": "3.14159265358979323846"}),
        json!({"lastName": "3.14159265358979323846"}),
    );
    let field = |value: &str| json!([{"id": "f", "field_value": number(value)}]);
    updates(
        json!({"customFields": field("3.14159265358979323846")}),
        json!({"customFields": field("3.14159265358979323846")}),
    );
    refuses_update(
        json!({"customFields": "[{\"id\": \"f\", \"field_value\": 1e400}]"}),
        &["customFields[0].field_value holds the number 1e+400"],
    );
}

#[test]
fn both_types_are_accepted_if_a_document_contradicts_itself() {
    for sub_type in [json!({}), json!("Custom")] {
        check(Row {
            tool: "conversations_send-a-new-message",
            given: json!({"type": "SMS", "contactId": "c", "message": "m", "subType": sub_type}),
            expected: Ok(
                json!({"body": {"type": "SMS", "contactId": "c", "message": "m", "subType": sub_type}}),
            ),
        });
    }
    for one in [json!({"conversationId": "v"}), json!({"contactId": "c"})] {
        let mut given = json!({"type": "SMS", "conversationProviderId": "p"});
        given
            .as_object_mut()
            .expect("an object")
            .extend(one.as_object().expect("an object").clone());
        check(Row {
            tool: "conversations_add-an-inbound-message",
            given: given.clone(),
            expected: Ok(json!({"body": given})),
        });
    }
    check(Row {
        tool: "conversations_add-an-inbound-message",
        given: json!({"type": "SMS", "conversationProviderId": "p"}),
        expected: Err(&["the call needs conversationId or contactId"]),
    });
    check(Row {
        tool: "chat-widget_patchChatWidget",
        given: json!({"id": "w", "settings": {"chatType": "emailChat"}}),
        expected: Ok(
            json!({"path": {"id": "w", "locationId": LOCATION}, "body": {"settings": {"chatType": "emailChat"}}}),
        ),
    });
    check(Row {
        tool: "ad-manager_li-get-campaign-group-reporting",
        given: json!({"campaignGroupId": "g", "query_campaignGroupId": "h"}),
        expected: Err(&["is missing"]),
    });
}
