//! Installs of the app: whose pair is stored, the locations that appear, and the effects of HighLevel's notices.

use jiff::SignedDuration;

use super::*;
use crate::token_pairs::StoredPair;

const CLIENT: &str = "5a4d0b0c-key";

fn install(kind: CredentialKind, holder: &str, owner: Option<&str>, pair: &str) -> NewInstall {
    NewInstall {
        client: CLIENT.to_owned(),
        kind,
        holder: holder.to_owned(),
        company: Some("Company1".to_owned()),
        owner: owner.map(str::to_owned),
        pair: pair.into(),
    }
}

fn company(vault: &Vault, owner: Option<&str>, pair: &str) -> String {
    let new = install(CredentialKind::Company, "Company1", owner, pair);
    vault.put_install(new).wait().expect("kept")
}

fn found(location: &str, comes_back: bool) -> InstalledLocation {
    InstalledLocation {
        location: location.to_owned(),
        name: format!("{location} Dental"),
        zone: None,
        comes_back,
    }
}

/// Aliases that are connected now.
fn connect(
    vault: &Vault,
    credential: &str,
    owner: Option<&str>,
    locations: &[InstalledLocation],
) -> Vec<String> {
    let put = vault.put_locations(credential, owner, locations.to_vec());
    let put = put.wait().expect("connected");
    put.into_iter().map(|one| one.alias).collect()
}

fn pair(vault: &Vault, credential: &str) -> Option<StoredPair> {
    vault.pair(credential).read().wait().expect("read")
}

fn notice(
    id: &str,
    is_install: bool,
    company: Option<&str>,
    location: Option<&str>,
) -> InstallNotice {
    InstallNotice {
        id: id.to_owned(),
        client: CLIENT.to_owned(),
        is_install,
        company: company.map(str::to_owned),
        location: location.map(str::to_owned),
        at: crate::now() + SignedDuration::from_secs(1),
    }
}

fn take(vault: &Vault, notice: InstallNotice) -> NoticeOutcome {
    vault.take_notice(notice).wait().expect("taken")
}

#[on_both]
fn a_company_keeps_one_pair_and_its_locations_are_its_owners() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let credential = company(&vault, Some("per_ada"), "pair 1");
    assert_eq!(
        pair(&vault, &credential)
            .expect("kept")
            .text
            .expose_secret(),
        "pair 1"
    );
    let both = [found("acme", true), found("globex", true)];
    let aliases = connect(&vault, &credential, Some("per_ada"), &both);
    assert_eq!(aliases, ["acme-dental", "globex-dental"]);
    let listed = vault.list().wait().expect("read");
    let kinds = listed
        .iter()
        .map(|one| (one.kind, one.company.as_deref(), one.owner.as_deref()));
    let expected = (CredentialKind::Company, Some("Company1"), Some("per_ada"));
    assert_eq!(kinds.collect::<Vec<_>>(), [expected; 2]);
    // Installed again.
    let again = company(&vault, Some("per_ada"), "pair 2");
    assert_eq!(again, credential);
    let kept = pair(&vault, &credential).expect("kept");
    assert_eq!((kept.text.expose_secret(), kept.is_open), ("pair 2", false));
    assert_eq!(
        connect(&vault, &credential, Some("per_ada"), &both),
        aliases
    );
    // Another app, and the same app for a single location.
    let other = NewInstall {
        client: "other".to_owned(),
        ..install(CredentialKind::Company, "Company1", None, "pair 3")
    };
    assert_ne!(vault.put_install(other).wait().expect("kept"), credential);
    let alone = install(CredentialKind::Location, "acme", Some("per_bob"), "pair 4");
    let alone = vault.put_install(alone).wait().expect("kept");
    assert_eq!(
        connect(&vault, &alone, Some("per_bob"), &both[..1]),
        ["acme-dental-2"]
    );
    // Another owner of the first.
    assert_eq!(
        connect(&vault, &credential, None, &both[..1]),
        ["acme-dental-3"]
    );
    let companies = vault.companies().wait().expect("read");
    assert_eq!(companies.len(), 2);
    let held = for_tests::bytes(&folder);
    assert!(
        !held
            .windows(6)
            .any(|part| part == b"pair 1" || part == b"pair 4")
    );
}

#[on_both]
fn locations_that_their_owner_removed_or_reconnected_stay_so() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let token = put(&vault, None, "acme", "pit-a");
    let credential = company(&vault, None, "pair");
    let connected = connect(
        &vault,
        &credential,
        None,
        &[found("acme", true), found("globex", false)],
    );
    assert_eq!(connected, ["globex-dental"]);
    assert_eq!(
        tokens(&vault),
        pairs(&[("acme-dental", "pit-a"), ("globex-dental", "")])
    );
    let globex = vault.list().wait().expect("read").remove(1);
    vault.remove(&globex.id, None).wait().expect("removed");
    assert!(connect(&vault, &credential, None, &[found("globex", false)]).is_empty());
    assert_eq!(
        connect(&vault, &credential, None, &[found("globex", true)]),
        ["globex-dental"]
    );
    // A person who signs in at HighLevel for this location means it.
    let alone = install(CredentialKind::Location, "acme", None, "pair 2");
    let alone = vault.put_install(alone).wait().expect("kept");
    assert_eq!(
        connect(&vault, &alone, None, &[found("acme", true)]),
        ["acme-dental"]
    );
    let listed = vault.list().wait().expect("read");
    assert_eq!(
        (&listed[0].id, listed[0].kind),
        (&token.id, CredentialKind::Location)
    );
    let gone = vault
        .put_locations("cre_none", None, vec![found("x", true)])
        .wait();
    assert!(gone.is_err());
    let many = vec![found("x", true); MOST_AT_ONCE + 1];
    assert!(vault.put_locations(&credential, None, many).wait().is_err());
}

#[on_both]
fn an_uninstallation_ends_its_install_once_and_never_a_later_one() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let of_company = company(&vault, None, "pair");
    let alone = install(CredentialKind::Location, "initech", None, "pair 2");
    let alone = vault.put_install(alone).wait().expect("kept");
    connect(
        &vault,
        &of_company,
        None,
        &[found("acme", true), found("globex", true)],
    );
    connect(&vault, &alone, None, &[found("initech", true)]);
    grant(&folder, "gra_acme", &["acme-dental"]);
    grant(&folder, "gra_globex", &["globex-dental"]);
    grant(&folder, "gra_initech", &["initech-dental"]);
    let statuses = |expected: &[(&str, &str)]| {
        let kept = kept(&vault).into_iter();
        let kept: Vec<(String, &str)> = kept.map(|(alias, _, _, status)| (alias, status)).collect();
        let expected = expected
            .iter()
            .map(|(alias, status)| ((*alias).to_owned(), *status));
        assert_eq!(kept, expected.collect::<Vec<_>>());
    };
    // For another app, another location, or from before it was installed.
    let old = InstallNotice {
        at: crate::now() - SignedDuration::from_secs(60),
        ..notice("old", false, Some("Company1"), Some("acme"))
    };
    assert_eq!(take(&vault, old), NoticeOutcome::Uninstall(0));
    let other = InstallNotice {
        client: "other".to_owned(),
        ..notice("other", false, Some("Company1"), None)
    };
    assert_eq!(take(&vault, other), NoticeOutcome::Uninstall(0));
    assert_eq!(
        take(&vault, notice("none", false, None, Some("hooli"))),
        NoticeOutcome::Uninstall(0)
    );
    assert!(ended(&folder).is_empty());
    // A location of the company.
    let acme = notice("a", false, Some("Company1"), Some("acme"));
    assert_eq!(take(&vault, acme.clone()), NoticeOutcome::Uninstall(1));
    statuses(&[("globex-dental", "good"), ("initech-dental", "good")]);
    assert_eq!(ended(&folder).len(), 1);
    assert_eq!(
        connect(&vault, &of_company, None, &[found("acme", true)]),
        ["acme-dental"]
    );
    assert_eq!(take(&vault, acme), NoticeOutcome::Repeated);
    statuses(&[
        ("acme-dental", "good"),
        ("globex-dental", "good"),
        ("initech-dental", "good"),
    ]);
    // A location's own install.
    assert_eq!(
        take(&vault, notice("b", false, None, Some("initech"))),
        NoticeOutcome::Uninstall(1)
    );
    assert!(pair(&vault, &alone).is_none());
    // The whole company.
    assert_eq!(
        take(&vault, notice("c", false, Some("Company1"), None)),
        NoticeOutcome::Uninstall(2)
    );
    statuses(&[
        ("acme-dental", "uninstalled"),
        ("globex-dental", "uninstalled"),
        ("initech-dental", "uninstalled"),
    ]);
    assert_eq!(ended(&folder).len(), 3);
    assert!(vault.companies().wait().expect("read").is_empty());
    // A renewal that was running finds nothing to replace, not even in a new install.
    let again = company(&vault, None, "pair 3");
    assert_eq!(again, of_company);
    assert!(pair(&vault, &again).expect("kept").generation > 1);
    statuses(&[
        ("acme-dental", "good"),
        ("globex-dental", "good"),
        ("initech-dental", "uninstalled"),
    ]);
}

#[on_both]
fn a_notice_of_an_install_names_the_companies_to_look_at() {
    let folder = folder();
    let vault = Vault::new(&open(&folder));
    let credential = company(&vault, Some("per_ada"), "pair");
    let other = NewInstall {
        holder: "Company2".to_owned(),
        company: Some("Company2".to_owned()),
        ..install(CredentialKind::Company, "", None, "pair 2")
    };
    vault.put_install(other).wait().expect("kept");
    let told = |id: &str, company: Option<&str>| match take(
        &vault,
        notice(id, true, company, Some("new")),
    ) {
        NoticeOutcome::Install(installs) => {
            let names = installs.into_iter().map(|one| one.company);
            names.collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(told("a", Some("Company1")), ["Company1"]);
    assert!(told("b", Some("Company3")).is_empty());
    // A notice about a location that was created later names none.
    assert_eq!(told("c", None), ["Company1", "Company2"]);
    assert_eq!(
        take(&vault, notice("a", true, None, None)),
        NoticeOutcome::Repeated
    );
    sql(&folder, "UPDATE notice SET expires_at = 1");
    for_tests::beside(&folder, sweep);
    assert_eq!(number(&folder, "SELECT COUNT(*) AS n FROM notice"), 0);
    let ada = vault.companies().wait().expect("read").remove(0);
    assert_eq!(
        (ada.credential, ada.owner.as_deref()),
        (credential, Some("per_ada"))
    );
}
