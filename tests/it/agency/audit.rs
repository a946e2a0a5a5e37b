//! The audit file compared with the sandbox's own log: one record for every request that changes something.

use serde_json::json;
use sqlx::ConnectOptions;
use state::audit::{AuditQuery, RecordState, lines, records};

use super::{Agency, branch, contact};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

#[tokio::test]
async fn every_write_and_every_refusal_is_written_down() {
    let rules = "[locations.b02]\ndeny = [\"effect:send\"]\n";
    let mut agency = Agency::start(2, rules).await;
    let agency = &mut agency;
    let key = agency.key("n8n", Some(&["b01"]), None);
    let first = contact(agency, &key, "b01").await;
    let second = contact(agency, OPERATOR, "b02").await;
    let tags = json!({"contactId": first, "tags": ["canary-in-the-arguments"]});
    agency
        .call("/mcp", &key, "contacts_add-tags", tags.clone())
        .await
        .expect("tagged");
    let missing = json!({"contactId": "nobody", "tags": ["x"]});
    agency
        .call("/mcp", &key, "contacts_add-tags", missing)
        .await
        .expect_err("nobody");
    let message = |id: &str| json!({"contactId": id, "type": "SMS", "message": "hello"});
    let tool = "conversations_send-a-new-message";
    agency
        .call("/mcp/l/b01", OPERATOR, tool, message(&first))
        .await
        .expect("sent");
    agency
        .call("/mcp/l/b02", OPERATOR, tool, message(&second))
        .await
        .expect_err("denied");
    let batch = json!({"operation": "contacts_add-tags", "idempotencyKey": "k", "arguments": {"contactId": first}, "items": [{"tags": ["a"]}, {"tags": ["b"]}]});
    agency
        .call("/mcp/l/b01", &key, "call_write", batch)
        .await
        .expect("tagged");
    let delete = |confirm: Option<&str>| json!({"contactId": first, "confirm": confirm});
    let path = "/mcp/l/b01/x/contacts";
    let asked = agency
        .call(path, &key, "contacts_delete-contact", delete(None))
        .await;
    let token = asked.expect("a question")["confirm"]
        .as_str()
        .expect("a token")
        .to_owned();
    agency
        .call(path, &key, "contacts_delete-contact", delete(Some(&token)))
        .await
        .expect("deleted");

    let elsewhere = json!({"location": "b02", "contactId": first, "tags": ["x"]});
    let refused = agency
        .call("/mcp", &key, "contacts_add-tags", elsewhere)
        .await;
    refused.expect_err("a foreign location");

    // A refusal is answered before its line is written.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let found = records(&agency.server.store(), &AuditQuery::default()).expect("read");
    assert!(found.unreadable.is_empty());
    let seen = agency.writes().await;
    let done = found
        .records
        .iter()
        .filter(|record| record.state == RecordState::Done);
    let done: Vec<_> = done.collect();
    assert_eq!(done.len(), seen.len(), "{done:?}");
    for (record, request) in done.iter().zip(&seen) {
        let ok = request["status"]
            .as_u64()
            .is_some_and(|status| status < 300);
        assert_eq!(
            record.outcome.as_deref() == Some("ok"),
            ok,
            "{record:?} {request}"
        );
        assert_eq!(record.call.location.as_deref(), Some(branch(1).as_str()));
        assert_eq!(record.call.alias.as_deref(), Some("b01"));
    }
    assert_eq!(done[1].outcome.as_deref(), Some("not_found"));
    assert!(
        done[1]
            .trace_id
            .as_deref()
            .is_some_and(|id| id.starts_with("sandbox-"))
    );
    assert!(done[0].call.who.starts_with("key:") && done[2].call.who.starts_with("credential:"));
    assert!(done[3].call.idempotency_key && !done[0].call.idempotency_key);
    let confirmed = done
        .last()
        .and_then(|record| record.call.confirmation.as_ref());
    assert_eq!(confirmed.map(|one| one.mode.as_str()), Some("token"));
    let refused: Vec<_> = found
        .records
        .iter()
        .filter(|record| record.state == RecordState::Refused)
        .collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(refused[1].call.class.as_deref(), Some("location"));
    assert!(
        refused[0]
            .call
            .rule
            .as_deref()
            .is_some_and(|rule| rule.starts_with("[locations.b02] deny"))
    );
    let mut text = String::new();
    let read = lines(&agency.server.store(), None, None, |lines| {
        text += &lines.concat();
        Ok(())
    });
    read.expect("read");
    for secret in [
        "canary-in-the-arguments",
        "pit-sandbox",
        &key["Bearer ".len()..],
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn calls_that_cannot_be_recorded_are_not_made() {
    let mut agency = Agency::start(1, "").await;
    let id = contact(&mut agency, OPERATOR, "b01").await;
    // Another process begins a change of the store and never ends it.
    let path = agency.server.store().path().map(std::path::Path::to_owned);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path.expect("a file"));
    let mut held = options.connect().await.expect("a connection");
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut held).await;
    begun.expect("held");
    let tags = json!({"contactId": id, "tags": ["x"]});
    let refused = agency
        .call("/mcp/l/b01", OPERATOR, "contacts_add-tags", tags)
        .await;
    let refused = refused.expect_err("a refusal");
    assert!(
        refused["error"].to_string().contains("its store"),
        "{refused}"
    );
    assert!(agency.writes().await.is_empty());
    agency
        .call(
            "/mcp/l/b01",
            OPERATOR,
            "contacts_get-contact",
            json!({"contactId": id}),
        )
        .await
        .expect("a read");
}
