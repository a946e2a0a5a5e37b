//! Two people connect one and the same client, in one location: an answer that is kept for one of them is not the other's.

use serde_json::{Value, json};

use super::connections::{Connection, Connections, Terms};

const PATH: &str = "/mcp/orchestrator";

/// What came of a call at the orchestrator, and how many requests left for it.
async fn call(
    connections: &Connections,
    connection: &Connection,
    tool: &str,
    arguments: &Value,
) -> (Result<Value, Value>, usize) {
    let before = connections.requests().await;
    let headers = [("authorization", connection.bearer.as_str())];
    let told = connections.call_with(PATH, &headers, tool, arguments.clone());
    let told = told.await;
    (told, connections.requests().await - before)
}

#[tokio::test]
async fn a_kept_answer_is_for_the_connection_that_made_the_call() {
    let connections = Connections::start(1, "").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections.member("Bob", &["b01"]).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let of_bob = connections.connect(Terms::of_person(&bob)).await;
    let write = json!({"operation": "contacts_upsert-contact", "idempotencyKey": "the same",
        "arguments": {"email": "a@a.example"}});
    for (name, connection) in [("Ada", &of_ada), ("Bob", &of_bob)] {
        let (told, requests) = call(&connections, connection, "call_write", &write).await;
        let told = told.expect("written");
        assert!(requests > 0, "{name} got an answer that was kept: {told}");
        assert!(told.get("_repeated").is_none(), "{name}: {told}");
        let (again, requests) = call(&connections, connection, "call_write", &write).await;
        assert_eq!(requests, 0, "{name} again: {again:?}");
    }
    // A preview is confirmed by the connection that was shown it.
    let found = connections
        .call(&of_ada, "contacts_get-contacts", json!({"limit": 1}))
        .await
        .expect("contacts");
    let id = found["contacts"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no contact in {found}"));
    let delete = |confirm: Option<&Value>| json!({"operation": "contacts_delete-contact", "arguments": {"contactId": id}, "confirm": confirm});
    let (asked, _) = call(&connections, &of_ada, "call_destructive", &delete(None)).await;
    let asked = asked.expect("a preview");
    let confirmed = delete(Some(&asked["confirm"]));
    let (told, requests) = call(&connections, &of_bob, "call_destructive", &confirmed).await;
    let told = told.expect_err("Ada's confirm");
    assert_eq!(requests, 0, "{told}");
    let (done, requests) = call(&connections, &of_ada, "call_destructive", &confirmed).await;
    assert!(done.is_ok() && requests > 0, "{done:?}");
    // What came of it is told again, and to nobody else.
    let (told, requests) = call(&connections, &of_bob, "call_destructive", &confirmed).await;
    assert_eq!((told.is_err(), requests), (true, 0), "{told:?}");
    let (again, requests) = call(&connections, &of_ada, "call_destructive", &confirmed).await;
    assert_eq!((again.is_ok(), requests), (true, 0), "{again:?}");
}
