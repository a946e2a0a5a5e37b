//! Keys that operators create on their page: what each opens, what none opens, and their end.

use serde_json::json;
use state::events::Events;
use state::keys::{KeyLocations, KeyRecord, Keys};
use state::links::Offer;
use state::people::{Person, PersonRole};

use super::browser::{Browser, Page};
use super::connections::Connections;
use super::people::copied;
use super::{link, sign_in_as_member, sign_in_as_operator};
use test_support::server::TestServer;

const KEYS: &str = "/console/keys";
const NEW: &str = "/console/keys/new";
const REVOKE: &str = "/console/keys/revoke";

const READ: &str = "contacts_get-contacts";
const TAG: &str = "contacts_add-tags";
const DELETE: &str = "contacts_delete-contact";

const RULES: &str = "[policies.front]\ndeny = [\"contacts_delete-contact\"]\n\
                     [policies.no-tags]\ndeny = [\"contacts_add-tags\"]\n[policies.open]\n";

async fn make(browser: &Browser, fields: &[(&str, &str)]) -> Page {
    let page = browser.get(NEW).await;
    assert_eq!(page.status, 200, "{}", page.text);
    browser.submit(NEW, &page, fields).await
}

async fn keys(server: &TestServer) -> Vec<KeyRecord> {
    Keys::new(&server.store()).list().await.expect("keys")
}

#[tokio::test]
async fn a_key_has_the_rights_of_its_form_until_it_is_revoked() {
    let mut connections = Connections::start(2, RULES).await;
    let olga = Browser::new(&connections.agency.server);
    sign_in_as_operator(&connections.agency.server, &olga).await;
    let fields = [
        ("name", "n8n <one>"),
        ("location", "b01"),
        ("rules", "read-only"),
        ("lasts", "90"),
    ];
    let made = make(&olga, &fields).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let key = copied(&made, "key");
    assert!(key.starts_with("hlk_"), "{key}");
    assert_eq!(
        copied(&made, "header"),
        format!("Authorization: Bearer {key}")
    );
    // Clients that can sign in would ignore a key at the address for sign-in.
    assert_eq!(copied(&made, "address"), "https://keys.example.test/mcp");
    assert_eq!(
        copied(&made, "command"),
        "highlevel-mcp connect claude-code --url https://keys.example.test/mcp"
    );
    let all = keys(&connections.agency.server).await;
    let [record] = all.as_slice() else {
        panic!("one key: {all:?}");
    };
    assert!(!record.agency && record.return_urls.is_empty() && record.policy.is_none());
    assert_eq!(record.locations, KeyLocations::Only(vec!["b01".to_owned()]));
    assert_eq!(record.rules.as_deref(), Some("read-only"));
    let lasts = record
        .expires
        .expect("an end")
        .duration_since(record.created);
    assert_eq!(lasts.as_hours(), 90 * 24);
    let bearer = format!("Bearer {key}");
    let agency = &mut connections.agency;
    let read = agency
        .call("/mcp/x/contacts", &bearer, READ, json!({"limit": 1}))
        .await;
    assert!(read.is_ok(), "{read:?}");
    let (listed, _) = agency.listed("/mcp/x/contacts", &bearer).await;
    assert!(listed.iter().any(|name| name == READ) && !listed.iter().any(|name| name == TAG));
    let elsewhere = json!({"limit": 1, "location": "b02"});
    let foreign = agency
        .call("/mcp/x/contacts", &bearer, READ, elsewhere)
        .await;
    assert!(foreign.is_err(), "{foreign:?}");
    let list = olga.get(KEYS).await;
    for part in ["n8n &lt;one&gt;", &record.id, "read only"] {
        assert!(list.text.contains(part), "{part}: {}", list.text);
    }
    assert!(!list.text.contains(&key), "{}", list.text);
    assert!(
        !list.text.contains("<dt>Last used</dt><dd>never</dd>"),
        "{}",
        list.text
    );
    let revoked = olga.submit(REVOKE, &list, &[("id", &record.id)]).await;
    assert_eq!(revoked.location(), KEYS);
    let again = olga.submit(REVOKE, &list, &[("id", &record.id)]).await;
    assert_eq!(again.location(), KEYS, "a second press is no error");
    let server = &connections.agency.server;
    assert!(!server.pipeline.controls().keys.is_valid(&record.id));
    assert!(olga.get(KEYS).await.text.contains(" · revoked"));
    let events = Events::new(&server.store()).list(20).await.expect("events");
    let own = super::people::person(server, "Olga").await.id;
    for kind in ["key made", "key revoked"] {
        let found = events
            .iter()
            .filter(|event| event.kind == kind && event.subject.as_ref() == Some(&record.id));
        let actors: Vec<_> = found.map(|event| event.actor.as_deref()).collect();
        assert_eq!(actors, [Some(own.as_str())], "{kind}");
    }
}

#[tokio::test]
async fn an_impossible_key_is_refused_on_its_page() {
    let connections = Connections::start(2, RULES).await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &[]).await;
    let own = connections.paste(&ada, 2).await;
    let usual = [
        ("name", "n8n"),
        ("location", "b01"),
        ("rules", "everything"),
        ("lasts", "30"),
    ];
    for (change, part) in [
        (("name", ""), "a name has 1 to 64"),
        (
            ("location", "b09"),
            "There is no sub-account “b09” that you can give.",
        ),
        (
            ("location", own.alias.as_str()),
            "that you can give. Check the short name.",
        ),
        (("location", ""), "a key needs locations"),
        (("rules", ""), "Choose what the key may do."),
        (("rules", "section:none"), "Choose what the key may do."),
        (("lasts", "36500"), "Choose how long the key is valid."),
    ] {
        let fields: Vec<_> = usual
            .iter()
            .map(|field| if field.0 == change.0 { change } else { *field })
            .filter(|field| !field.1.is_empty())
            .collect();
        let told = make(&olga, &fields).await;
        assert_eq!(told.status, 400, "{change:?}");
        let part = part.replace("a name has", "name has");
        assert!(told.text.contains(&part), "{part}: {}", told.text);
    }
    assert!(keys(server).await.is_empty());
    // A second press creates no second key.
    assert_eq!(make(&olga, &usual).await.status, 200);
    let again = make(&olga, &usual).await;
    assert_eq!(again.status, 400);
    assert!(
        again.text.contains("already has the name n8n"),
        "{}",
        again.text
    );
    assert_eq!(keys(server).await.len(), 1);
}

/// Whatever a form says, no key acts for the agency, creates links for customers, or exceeds the reach of its creator.
/// The rules on its creator apply to it besides the chosen ones.
#[tokio::test]
async fn no_form_makes_a_key_that_may_more_than_its_maker() {
    let mut connections = Connections::start(2, RULES).await;
    let olga = Browser::new(&connections.agency.server);
    sign_in_as_operator(&connections.agency.server, &olga).await;
    let mut makers: Vec<(Option<&str>, Browser)> = vec![(None, olga)];
    for policy in ["front", "no-tags", "open"] {
        let otto: Person = connections
            .invited(policy, &[], |invitation| {
                invitation.role = PersonRole::Operator;
                invitation.policy = Some(policy.to_owned());
            })
            .await;
        let server = &connections.agency.server;
        let browser = Browser::new(server);
        let link = link(server, Offer::Login { person: otto.id }).await;
        browser.post("/console/signin", &[("link", &link)]).await;
        makers.push((Some(policy), browser));
    }
    let denied = |rules: Option<&str>, tool: &str| {
        matches!(
            (rules, tool),
            (Some("front"), DELETE) | (Some("no-tags"), TAG)
        )
    };
    for (policy, browser) in &makers {
        for rules in [
            "read-only",
            "ask-first",
            "everyday",
            "everything",
            "section:front",
            "section:no-tags",
            "section:open",
        ] {
            let name = format!("{policy:?} {rules}");
            let fields = [
                ("name", name.as_str()),
                ("location", "*"),
                ("rules", rules),
                ("lasts", "never"),
                ("agency", "yes"),
                ("agency", "true"),
                ("policy", "open"),
                ("return_urls", "https://evil.example/back"),
            ];
            let made = make(browser, &fields).await;
            let key = copied(&made, "key");
            let all = keys(&connections.agency.server).await;
            let record = all.iter().find(|record| record.name == name);
            let record = record.expect("the key");
            assert!(
                !record.agency && record.return_urls.is_empty(),
                "{record:?}"
            );
            assert_eq!(record.policy.as_deref(), *policy, "{name}");
            let bearer = format!("Bearer {key}");
            let (listed, _) = connections.agency.listed("/mcp/x/contacts", &bearer).await;
            for tool in [READ, TAG, DELETE] {
                let expected = !denied(*policy, tool)
                    && !denied(rules.strip_prefix("section:"), tool)
                    && (rules != "read-only" || tool == READ);
                let is_listed = listed.iter().any(|name| name == tool);
                assert_eq!(is_listed, expected, "{name} {tool}");
            }
        }
    }
    // A location that a person connected is in no key's reach, however wide that is.
    let ada = connections.member("Ada", &[]).await;
    let own = connections.paste(&ada, 2).await;
    let made = make(
        &makers[0].1,
        &[
            ("name", "wide"),
            ("location", "*"),
            ("rules", "everything"),
            ("lasts", "never"),
        ],
    )
    .await;
    let bearer = format!("Bearer {}", copied(&made, "key"));
    let arguments = json!({"limit": 1, "location": own.alias});
    let foreign = connections
        .agency
        .call("/mcp/x/contacts", &bearer, READ, arguments)
        .await;
    assert!(foreign.is_err(), "{foreign:?}");
}

#[tokio::test]
async fn only_an_operator_with_a_fresh_proof_makes_keys() {
    let connections = Connections::start(1, RULES).await;
    let server = &connections.agency.server;
    let (olga, eve) = (Browser::new(server), Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &eve, "Eve", &["b01"]).await;
    let fields = [
        ("name", "mine"),
        ("location", "*"),
        ("rules", "everything"),
        ("lasts", "never"),
    ];
    let home = eve.get("/console").await;
    for path in [KEYS, NEW] {
        assert_eq!(eve.get(path).await.status, 403, "{path}");
        assert_eq!(Browser::new(server).get(path).await.status, 401, "{path}");
    }
    assert_eq!(eve.submit(NEW, &home, &fields).await.status, 403);
    assert_eq!(eve.submit(REVOKE, &home, &[("id", "x")]).await.status, 403);
    let form = olga.get(NEW).await;
    super::people::make_older(&connections, 16).await;
    let late = olga.submit(NEW, &form, &fields).await;
    assert_eq!(late.status, 403);
    assert!(
        late.text.contains("Confirm that it is you"),
        "{}",
        late.text
    );
    assert_eq!(
        olga.get(NEW).await.location(),
        "/console/proof?next=/console/keys/new"
    );
    assert!(keys(server).await.is_empty());
    // Removing needs no recent sign-in.
    let (key, _) = Keys::new(&server.store())
        .create("old", KeyLocations::All, None, None)
        .await
        .expect("a key");
    let list = olga.get(KEYS).await;
    let revoked = olga.submit(REVOKE, &list, &[("id", &key.id)]).await;
    assert_eq!(revoked.location(), KEYS);
    assert!(!server.pipeline.controls().keys.is_valid(&key.id));
}
