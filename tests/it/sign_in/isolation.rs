//! Whatever a connected client asks for, in every way: no request is sent for a location outside its grant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use state::keys::{KeyLocations, Keys};
use state::vault::NewToken;

use super::connections::{Connection, Connections, Terms};
use crate::agency::{alias, branch};

const READ: &str = "contacts_get-contacts";
const WRITE: &str = "contacts_upsert-contact";

/// One way to ask for a location: the path, headers beside the credential, the tool and its arguments.
struct Way {
    path: String,
    header: Option<String>,
    tool: &'static str,
    arguments: Value,
}

/// Every way in which a call can name the location `id` with the alias `alias`.
fn ways(alias: &str, id: &str) -> Vec<Way> {
    let way = |path: &str, header: Option<&str>, tool, arguments| Way {
        path: path.to_owned(),
        header: header.map(str::to_owned),
        tool,
        arguments,
    };
    let email = "x@x.example";
    let at = format!("/mcp/l/{alias}");
    let orchestrated = |more: Value| {
        let mut call = json!({"operation": READ});
        call.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().expect("an object"));
        call
    };
    let mut ways = vec![
        way("/mcp", Some(id), READ, json!({})),
        way(&at, None, READ, json!({})),
        way(&at, None, "list_locations", json!({})),
        way(
            &format!("{at}/orchestrator"),
            None,
            "call_read",
            orchestrated(json!({})),
        ),
    ];
    for name in [alias, id] {
        let item = json!({"location": name});
        ways.extend([
            way("/mcp", None, READ, json!({"location": name})),
            way("/mcp", None, READ, json!({"locationId": name})),
            way(
                "/mcp",
                None,
                WRITE,
                json!({"locationId": name, "email": email}),
            ),
            way(
                "/mcp",
                None,
                "locations_get-location",
                json!({"locationId": name}),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_read",
                orchestrated(item.clone()),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_read",
                orchestrated(json!({"arguments": {"locationId": name}})),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_read",
                orchestrated(json!({"items": [{}, item]})),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_read",
                orchestrated(json!({"output": {"locations": [name]}})),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_write",
                json!({"operation": WRITE, "location": name,
                "items": [{"email": email}, {"email": "y@x.example"}]}),
            ),
            way(
                "/mcp/orchestrator",
                None,
                "call_write",
                json!({"operation": "contacts_add-tags", "location": name,
                "arguments": {"tags": ["x"]}, "each": {"operation": READ}}),
            ),
            way(
                "/mcp/compat",
                None,
                "execute_operation",
                json!({"operationId": READ, "params": {"query": {"locationId": name}}}),
            ),
        ]);
    }
    ways
}

/// Asks in every way for a location outside the grant. No request is sent for it, and no answer mentions it.
async fn check(
    connections: &Connections,
    connection: &Connection,
    (alias, id): (&str, &str),
    secret: &str,
) {
    for way in ways(alias, id) {
        let before = connections.requests().await;
        let mut headers = vec![("authorization", connection.bearer.as_str())];
        headers.extend(way.header.as_deref().map(|id| ("locationid", id)));
        let (path, arguments) = (way.path.as_str(), way.arguments.clone());
        let told = connections
            .call_with(path, &headers, way.tool, arguments)
            .await;
        let place = format!(
            "{path} {:?} {} {}: {told:?}",
            way.header, way.tool, way.arguments
        );
        let reached = connections.reached(before).await;
        assert!(!reached.contains(&id.to_owned()), "{place}: {reached:?}");
        let text = match &told {
            Ok(told) | Err(told) => told.to_string(),
        };
        assert!(!text.contains(secret), "{place}");
        // The only answers are lists, and answers of other locations.
        let is_refused = told.is_err() || text.contains("\"error\"") || text.contains("\"failed\"");
        assert!(is_refused, "{place}");
    }
}

#[tokio::test]
async fn a_grant_for_one_location_never_acts_in_another() {
    let connections = Connections::start(4, "").await;
    let ada = connections.member("Ada", &["b01", "b02", "b03"]).await;
    for (locations, name) in [
        (&["b01"][..], "one"),
        (&["b01", "b03"][..], "two"),
        (&["b01", "b04"][..], "one that the person does not reach"),
    ] {
        let connection = connections
            .connect(Terms {
                locations,
                ..Terms::of_person(&ada)
            })
            .await;
        for other in [2, 4] {
            println!("{name}: {other}");
            check(
                &connections,
                &connection,
                (&alias(other), &branch(other)),
                "Branch 0",
            )
            .await;
        }
    }
}

/// A location that a person connected is only in that person's grants: not in another person's, not in those of a key
/// or the settings' key, and not in "all".
#[tokio::test]
async fn a_connected_location_belongs_to_its_person_only() {
    // The third is a HighLevel location that the settings do not have.
    let connections = Connections::start(3, "").await;
    connections.agency.reload("", &[1, 2]);
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections
        .invited("Bob", &[], |invitation| invitation.all_locations = true)
        .await;
    let own = connections.paste(&ada, 3).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let before = connections.requests().await;
    let read = json!({"location": own.alias});
    let told = connections.call(&of_ada, READ, read.clone()).await;
    assert!(told.is_ok(), "{told:?}");
    assert_eq!(connections.reached(before).await, [branch(3)]);
    let of_bob = connections.connect(Terms::of_person(&bob)).await;
    let named = connections
        .connect(Terms {
            locations: &["b01", "b02", "own-03"],
            ..Terms::of_person(&bob)
        })
        .await;
    assert_eq!(own.alias, "own-03");
    let keys = Keys::new(&connections.agency.server.store());
    let mut keyed = Vec::new();
    for (name, locations) in [
        ("all", KeyLocations::All),
        (
            "two",
            KeyLocations::Only(vec!["b01".to_owned(), own.alias.clone()]),
        ),
    ] {
        let (_, text) = keys
            .create(name, locations, None, None)
            .await
            .expect("a key");
        keyed.push(format!("Bearer {}", text.expose_secret()));
    }
    keyed.push("Bearer operator-of-this-agency-1".to_owned());
    let keyed = keyed.into_iter().map(|bearer| Connection {
        id: String::new(),
        bearer,
    });
    for other in [of_bob, named].into_iter().chain(keyed) {
        check(&connections, &other, (&own.alias, &branch(3)), "Own 03").await;
    }
    // Two people may have connected the same location. Each uses their own connection.
    let of_both = connections.paste(&bob, 3).await;
    assert_ne!(of_both.alias, own.alias);
    let again = connections.connect(Terms::of_person(&bob)).await;
    for (connection, alias) in [(&of_ada, &own.alias), (&again, &of_both.alias)] {
        for name in [alias, &branch(3)] {
            let told = connections.call(connection, READ, json!({"location": name}));
            assert!(told.await.is_ok(), "{name}");
        }
    }
    // The settings may give the alias to another location. The grant from Ada does not apply to that one.
    let of_own = connections
        .connect(Terms {
            locations: &["own-03"],
            ..Terms::of_person(&ada)
        })
        .await;
    assert!(connections.call(&of_own, READ, json!({})).await.is_ok());
    let controls = connections.controls();
    controls.vault.remove(&own.id, None).await.expect("removed");
    connections
        .until(|connections| {
            let snapshot = connections.agency.server.pipeline.snapshot();
            snapshot.locations.find("own-03").is_none()
        })
        .await;
    let told = connections.call(&of_own, READ, json!({})).await;
    let told = told.expect_err("it is no more");
    assert!(told["status"] == 401, "{told}");
}

/// A key for what one customer connected reaches that alone.
#[tokio::test]
async fn a_key_for_a_connected_location_reaches_no_other() {
    let connections = Connections::start(3, "").await;
    connections.agency.reload("", &[1]);
    let mut connected = Vec::new();
    for number in [2, 3] {
        let new = NewToken {
            owner: None,
            location: branch(number),
            name: format!("Own {number:02}"),
            zone: None,
            company: None,
            token: SecretString::from(format!("pit-sandbox-branch-{number:02}")),
        };
        let kept = connections.controls().vault.put_token(new).await;
        connected.push(kept.expect("a location"));
    }
    connections
        .until(|connections| {
            let snapshot = connections.agency.server.pipeline.snapshot();
            snapshot.locations.iter().count() == 3
        })
        .await;
    let keys = Keys::new(&connections.agency.server.store());
    for (own, other) in [(0, 1), (1, 0)] {
        let (own, other) = (&connected[own], &connected[other]);
        let locations = KeyLocations::Connected(vec![own.id.clone()]);
        let made = keys.create(&own.alias, locations, None, None).await;
        let (_, key) = made.expect("a key");
        let connection = Connection {
            id: String::new(),
            bearer: format!("Bearer {}", key.expose_secret()),
        };
        let before = connections.requests().await;
        let told = connections.call(&connection, READ, json!({})).await;
        assert!(told.is_ok(), "{told:?}");
        let reached = connections.reached(before).await;
        assert_eq!(reached, std::slice::from_ref(&own.location));
        let foreign = (other.alias.as_str(), other.location.as_str());
        check(&connections, &connection, foreign, &other.name).await;
        let of_settings = (alias(1), branch(1));
        let foreign = (of_settings.0.as_str(), of_settings.1.as_str());
        check(&connections, &connection, foreign, "Branch 01").await;
    }
}

const LOCATIONS: usize = 40;

/// One call of the connection of branch `own`, which may name another's location.
async fn one(
    connections: &Connections,
    connection: &Connection,
    own: usize,
    number: usize,
) -> bool {
    let other = own % LOCATIONS + 1;
    let email = format!("{}@{}.example", number / 6, alias(own));
    let (path, tool, arguments, is_own) = match number % 6 {
        0 => ("/mcp", READ, json!({"limit": 3}), true),
        1 => ("/mcp", READ, json!({"locationId": branch(other)}), false),
        2 => (
            "/mcp",
            WRITE,
            json!({"email": email, "tags": [alias(own)]}),
            true,
        ),
        3 => (
            "/mcp/orchestrator",
            "call_read",
            json!({"operation": READ, "location": alias(other)}),
            false,
        ),
        4 => (
            "/mcp",
            WRITE,
            json!({"email": "x@x.example", "locationId": branch(other)}),
            false,
        ),
        _ => (
            "/mcp",
            "locations_get-location",
            json!({"locationId": branch(own)}),
            true,
        ),
    };
    let headers = [("authorization", connection.bearer.as_str())];
    let told = connections
        .call_with(path, &headers, tool, arguments.clone())
        .await;
    let place = format!("{own} {tool} {arguments}: {told:?}");
    match (&told, is_own) {
        (Ok(told), true) => {
            let text = told.to_string();
            assert!(text.contains(&branch(own)), "{place}");
            for named in (1..=LOCATIONS).filter(|named| *named != own) {
                assert!(!text.contains(&branch(named)), "{place}");
            }
        }
        (Err(told), false) => assert_eq!(told["class"], "location", "{place}"),
        _ => panic!("{place}"),
    }
    is_own
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_connections_at_once_never_cross() {
    let connections = Arc::new(Connections::start(LOCATIONS, "").await);
    let (done, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for own in 1..=LOCATIONS {
        let name = alias(own);
        let person = connections.member(&format!("Person {own}"), &[&name]).await;
        let connection = connections.connect(Terms::of_person(&person)).await;
        let (connections, done, refused) = (
            Arc::clone(&connections),
            Arc::clone(&done),
            Arc::clone(&refused),
        );
        clients.push(async move {
            for number in 0..48 {
                match one(&connections, &connection, own, number).await {
                    true => done.fetch_add(1, Ordering::Relaxed),
                    false => refused.fetch_add(1, Ordering::Relaxed),
                };
            }
        });
    }
    let clients: Vec<_> = clients.into_iter().map(tokio::spawn).collect();
    for client in clients {
        client.await.expect("no failure");
    }
    for number in 1..=LOCATIONS {
        let token = format!("pit-sandbox-branch-{number:02}");
        let target = format!("GET /contacts/?locationId={}&limit=100", branch(number));
        let (_, _, found) = connections.agency.sandbox.send(&target, &token, None).await;
        let rows = found["contacts"].as_array().expect("contacts");
        let written = rows.iter().filter(|row| {
            let email = row["email"].as_str();
            email.is_some_and(|email| email.ends_with(".example"))
        });
        let tags: BTreeSet<&str> = written
            .flat_map(|row| row["tags"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(tags, BTreeSet::from([alias(number).as_str()]), "{number}");
    }
    let (done, refused) = (
        done.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
    );
    println!(
        "{LOCATIONS} connections: {done} calls in their own location, {refused} refused for another's"
    );
    assert!(done > 0 && refused > 0);
}
