//! The pages of waiting requests: their content, their updates, and the effect of each button.

use reqwest::Method;
use serde_json::json;
use state::approvals::{ApprovalState, Approvals};
use state::events::Events;
use state::links::{Invitation, Offer};
use state::people::PersonRole;

use super::browser::{AFTER_JOINING, Browser, SIGN_IN};
use super::connections::{Connections, Terms};
use super::{ask, link, sign_in_as_operator};
use crate::agency::{Agency, contact};
use test_support::server::TestServer;

const OPERATOR: &str = "Bearer operator-of-this-agency-1";
const RULES: &str = "[server]\nconfirm = { destructive = \"human\", write = \"human\" }\n";
const CONTACTS: &str = "/mcp/l/b01/x/contacts";

async fn decider(server: &TestServer, name: &str, location: &str) -> Browser {
    let browser = Browser::new(server);
    let offer = Offer::Invite(Invitation {
        name: name.to_owned(),
        role: PersonRole::Member,
        all_locations: false,
        locations: vec![location.to_owned()],
        policy: None,
        may_vault: false,
        may_approve: true,
    });
    let link = link(server, offer).await;
    let joined = browser.post("/console/join", &[("link", &link)]).await;
    assert_eq!(joined.location(), AFTER_JOINING);
    browser
}

/// Requests the deletion of the contact with this number under this credential. Returns the handle and the contact's
/// id.
pub(super) async fn ask_to_delete(
    agency: &mut Agency,
    caller: &str,
    number: usize,
) -> (String, String) {
    let arguments = json!({"limit": 20, "output": {"format": "json", "fields": ["id"]}});
    let found = agency
        .call(CONTACTS, OPERATOR, "contacts_get-contacts", arguments)
        .await
        .expect("contacts");
    let id = found["contacts"][number]["id"].as_str();
    let id = id.unwrap_or_else(|| panic!("{found}")).to_owned();
    let asked = agency
        .call(
            CONTACTS,
            caller,
            "contacts_delete-contact",
            json!({"contactId": id}),
        )
        .await
        .expect("a question");
    (asked["confirm"].as_str().expect("a handle").to_owned(), id)
}

async fn state(server: &TestServer, handle: &str) -> ApprovalState {
    let state = Approvals::new(&server.store()).state(handle).await;
    state.expect("the store").expect("an approval")
}

#[tokio::test]
async fn the_page_of_a_request_shows_names_and_labels() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let (handle, id) = ask_to_delete(&mut agency, OPERATOR, 0).await;
    let browser = decider(&agency.server, "Ada", "b01").await;
    let page = browser.get(&format!("/console/approvals/{handle}")).await;
    for part in [
        "<h1>Delete contact</h1>",
        "Branch 01 (b01)",
        "<dt>Contact</dt>",
        "Deletes or ends something. ",
        "with its notes and tasks",
        "Approve: do it now",
        "<span class=\"soft\"> Contact</span>",
        &format!("<code>{id}</code>"),
        &format!("DELETE /contacts/{id}"),
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    // A person who may not end the requesting connection is not offered to.
    assert!(!page.text.contains("value=\"end\""), "{}", page.text);
    let list = browser.get("/console/approvals").await;
    // Several requests of one operation are told apart.
    let about = page.text.split("cards about").nth(1).expect("records");
    let name = about.split("<strong>").nth(1).expect("a record");
    let name = name.split('<').next().expect("a name");
    for part in [
        "one action in Branch 01 (b01)",
        &format!(">Delete contact: {name}<"),
    ] {
        assert!(list.text.contains(part), "{part} is not in {}", list.text);
    }
}

#[tokio::test]
async fn a_long_batch_is_shown_part_by_part() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let items: Vec<_> = (0..60)
        .map(|number| json!({"firstName": format!("Person {number:02}")}))
        .collect();
    let arguments = json!({"operation": "contacts_create-contact", "items": items});
    let asked = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", arguments)
        .await
        .expect("a question");
    let handle = asked["confirm"]
        .as_str()
        .unwrap_or_else(|| panic!("{asked}"))
        .to_owned();
    let browser = decider(&agency.server, "Ada", "b01").await;
    let path = format!("/console/approvals/{handle}");
    let page = browser.get(&path).await;
    assert!(
        page.text.contains("60 actions") && page.text.contains("and 50 more"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("Person 09") && !page.text.contains("Person 10"),
        "{}",
        page.text
    );
    assert!(page.text.len() < 40 << 10, "{} bytes", page.text.len());
    let mut from = 0;
    let mut seen = 0;
    loop {
        let part = browser.get(&format!("{path}/requests?from={from}")).await;
        assert!(part.text.len() < 40 << 10, "{} bytes", part.text.len());
        seen += part.text.matches("Person ").count();
        let next = part.link(&format!("{path}/requests?from={}", from + 25));
        match next {
            Some(_) => from += 25,
            None => break,
        }
    }
    assert_eq!((seen, from), (60, 50));
    // A number beyond all is a page without calls.
    for from in ["60", "18446744073709551615", "x"] {
        let part = browser.get(&format!("{path}/requests?from={from}")).await;
        assert_eq!(part.status, 200, "{from}");
    }
}

#[tokio::test]
async fn a_page_that_is_left_open_keeps_up() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let ada = decider(&agency.server, "Ada", "b01").await;
    let bob = decider(&agency.server, "Bob", "b02").await;
    let empty = ada.get("/console/approvals").await;
    let poll = |page: &super::browser::Page| {
        let poll = page
            .text
            .split("hx-get=\"/console/approvals-list?version=")
            .nth(1);
        let version = poll
            .and_then(|rest| rest.split('"').next())
            .expect("a version");
        format!("/console/approvals-list?version={version}")
    };
    let same = ada.get(&poll(&empty)).await;
    assert_eq!((same.status, same.header("hx-reswap")), (200, "none"));
    let (handle, _) = ask_to_delete(&mut agency, OPERATOR, 0).await;
    let new = ada.get(&poll(&empty)).await;
    assert_eq!(new.header("hx-reswap"), "");
    assert!(
        new.text.contains(&handle) && !new.text.contains("<html"),
        "{}",
        new.text
    );
    let path = format!("/console/approvals/{handle}");
    let page = ada.get(&path).await;
    let watch = format!("{path}/state?shown=pending");
    assert!(
        page.text.contains(&format!("hx-get=\"{watch}\"")),
        "{}",
        page.text
    );
    assert_eq!(ada.get(&watch).await.header("hx-refresh"), "");
    assert_eq!(bob.get(&watch).await.status, 404);
    let denied = ada.submit(&path, &page, &[("decision", "deny")]).await;
    assert_eq!(denied.location(), path);
    assert_eq!(ada.get(&watch).await.header("hx-refresh"), "true");
    let gone = ada.get(&poll(&new)).await;
    assert!(
        gone.text.contains("Nothing waits for your decision."),
        "{}",
        gone.text
    );
    // A final state is no longer polled.
    assert!(!ada.get(&path).await.text.contains("/state?shown"));
    // Without a sign-in the page is loaded again, and says so.
    let nobody = Browser::new(&agency.server);
    for path in [watch.as_str(), "/console/approvals-list?version=x"] {
        let answer = nobody.get(path).await;
        assert_eq!(
            (answer.status, answer.header("hx-refresh")),
            (401, "true"),
            "{path}"
        );
        assert!(!answer.text.contains(&handle));
    }
}

#[tokio::test]
async fn a_second_decision_is_told_the_first() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let (handle, _) = ask_to_delete(&mut agency, OPERATOR, 0).await;
    let ada = decider(&agency.server, "Ada", "b01").await;
    let bob = decider(&agency.server, "Bob", "b01").await;
    let path = format!("/console/approvals/{handle}");
    let (of_ada, of_bob) = (ada.get(&path).await, bob.get(&path).await);
    ada.submit(&path, &of_ada, &[("decision", "deny")]).await;
    let late = bob.submit(&path, &of_bob, &[("decision", "approve")]).await;
    assert_eq!(late.location(), format!("{path}?late"));
    let told = bob.get(late.location()).await;
    for part in [
        "Your decision had no effect",
        "Denied by Ada. Nothing was done.",
    ] {
        assert!(told.text.contains(part), "{part} is not in {}", told.text);
    }
    // The same decision again is not an error.
    let again = ada.submit(&path, &of_ada, &[("decision", "deny")]).await;
    assert_eq!(again.location(), path);
    assert!(
        !ada.get(&path)
            .await
            .text
            .contains("Your decision had no effect")
    );
}

#[tokio::test]
async fn an_operator_denies_and_revokes_the_key_that_asks() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let key = agency.key("n8n <x>", None, None);
    let (first, _) = ask_to_delete(&mut agency, &key, 0).await;
    let (second, _) = ask_to_delete(&mut agency, &key, 1).await;
    let (others, _) = ask_to_delete(&mut agency, OPERATOR, 0).await;
    let server = &agency.server;
    let ada = decider(server, "Ada", "b01").await;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let path = format!("/console/approvals/{first}");
    let end = [("decision", "end"), ("note", "No robots")];
    // A person who may decide there may not end a key.
    let page = ada.get(&path).await;
    assert!(!page.text.contains("value=\"end\""));
    assert_eq!(ada.submit(&path, &page, &end).await.status, 403);
    assert_eq!(state(server, &first).await, ApprovalState::Pending);
    let page = olga.get(&path).await;
    assert!(
        page.text.contains("Deny, and revoke the key")
            && page.text.contains("access key n8n &lt;x&gt;"),
        "{}",
        page.text
    );
    let pressed = || olga.submit(&path, &page, &end);
    let (one, two) = tokio::join!(pressed(), pressed());
    assert_eq!([one.location(), two.location()], [path.as_str(); 2]);
    for (handle, expected) in [
        (&first, ApprovalState::Denied),
        (&second, ApprovalState::Denied),
        (&others, ApprovalState::Pending),
    ] {
        assert_eq!(state(server, handle).await, expected, "{handle}");
    }
    let told = olga.get(&path).await;
    assert!(
        told.text.contains("an access key that was revoked"),
        "{}",
        told.text
    );
    let headers = [("authorization", key.as_str()), ("host", "127.0.0.1")];
    let refused = ask(server, Method::POST, CONTACTS, &headers, "{}").await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    let events = Events::new(&server.store()).list(20).await.expect("events");
    let count = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!(
        (count("key revoked"), count("approval decided")),
        (1, 2),
        "{events:?}"
    );
    assert_eq!(
        agency
            .writes()
            .await
            .iter()
            .filter(|one| one["method"] == "DELETE")
            .count(),
        0
    );
}

#[tokio::test]
async fn the_holder_of_a_connection_denies_and_ends_it() {
    let wait = [("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "0")];
    let mut connections = Connections::start_with(1, RULES, &wait).await;
    let key = connections.agency.key("all", None, None);
    let id = contact(&mut connections.agency, &key, "b01").await;
    let server = &connections.agency.server;
    let [ada, bob] = [
        decider(server, "Ada", "b01").await,
        decider(server, "Bob", "b01").await,
    ];
    let people = connections.controls().people.list().await.expect("people");
    let of_ada = people
        .iter()
        .find(|person| person.name == "Ada")
        .expect("Ada");
    let connection = connections.connect(Terms::of_person(of_ada)).await;
    let asked = connections
        .call(
            &connection,
            "contacts_delete-contact",
            json!({"contactId": id}),
        )
        .await
        .expect("a question");
    let path = format!(
        "/console/approvals/{}",
        asked["confirm"].as_str().expect("a handle")
    );
    let page = bob.get(&path).await;
    assert!(
        page.text.contains("Test client, for Ada") && !page.text.contains("value=\"end\""),
        "{}",
        page.text
    );
    let end = [("decision", "end")];
    assert_eq!(bob.submit(&path, &page, &end).await.status, 403);
    let grants = &connections.controls().grants;
    assert!(grants.is_live(&connection.id));
    let page = ada.get(&path).await;
    assert_eq!(ada.submit(&path, &page, &end).await.location(), path);
    assert!(!grants.is_live(&connection.id));
    let told = ada.get(&path).await;
    for part in [
        "Denied by Ada. Nothing was done.",
        "a connection that has ended",
    ] {
        assert!(told.text.contains(part), "{part} is not in {}", told.text);
    }
    let refused = connections
        .call(&connection, "contacts_get-contacts", json!({"limit": 1}))
        .await;
    assert!(refused.is_err(), "{refused:?}");
}
