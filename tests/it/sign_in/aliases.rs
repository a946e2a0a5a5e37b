//! Aliases that the settings take: what was said of a location that had one before is not said of the settings' own.

use secrecy::SecretString;
use serde_json::json;
use state::vault::{NewToken, Vault};

use super::connections::{Connection, Connections, Terms};
use crate::agency::branch;

const READ: &str = "contacts_get-contacts";

/// The locations that a read in the location of this alias reaches.
async fn reached_by(
    connections: &Connections,
    connection: &Connection,
    alias: &str,
) -> Vec<String> {
    let before = connections.requests().await;
    // What is refused reaches none.
    let _ = connections
        .call(connection, READ, json!({"location": alias}))
        .await;
    connections.reached(before).await
}

/// The settings may take an alias for another location that one had which was connected before: what was said of that one
/// is not said of the other.
#[tokio::test]
async fn an_alias_taken_by_the_settings_opens_nothing_to_its_previous_users() {
    for is_adas in [true, false] {
        // The third is connected as `b02`, and the settings take that later for the second.
        let connections = Connections::start(3, "").await;
        connections.agency.reload("", &[1]);
        let ada = connections.member("Ada", &["b01"]).await;
        let new = NewToken {
            owner: is_adas.then(|| ada.id.clone()),
            location: branch(3),
            name: "B02".to_owned(),
            zone: None,
            company: None,
            token: SecretString::from("pit-sandbox-branch-03"),
        };
        let store = connections.agency.server.store();
        let connected = Vault::new(&store).put_token(new).await.expect("kept");
        assert_eq!(connected.alias, "b02");
        connections
            .until(|connections| {
                let snapshot = connections.agency.server.pipeline.snapshot();
                snapshot.locations.find("b02").is_some()
            })
            .await;
        let invited = connections.member("Cleo", &["b02"]).await;
        let all = connections
            .invited("Bob", &[], |invitation| invitation.all_locations = true)
            .await;
        let keyed = |name, aliases: Option<&[&str]>| Connection {
            id: String::new(),
            bearer: connections.agency.key(name, aliases, None),
        };
        let named = |person| Terms {
            locations: &["b02"],
            ..Terms::of_person(person)
        };
        // Each: who it is, whether it had what was connected, and whether it has what the settings call so.
        let rows = [
            (
                "Ada's",
                connections.connect(Terms::of_person(&ada)).await,
                is_adas,
                false,
            ),
            (
                "Ada's, by name",
                connections.connect(named(&ada)).await,
                is_adas,
                false,
            ),
            (
                "Cleo's",
                connections.connect(Terms::of_person(&invited)).await,
                !is_adas,
                is_adas,
            ),
            (
                "Cleo's, by name",
                connections.connect(named(&invited)).await,
                !is_adas,
                is_adas,
            ),
            (
                "Bob's",
                connections.connect(Terms::of_person(&all)).await,
                !is_adas,
                true,
            ),
            (
                "Bob's, by name",
                connections.connect(named(&all)).await,
                !is_adas,
                is_adas,
            ),
            (
                "a key for it",
                keyed("b02", Some(&["b02"])),
                !is_adas,
                is_adas,
            ),
            ("a key for all", keyed("all", None), !is_adas, true),
        ];
        for (name, connection, had, _) in &rows {
            let reached = reached_by(&connections, connection, "b02").await;
            let expected = if *had { vec![branch(3)] } else { Vec::new() };
            assert_eq!(reached, expected, "{name}, before, Ada's own: {is_adas}");
        }
        connections.agency.reload("", &[1, 2]);
        for (name, connection, _, has) in &rows {
            let reached = reached_by(&connections, connection, "b02").await;
            let expected = if *has { vec![branch(2)] } else { Vec::new() };
            assert_eq!(reached, expected, "{name}, after, Ada's own: {is_adas}");
        }
    }
}
