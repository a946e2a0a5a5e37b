//! The clients that may answer a question, and the value of a session.

use serde_json::{Value, json};

use super::{Asked, ELICIT, Events, HttpClient, text};

#[tokio::test]
async fn only_the_asked_client_answers_and_only_once() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let mut other = asked.client();
    other.token = "Bearer pit-other";
    let other = other.greeted().await;
    let (events, id) = Events::question(client.tag().await).await;
    let (others, other_id) = Events::question(other.tag().await).await;
    assert_ne!(id, other_id);
    let made_up = json!("0123456789abcdef0123456789abcdef");
    for (who, id) in [
        (&other, &id),
        (&client, &made_up),
        (&client, &json!(1)),
        (&client, &other_id),
    ] {
        assert_eq!(who.answer(id, "accept").await, 202);
    }
    assert_eq!(asked.writes(), 0);
    client.answer(&id, "decline").await;
    client.answer(&id, "accept").await;
    assert!(events.result().await.0.contains("said no"));
    // Too late: no call waits for it.
    assert_eq!(client.answer(&id, "accept").await, 202);
    assert_eq!(asked.writes(), 0);
    // The other client's question is unchanged.
    other.answer(&other_id, "accept").await;
    assert!(!others.result().await.1);
    assert_eq!(asked.writes(), 1);
}

/// An answer needs no session: the credential identifies the client that was asked.
#[tokio::test]
async fn another_process_on_the_store_takes_the_answer() {
    let asked = Asked::start(ELICIT).await;
    let beside = asked.process_beside().await;
    let client = asked.client().greeted().await;
    let mut there = HttpClient::new(&beside.url);
    there.session = client.session.clone();
    for (action, writes) in [("decline", 0), ("accept", 1)] {
        let (events, id) = Events::question(client.tag().await).await;
        assert_eq!(there.answer(&id, action).await, 202);
        events.result().await;
        assert_eq!(asked.writes(), writes, "{action}");
    }
    // Its session is known there too.
    let (events, id) = Events::question(there.tag().await).await;
    client.answer(&id, "decline").await;
    assert!(events.result().await.0.contains("said no"));
}

#[tokio::test]
async fn a_session_that_is_not_ones_own_is_none() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let mut other = asked.client();
    other.token = "Bearer pit-other";
    let other = other.greeted().await;
    let long = "x".repeat(8_000);
    let stale = "1.AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    for session in [
        other.session.clone(),
        Some(long),
        Some(stale),
        Some("?".to_owned()),
        None,
    ] {
        let mut client = client.clone();
        client.session = session;
        let answer = client.tag().await;
        assert_eq!(answer.status().as_u16(), 200, "{:?}", client.session);
        let answer: Value = answer.json().await.expect("JSON");
        assert!(
            text(&answer).0.contains("this client cannot ask"),
            "{answer}"
        );
        // Everything else works as without a session.
        let read = client.call("contacts_get-contact", json!({"contactId": "c1"}));
        assert!(!text(&read.await.json().await.expect("JSON")).1);
    }
    assert_eq!(asked.writes(), 0);
}

/// Sessions are for clients whose users can be asked. Those clients stay stateless all the same.
#[tokio::test]
async fn only_clients_that_can_ask_get_a_session() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client();
    let rows = [
        ("2025-11-25", json!({"elicitation": {"form": {}}}), true),
        ("2025-06-18", json!({"elicitation": {}}), true),
        ("2025-11-25", json!({"elicitation": {"url": {}}}), false),
        ("2025-11-25", json!({"roots": {}}), false),
        ("2026-07-28", json!({"elicitation": {}}), false),
    ];
    for (version, capabilities, expected) in rows {
        let params = json!({"protocolVersion": version, "capabilities": capabilities,
            "clientInfo": {"name": "t", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let mut client = client.clone();
        client.version = version.to_owned();
        let answer = client.post(&hello).await;
        let session = answer.headers().get("mcp-session-id");
        assert_eq!(session.is_some(), expected, "{version} {capabilities}");
        assert!(session.is_none_or(|session| session.len() <= 64));
    }
    let client = client.greeted().await;
    let session = client.session.clone().expect("a session");
    // There is nothing to open and nothing to end.
    for request in [
        client.http.get(&client.url),
        client.http.delete(&client.url),
    ] {
        let request = request.header("authorization", client.token);
        let request = request.header("mcp-session-id", &session);
        let status = request.send().await.expect("an answer").status();
        assert_eq!(status.as_u16(), 405);
    }
    let answer = json!({"jsonrpc": "2.0", "id": "a", "result": {}});
    let without = client.http.post(&client.url).json(&answer);
    let without = without.send().await.expect("an answer");
    assert_eq!(
        without.status().as_u16(),
        401,
        "an answer needs a credential"
    );
}
