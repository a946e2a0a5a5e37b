//! `clear` empties the fields that it names, on every surface of ours, and no others.

use std::fs;

use serde_json::{Map, Value, json};
use test_support::recording::Recording;
use test_support::server::{TestServer, VOUCHED};

use super::{body, only, stack};

const UPDATE: &str = "contacts_update-contact";

#[tokio::test]
async fn a_null_empties_nothing_and_clear_does() {
    let (highlevel, mut server) = stack().await;
    let tools = server.rpc("tools/list", json!({})).await;
    let tools = tools["result"]["tools"].as_array().expect("tools");
    let update = tools
        .iter()
        .find(|tool| tool["name"] == UPDATE)
        .expect(UPDATE);
    let names = update["inputSchema"]["properties"]
        .as_object()
        .expect("properties")
        .keys();
    // A client that fills in every existing property.
    let mut every: Map<String, Value> = names.map(|name| (name.clone(), Value::Null)).collect();
    every.insert("contactId".to_owned(), json!("c"));
    every.insert("city".to_owned(), json!("Rome"));
    let of_call = |arguments: Value| json!({"operation": UPDATE, "arguments": arguments});
    let emptied = json!({"contactId": "c", "city": "Rome", "clear": ["email"]});
    let both = json!({"city": "Rome", "email": null});
    let legacy = json!({"path_contactId": "c", "body_city": "Rome", "body_email": null});
    let compat = json!({"operationId": UPDATE, "idempotencyKey": "k1", "params":
        {"path": {"contactId": "c"}, "body": {"city": "Rome", "email": null}}});
    let rows = [
        ("/mcp", UPDATE, json!(every), json!({"city": "Rome"})),
        (
            "/mcp",
            UPDATE,
            json!({"contactId": "c", "city": "Rome", "email": null}),
            json!({"city": "Rome"}),
        ),
        ("/mcp", UPDATE, emptied.clone(), both.clone()),
        ("/mcp/x/contacts", UPDATE, emptied.clone(), both.clone()),
        ("/mcp", "call_write", of_call(emptied.clone()), both.clone()),
        (
            "/mcp",
            "call_write",
            json!({"operation": UPDATE, "arguments": {"city": "Rome"}, "items": [{"contactId": "c", "clear": ["email"]}]}),
            both.clone(),
        ),
        // As on HighLevel's own servers.
        ("/mcp/legacy", UPDATE, legacy, both.clone()),
        ("/mcp/compat", "execute_operation", compat, both),
    ];
    for (path, tool, arguments, expected) in rows {
        server.path = path;
        let (text, is_error) = server.call(tool, arguments.clone()).await;
        assert!(!is_error, "{path} {arguments}: {text}");
        assert_eq!(
            body(&only(highlevel.take(), path)),
            expected,
            "{path} {arguments}"
        );
    }
}

#[tokio::test]
async fn a_null_gets_a_warning_beside_the_answer() {
    let (_highlevel, server) = stack().await;
    let given = json!({"contactId": "c", "city": "Rome", "email": null});
    let warning =
        json!(["email is null, which changes nothing; to empty one give clear: [\"email\"]"]);
    let (text, _) = server.call(UPDATE, given.clone()).await;
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&told["_warnings"], &told["contact"]["id"]),
        (&warning, &json!("c")),
        "{text}"
    );
    let dry = json!({"operation": UPDATE, "arguments": given, "dryRun": true});
    let (text, _) = server.call("call_write", dry).await;
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&told["_warnings"], &told["request"]["body"]),
        (&warning, &json!({"city": "Rome"})),
        "{text}"
    );
}

#[tokio::test]
async fn emptied_fields_are_shown_confirmed_and_subject_to_rules() {
    let rules = tempfile::tempdir().expect("a folder");
    let file = rules.path().join("policy.toml");
    let text = "[server]\nconfirm = { write = \"token\" }\n[[server.arguments]]\ntools = [\"contacts_update-contact\"]\nargument = \"email\"\nstarts_with = [\"a\"]\n";
    fs::write(&file, text).expect("written");
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c"}}"#).await;
    let policy = ("HIGHLEVEL_MCP_POLICY_FILE", file.to_str().expect("UTF-8"));
    let mut server = TestServer::start_with(&highlevel.url, &[policy, VOUCHED]).await;
    server.vouched = true;
    // The rule on the argument sees the null that would be sent.
    let (text, is_error) = server
        .call(UPDATE, json!({"contactId": "c", "clear": ["email"]}))
        .await;
    assert!(
        is_error && text.contains("email must be a text that starts with"),
        "{text}"
    );
    // A preview shows the emptied fields, and its token is valid for nothing else.
    let phone = json!({"contactId": "c", "clear": ["phone"]});
    let (text, _) = server.call(UPDATE, phone.clone()).await;
    let preview: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(preview["request"]["body"], json!({"phone": null}), "{text}");
    let mut other = json!({"contactId": "c", "clear": ["lastName"]});
    other["confirm"] = preview["confirm"].clone();
    let (text, is_error) = server.call(UPDATE, other).await;
    assert!(
        is_error && text.contains("does not match the operation"),
        "{text}"
    );
    assert_eq!(
        highlevel
            .take()
            .iter()
            .filter(|one| one.method == "PUT")
            .count(),
        0
    );
    let mut confirmed = phone;
    confirmed["confirm"] = preview["confirm"].clone();
    let (text, is_error) = server.call(UPDATE, confirmed).await;
    assert!(!is_error, "{text}");
    let sent = highlevel
        .take()
        .into_iter()
        .filter(|one| one.method == "PUT")
        .collect();
    assert_eq!(body(&only(sent, "confirmed")), json!({"phone": null}));
}
