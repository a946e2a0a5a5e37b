//! Owners and names of locations, sealed contents, and what ends with them.

mod installs;
mod rekey;

use secrecy::SecretString;

use super::*;
use crate::events::Events;
use crate::keys::{KeyLocations, Keys};
use crate::store::for_tests::{self, TestPlace, folder, number, open, sql};

const TOKEN: &str = "pit-11111111-2222-3333-4444-555555555555";

fn token(owner: Option<&str>, location: &str, token: &str) -> NewToken {
    NewToken {
        owner: owner.map(str::to_owned),
        location: location.to_owned(),
        name: format!("{location} Dental"),
        zone: Some("Europe/Berlin".to_owned()),
        company: None,
        token: token.into(),
    }
}

#[track_caller]
fn put(vault: &Vault, owner: Option<&str>, location: &str, text: &str) -> VaultLocation {
    let put = vault.put_token(token(owner, location, text)).wait();
    put.expect("kept")
}

/// Alias, owner, token and status of each.
fn kept(vault: &Vault) -> Vec<(String, Option<String>, Option<String>, &'static str)> {
    let read = vault.read().wait().expect("read");
    let text = |token: SecretString| token.expose_secret().to_owned();
    read.into_iter()
        .map(|(one, token)| (one.alias, one.owner, token.map(text), one.status.word()))
        .collect()
}

/// Aliases and tokens.
fn tokens(vault: &Vault) -> Vec<(String, String)> {
    let kept = kept(vault).into_iter();
    kept.map(|(alias, _, token, _)| (alias, token.unwrap_or_default()))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(alias, token): &(&str, &str)| ((*alias).to_owned(), (*token).to_owned());
    expected.iter().map(owned).collect()
}

fn credentials(folder: &TestPlace) -> i64 {
    number(folder, "SELECT COUNT(*) AS n FROM vault_credential")
}

#[on_both]
fn a_token_is_kept_for_its_owner_and_renewed_in_its_place() {
    let folder = folder();
    let store = open(&folder);
    let vault = Vault::new(&store);
    let first = put(&vault, Some("per_ada"), "acme", "pit-a");
    assert_eq!(
        (
            first.alias.as_str(),
            first.name.as_str(),
            first.zone.as_deref()
        ),
        ("acme-dental", "acme Dental", Some("Europe/Berlin"))
    );
    assert!(first.id.starts_with("loc_") && first.credential.starts_with("cre_"));
    assert_eq!(
        (first.kind, first.status),
        (CredentialKind::Pit, CredentialStatus::Good)
    );
    // The same again, after HighLevel had refused it.
    let refused = vault.set_status(&first.credential, CredentialStatus::Refused);
    refused.wait().expect("set");
    let again = put(&vault, Some("per_ada"), "acme", "pit-a");
    assert_eq!((&again.id, &again.alias), (&first.id, &first.alias));
    assert_eq!(again.status, CredentialStatus::Good);
    // Another one for the same location.
    let other = put(&vault, Some("per_ada"), "acme", "pit-b");
    assert_eq!((&other.id, &other.alias), (&first.id, &first.alias));
    assert_eq!(credentials(&folder), 1);
    // The same token, by somebody else who has it, and by the operator.
    put(&vault, Some("per_bob"), "acme", "pit-b");
    put(&vault, None, "acme", "pit-b");
    let expected = [
        ("acme-dental", "pit-b"),
        ("acme-dental-2", "pit-b"),
        ("acme-dental-3", "pit-b"),
    ];
    assert_eq!(tokens(&vault), pairs(&expected));
    let bob = vault.list().wait().expect("read").remove(1);
    assert_eq!(bob.owner.as_deref(), Some("per_bob"));
    vault.remove(&bob.id, None).wait().expect("removed");
    assert_eq!(tokens(&vault), pairs(&[expected[0], expected[2]]));
    assert_eq!(credentials(&folder), 2);
    let told = Events::new(&store).list(10).wait().expect("read");
    let told: Vec<_> = told
        .into_iter()
        .map(|one| (one.kind, one.actor, one.detail))
        .collect();
    let (added, removed) = ("location added".to_owned(), "location removed".to_owned());
    assert_eq!(told.len(), 6);
    assert_eq!(
        told[0],
        (removed, None, "acme-dental-2 (acme): pit".to_owned())
    );
    let ada = Some("per_ada".to_owned());
    let what = "acme-dental (acme): a private integration's token";
    assert_eq!(told[5], (added, ada, what.to_owned()));
    let gone = vault
        .remove(&bob.id, None)
        .wait()
        .expect_err("gone")
        .to_string();
    assert!(gone.contains("there is no connected location"), "{gone}");
    // Connecting it again restores its earlier name.
    let back = put(&vault, Some("per_bob"), "acme", "pit-c");
    assert_eq!((back.id, back.alias), (bob.id, bob.alias));
}

#[on_both]
fn an_alias_names_no_location_of_another_and_of_none_before() {
    let folder = folder();
    let store = open(&folder);
    let vault = Vault::new(&store).reserving(["acme-dental".to_owned(), "zeta-dental".to_owned()]);
    let key = KeyLocations::Only(vec!["globex-dental".to_owned()]);
    let made = Keys::new(&store).create("old", key, None, None).wait();
    made.expect("made");
    sql(
        &folder,
        "INSERT INTO person_location VALUES ('per_ada', 'initech-dental', NULL, 0)",
    );
    sql(
        &folder,
        "INSERT INTO grant_location VALUES ('gra_a', 'hooli-dental')",
    );
    let alias =
        |owner, location| put(&vault, Some(owner), location, &format!("{owner}{location}")).alias;
    assert_eq!(alias("a", "acme"), "acme-dental-2");
    assert_eq!(alias("a", "globex"), "globex-dental-2");
    assert_eq!(alias("a", "initech"), "initech-dental-2");
    assert_eq!(alias("a", "hooli"), "hooli-dental-2");
    assert_eq!(alias("a", "umbrella"), "umbrella-dental");
    let umbrella = vault.list().wait().expect("read").remove(4);
    vault.remove(&umbrella.id, None).wait().expect("removed");
    assert_eq!(alias("b", "umbrella"), "umbrella-dental-2");
    // Meanwhile the settings use it.
    let vault = Vault::new(&store).reserving(["umbrella-dental".to_owned()]);
    assert_eq!(
        put(&vault, Some("a"), "umbrella", "t").alias,
        "umbrella-dental-3"
    );
    let all = NewToken {
        name: "All!\u{7}".to_owned(),
        ..token(None, "x", "u")
    };
    let all = vault.put_token(all).wait().expect("kept");
    assert_eq!((all.alias.as_str(), all.name.as_str()), ("all-2", "All!"));
}

#[on_both]
fn a_sealed_token_opens_in_its_row_and_generation_only() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let acme = put(&vault, None, "acme", "pit-a").credential;
    put(&vault, None, "globex", "pit-g");
    let before = "CREATE TABLE old AS SELECT id, sealed FROM vault_credential";
    sql(&folder, before);
    let expected = |acme: Option<&str>, status| {
        let acme = (
            "acme-dental".to_owned(),
            None,
            acme.map(str::to_owned),
            status,
        );
        let globex = (
            "globex-dental".to_owned(),
            None,
            Some("pit-g".to_owned()),
            "good",
        );
        assert_eq!(kept(&vault), [acme, globex]);
    };
    expected(Some("pit-a"), "good");
    sql(
        &folder,
        &format!(
            "UPDATE vault_credential SET sealed = (SELECT sealed FROM old WHERE id <> '{acme}') WHERE id = '{acme}'"
        ),
    );
    expected(None, "refused");
    put(&vault, None, "acme", "pit-b");
    expected(Some("pit-b"), "good");
    // That of an earlier generation, without its row.
    sql(
        &folder,
        &format!(
            "UPDATE vault_credential SET sealed = (SELECT sealed FROM old WHERE id = '{acme}') WHERE id = '{acme}'"
        ),
    );
    expected(None, "refused");
}

#[on_sqlite("bytes of the files, and a copy")]
fn no_token_is_in_clear_text_in_file_log_or_backup() {
    let (folder, elsewhere) = (folder(), folder());
    let store = open(&folder);
    let vault = Vault::new(&store);
    let kept = put(&vault, None, "acme", TOKEN);
    put(
        &vault,
        None,
        "acme",
        "pit-99999999-2222-3333-4444-555555555555",
    );
    put(&vault, None, "acme", TOKEN);
    let copy = elsewhere.path().join("copy.db");
    store.backup(&copy).expect("copied");
    let check = |present: &[&std::path::Path]| {
        for path in present {
            let read = std::process::Command::new("cat").arg(path).output();
            let held = read.expect("read").stdout;
            let holds = |text: &str| held.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(holds(&kept.name), "what is no secret is there to be found");
            for secret in [TOKEN, &TOKEN[4..20], &crate::sha256(TOKEN), "99999999-2222"] {
                assert!(!holds(secret), "{secret} stands in {}", path.display());
            }
        }
    };
    let file = for_tests::file(&folder);
    check(&[&file.with_extension("db-wal"), &copy]);
    drop((vault, store));
    check(&[&file]);
    let shown = format!("{:?}", token(None, "acme", TOKEN));
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[on_both]
fn a_change_by_another_process_is_known_within_a_fifth_of_a_second() {
    let folder = folder();
    let [vault, other] = [(); 2].map(|()| Vault::new(&open(&folder)));
    let mut seen = vault.changes().expect("known");
    let location = put(&other, None, "acme", "pit-a");
    let acts: [&dyn Fn(); 3] = [
        &|| drop(put(&other, None, "acme", "pit-b")),
        &|| {
            let set = other.set_status(&location.credential, CredentialStatus::Refused);
            set.wait().expect("set");
        },
        &|| drop(other.remove(&location.id, None).wait().expect("removed")),
    ];
    let mut hear = |what: &str| {
        let waited = for_tests::comes(what, || vault.changes().expect("known") != seen);
        seen = vault.changes().expect("known");
        waited
    };
    hear("the first");
    for act in acts {
        act();
        let waited = hear("a change");
        // Twice the interval of 0.1 seconds, and the delay of a busy machine.
        assert!(waited.as_millis() < 1_000, "{waited:?}");
    }
    // Nothing new, or about other rows.
    let set = other.set_status("cre_none", CredentialStatus::Refused);
    set.wait().expect("set");
    sql(&folder, "UPDATE pause SET reason = NULL");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(vault.changes(), Ok(seen));
}

#[on_both]
fn locations_are_bounded() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let first = put(&vault, Some("per_ada"), "acme", "pit-a");
    let fill = |owner: &str, from: i64, to: i64| {
        sql(&folder, &format!(
            "WITH RECURSIVE number (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM number WHERE n < {to})
             INSERT INTO location SELECT 'loc_' || n, 'a' || n, 'l' || n, '{}', '{owner}', 'n', NULL, 1, NULL FROM number",
            first.credential
        ));
    };
    fill("per_ada", 2, MOST_LOCATIONS_OF_PERSON);
    let refused = |owner: Option<&str>, expected: &str| {
        let put = vault.put_token(token(owner, "new", "pit-n")).wait();
        let error = put.expect_err("full").to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(Some("per_ada"), "you have connected 2000 locations");
    assert_eq!(credentials(&folder), 1, "nothing is kept of it");
    put(&vault, Some("per_bob"), "acme", "pit-b");
    put(&vault, Some("per_ada"), "acme", "pit-c");
    fill("per_eve", MOST_LOCATIONS_OF_PERSON + 1, MOST_LOCATIONS - 1);
    refused(None, "10000 locations are connected");
    refused(Some("per_bob"), "10000 locations are connected");
    put(&vault, Some("per_ada"), "acme", "pit-d");
    vault.remove("loc_5000", None).wait().expect("removed");
    put(&vault, Some("per_bob"), "new", "pit-n");
    let gone = "UPDATE location SET ended_at = 1 WHERE id = 'loc_5000'";
    sql(&folder, gone);
    for_tests::beside(&folder, sweep);
    let left = "SELECT COUNT(*) AS n FROM location WHERE id = 'loc_5000'";
    assert_eq!(number(&folder, left), 0);
}

/// A grant that names these aliases.
fn grant(folder: &TestPlace, id: &str, aliases: &[&str]) {
    sql(folder, &format!(
        "INSERT INTO oauth_grant VALUES ('{id}', 'per_ada', NULL, 'c', 'c', 'r', 'm', 'read', 'read-only', x'00', 0,
         CAST('{id}' AS BLOB), 1, NULL, 9, 9, NULL, NULL)"
    ));
    for alias in aliases {
        sql(
            folder,
            &format!("INSERT INTO grant_location VALUES ('{id}', '{alias}')"),
        );
    }
}

/// Grants that have ended.
fn ended(folder: &TestPlace) -> Vec<String> {
    for_tests::beside(folder, |transaction| {
        let rows = transaction.all(sqlx::query(
            "SELECT id, ended_why FROM oauth_grant WHERE ended_at IS NOT NULL ORDER BY id",
        ))?;
        rows.iter()
            .map(|row| Ok(format!("{}: {}", row.text("id")?, row.text("ended_why")?)))
            .collect()
    })
}

/// Locations of grants that have not ended.
fn granted(folder: &TestPlace) -> i64 {
    let count = "SELECT COUNT(*) AS n FROM grant_location l JOIN oauth_grant g ON g.id = l.grant_id
        WHERE g.ended_at IS NULL";
    number(folder, count)
}

#[on_both]
fn grants_end_with_their_last_location() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let [acme, globex] = ["acme", "globex"].map(|one| put(&vault, Some("per_ada"), one, one));
    grant(&folder, "gra_all", &["*"]);
    grant(&folder, "gra_both", &["acme-dental", "globex-dental"]);
    grant(&folder, "gra_one", &["acme-dental"]);
    grant(&folder, "gra_other", &["globex-dental"]);
    let refused = vault.set_status(&globex.credential, CredentialStatus::Refused);
    refused.wait().expect("set");
    assert!(ended(&folder).is_empty());
    sql(
        &folder,
        "INSERT INTO person_location VALUES ('per_bob', 'acme-dental', NULL, 1)",
    );
    vault
        .remove(&acme.id, Some("per_ada"))
        .wait()
        .expect("removed");
    assert_eq!(ended(&folder), ["gra_one: its location was removed"]);
    assert_eq!((granted(&folder), credentials(&folder)), (3, 1));
    assert_eq!(
        number(&folder, "SELECT COUNT(*) AS n FROM person_location"),
        0
    );
    let set = vault.set_status(&globex.credential, CredentialStatus::Uninstalled);
    set.wait().expect("set");
    let both = ["gra_both", "gra_other"].map(|id| format!("{id}: the app was uninstalled"));
    assert_eq!(
        ended(&folder)[..2],
        [
            both[0].clone(),
            "gra_one: its location was removed".to_owned()
        ]
    );
    assert_eq!(ended(&folder)[2], both[1]);
    assert_eq!(granted(&folder), 1, "all of them stays");
    assert_eq!(kept(&vault)[0].3, "uninstalled");
}

#[on_both]
fn a_company_stays_when_its_last_location_goes() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let acme = put(&vault, None, "acme", "a");
    let company = "UPDATE vault_credential SET kind = 'company', sealed = NULL";
    sql(&folder, company);
    assert_eq!(
        kept(&vault),
        [("acme-dental".to_owned(), None, None, "good")]
    );
    vault.remove(&acme.id, None).wait().expect("removed");
    assert_eq!((kept(&vault).len(), credentials(&folder)), (0, 1));
    // A token for it is a separate credential.
    put(&vault, None, "acme", "b");
    assert_eq!(tokens(&vault), pairs(&[("acme-dental", "b")]));
    assert_eq!(credentials(&folder), 2);
}
