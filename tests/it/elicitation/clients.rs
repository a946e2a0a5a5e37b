//! Recorded clients: what each sends from its handshake to its user's answer.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Asked, ELICIT, Events, HttpClient, text};
use test_support::server::KEY;

/// The messages of one client. The answers get the id of the question.
#[derive(Deserialize)]
struct RecordedClient {
    client: String,
    headers: Map<String, Value>,
    initialize: Value,
    version: String,
    before: Vec<Value>,
    call: Value,
    accept: Value,
    decline: Value,
    cancel: Value,
}

fn recorded() -> Vec<RecordedClient> {
    serde_json::from_str(include_str!("clients.json")).expect("clients")
}

impl RecordedClient {
    /// From the handshake to the result: whether the user was asked in a form that every client can show.
    async fn check(&self, asked: &Asked, answer: &Value, done: bool, told: &str) {
        let name = &self.client;
        let mut client = HttpClient::new(&asked.server.url);
        client.version = self.version.clone();
        let post = |client: &HttpClient, frame: &Value| {
            let mut request = client
                .http
                .post(&client.url)
                .header("authorization", client.token)
                .header("locationid", "L0")
                .header("x-access-key", KEY)
                .header("content-type", "application/json");
            for (name, value) in &self.headers {
                request = request.header(name, value.as_str().expect("a text"));
            }
            if let Some(session) = &client.session {
                request = request
                    .header("mcp-session-id", session)
                    .header("mcp-protocol-version", &client.version);
            }
            request.body(frame.to_string()).send()
        };
        let hello = post(&client, &self.initialize).await.expect("an answer");
        client.take_session(&hello);
        let hello: Value = hello.json().await.expect("JSON");
        assert_eq!(
            hello["result"]["protocolVersion"],
            self.version.as_str(),
            "{name}"
        );
        for frame in &self.before {
            let status = post(&client, frame).await.expect("an answer").status();
            assert!(status.is_success(), "{name}: {frame}");
        }
        // A client opens a stream of its own, and goes on if there is none.
        let listens = client.http.get(&client.url);
        let listens = listens.header("authorization", client.token).send().await;
        assert_eq!(listens.expect("an answer").status().as_u16(), 405);
        let called = post(&client, &self.call).await.expect("an answer");
        assert_eq!(called.status().as_u16(), 200, "{name}");
        let mut events = Events::new(called);
        let question = events.next().await.expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{name}");
        let params = &question["params"];
        assert_eq!(
            params["requestedSchema"],
            json!({"type": "object", "properties": {}})
        );
        let message = params["message"].as_str().expect("a message");
        assert!(message.starts_with("contacts_add-tags: "), "{message}");
        let id = question["id"].as_str().expect("a text");
        assert!(
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(asked.writes(), 0, "{name}: before the answer");
        let mut answer = answer.clone();
        answer["id"] = question["id"].clone();
        let taken = post(&client, &answer).await.expect("an answer");
        assert_eq!(taken.status().as_u16(), 202, "{name}");
        assert_eq!(taken.text().await.expect("a body"), "", "{name}");
        let last = events.next().await.expect("a result");
        assert_eq!(last["id"], self.call["id"], "{name}");
        let (found, is_error) = text(&last);
        assert!(found.contains(told) && is_error != done, "{name}: {found}");
        assert_eq!(events.next().await, None, "{name}");
        assert_eq!(asked.writes(), usize::from(done), "{name}");
    }
}

#[tokio::test]
async fn recorded_clients_ask_their_users() {
    let declined = "the user said no to contacts_add-tags";
    for client in recorded() {
        let rows = [
            (&client.accept, true, "vip"),
            (&client.decline, false, declined),
            (&client.cancel, false, "Nothing was sent: the "),
        ];
        for (answer, done, told) in rows {
            let asked = Asked::start(ELICIT).await;
            client.check(&asked, answer, done, told).await;
        }
    }
}

/// The result of an answer, in words.
#[tokio::test]
async fn an_answer_other_than_yes_sends_nothing_and_gives_the_reason() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let rows = [
        ("decline", "the user said no to contacts_add-tags."),
        ("cancel", "the user closed the question without an answer."),
        ("maybe", "the client could not ask its user."),
        ("", "the client could not ask its user."),
    ];
    for (word, told) in rows {
        let (events, id) = Events::question(client.tag().await).await;
        assert_eq!(client.answer(&id, word).await, 202);
        let (found, is_error) = events.result().await;
        assert!(is_error && found.contains(told), "{word}: {found}");
    }
    assert_eq!(asked.writes(), 0);
}

/// A batch is one question. It then reports its progress on the same stream if the client asked for that. Its long
/// answer is written whole in both cases.
#[tokio::test]
async fn a_batch_is_asked_about_once_and_tells_of_its_progress() {
    const ITEMS: usize = 24;
    for meta in [json!({"progressToken": "p"}), json!({})] {
        let asked = Asked::start(ELICIT).await;
        let client = asked.client().greeted().await;
        let items: Vec<Value> = (0..ITEMS)
            .map(|n| json!({"contactId": format!("c{n}")}))
            .collect();
        let arguments = json!({"operation": "contacts_add-tags", "arguments": {"tags": ["vip"]}, "items": items});
        let params = json!({"name": "call_write", "arguments": arguments, "_meta": meta});
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        let (mut events, id) = Events::question(client.post(&call).await).await;
        client.answer(&id, "accept").await;
        let mut progress = 0;
        let last = loop {
            let frame = events.next().await.expect("a frame");
            match frame["method"].as_str() {
                Some(method) => {
                    assert_eq!(method, "notifications/progress");
                    progress += 1;
                }
                None => break frame,
            }
        };
        assert_eq!(progress > 0, meta.get("progressToken").is_some());
        let (found, is_error) = text(&last);
        assert!(!is_error && found.len() > 1024, "{found}");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        assert_eq!(found["done"], ITEMS, "{found}");
        assert_eq!(asked.writes(), ITEMS);
    }
}

/// The rows of a read are one question, and exactly those are written once it is answered.
#[tokio::test]
async fn rows_of_a_read_are_asked_about_once() {
    let asked = Asked::start(ELICIT).await;
    let client = asked.client().greeted().await;
    let call = json!({
        "operation": "contacts_add-tags", "arguments": {"tags": ["vip"]},
        "each": {"operation": "contacts_search-contacts-advanced"},
    });
    for (action, written) in [("decline", 0), ("accept", 2)] {
        let (events, id) = Events::question(client.call("call_write", call.clone()).await).await;
        assert_eq!(client.answer(&id, action).await, 202);
        let (found, is_error) = events.result().await;
        assert_eq!(is_error, written == 0, "{found}");
        let sent = asked.highlevel.take();
        let tagged = sent.iter().filter(|one| one.target.ends_with("/tags"));
        assert_eq!(tagged.count(), written, "{action}: {found}");
    }
}

/// A client that cannot be asked gets what the rules name for it.
#[tokio::test]
async fn a_client_that_cannot_ask_gets_what_the_rules_name_instead() {
    let rows = [
        ("elicit", "this client cannot ask", None),
        (
            "elicit or token",
            "runs only once it is confirmed",
            Some(""),
        ),
        (
            "elicit or human",
            "runs only once it is confirmed",
            Some("apr_"),
        ),
    ];
    for (mode, told, confirm) in rows {
        let rules = format!("[server]\nconfirm = {{ write = {mode:?} }}\n");
        let asked = Asked::start(&rules).await;
        let answer: Value = asked.client().tag().await.json().await.expect("JSON");
        let (found, is_error) = text(&answer);
        // A preview is not an error.
        assert_eq!(is_error, mode == "elicit", "{mode}: {found}");
        assert!(found.contains(told), "{mode}: {found}");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let given = found["confirm"].as_str();
        assert_eq!(given.is_some(), confirm.is_some(), "{found}");
        assert!(
            given
                .unwrap_or_default()
                .starts_with(confirm.unwrap_or_default())
        );
        if mode == "elicit or token" {
            let arguments = json!({"contactId": "c1", "tags": ["vip"], "confirm": given});
            let done = asked.client().call("contacts_add-tags", arguments).await;
            assert!(!text(&done.json().await.expect("JSON")).1);
            assert_eq!(asked.writes(), 1);
        }
        // A client that can be asked is asked, and nothing else.
        let client = asked.client().greeted().await;
        let (events, id) = Events::question(client.tag().await).await;
        client.answer(&id, "decline").await;
        assert!(events.result().await.0.contains("said no"), "{mode}");
    }
}
