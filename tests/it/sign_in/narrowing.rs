//! Rights that people take from connections on their pages: the client's remaining rights, here and in other processes.

use reqwest::StatusCode;
use serde_json::{Value, json};
use state::events::Events;
use state::grants::GrantHolder;

use super::browser::Browser;
use super::connections::{Connection, Connections, Terms};
use super::{HOST, link, sign_in_as_operator};
use crate::agency::contact;
use state::links::Offer;
use state::people::Person;
use test_support::server::TestServer;

const READ: &str = "contacts_get-contacts";
const TAG: &str = "contacts_add-tags";
const DELETE: &str = "contacts_delete-contact";

const RULES: &str = "[policies.no-tags]\ndeny = [\"contacts_add-tags\"]\n\
                     [policies.loud]\ncaps = { send = { hour = 1000 } }\n";

const END: &str = "/console/connections/end";
const NARROW: &str = "/console/connections/narrow";

async fn sign_in(server: &TestServer, person: &Person) -> Browser {
    let browser = Browser::new(server);
    let offer = Offer::Login {
        person: person.id.clone(),
    };
    let link = link(server, offer).await;
    let joined = browser.post("/console/signin", &[("link", &link)]).await;
    assert_eq!(joined.location(), "/console", "{}", joined.text);
    browser
}

fn path(connection: &Connection) -> String {
    format!("/console/connections/{}", connection.id)
}

/// Takes rights away on the connection's page. Returns the status.
async fn narrow(browser: &Browser, connection: &Connection, rules: &str) -> u16 {
    let page = browser.get(&path(connection)).await;
    let fields = [("id", connection.id.as_str()), ("rules", rules)];
    browser.submit(NARROW, &page, &fields).await.status
}

/// The tools of contacts that a process lists for the client.
async fn listed(server: &TestServer, connection: &Connection) -> Vec<String> {
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let request = server.post("/mcp/x/contacts").header("host", HOST);
    let reply = request
        .header("authorization", &connection.bearer)
        .json(&frame)
        .send()
        .await
        .expect("a reply");
    assert_eq!(reply.status(), StatusCode::OK);
    let reply: Value = reply.json().await.expect("JSON");
    let tools = reply["result"]["tools"].as_array().expect("tools").iter();
    let names = tools.map(|tool| tool["name"].as_str().expect("a name").to_owned());
    names.collect()
}

#[tokio::test]
async fn reduced_rights_apply_in_every_process_for_good() {
    let mut connections = Connections::start(1, RULES).await;
    let key = connections.agency.key("all", Some(&["b01"]), None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let other = connections.connect(Terms::of_person(&ada)).await;
    let tag = json!({"contactId": contact, "tags": ["vip"]});
    let told = connections.call(&connection, TAG, tag.clone()).await;
    told.expect("allowed");
    let elsewhere = connections.agency.another().await;
    let before = listed(&elsewhere, &connection).await;
    assert!(before.iter().any(|name| name == TAG));
    let browser = sign_in(&connections.agency.server, &ada).await;
    let page = browser.get(&path(&connection)).await;
    for part in [
        "Reduce what it may do",
        "value=\"read-only\"",
        "value=\"everyday\"",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    // Names of sections are only for operators.
    assert!(!page.text.contains("section:"), "{}", page.text);
    assert_eq!(narrow(&browser, &connection, "read-only").await, 303);
    let began = std::time::Instant::now();
    while listed(&elsewhere, &connection)
        .await
        .iter()
        .any(|name| name == TAG)
    {
        assert!(
            began.elapsed().as_millis() < 600,
            "another process still lists it"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let refused = connections.call(&connection, TAG, tag.clone()).await;
    let refused = refused.expect_err("taken away").to_string();
    assert!(
        refused.contains("This connection may only read"),
        "{refused}"
    );
    let read = connections
        .call(&connection, READ, json!({"limit": 1}))
        .await;
    assert!(read.is_ok(), "{read:?}");
    let told = connections.call(&other, TAG, tag).await;
    told.expect("the other connection is as it was");
    let shown = browser.get(&path(&connection)).await;
    assert!(
        shown
            .text
            .contains("everything that is allowed here\nlimited since then to: read only"),
        "{}",
        shown.text
    );
    assert!(
        shown.text.contains("You can only end it."),
        "{}",
        shown.text
    );
    let events = Events::new(&connections.agency.server.store());
    let events = events.list(10).await.expect("events");
    let event = events.iter().find(|event| event.kind == "grant narrowed");
    let event = event.expect("an event");
    assert_eq!(event.actor.as_deref(), Some(ada.id.as_str()));
    assert_eq!(event.subject.as_deref(), Some(connection.id.as_str()));
    elsewhere.stop().await;
}

/// Every consented rule against every rule that a form can name, whoever presses the button.
#[tokio::test]
async fn no_form_gives_a_connection_more_than_it_had() {
    let connections = Connections::start(1, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let browser = sign_in(server, &ada).await;
    let all = [
        "read-only",
        "ask-first",
        "everyday",
        "everything",
        "section:no-tags",
        "section:loud",
    ];
    let built_in = |name: &str| all.iter().take(4).position(|one| *one == name);
    for held in all {
        for asked in
            all.into_iter()
                .chain(["section:none", "installed", "", "read-only\neverything"])
        {
            for (who, is_operator) in [(&olga, true), (&browser, false)] {
                let terms = Terms {
                    rules: held,
                    ..Terms::of_person(&ada)
                };
                let connection = connections.connect(terms).await;
                let status = narrow(who, &connection, asked).await;
                let is_stricter = match (built_in(held), built_in(asked)) {
                    (Some(held), Some(asked)) => asked < held,
                    (None, Some(asked)) => asked < 3,
                    _ => is_operator && asked == "section:no-tags" && asked != held,
                };
                let expected = if is_stricter || held == asked {
                    303
                } else {
                    400
                };
                assert_eq!(status, expected, "{held} {asked} operator {is_operator}");
                let grant = connections.controls().grants.get(&connection.id).await;
                let grant = grant.expect("the store").expect("a grant");
                let now: Vec<&str> = grant.all_rules().collect();
                let expected = if is_stricter {
                    vec![held, asked]
                } else {
                    vec![held]
                };
                assert_eq!(now, expected, "{held} {asked}");
                let page = who.get(&path(&connection)).await;
                let fields = [("id", connection.id.as_str()), ("which", "one")];
                assert_eq!(who.submit(END, &page, &fields).await.status, 303);
            }
        }
    }
}

#[tokio::test]
async fn a_connection_of_others_is_neither_shown_nor_changed() {
    let connections = Connections::start(1, RULES).await;
    let server = &connections.agency.server;
    let ada = connections.member("Ada", &["b01"]).await;
    let eve = connections.member("Eve", &["b01"]).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let of_eve = connections.connect(Terms::of_person(&eve)).await;
    let browser = sign_in(server, &eve).await;
    let foreign = browser.get(&path(&of_ada)).await;
    assert_eq!(foreign.status, 404, "{}", foreign.text);
    let page = browser.get(&path(&of_eve)).await;
    for (to, field) in [
        (NARROW, ("rules", "read-only")),
        (END, ("which", "one")),
        (END, ("which", "person")),
        (END, ("which", "client")),
    ] {
        let fields = [("id", of_ada.id.as_str()), field];
        let answer = browser.submit(to, &page, &fields).await;
        assert_eq!(answer.status, 403, "{to} {field:?}");
    }
    let grants = &connections.controls().grants;
    let grant = grants.get(&of_ada.id).await.expect("the store");
    assert!(grant.expect("it lives").narrowings.is_empty());
}

/// All connections of a client or person, as far as the person who presses the button may end them.
#[tokio::test]
async fn all_of_an_assistant_or_of_a_person_end_together() {
    let connections = Connections::start(1, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections.member("Bob", &["b01"]).await;
    let browser = sign_in(server, &ada).await;
    let (key, _) = state::keys::Keys::new(&server.store())
        .create("n8n", state::keys::KeyLocations::All, None, None)
        .await
        .expect("a key");
    let key = Terms {
        holder: GrantHolder::Key(key.id),
        ..Terms::of_person(&ada)
    };
    let check = async |who: &Browser, which: &str, lives: [bool; 4]| {
        let mut all = Vec::new();
        for terms in [
            Terms::of_person(&ada),
            Terms::of_person(&ada),
            Terms::of_person(&bob),
            key.clone(),
        ] {
            all.push(connections.connect(terms).await);
        }
        let page = who.get(&path(&all[0])).await;
        assert!(
            page.text.contains(&format!("value=\"{which}\"")),
            "{which}: {}",
            page.text
        );
        let fields = [("id", all[0].id.as_str()), ("which", which)];
        assert_eq!(
            who.submit(END, &page, &fields).await.location(),
            "/console/connections"
        );
        for (connection, lives) in all.iter().zip(lives) {
            let grant = connections.controls().grants.get(&connection.id).await;
            assert_eq!(grant.expect("the store").is_some(), lives, "{which}");
        }
    };
    check(&browser, "one", [false, true, true, true]).await;
    check(&browser, "client", [false, false, true, true]).await;
    check(&browser, "person", [false, false, true, true]).await;
    check(&olga, "person", [false, false, true, true]).await;
    check(&olga, "client", [false; 4]).await;
}

/// A preview under other rules is not confirmed under these.
#[tokio::test]
async fn earlier_previews_cannot_be_confirmed_after_a_reduction() {
    let mut connections = Connections::start(1, RULES).await;
    let key = connections.agency.key("all", Some(&["b01"]), None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let delete = json!({"contactId": contact});
    let asked = connections.call(&connection, DELETE, delete).await;
    let asked = asked.expect("a preview");
    let confirm = asked["confirm"].as_str().expect("a token").to_owned();
    let browser = sign_in(&connections.agency.server, &ada).await;
    assert_eq!(narrow(&browser, &connection, "ask-first").await, 303);
    let before = connections.agency.writes().await.len();
    let again = json!({"contactId": contact, "confirm": confirm});
    let told = connections.call(&connection, DELETE, again).await;
    told.expect_err("no approval");
    assert_eq!(connections.agency.writes().await.len(), before);
}

/// A batch that began before stops. Sent again, it is checked by the present rights of its connection.
#[tokio::test]
async fn calls_under_way_stop_when_rights_are_reduced() {
    const MANY: usize = 100;
    let mut connections = Connections::start(1, RULES).await;
    let key = connections.agency.key("all", Some(&["b01"]), None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let items = json!({"operation": TAG, "arguments": {"contactId": contact},
        "items": vec![json!({"tags": ["vip"]}); MANY]});
    let headers = [("authorization", connection.bearer.as_str())];
    let before = connections.agency.writes().await.len();
    let batch = connections.call_with("/mcp/orchestrator", &headers, "call_write", items);
    let narrowing = async {
        while connections.agency.writes().await.len() == before {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let grants = &connections.controls().grants;
        let narrowed = grants.narrow(&connection.id, "section:no-tags", &ada.id);
        narrowed.await.expect("the store");
    };
    let (told, ()) = tokio::join!(batch, narrowing);
    let told = match told {
        Ok(told) | Err(told) => told.to_string(),
    };
    assert!(told.contains("were reduced meanwhile"), "{told}");
    assert!(connections.agency.writes().await.len() - before < MANY);
}
