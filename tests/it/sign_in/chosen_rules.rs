//! A connected client's permissions by the rules that were chosen for it, and its refusals.

use serde_json::{Value, json};
use state::grants::{GrantHolder, GrantScope};
use state::keys::Keys;

use super::URL;
use super::connections::{Connection, Connections, Terms};
use crate::agency::contact;

const READ: &str = "contacts_get-contacts";
const TAG: &str = "contacts_add-tags";
const SEND: &str = "conversations_send-a-new-message";
const DELETE: &str = "contacts_delete-contact";

/// `Ok`: done. `Err`: a part of the answer, and whether the request itself is refused.
async fn check_rules(
    connections: &Connections,
    connection: &Connection,
    (tool, arguments): (&str, &Value),
    expected: Result<(), &str>,
) {
    let before = connections.agency.writes().await.len();
    let told = connections.call(connection, tool, arguments.clone()).await;
    let sent = connections.agency.writes().await.len() - before;
    match expected {
        Ok(()) => {
            let told = told.expect(tool);
            assert_ne!(told["status"], "needs_confirmation", "{tool}: {told}");
        }
        Err(part) => {
            let text = match told {
                Ok(told) | Err(told) => told.to_string(),
            };
            assert!(text.contains(part), "{tool}: {text}");
            assert_eq!(sent, 0, "{tool}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_held_to_the_rules_that_were_chosen_for_it() {
    let mut connections = Connections::start(
        2,
        "[server]\ncaps = { send = { hour = 1000 } }\n[policies.front-desk]\ndeny = [\"contacts_add-tags\"]\n",
    )
    .await;
    let key = connections.agency.key("all", Some(&["b01"]), None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connect = async |rules: &'static str, scope| {
        connections
            .connect(Terms {
                rules,
                scope,
                ..Terms::of_person(&ada)
            })
            .await
    };
    let write = GrantScope::Write;
    let read_only = connect("read-only", write).await;
    let ask_first = connect("ask-first", write).await;
    let everyday = connect("everyday", write).await;
    let everything = connect("everything", write).await;
    let front_desk = connect("section:front-desk", write).await;
    let unknown = connect("of-a-later-version", write).await;
    let read = json!({"limit": 1});
    let tag = json!({"contactId": contact, "tags": ["vip"]});
    let send = json!({"type": "SMS", "contactId": contact, "message": "Hello."});
    let delete = json!({"contactId": contact});
    let person = "\"approveAt\":\"https://mcp.example.test/console/approvals/";
    let only_read = "This connection may only read";
    let rows: [(&Connection, &str, &Value, Result<(), &str>); 19] = [
        (&read_only, READ, &read, Ok(())),
        (&read_only, TAG, &tag, Err(only_read)),
        (&read_only, SEND, &send, Err("/console/connections")),
        (&ask_first, READ, &read, Ok(())),
        (&ask_first, TAG, &tag, Ok(())),
        (&ask_first, SEND, &send, Err(person)),
        (&ask_first, DELETE, &delete, Err(person)),
        (&everyday, TAG, &tag, Ok(())),
        (&everyday, SEND, &send, Ok(())),
        (&everyday, DELETE, &delete, Err(person)),
        (&everything, TAG, &tag, Ok(())),
        (&everything, SEND, &send, Ok(())),
        // The client's own confirm token works as ever.
        (&everything, DELETE, &delete, Err("\"confirm\":")),
        (&front_desk, READ, &read, Ok(())),
        (&front_desk, SEND, &send, Ok(())),
        (&front_desk, TAG, &tag, Err("[policies.front-desk] deny")),
        (
            &unknown,
            READ,
            &read,
            Err("not among what the operator allows"),
        ),
        (
            &unknown,
            TAG,
            &tag,
            Err("not among what the operator allows"),
        ),
        (
            &everything,
            READ,
            &json!({"location": "b02"}),
            Err("not to b02"),
        ),
    ];
    for (connection, tool, arguments, expected) in rows {
        check_rules(&connections, connection, (tool, arguments), expected).await;
    }
    // A request that changes several records is asked about, though each alone would not be.
    let items = |many: usize| {
        json!({"operation": TAG, "arguments": {"contactId": contact},
            "items": vec![json!({"tags": ["vip"]}); many]})
    };
    for (connection, many, asked) in [
        (&ask_first, 1, false),
        (&ask_first, 2, true),
        (&everyday, 2, true),
        (&everything, 2, false),
    ] {
        let headers = [("authorization", connection.bearer.as_str())];
        let before = connections.agency.writes().await.len();
        let told = connections
            .call_with("/mcp/orchestrator", &headers, "call_write", items(many))
            .await
            .expect("an answer");
        assert_eq!(told["approveAt"].is_string(), asked, "{many}: {told}");
        let sent = connections.agency.writes().await.len() - before;
        assert_eq!(sent, if asked { 0 } else { many }, "{many}: {told}");
    }
}

/// Sends of a connection are counted under it, not under its location: fifty a day, and another connection has its own
/// count.
#[tokio::test]
async fn everyday_work_sends_fifty_a_day() {
    let mut connections =
        Connections::start(1, "[server]\ncaps = { send = { hour = 1000 } }\n").await;
    let key = connections.agency.key("all", None, None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let terms = Terms {
        rules: "everyday",
        ..Terms::of_person(&ada)
    };
    let one = connections.connect(terms.clone()).await;
    let other = connections.connect(terms).await;
    let send = json!({"type": "SMS", "contactId": contact, "message": "Hello."});
    for number in 0..50 {
        let told = connections.call(&one, SEND, send.clone()).await;
        assert!(told.is_ok(), "{number}: {told:?}");
    }
    let told = connections.call(&one, SEND, send.clone()).await;
    let told = told.expect_err("fifty-first").to_string();
    assert!(
        told.contains("for this connection in any day are used up"),
        "{told}"
    );
    assert!(
        told.contains(&format!("{URL}/console/connections")),
        "{told}"
    );
    let told = connections.call(&other, SEND, send).await;
    assert!(told.is_ok(), "{told:?}");
}

/// Rules on a person or an invitation hold for all their connections, whatever they choose.
#[tokio::test]
async fn a_persons_own_rules_hold_for_every_connection_of_theirs() {
    let connections = Connections::start(
        2,
        "[policies.reader]\nread_only = true\n[policies.no-tags]\ndeny = [\"contacts_add-tags\"]\n",
    )
    .await;
    let reader = connections
        .invited("Ada", &["b01"], |invitation| {
            invitation.policy = Some("reader".to_owned());
        })
        .await;
    let connection = connections.connect(Terms::of_person(&reader)).await;
    let tag = json!({"contactId": "c1", "tags": ["vip"]});
    for (tool, arguments, expected) in [
        (READ, json!({}), Ok(())),
        (TAG, tag.clone(), Err("[policies.reader] read_only")),
    ] {
        check_rules(&connections, &connection, (tool, &arguments), expected).await;
    }
    let key = Keys::new(&connections.agency.server.store());
    let locations = state::keys::KeyLocations::Only(vec!["b02".to_owned()]);
    let made = key.create("partner", locations, Some("no-tags"), None);
    let (record, _) = made.await.expect("a key");
    let of_key = connections
        .connect(Terms {
            holder: GrantHolder::Key(record.id),
            ..Terms::of_person(&reader)
        })
        .await;
    for (tool, arguments, expected) in [
        (READ, json!({}), Ok(())),
        (READ, json!({"location": "b01"}), Err("not to b01")),
        (TAG, tag, Err("[policies.no-tags] deny")),
    ] {
        check_rules(&connections, &of_key, (tool, &arguments), expected).await;
    }
}

/// A client that asked for read-only access may ask for more. A client that was given read-only access is told so by
/// the tool.
#[tokio::test]
async fn a_read_only_client_learns_that_it_can_ask_for_more() {
    let connections = Connections::start(1, "").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let tag = json!({"contactId": "c1", "tags": ["vip"]});
    for (scope, rules, status) in [
        (GrantScope::Read, "everything", 403),
        (GrantScope::Read, "read-only", 403),
        (GrantScope::Write, "read-only", 200),
    ] {
        let connection = connections
            .connect(Terms {
                scope,
                rules,
                ..Terms::of_person(&ada)
            })
            .await;
        let headers = [("authorization", connection.bearer.as_str())];
        let answer = connections.post("/mcp", &headers, TAG, &tag).await;
        assert_eq!(answer.status().as_u16(), status, "{rules}");
        let challenge = answer.headers().get("www-authenticate").cloned();
        let challenge = challenge.map(|value| value.to_str().expect("text").to_owned());
        let asks = challenge.is_some_and(|value| value.contains("error=\"insufficient_scope\""));
        assert_eq!(asks, status == 403, "{rules}");
        assert!(connections.call(&connection, READ, json!({})).await.is_ok());
    }
    assert!(connections.agency.writes().await.is_empty());
}
