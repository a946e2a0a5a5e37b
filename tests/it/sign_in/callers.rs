//! A connected client's permissions, its refusals, and what ends it.

use serde_json::{Value, json};
use state::approvals::Approvals;
use state::clients::Clients;
use state::grants::{EndedGrants, GrantHolder};
use state::keys::Keys;

use super::connections::{Connection, Connections, Terms};
use crate::agency::{branch, contact};

const READ: &str = "contacts_get-contacts";
const WRITE: &str = "contacts_upsert-contact";
const DELETE: &str = "contacts_delete-contact";

/// The server refuses the request itself, and forwards nothing.
async fn check_ended(connections: &Connections, connection: &Connection, what: &str) {
    let before = connections.requests().await;
    for (tool, arguments) in [
        (READ, json!({"location": "b01"})),
        (WRITE, json!({"location": "b01", "email": "a@b.example"})),
    ] {
        let told = connections.call(connection, tool, arguments).await;
        let told = told.expect_err(what);
        assert_eq!(told["status"], 401, "{what}: {told}");
    }
    assert_eq!(connections.requests().await, before, "{what}");
}

async fn check_lives(connections: &Connections, connection: &Connection, what: &str) {
    let told = connections.call(connection, READ, json!({"location": "b01"}));
    assert!(told.await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_grant_ends_with_its_person_its_key_its_client_and_its_location() {
    let connections = Connections::start(3, "").await;
    let store = connections.agency.server.store();
    let keys = Keys::new(&store);
    let key = connections
        .agency
        .key("partner", Some(&["b01", "b02"]), None);
    let key_id = keys.list().await.expect("keys")[0].id.clone();
    let ada = connections.member("Ada", &["b01"]).await;
    let bob = connections.member("Bob", &["b01", "b02"]).await;
    let of_ada = connections.connect(Terms::of_person(&ada)).await;
    let second = connections.connect(Terms::of_person(&ada)).await;
    let of_bob = connections
        .connect(Terms {
            locations: &["b01"],
            ..Terms::of_person(&bob)
        })
        .await;
    let of_key = connections
        .connect(Terms {
            holder: GrantHolder::Key(key_id.clone()),
            ..Terms::of_person(&ada)
        })
        .await;
    for one in [&of_ada, &second, &of_bob, &of_key] {
        check_lives(&connections, one, "connected").await;
    }
    let grants = &connections.controls().grants;
    let ended = grants.end(EndedGrants::One(second.id.clone()), "ended", None);
    assert_eq!(ended.await.expect("ended"), 1);
    check_ended(&connections, &second, "by itself").await;
    check_lives(&connections, &of_ada, "the other of the person").await;
    connections
        .controls()
        .people
        .end(&ada.id, None)
        .await
        .expect("ended");
    check_ended(&connections, &of_ada, "by its person").await;
    check_lives(&connections, &of_bob, "of another person").await;
    check_lives(&connections, &of_key, "of a key").await;
    keys.revoke(&key_id).await.expect("revoked");
    check_ended(&connections, &of_key, "by its key").await;
    assert!(
        connections
            .call_with("/mcp", &[("authorization", &key)], READ, json!({}))
            .await
            .is_err()
    );
    let ended = grants.end(
        EndedGrants::Location("b01".to_owned()),
        "the location was removed",
        None,
    );
    assert_eq!(ended.await.expect("ended"), 1);
    check_ended(&connections, &of_bob, "by its location").await;
    let again = connections.connect(Terms::of_person(&bob)).await;
    check_lives(&connections, &again, "connected again").await;
    let clients = Clients::new(&store);
    let blocked = clients.block(&connections.client.id, true).await;
    blocked.expect("blocked");
    check_ended(&connections, &again, "by its client").await;
}

/// A location that the holder no longer reaches is out of the grant's reach from that moment on.
#[tokio::test]
async fn a_grant_reaches_no_more_than_its_holder_does() {
    let connections = Connections::start(3, "").await;
    let ada = connections.member("Ada", &["b01", "b02"]).await;
    let all = connections.connect(Terms::of_person(&ada)).await;
    let one = connections
        .connect(Terms {
            locations: &["b02", "b03"],
            ..Terms::of_person(&ada)
        })
        .await;
    let reads = |connection: Connection, location: Value| {
        let connections = &connections;
        async move {
            let before = connections.requests().await;
            let told = connections.call(&connection, READ, json!({"location": location}));
            match told.await {
                Ok(_) => Ok(connections.reached(before).await),
                Err(told) => {
                    assert!(connections.reached(before).await.is_empty());
                    Err(told["class"].as_str().unwrap_or_default().to_owned())
                }
            }
        }
    };
    let location = Err("location".to_owned());
    assert_eq!(reads(all.clone(), json!("b01")).await, Ok(vec![branch(1)]));
    assert_eq!(reads(all.clone(), json!(null)).await, location);
    assert_eq!(reads(all.clone(), json!("b03")).await, location);
    // A grant of one location needs no location argument. The request for b03 gives no access.
    assert_eq!(reads(one.clone(), json!(null)).await, Ok(vec![branch(2)]));
    assert_eq!(reads(one.clone(), json!("b03")).await, location);
    // A list shows exactly those locations.
    let headers = [("authorization", all.bearer.as_str())];
    let listed = connections
        .call_with("/mcp/orchestrator", &headers, "list_locations", json!({}))
        .await
        .expect("a list");
    let names: Vec<&str> = listed["locations"]
        .as_array()
        .expect("locations")
        .iter()
        .filter_map(|row| row["alias"].as_str())
        .collect();
    assert_eq!(names, ["b01", "b02"]);
    // No grant acts for the agency, whatever its rules.
    let told = connections
        .call(&all, "locations_create-location", json!({"name": "Spa"}))
        .await;
    assert_eq!(told.expect_err("refused")["class"], "token_class");
    connections.agency.reload("", &[1, 3]);
    let gone = connections.call(&one, READ, json!({})).await;
    let gone = gone.expect_err("no location");
    assert!(
        gone["error"]
            .as_str()
            .is_some_and(|error| error.contains("no longer reaches any location")),
        "{gone}"
    );
}

#[tokio::test]
async fn the_audit_names_grant_client_and_person() {
    let connections = Connections::start(1, "").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let connection = connections.connect(Terms::of_person(&ada)).await;
    let write = json!({"email": "a@b.example"});
    assert!(connections.call(&connection, WRITE, write).await.is_ok());
    let store = connections.agency.server.store();
    let query = state::audit::AuditQuery {
        who: Some(ada.id.clone()),
        ..state::audit::AuditQuery::default()
    };
    let found = state::audit::records(&store, &query).expect("records");
    let [record] = found.records.as_slice() else {
        panic!("one record: {found:?}");
    };
    assert_eq!(record.call.who, format!("grant:{}", connection.id));
    assert_eq!(record.call.person.as_ref(), Some(&ada.id));
    assert_eq!(record.call.client_id.as_ref(), Some(&connections.client.id));
}

/// The end that another process has just written is not yet known here. Changes are refused all the same.
#[tokio::test]
async fn a_write_is_refused_from_the_moment_on_that_its_grant_ends() {
    let connections = Connections::start(1, "").await;
    let ada = connections.member("Ada", &["b01"]).await;
    for number in 0..10 {
        let connection = connections.connect(Terms::of_person(&ada)).await;
        let first = json!({"email": format!("{number}@first.example")});
        assert!(connections.call(&connection, WRITE, first).await.is_ok());
        let ended = format!(
            "UPDATE oauth_grant SET ended_at = 1, ended_why = 'ended' WHERE id = '{}'",
            connection.id
        );
        connections.change_rows(&ended).await;
        let before = connections.agency.writes().await.len();
        let second = json!({"email": format!("{number}@second.example")});
        let told = connections.call(&connection, WRITE, second).await;
        let told = told.expect_err("refused").to_string();
        assert!(told.contains("this connection was ended"), "{told}");
        assert_eq!(connections.agency.writes().await.len(), before);
    }
}

/// An approval belongs to one connection: another connection of the same person cannot run it.
#[tokio::test]
async fn an_approval_belongs_to_the_connection_that_asked() {
    let mut connections = Connections::start(1, "").await;
    let key = connections.agency.key("all", None, None);
    let contact = contact(&mut connections.agency, &key, "b01").await;
    let ada = connections.member("Ada", &["b01"]).await;
    let terms = Terms {
        rules: "ask-first",
        ..Terms::of_person(&ada)
    };
    let one = connections.connect(terms.clone()).await;
    let other = connections.connect(terms).await;
    let asked = connections
        .call(&one, DELETE, json!({"contactId": contact}))
        .await
        .expect("asked");
    let confirm = asked["confirm"].clone();
    let handle = confirm.as_str().expect("a handle");
    let approvals = Approvals::new(&connections.agency.server.store());
    let approval = approvals.get(handle).await.expect("read").expect("there");
    assert_eq!(approval.who, format!("grant:{}", one.id));
    assert!(approval.holder_decides);
    let foreign = connections
        .call(
            &other,
            DELETE,
            json!({"contactId": contact, "confirm": confirm}),
        )
        .await
        .expect_err("another's");
    assert!(
        foreign.to_string().contains("for another call"),
        "{foreign}"
    );
    let decided = approvals.decide(handle, true, "Ada", None).await;
    decided.expect("approved");
    // It runs by itself, as the connection that asked.
    for _ in 0..100 {
        let approval = approvals.get(handle).await.expect("read").expect("there");
        if approval.outcome.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let writes = connections.agency.writes().await;
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(writes[0]["method"], "DELETE");
}
