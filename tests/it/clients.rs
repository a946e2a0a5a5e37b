//! Calls as known clients really send them.

use serde_json::{Map, Value, json};

use test_support::recording::Recording;
use test_support::server::{TestServer, VOUCHED};

/// Sends `arguments` and returns the JSON body of the request.
async fn body_of(tool: &str, arguments: Value) -> Value {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    let (text, is_error) = server.call(tool, arguments).await;
    assert!(!is_error, "{text}");
    let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
    serde_json::from_slice(&request.body).expect("JSON")
}

/// n8n's MCP Client Tool adds fields of its own (n8n-io/n8n#21716).
#[tokio::test]
async fn n8n_adds_fields_that_are_dropped() {
    let arguments = json!({
        "contactId": "c1",
        "tags": ["vip"],
        "sessionId": "9b1c",
        "action": "sendMessage",
        "chatInput": "tag the contact",
        "tool": "contacts_add-tags",
        "toolCallId": "call_tjbFFFLWX9u3AJIiioFVpZks",
    });
    assert_eq!(
        body_of("contacts_add-tags", arguments).await,
        json!({"tags": ["vip"]})
    );
}

/// OpenAI's strict mode sends every property of the schema, null where the model left it out.
#[tokio::test]
async fn openai_strict_mode_blanks_nothing() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    let list = server.rpc("tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().expect("tools");
    let update = tools
        .iter()
        .find(|tool| tool["name"] == "contacts_update-contact")
        .expect("the tool");
    let properties = update["inputSchema"]["properties"]
        .as_object()
        .expect("properties");
    let mut arguments: Map<String, Value> = properties
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect();
    arguments.insert("contactId".to_owned(), json!("c1"));
    arguments.insert("city".to_owned(), json!("Rome"));
    let body = body_of("contacts_update-contact", Value::Object(arguments)).await;
    assert_eq!(body, json!({"city": "Rome"}));
    // A field is emptied by name; a null alone has no effect.
    for (asked, sent) in [
        (
            json!({"contactId": "c1", "lastName": null, "city": "Rome"}),
            json!({"city": "Rome"}),
        ),
        (
            json!({"contactId": "c1", "clear": ["lastName"]}),
            json!({"lastName": null}),
        ),
    ] {
        assert_eq!(body_of("contacts_update-contact", asked).await, sent);
    }
}

/// HighLevel's own server takes arguments under prefixed names.
#[tokio::test]
async fn prefixed_names_of_the_official_server_work() {
    let arguments = json!({"body_type": "SMS", "body_contactId": "c1", "body_message": "Hello"});
    assert_eq!(
        body_of("conversations_send-a-new-message", arguments).await,
        json!({"type": "SMS", "contactId": "c1", "message": "Hello"})
    );
}
