//! Calls that a person approves at a page: how each kind of client leads its user there, and the result.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use state::approvals::Approvals;
use state::vault::CredentialStatus;

use super::connections::{Connection, Connections, Terms};
use super::{HOST, URL};
use crate::agency::contact;

/// Lists every operation on contacts.
const CONTACTS: &str = "/mcp/x/contacts";

const DELETE: &str = "contacts_delete-contact";
const READ: &str = "contacts_get-contacts";

/// A connection that asks first, and a contact that it would delete.
async fn asking() -> (Connections, Connection, String) {
    let wait = [("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "20000")];
    let mut connections = Connections::start_with(1, "", &wait).await;
    let key = connections.agency.key("all", None, None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let terms = Terms {
        rules: "ask-first",
        ..Terms::of_person(&ada)
    };
    let connection = connections.connect(terms).await;
    (connections, connection, contact)
}

/// Approves or denies, as the page does.
async fn decide(connections: &Connections, page: &str, approve: bool) {
    let handle = page.strip_prefix(&format!("{URL}/console/approvals/"));
    let approvals = Approvals::new(&connections.agency.server.store());
    let decided = approvals.decide(handle.expect("a page"), approve, "Ada", None);
    decided.await.expect("decided");
}

async fn deletions(connections: &Connections) -> usize {
    let writes = connections.agency.writes().await;
    writes
        .iter()
        .filter(|one| one["method"] == "DELETE")
        .count()
}

/// A request of a client of MCP 2026-07-28 with these capabilities.
async fn modern(
    connections: &Connections,
    connection: &Connection,
    (abilities, arguments): (&Value, &Value),
    rest: Value,
) -> Value {
    let mut params = json!({
        "name": DELETE,
        "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": abilities},
        },
    });
    for (name, value) in rest.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = connections
        .agency
        .server
        .post(CONTACTS)
        .header("host", HOST)
        .header("authorization", &connection.bearer)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", DELETE);
    let reply = request.json(&frame).send().await.expect("a reply");
    let reply: Value = reply.json().await.expect("JSON");
    reply["result"].clone()
}

#[tokio::test]
async fn a_client_that_opens_pages_is_given_one_and_comes_back_for_the_outcome() {
    let both = json!({"form": {}, "url": {}});
    for (abilities, approve) in [
        (json!({"url": {}}), true),
        (both.clone(), true),
        (both, false),
    ] {
        let (connections, connection, contact) = asking().await;
        let call = (&abilities, &json!({"contactId": contact}));
        let asked = modern(&connections, &connection, call, json!({})).await;
        let question = &asked["inputRequests"]["approve"]["params"];
        assert_eq!(question["mode"], "url", "{asked}");
        let page = question["url"].as_str().expect("a page").to_owned();
        let text = question["message"].as_str().unwrap_or_default();
        assert!(text.contains(DELETE), "{asked}");
        assert_eq!(deletions(&connections).await, 0);
        let accepted = json!({
            "inputResponses": {"approve": {"action": "accept"}},
            "requestState": asked["requestState"],
        });
        let again = modern(&connections, &connection, call, accepted.clone());
        let decided = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            decide(&connections, &page, approve).await;
        };
        let (mut told, ()) = tokio::join!(again, decided);
        // The person's page may be answered before the call is done.
        let since = Instant::now();
        while told.to_string().contains("under way") && since.elapsed() < Duration::from_secs(5) {
            told = modern(&connections, &connection, call, accepted.clone()).await;
        }
        assert_eq!(told["isError"] == true, !approve, "{told}");
        assert_eq!(deletions(&connections).await, usize::from(approve));
        // A client that comes back again gets the same answer, and nothing happens twice.
        let told = modern(&connections, &connection, call, accepted).await;
        assert_eq!(told["isError"] == true, !approve, "{told}");
        assert_eq!(deletions(&connections).await, usize::from(approve));
    }
}

/// A state that a client made up, or that belongs to another client, has no effect.
#[tokio::test]
async fn invented_handles_approve_nothing() {
    let (connections, connection, contact) = asking().await;
    let abilities = json!({"url": {}});
    let call = (&abilities, &json!({"contactId": contact}));
    let asked = modern(&connections, &connection, call, json!({})).await;
    let state = asked["requestState"].as_str().expect("a state").to_owned();
    let made_up = format!("{}x", &state[..state.len() - 1]);
    for (state, action) in [
        (made_up.as_str(), "accept"),
        ("", "accept"),
        (state.as_str(), "decline"),
    ] {
        let answer = json!({
            "inputResponses": {"approve": {"action": action}},
            "requestState": state,
        });
        let told = modern(&connections, &connection, call, answer).await;
        let text = told["content"][0]["text"].as_str().unwrap_or_default();
        assert!(
            text.contains("Nothing was sent") || text.contains("There is no such approval"),
            "{state}: {told}"
        );
        assert_eq!(deletions(&connections).await, 0, "{state}");
    }
}

/// The frames of a streamed answer, up to the first for which `is_such` holds.
async fn frame(
    answer: &mut Response,
    read: &mut String,
    is_such: impl Fn(&Value) -> bool,
) -> Value {
    loop {
        while let Some((event, rest)) = read.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let found = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
            *read = rest.to_owned();
            if let Some(found) = found.filter(&is_such) {
                return found;
            }
        }
        let chunk = answer.chunk().await.expect("a stream").expect("no end");
        *read += std::str::from_utf8(&chunk).expect("UTF-8");
    }
}

#[tokio::test]
async fn an_older_client_is_sent_the_page_while_its_call_waits() {
    let (connections, connection, contact) = asking().await;
    let post = |session: Option<String>, frame: Value| {
        let mut request = connections
            .agency
            .server
            .post(CONTACTS)
            .header("host", HOST)
            .header("authorization", &connection.bearer)
            .header("mcp-protocol-version", "2025-11-25");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        async move { request.json(&frame).send().await.expect("an answer") }
    };
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {"url": {}}},
        "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello});
    let hello = post(None, hello).await;
    let session = hello.headers()["mcp-session-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": DELETE, "arguments": {"contactId": contact}}});
    let mut answer = post(Some(session.clone()), call).await;
    let mut read = String::new();
    let question = frame(&mut answer, &mut read, |one| {
        one["method"] == "elicitation/create"
    })
    .await;
    let params = &question["params"];
    assert_eq!(params["mode"], "url", "{question}");
    assert_eq!(params["elicitationId"], question["id"]);
    let page = params["url"].as_str().expect("a page").to_owned();
    let opened = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}});
    assert_eq!(post(Some(session), opened).await.status().as_u16(), 202);
    decide(&connections, &page, true).await;
    let told = frame(&mut answer, &mut read, |one| one["id"] == 7).await;
    assert_ne!(told["result"]["isError"], true, "{told}");
    assert_eq!(deletions(&connections).await, 1);
}

/// Callers with an access key or the settings' key are also given the page, if there is one.
#[tokio::test]
async fn other_callers_get_the_page_in_the_result() {
    let rules = "[server]\nconfirm = { destructive = \"human\" }\n";
    let mut connections = Connections::start(1, rules).await;
    let key = connections.agency.key("all", None, None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let grant = connections.connect(Terms::of_person(&ada)).await.bearer;
    for (bearer, holder_decides) in [(key, false), (grant, false)] {
        let headers = [("authorization", bearer.as_str())];
        let arguments = json!({"contactId": contact});
        let told = connections
            .call_with(CONTACTS, &headers, DELETE, arguments)
            .await;
        let told = told.expect("asked");
        let (page, confirm) = (
            &told["approveAt"],
            told["confirm"].as_str().expect("a handle"),
        );
        assert_eq!(page, &json!(format!("{URL}/console/approvals/{confirm}")));
        let approvals = Approvals::new(&connections.agency.server.store());
        let approval = approvals.get(confirm).await.expect("read").expect("there");
        // The operator's rules ask for a person, and the holder of the grant does not count as that person.
        assert_eq!(approval.holder_decides, holder_decides);
    }
}

/// HighLevel's 401 is not a reason to sign in again: the person pastes another token, and the connection goes on.
#[tokio::test]
async fn a_connected_token_that_highlevel_refuses_is_named_with_its_page() {
    let connections = Connections::start(1, "").await;
    let ada = connections.member("Ada", &[]).await;
    let location = connections.paste(&ada, 1).await;
    let vault = connections.controls().vault.clone();
    let status = async || {
        let all = vault.list().await.expect("locations");
        let found = all.iter().find(|one| one.id == location.id);
        found.expect("there").status
    };
    let connection = connections.connect(Terms::of_person(&ada)).await;
    assert!(connections.call(&connection, READ, json!({})).await.is_ok());
    // Deleted at HighLevel.
    let deleted = state::vault::NewToken {
        owner: Some(ada.id.clone()),
        location: location.location.clone(),
        name: location.name.clone(),
        zone: None,
        company: None,
        token: "pit-deleted-at-highlevel".into(),
    };
    vault.put_token(deleted).await.expect("put");
    let page = format!("{URL}/console/locations/{}", location.id);
    let mut refusals = 0;
    for _ in 0..50 {
        let answer = connections
            .post(
                "/mcp",
                &[("authorization", &connection.bearer)],
                READ,
                &json!({}),
            )
            .await;
        assert_eq!(answer.status().as_u16(), 200);
        let reply: Value = answer.json().await.expect("JSON");
        let text = reply["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_default();
        if reply["result"]["isError"] == true && text.contains(&page) {
            refusals += 1;
        }
        if refusals == 1 {
            assert_eq!(status().await, CredentialStatus::Good);
        }
        if refusals == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(refusals, 2);
    for _ in 0..50 {
        if status().await == CredentialStatus::Refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status().await, CredentialStatus::Refused);
    let other = connections.paste(&ada, 1).await;
    assert_eq!(other.id, location.id);
    let mut is_back = false;
    for _ in 0..50 {
        is_back = connections.call(&connection, READ, json!({})).await.is_ok();
        if is_back {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_back);
    assert_eq!(status().await, CredentialStatus::Good);
}
