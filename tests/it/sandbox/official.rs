//! Each of the 21 official tools against the sandbox, which checks every request by the imported documents.

use std::collections::BTreeMap;

use highlevel_mcp::catalog::TOOLS;
use serde_json::{Value, json};

use super::{Stack, list, text};

/// Each tool's arguments, with ids of the sandbox.
async fn calls(stack: &Stack) -> Vec<(&'static str, Value)> {
    let contacts = stack
        .call("contacts_get-contacts", json!({"limit": 100}))
        .await;
    // Every third contact has a conversation, and none of the first ones has do-not-disturb.
    let contact = text(&contacts, "/contacts/0/id");
    let conversations = stack.call(
        "conversations_search-conversation",
        json!({"contactId": contact}),
    );
    let conversation = text(&conversations.await, "/conversations/0/id").to_owned();
    let pipelines = stack.call("opportunities_get-pipelines", json!({})).await;
    let stage = text(&pipelines, "/pipelines/0/stages/3/id");
    let found = stack
        .call(
            "opportunities_search-opportunity",
            json!({"status": "open"}),
        )
        .await;
    let opportunity = text(&found, "/opportunities/0/id");
    let user = text(&found, "/opportunities/0/assignedTo");
    let transactions = stack
        .call("payments_list-transactions", json!({"limit": 1}))
        .await;
    let order = text(&transactions, "/data/0/entityId");
    let window = json!({"userId": user, "startTime": "2020-01-01T00:00:00Z", "endTime": "2040-01-01T00:00:00Z"});
    let users = list(&contacts, "/contacts")
        .iter()
        .filter_map(|one| one["assignedTo"].as_str());
    let mut event = None;
    for user in users {
        let mut window = window.clone();
        window["userId"] = json!(user);
        let events = stack.call("calendars_get-calendar-events", window).await;
        event = events["events"].get(0).map(|event| event["id"].clone());
        if event.is_some() {
            break;
        }
    }
    vec![
        (
            "calendars_get-appointment-notes",
            json!({"appointmentId": event}),
        ),
        ("calendars_get-calendar-events", window),
        (
            "contacts_add-tags",
            json!({"contactId": contact, "tags": ["vip"]}),
        ),
        (
            "contacts_create-contact",
            json!({"firstName": "Ada", "email": "new.ada@example.org"}),
        ),
        ("contacts_get-all-tasks", json!({"contactId": contact})),
        ("contacts_get-contact", json!({"contactId": contact})),
        ("contacts_get-contacts", json!({"query": "ada", "limit": 5})),
        (
            "contacts_remove-tags",
            json!({"contactId": contact, "tags": ["vip"]}),
        ),
        (
            "contacts_update-contact",
            json!({"contactId": contact, "city": "Rome", "dateOfBirth": "1990-05-01"}),
        ),
        (
            "contacts_upsert-contact",
            json!({"email": "new.ada@example.org", "lastName": "Lovelace"}),
        ),
        (
            "conversations_get-messages",
            json!({"conversationId": conversation, "limit": 2, "type": ["TYPE_SMS", "TYPE_EMAIL"]}),
        ),
        (
            "conversations_search-conversation",
            json!({"status": "unread", "limit": 3, "startAfterDate": 1_999_999_999_999_i64}),
        ),
        (
            "conversations_send-a-new-message",
            json!({"type": "SMS", "contactId": contact, "message": "Hello"}),
        ),
        (
            "locations_get-custom-fields",
            json!({"model": "opportunity"}),
        ),
        ("locations_get-location", json!({})),
        ("opportunities_get-opportunity", json!({"id": opportunity})),
        ("opportunities_get-pipelines", json!({})),
        (
            "opportunities_search-opportunity",
            json!({"q": "consultation", "limit": 2, "page": 2}),
        ),
        (
            "opportunities_update-opportunity",
            json!({"id": opportunity, "pipelineStageId": stage, "status": "open"}),
        ),
        ("payments_get-order-by-id", json!({"orderId": order})),
        (
            "payments_list-transactions",
            json!({"limit": 3, "offset": 1, "startAt": "2020-01-01", "endAt": "2040-01-01"}),
        ),
    ]
}

#[tokio::test]
async fn every_official_tool_works_on_the_sandbox() {
    let stack = Stack::start().await;
    let calls = calls(&stack).await;
    let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
    let official = TOOLS
        .iter()
        .filter(|tool| tool.toolsets.contains(&"official"));
    let official: Vec<&str> = official.map(|tool| tool.name).collect();
    assert_eq!(names, official);
    for (tool, arguments) in calls {
        stack.call(tool, arguments).await;
    }
    let versions: BTreeMap<String, String> = TOOLS
        .iter()
        .map(|tool| {
            (
                tool.path.split('/').nth(1).unwrap_or_default().to_owned(),
                tool.version.to_owned(),
            )
        })
        .collect();
    for request in stack.sandbox.requests().await {
        let first = text(&request, "/path")
            .split('/')
            .nth(1)
            .unwrap_or_default();
        assert_eq!(request["version"], versions[first], "{request}");
    }
}
