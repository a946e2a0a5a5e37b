//! People's view of their connections, approvals and locations, and the changes they make there.

use secrecy::SecretString;
use serde_json::json;
use state::approvals::{ApprovalState, Approvals};
use state::clients::{ClientMethod, Clients, NewClient};
use state::grants::{GrantHolder, GrantRecord, GrantScope, Grants, NewGrant, Redemption};
use state::links::{Invitation, Offer};
use state::people::{People, PersonRole};
use state::vault::{NewToken, Vault};

use super::browser::{AFTER_JOINING, Browser, SIGN_IN};
use super::{house, link, sign_in_as_member, sign_in_as_operator};
use crate::agency::{Agency, contact};
use test_support::server::TestServer;

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// Every delete asks a person.
const RULES: &str = "[server]\nconfirm = { destructive = \"human\" }\n";

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn grants(server: &TestServer) -> Grants {
    let controls = server.pipeline.controls();
    controls.sign_in.as_ref().expect("sign-in").grants.clone()
}

async fn person(server: &TestServer, name: &str) -> String {
    let people = People::new(&server.store()).list().await.expect("people");
    let found = people.into_iter().find(|person| person.name == name);
    found.expect("a person").id
}

/// A connection of this person that is in use.
async fn connect(server: &TestServer, name: &str, client_name: &str) -> GrantRecord {
    let redirect = "https://app.example.com/callback".to_owned();
    let new = NewClient {
        name: client_name.to_owned(),
        redirects: vec![redirect.clone()],
        method: ClientMethod::None,
    };
    let (client, _) = Clients::new(&server.store())
        .add(new)
        .await
        .expect("a client");
    let new = NewGrant {
        holder: GrantHolder::Person(person(server, name).await),
        client: client.id.clone(),
        client_name: client_name.to_owned(),
        redirect: redirect.clone(),
        resource: "https://mcp.example.test/mcp".to_owned(),
        scope: GrantScope::Write,
        rules: "ask-first".to_owned(),
        locations: vec!["b01".to_owned()],
        challenge: CHALLENGE.to_owned(),
        form: format!("{name} {client_name}"),
    };
    let grants = grants(server);
    let (record, code) = grants
        .allow(new)
        .await
        .expect("the store")
        .expect("a grant");
    let redemption = Redemption {
        code,
        client: client.id,
        redirect: Some(redirect),
        verifier: VERIFIER.into(),
        resource: None,
    };
    grants
        .redeem(redemption)
        .await
        .expect("the store")
        .expect("tokens");
    record
}

#[tokio::test]
async fn people_end_their_own_connections_and_operators_end_any() {
    let agency = house(2).await;
    let server = &agency.server;
    let [olga, ada, bob] = [(); 3].map(|()| Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &ada, "Ada", &["b01"]).await;
    sign_in_as_member(server, &bob, "Bob", &["b01"]).await;
    let of_ada = connect(server, "Ada", "Claude <Code>").await;
    let of_bob = connect(server, "Bob", "Cursor").await;
    let path = "/console/connections";
    let page = ada.get(path).await;
    assert!(page.text.contains("Claude &lt;Code&gt;"), "{}", page.text);
    assert!(
        page.text.contains("ask first for everything else"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("Cursor"), "{}", page.text);
    let all = olga.get(path).await;
    for part in [
        "Claude &lt;Code&gt;",
        "Cursor",
        "<dd>Ada</dd>",
        "<dd>Bob</dd>",
    ] {
        assert!(all.text.contains(part), "{part} is not in {}", all.text);
    }
    let end = format!("{path}/end");
    let is_live = |grant: &GrantRecord| grants(server).is_live(&grant.id);
    let foreign = ada.submit(&end, &page, &[("id", &of_bob.id)]).await;
    assert_eq!(foreign.status, 403, "{}", foreign.text);
    let other_page = bob.submit(&end, &page, &[("id", &of_bob.id)]).await;
    assert_eq!(other_page.status, 403, "a form of another session");
    assert!(is_live(&of_ada) && is_live(&of_bob));
    let ended = ada.submit(&end, &page, &[("id", &of_ada.id)]).await;
    assert_eq!(ended.location(), path);
    // A second press is not an error.
    let again = ada.submit(&end, &page, &[("id", &of_ada.id)]).await;
    assert_eq!(again.location(), path);
    let ended = olga.submit(&end, &all, &[("id", &of_bob.id)]).await;
    assert_eq!(ended.location(), path);
    for grant in [&of_ada, &of_bob] {
        let found = grants(server).get(&grant.id).await.expect("the store");
        assert!(found.is_none(), "{found:?}");
    }
    assert!(
        olga.get(path)
            .await
            .text
            .contains("No assistant is connected.")
    );
}

/// Requests a call that a person has to approve. Returns its handle, and the contact that would be deleted.
async fn ask(agency: &mut Agency, location: &str) -> (String, String) {
    let id = contact(agency, OPERATOR, location).await;
    let path: &'static str = match location {
        "b01" => "/mcp/l/b01/x/contacts",
        _ => "/mcp/l/b02/x/contacts",
    };
    let arguments = json!({"contactId": id});
    let asked = agency
        .call(path, OPERATOR, "contacts_delete-contact", arguments)
        .await;
    let handle = asked.expect("a question")["confirm"]
        .as_str()
        .expect("a handle")
        .to_owned();
    (handle, id)
}

fn approvals(server: &TestServer) -> Approvals {
    Approvals::new(&server.store())
}

async fn state(server: &TestServer, handle: &str) -> ApprovalState {
    let state = approvals(server).state(handle).await.expect("the store");
    state.expect("an approval")
}

async fn invite_decider(server: &TestServer, browser: &Browser, name: &str, location: &str) {
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
}

#[tokio::test]
async fn a_call_waits_for_people_who_may_decide_in_its_location() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let (handle, id) = ask(&mut agency, "b01").await;
    let server = &agency.server;
    let [olga, ada, bob, eve] = [(); 4].map(|()| Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    invite_decider(server, &ada, "Ada", "b01").await;
    invite_decider(server, &bob, "Bob", "b02").await;
    sign_in_as_member(server, &eve, "Eve", &["b01"]).await;
    let path = format!("/console/approvals/{handle}");
    for (browser, may) in [(&olga, true), (&ada, true), (&bob, false), (&eve, false)] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, if may { 200 } else { 404 }, "{}", page.text);
        assert_eq!(page.text.contains(&id), may);
        let list = browser.get("/console/approvals").await;
        assert_eq!(list.text.contains(&handle), may, "{}", list.text);
        let home = browser.get("/console").await;
        assert_eq!(home.text.contains("1 request waits"), may, "{}", home.text);
    }
    // Opening the page decides nothing, nor does anything except a press on the page itself.
    let page = ada.get(&path).await;
    assert!(
        page.text.contains("Deletes or ends something"),
        "{}",
        page.text
    );
    assert!(page.text.contains("One action"), "{}", page.text);
    let yes = [("decision", "approve")];
    let of_eve = eve.get("/console").await;
    assert_eq!(eve.submit(&path, &of_eve, &yes).await.status, 404);
    assert_eq!(ada.submit(&path, &of_eve, &yes).await.status, 403);
    let token = page.token();
    let form = [("form", token.as_str()), ("decision", "approve")];
    let foreign = ada
        .post_from(&path, &form, &[("origin", "https://evil.example")])
        .await;
    assert_eq!(foreign.status, 403);
    assert_eq!(ada.submit(&path, &page, &[]).await.status, 400);
    assert_eq!(state(server, &handle).await, ApprovalState::Pending);
    assert_eq!(agency.writes().await.len(), 0);
    // Pressed twice, the call runs once.
    let press = || ada.submit(&path, &page, &yes);
    let (first, second) = tokio::join!(press(), press());
    assert_eq!([first.location(), second.location()], [path.as_str(); 2]);
    let done = ada.get(&path).await;
    assert!(
        done.text.contains("Approved by Ada. It was done."),
        "{}",
        done.text
    );
    assert!(!done.text.contains("value=\"approve\""), "{}", done.text);
    let writes = agency.writes().await;
    assert_eq!(writes.len(), 1, "{writes:?}");
    let target = writes[0]["path"].as_str().unwrap_or_default();
    assert!(target.ends_with(&id), "{writes:?}");
    assert!(
        olga.get("/console/approvals")
            .await
            .text
            .contains("Nothing waits for your decision.")
    );
}

#[tokio::test]
async fn a_denial_reaches_the_client_with_its_note() {
    let mut agency = Agency::start_with(2, RULES, &SIGN_IN).await;
    let (handle, _) = ask(&mut agency, "b02").await;
    let server = &agency.server;
    let bob = Browser::new(server);
    invite_decider(server, &bob, "Bob", "b02").await;
    let path = format!("/console/approvals/{handle}");
    let page = bob.get(&path).await;
    let fields = [("decision", "deny"), ("note", "Ask me tomorrow")];
    let denied = bob.submit(&path, &page, &fields).await;
    assert_eq!(denied.location(), path);
    let shown = bob.get(&path).await;
    assert!(
        shown.text.contains("Denied by Bob. Nothing was done."),
        "{}",
        shown.text
    );
    let approval = approvals(server)
        .get(&handle)
        .await
        .expect("the store")
        .expect("one");
    assert_eq!(approval.state, ApprovalState::Denied);
    assert_eq!(approval.note.as_deref(), Some("Ask me tomorrow"));
    // Too late.
    bob.submit(&path, &page, &[("decision", "approve")]).await;
    assert_eq!(state(server, &handle).await, ApprovalState::Denied);
    assert_eq!(agency.writes().await.len(), 0);
}

#[tokio::test]
async fn everybody_sees_the_sub_accounts_that_are_theirs() {
    let agency = house(3).await;
    let server = &agency.server;
    let [olga, ada, bob] = [(); 3].map(|()| Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &ada, "Ada", &["b01"]).await;
    sign_in_as_member(server, &bob, "Bob", &["b01", "b02"]).await;
    let vault: Vault = server
        .pipeline
        .controls()
        .sign_in
        .as_ref()
        .expect("sign-in")
        .vault
        .clone();
    const TOKEN: &str = "pit-11111111-2222-3333-4444-555555555555";
    let connected = vault.put_token(NewToken {
        owner: Some(person(server, "Ada").await),
        location: "locOfAda".to_owned(),
        name: "Ada's <Shop>".to_owned(),
        zone: Some("Europe/Berlin".to_owned()),
        company: None,
        token: SecretString::from(TOKEN),
    });
    let connected = connected.await.expect("connected");
    let path = "/console/locations";
    for (browser, shown, hidden) in [
        (
            &olga,
            &["Branch 01", "Branch 02", "Branch 03", "Ada&#39;s"][..],
            &[][..],
        ),
        (
            &ada,
            &["Branch 01", "Ada&#39;s &lt;Shop&gt;", "Europe/Berlin"],
            &["Branch 02", "Branch 03"],
        ),
        (&bob, &["Branch 01", "Branch 02"], &["Branch 03", "Shop"]),
    ] {
        let page = browser.get(path).await;
        for part in shown {
            let part = part.replace("&#39;", "'");
            assert!(page.text.contains(&part), "{part} is not in {}", page.text);
        }
        for part in hidden {
            assert!(!page.text.contains(part), "{part} is in {}", page.text);
        }
        assert!(!page.text.contains(TOKEN));
    }
    // An error of a call leads to the page of one location.
    let one = ada.get(&format!("{path}/{}", connected.id)).await;
    assert_eq!(one.status, 200);
    let remove = format!("{path}/remove");
    let page = bob.get("/console").await;
    let foreign = bob.submit(&remove, &page, &[("id", &connected.id)]).await;
    assert_eq!(foreign.status, 403, "{}", foreign.text);
    let page = ada.get(path).await;
    let removed = ada.submit(&remove, &page, &[("id", &connected.id)]).await;
    assert_eq!(removed.location(), path);
    assert!(vault.list().await.expect("the store").is_empty());
    assert!(!ada.get(path).await.text.contains("Shop"));
}
