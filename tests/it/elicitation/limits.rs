//! The resources of a call that waits for its person, and the events that end the wait.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Asked, ELICIT, Events, HttpClient, text};

const READ: &str = "contacts_get-contact";

async fn reads(client: &HttpClient) -> bool {
    let answer = client.call(READ, json!({"contactId": "c1"})).await;
    answer.status().is_success()
}

#[tokio::test]
async fn a_call_that_waits_holds_no_place() {
    let one = [("HIGHLEVEL_MCP_SERVER_MAX_CALLS_PER_CALLER", "1")];
    let asked = Asked::start_with(ELICIT, &one).await;
    let client = asked.client().greeted().await;
    let (first, first_id) = Events::question(client.tag().await).await;
    let (second, second_id) = Events::question(client.tag().await).await;
    assert!(reads(&client).await);
    client.answer(&first_id, "accept").await;
    client.answer(&second_id, "accept").await;
    for events in [first, second] {
        assert!(!events.result().await.1);
    }
    assert!(reads(&client).await);
    assert_eq!(asked.writes(), 2);
}

#[tokio::test]
async fn a_caller_has_a_few_questions_and_one_that_left_makes_room() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Events::question(client.tag().await).await);
    }
    let refused: Value = client.tag().await.json().await.expect("JSON");
    let (told, _) = text(&refused);
    assert!(told.contains("too many questions wait"), "{told}");
    let mut other = asked.client();
    other.token = "Bearer pit-other";
    let other = other.greeted().await;
    drop(Events::question(other.tag().await).await);
    let (left, id) = open.pop().expect("a question");
    drop(left);
    // The server notices it at its next look at the connection.
    let mut again = client.tag().await;
    for _ in 0..100 {
        if again.headers()["content-type"] == "text/event-stream" {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        again = client.tag().await;
    }
    let (events, next) = Events::question(again).await;
    client.answer(&id, "accept").await;
    client.answer(&next, "decline").await;
    assert!(events.result().await.0.contains("said no"));
    assert_eq!(asked.writes(), 0, "its client has left");
}

/// A connection may be silent for less time than a person needs to think.
#[tokio::test]
async fn signs_of_life_keep_the_connection() {
    let idle = [("HIGHLEVEL_MCP_SERVER_IDLE_TIMEOUT_MS", "1000")];
    let asked = Asked::start_with(ELICIT, &idle).await;
    let client = asked.client().greeted().await;
    let (mut events, id) = Events::question(client.tag().await).await;
    let waits = sleep(Duration::from_millis(3500));
    tokio::pin!(waits);
    let answered = tokio::select! {
        frame = events.next() => panic!("{frame:?}"),
        () = &mut waits => client.answer(&id, "accept").await,
    };
    assert_eq!(answered, 202);
    let last = events.next().await.expect("a result");
    assert!(!text(&last).1, "{last}");
    assert!(events.signs >= 3, "{}", events.signs);
    assert_eq!(asked.writes(), 1);
}

#[tokio::test]
async fn a_server_that_stops_ends_the_wait_in_words() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let (mut events, id) = Events::question(client.tag().await).await;
    let Asked {
        highlevel, server, ..
    } = asked;
    let told = async {
        let end = events.next().await.expect("an end of the question");
        assert_eq!(end["method"], "notifications/cancelled", "{end}");
        assert_eq!(end["params"]["requestId"], id);
        events.result().await
    };
    let ((told, is_error), ()) = tokio::join!(told, server.stop());
    assert!(
        is_error && told.contains("the server stopped before"),
        "{told}"
    );
    assert_eq!(highlevel.writes(), 0);
}

/// Clients wait for a minute if nothing tells them to wait longer.
#[tokio::test]
async fn a_call_that_its_client_gave_up_is_not_made_by_a_late_yes() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let mut other = asked.client();
    other.token = "Bearer pit-other";
    let other = other.greeted().await;
    let give_up = |call: Value| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call}});
    let (events, id) = Events::question(client.tag().await).await;
    // Another client's call of the same id, and another call, end nothing.
    for (who, call) in [(&other, json!(7)), (&client, json!("7"))] {
        assert_eq!(who.post(&give_up(call)).await.status().as_u16(), 202);
    }
    client.answer(&id, "accept").await;
    assert!(!events.result().await.1);
    let (mut events, id) = Events::question(client.tag().await).await;
    client.post(&give_up(json!(7))).await;
    let end = events.next().await.expect("an end of the question");
    assert_eq!(end["params"]["requestId"], id, "{end}");
    client.answer(&id, "accept").await;
    let (told, is_error) = events.result().await;
    assert!(is_error && told.contains("cancelled the call"), "{told}");
    assert_eq!(asked.writes(), 1);
}

/// An approved call is checked again at the time it is sent.
#[tokio::test]
async fn a_pause_in_the_meantime_holds() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let (events, id) = Events::question(client.tag().await).await;
    let pauses = asked.server.pipeline.controls().pauses.clone();
    pauses
        .pause(None, Some("wrong tags"))
        .await
        .expect("paused");
    client.answer(&id, "accept").await;
    let (told, is_error) = events.result().await;
    assert!(is_error && told.contains("wrong tags"), "{told}");
    assert_eq!(asked.writes(), 0);
}
