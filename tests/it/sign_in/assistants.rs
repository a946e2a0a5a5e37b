//! Clients as operators see them: who vouches for each, and which are blocked.

use state::clients::{ClientMethod, Clients, NewClient, PutDocument};
use state::events::Events;

use super::browser::Browser;
use super::connections::{Connections, Terms};
use super::{sign_in_as_member, sign_in_as_operator};

const PATH: &str = "/console/clients";
const BLOCK: &str = "/console/clients/block";
const UNBLOCK: &str = "/console/clients/unblock";

/// The value that the form sends for the client with this id.
fn handle(id: &str) -> String {
    state::sha256(id).chars().take(16).collect()
}

#[tokio::test]
async fn a_blocked_client_is_out_until_it_is_let_in_again() {
    let connections = Connections::start(1, "").await;
    let server = &connections.agency.server;
    let olga = Browser::new(server);
    sign_in_as_operator(server, &olga).await;
    let ada = connections.member("Ada", &["b01"]).await;
    let both = [
        connections.connect(Terms::of_person(&ada)).await,
        connections.connect(Terms::of_person(&ada)).await,
    ];
    let page = olga.get(PATH).await;
    assert!(
        page.text.contains("<dt>Connections</dt><dd>2</dd>"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("Added by the operator of this server"),
        "{}",
        page.text
    );
    let client = handle(&connections.client.id);
    let pressed = olga.submit(BLOCK, &page, &[("client", &client)]).await;
    assert_eq!(pressed.location(), PATH);
    for connection in &both {
        let grant = connections.controls().grants.get(&connection.id).await;
        assert!(grant.expect("the store").is_none());
    }
    let blocked = olga.get(PATH).await;
    assert!(blocked.text.contains("Unblock"), "{}", blocked.text);
    assert!(
        blocked.text.contains("<dt>Connections</dt><dd>0</dd>"),
        "{}",
        blocked.text
    );
    let pressed = olga.submit(UNBLOCK, &page, &[("client", &client)]).await;
    assert_eq!(pressed.location(), PATH);
    let again = connections.connect(Terms::of_person(&ada)).await;
    let grant = connections.controls().grants.get(&again.id).await;
    assert!(grant.expect("the store").is_some());
    let unknown = olga
        .submit(BLOCK, &page, &[("client", "0123456789abcdef")])
        .await;
    assert_eq!(
        unknown.location(),
        PATH,
        "one that is forgotten is no error"
    );
    let own = super::people::person(server, "Olga").await.id;
    let events = Events::new(&server.store()).list(20).await.expect("events");
    for kind in ["client blocked", "client unblocked"] {
        let found = events.iter().find(|event| event.kind == kind);
        assert_eq!(found.expect(kind).actor.as_ref(), Some(&own), "{kind}");
    }
}

#[tokio::test]
async fn the_source_of_a_clients_name_stands_beside_it() {
    let connections = Connections::start(1, "").await;
    let server = &connections.agency.server;
    let (olga, eve) = (Browser::new(server), Browser::new(server));
    sign_in_as_operator(server, &olga).await;
    sign_in_as_member(server, &eve, "Eve", &["b01"]).await;
    let clients = Clients::new(&server.store());
    let registered = clients.register(NewClient {
        name: "Claude <b>".to_owned(),
        redirects: vec!["http://127.0.0.1/callback".to_owned()],
        method: ClientMethod::None,
    });
    registered.await.expect("the store").expect("room");
    let id = format!("https://claude.example/{}", "x".repeat(2_000));
    let document = clients.put_document(PutDocument {
        id: id.clone(),
        name: "Claude".to_owned(),
        redirects: vec!["http://127.0.0.1/callback".to_owned()],
        document: "{}".to_owned(),
        fresh_until: jiff::Timestamp::now(),
    });
    document.await.expect("the store");
    let page = olga.get(PATH).await;
    for part in [
        "Claude &lt;b&gt;",
        "Nobody has checked this name",
        "Published by claude.example (checked)",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(
        !page.text.contains(&"x".repeat(300)),
        "an id of 2 KiB is cut"
    );
    let pressed = olga.submit(BLOCK, &page, &[("client", &handle(&id))]).await;
    assert_eq!(pressed.location(), PATH);
    let found = clients
        .find(&id)
        .await
        .expect("the store")
        .expect("it is kept");
    assert!(found.blocked.is_some());
    assert_eq!(eve.get(PATH).await.status, 403);
    let home = eve.get("/console").await;
    for path in [BLOCK, UNBLOCK] {
        let pressed = eve.submit(path, &home, &[("client", &handle(&id))]).await;
        assert_eq!(pressed.status, 403, "{path}");
    }
    assert!(
        clients
            .find(&id)
            .await
            .expect("the store")
            .expect("kept")
            .blocked
            .is_some()
    );
}
