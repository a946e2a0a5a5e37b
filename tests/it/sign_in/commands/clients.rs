//! Connections, clients and connected locations, by the commands.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use secrecy::SecretString;
use state::Store;
use state::clients::Clients;
use state::grants::{GrantHolder, GrantScope, GrantTimes, Grants, NewGrant, Redemption};
use state::people::{People, Person};
use state::vault::{NewToken, Vault};

use super::Office;
use crate::sign_in::URL;

pub(super) async fn connect(store: &Store, holder: &Person, client: &str, rules: &str) -> String {
    let grants = Grants::new(
        store,
        GrantTimes {
            access_for: Duration::from_secs(3_600),
            refresh_idle: Duration::from_secs(3_600),
            refresh_for: Duration::from_secs(3_600),
            refresh_grace: Duration::ZERO,
        },
    );
    let verifier = "v".repeat(43);
    let allowed = grants.allow(NewGrant {
        holder: GrantHolder::Person(holder.id.clone()),
        client: client.to_owned(),
        client_name: "Claude Code".to_owned(),
        redirect: "https://client.example/cb".to_owned(),
        resource: format!("{URL}/mcp"),
        scope: GrantScope::Write,
        rules: rules.to_owned(),
        locations: vec!["acme".to_owned()],
        challenge: URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
        form: format!("{}{client}{rules}", holder.id),
    });
    let (grant, code) = allowed.await.expect("written").expect("new");
    let redeemed = grants.redeem(Redemption {
        code,
        client: client.to_owned(),
        redirect: Some("https://client.example/cb".to_owned()),
        verifier: verifier.into(),
        resource: None,
    });
    redeemed.await.expect("written").expect("redeemed");
    grant.id
}

#[tokio::test]
async fn connections_are_listed_and_ended_by_client_and_person() {
    let office = Office::new();
    office.run(&["invite", "Anna", "--operator"], 0).await;
    let store = office.store();
    let people = People::new(&store);
    let anna = people.make_member("Anna").await.expect("made");
    let bert = people.make_member("Bert").await.expect("made");
    let mut ids = Vec::new();
    for (person, client, rules) in [
        (&anna, "cli_a", "read-only"),
        (&anna, "cli_b", "section:front-desk"),
        (&bert, "cli_a", "ask-first"),
        (&bert, "cli_c", "everything"),
        (&bert, "cli_d", "everyday"),
    ] {
        ids.push(connect(&store, person, client, rules).await);
    }
    let list = ["connections", "list"];
    let mut rows = office.rows(&list).await;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row[3]));
    assert_eq!(rows[0][..2], ["Claude Code", "Anna"]);
    let may: Vec<&str> = rows.iter().map(|row| row[4].as_str()).collect();
    let expected = [
        "read only",
        "rules front-desk",
        "ask first",
        "everything",
        "everyday",
    ];
    assert_eq!(may, expected.map(|rules| format!("acme; {rules}")));
    // The ended connections, their number, and those that are left.
    let one = ids[3].clone();
    for (which, ended, left) in [
        (
            &["--client", "cli_a"][..],
            "2 connections have ended",
            &[1, 3, 4][..],
        ),
        (&[&one], "1 connection has ended", &[1, 4]),
        (&["--client", "cli_a"], "no such connection", &[1, 4]),
        (&["--person", "Anna"], "1 connection has ended", &[4]),
        (&["--all"], "1 connection has ended", &[]),
    ] {
        let (printed, _) = office
            .run(&[&["connections", "end"], which].concat(), 0)
            .await;
        assert!(printed.contains(ended), "{which:?}: {printed}");
        let rows = office.rows(&list).await;
        let mut found: Vec<usize> = rows
            .iter()
            .filter_map(|row| ids.iter().position(|id| *id == row[3]))
            .collect();
        found.sort_unstable();
        assert_eq!(found, left, "{which:?}");
    }
    let rows = office.rows(&["connections", "list", "--ended"]).await;
    assert_eq!(rows.len(), 5);
    assert!(
        rows.iter()
            .all(|row| row[4].contains("ended by the operator")),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_client_is_made_blocked_and_removed() {
    let office = Office::new();
    let add = [
        "clients",
        "add",
        "My app",
        "--redirect",
        "https://app.example/cb",
    ];
    let (public, said) = office.run(&add, 0).await;
    assert!(said.contains("https://mcp.example.test/mcp"), "{said}");
    let id = public
        .strip_prefix("client_id: ")
        .expect("an id")
        .trim_end();
    assert!(id.starts_with("cli_") && !id.contains('\n'), "{public}");
    let (both, said) = office.run(&[&add[..], &["--secret"]].concat(), 0).await;
    assert!(
        said.contains("not shown again") && !said.contains("hlcs_"),
        "{said}"
    );
    let (confidential, secret) = both.split_once('\n').expect("two lines");
    let confidential = confidential.strip_prefix("client_id: ").expect("an id");
    let secret = secret.strip_prefix("client_secret: ").expect("a secret");
    let store = office.store();
    let clients = Clients::new(&store);
    let secret = SecretString::from(secret.trim_end().to_owned());
    for (id, expected) in [(confidential, true), (id, false)] {
        assert_eq!(clients.is_secret(id, &secret).await, Ok(expected));
    }
    let anna = People::new(&store).make_member("Anna").await.expect("made");
    connect(&store, &anna, id, "read-only").await;
    let known_by = || async {
        let rows = office.rows(&["clients", "list"]).await;
        let row = rows.into_iter().find(|row| row[3] == id);
        row.map(|row| row[1].clone())
    };
    assert_eq!(known_by().await.as_deref(), Some("operator"));
    office.run(&["clients", "block", id], 0).await;
    assert_eq!(known_by().await.as_deref(), Some("blocked"));
    assert!(office.rows(&["connections", "list"]).await.is_empty());
    office.run(&["clients", "unblock", id], 0).await;
    assert_eq!(known_by().await.as_deref(), Some("operator"));
    office.run(&["clients", "remove", id], 0).await;
    assert_eq!(known_by().await, None);
}

/// Nobody else can be invited to a location that a person connected. It is removed with the person if that is asked
/// for.
#[tokio::test]
async fn connected_locations_are_given_and_removed_as_their_owners_may() {
    let office = Office::new();
    office.run(&["invite", "Anna", "--operator"], 0).await;
    let store = office.store();
    let (vault, people) = (Vault::new(&store), People::new(&store));
    let put = |owner: Option<String>, name: &str| {
        vault.put_token(NewToken {
            owner,
            location: format!("loc-{name}"),
            name: name.to_owned(),
            zone: None,
            company: None,
            token: format!("pit-{name}").into(),
        })
    };
    let bert = people.make_member("Bert").await.expect("made");
    let shared = put(None, "Shared").await.expect("kept").alias;
    let own = put(Some(bert.id.clone()), "Own").await.expect("kept").alias;
    let invite = |alias| ["invite", "Carl", "--locations", alias];
    office.run(&invite(&shared), 0).await;
    let (_, said) = office.run(&invite(&own), 2).await;
    assert!(
        said.contains(&format!("there is no location {own}")),
        "{said}"
    );
    // It can be paused like any other.
    office.run(&["pause", "--location", &own], 0).await;
    let (_, said) = office.run(&["people", "end", "Bert"], 0).await;
    assert!(
        said.contains("Kept, with their tokens: 1 location"),
        "{said}"
    );
    let end = ["people", "end", &bert.id, "--remove-locations"];
    let (printed, _) = office.run(&end, 0).await;
    assert!(
        printed.contains("with their tokens: 1 location that"),
        "{printed}"
    );
    let left = vault.list().await.expect("read");
    let left: Vec<&str> = left.iter().map(|one| one.alias.as_str()).collect();
    assert_eq!(left, [shared.as_str()]);
}
