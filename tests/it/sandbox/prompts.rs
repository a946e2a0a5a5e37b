//! The example prompts of HighLevel's own page, carried out as an agent would, with the right state at the end.

use serde_json::{Value, json};

use super::{Stack, list, text};

/// "Tag the contacts of last week."
#[tokio::test]
async fn contacts_of_last_week_are_tagged() {
    let stack = Stack::start().await;
    let week = jiff::Timestamp::now().as_millisecond() - 7 * 86_400_000;
    let mut cursor = json!({"limit": 10});
    let mut recent = Vec::new();
    loop {
        let page = stack.call("contacts_get-contacts", cursor.clone()).await;
        let rows = list(&page, "/contacts");
        let young = |contact: &&Value| {
            let added: jiff::Timestamp = text(contact, "/dateAdded").parse().expect("a date");
            added.as_millisecond() >= week
        };
        let of_week: Vec<String> = rows
            .iter()
            .filter(young)
            .map(|one| text(one, "/id").to_owned())
            .collect();
        let all = of_week.len() == rows.len();
        recent.extend(of_week);
        if !all {
            break;
        }
        cursor["startAfter"] = page["meta"]["startAfter"].clone();
        cursor["startAfterId"] = page["meta"]["startAfterId"].clone();
    }
    assert!(
        (10..=20).contains(&recent.len()),
        "{} contacts",
        recent.len()
    );
    for id in &recent {
        let tags = json!({"contactId": id, "tags": ["Follow-up"]});
        let answer = stack.call("contacts_add-tags", tags).await;
        assert!(list(&answer, "/tags").contains(&json!("follow-up")));
    }
    let page = stack
        .call("contacts_get-contacts", json!({"limit": 100}))
        .await;
    let tagged = list(&page, "/contacts")
        .iter()
        .filter(|one| list(one, "/tags").contains(&json!("follow-up")));
    assert_eq!(tagged.count(), recent.len());
}

/// "Follow up on unread messages."
#[tokio::test]
async fn unread_messages_are_followed_up() {
    let stack = Stack::start().await;
    let unread = json!({"status": "unread", "lastMessageType": "TYPE_SMS", "limit": 5});
    let found = stack
        .call("conversations_search-conversation", unread)
        .await;
    let mut answered = 0;
    for conversation in list(&found, "/conversations") {
        let id = text(conversation, "/id");
        let contact = text(conversation, "/contactId");
        let of = json!({"conversationId": id, "limit": 1});
        let messages = stack.call("conversations_get-messages", of.clone()).await;
        assert_eq!(text(&messages, "/messages/messages/0/direction"), "inbound");
        let reply = json!({"type": "SMS", "contactId": contact, "message": "How can we help?"});
        match stack
            .try_call("conversations_send-a-new-message", reply)
            .await
        {
            Ok(sent) => {
                let messages = stack.call("conversations_get-messages", of).await;
                let last = &messages["messages"]["messages"][0];
                assert_eq!(last["id"], sent["messageId"]);
                assert_eq!(last["body"], "How can we help?");
                answered += 1;
            }
            // A contact that does not want to be texted is not.
            Err(error) => assert_eq!(error["class"], "dnd", "{error}"),
        }
    }
    assert!(answered > 0);
}

/// "Create a contact, tag it, welcome it, and move its deal along the pipeline."
#[tokio::test]
async fn a_new_contact_is_tagged_and_welcomed_and_its_deal_moved() {
    let stack = Stack::start().await;
    let person = json!({
        "firstName": "Nova", "lastName": "Reyes", "email": "nova@example.org", "phone": "+15557000001",
        "tags": ["New Lead"],
    });
    let made = stack.call("contacts_create-contact", person.clone()).await;
    let id = text(&made, "/contact/id").to_owned();
    let again = stack.try_call("contacts_create-contact", person).await;
    assert_eq!(again.expect_err("a duplicate")["class"], "duplicate");
    stack
        .call(
            "contacts_add-tags",
            json!({"contactId": id, "tags": ["welcome"]}),
        )
        .await;
    let welcome =
        json!({"type": "Email", "contactId": id, "subject": "Welcome", "html": "<p>Hi Nova</p>"});
    let sent = stack
        .call("conversations_send-a-new-message", welcome)
        .await;
    let found = stack
        .call(
            "conversations_search-conversation",
            json!({"contactId": id}),
        )
        .await;
    assert_eq!(found["conversations"][0]["id"], sent["conversationId"]);
    assert_eq!(found["conversations"][0]["lastMessageType"], "TYPE_EMAIL");
    // None of the 21 creates an opportunity, so an open one is moved.
    let open = stack
        .call(
            "opportunities_search-opportunity",
            json!({"status": "open", "limit": 1}),
        )
        .await;
    let deal = text(&open, "/opportunities/0/id").to_owned();
    let pipelines = stack.call("opportunities_get-pipelines", json!({})).await;
    let stage = text(&pipelines, "/pipelines/0/stages/4/id");
    let moved = json!({"id": deal, "pipelineStageId": stage, "status": "won"});
    stack.call("opportunities_update-opportunity", moved).await;
    let deal = stack
        .call("opportunities_get-opportunity", json!({"id": deal}))
        .await;
    assert_eq!(deal["opportunity"]["pipelineStageId"], *stage);
    assert_eq!(deal["opportunity"]["status"], "won");
    let contact = stack
        .call("contacts_get-contact", json!({"contactId": id}))
        .await;
    assert_eq!(contact["contact"]["tags"], json!(["new lead", "welcome"]));
}

/// "Show the last transactions over an amount."
#[tokio::test]
async fn the_last_transactions_over_an_amount_are_found() {
    let stack = Stack::start().await;
    let (mut over, mut offset) = (Vec::new(), 0);
    loop {
        let page = json!({"limit": 10, "offset": offset});
        let page = stack.call("payments_list-transactions", page).await;
        let rows = list(&page, "/data");
        over.extend(
            rows.iter()
                .filter(|one| one["amount"].as_f64() > Some(100.0))
                .cloned(),
        );
        offset += rows.len();
        if offset as u64 >= page["totalCount"].as_u64().expect("a total") || over.len() >= 10 {
            break;
        }
    }
    assert!(over.len() >= 10);
    assert!(over.is_sorted_by_key(|one| std::cmp::Reverse(text(one, "/createdAt").to_owned())));
    let order = json!({"orderId": over[0]["entityId"]});
    let order = stack.call("payments_get-order-by-id", order).await;
    assert_eq!(order["amount"], over[0]["amount"]);
}

/// "Answer whoever replies."
#[tokio::test]
async fn a_reply_arrives_and_is_answered() {
    let stack = Stack::start().await;
    let newest = stack
        .call("contacts_get-contacts", json!({"limit": 1}))
        .await;
    let contact = text(&newest, "/contacts/0/id");
    let message = |text| json!({"type": "SMS", "contactId": contact, "message": text});
    let sent = stack
        .call(
            "conversations_send-a-new-message",
            message("Does Friday suit you?"),
        )
        .await;
    let of = json!({"conversationId": sent["conversationId"], "limit": 1});
    let mut last = Value::Null;
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let page = stack.call("conversations_get-messages", of.clone()).await;
        last = page["messages"]["messages"][0].clone();
        if last["direction"] == "inbound" && last["id"] != sent["messageId"] {
            break;
        }
    }
    assert_eq!(last["body"], "Yes, that works for me. Thank you!");
    let answer = stack
        .call(
            "conversations_send-a-new-message",
            message("See you on Friday."),
        )
        .await;
    let page = stack.call("conversations_get-messages", of).await;
    assert_eq!(page["messages"]["messages"][0]["id"], answer["messageId"]);
}
