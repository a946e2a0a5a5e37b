//! Installs of the Marketplace app: the exchange of a code, the token of a call, and the messages about a lost pair.

use std::time::Duration;

use highlevel_mcp::upstream::company::InstallCredential;
use highlevel_mcp::upstream::failure::FailureClass;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::vault::{CredentialStatus, InstalledLocation, Vault, VaultLocation};
use test_support::recording::{Recording, json as answer};

use crate::fixture::{
    advance, install_at, installs, kept, new_install, now, store_beside, token_text, vault, with,
};
use crate::token_endpoints::{ALONE, COMPANY, Holder, Script, TokenEndpoints};

/// An install of a location whose access token has expired, connected.
struct InstallFixture {
    highlevel: TokenEndpoints,
    folder: tempfile::TempDir,
    vault: Vault,
    credential: String,
}

impl InstallFixture {
    async fn start() -> Self {
        let highlevel = TokenEndpoints::start_for(Holder::Location).await;
        let folder = tempfile::tempdir().expect("a folder");
        let vault = vault(&store_beside(&folder.path().join("pair.json")));
        let pair = with(highlevel.install(), &json!({"expires_at": now() - 1}));
        let credential = vault.put_install(new_install(&pair)).await.expect("kept");
        let location = InstalledLocation {
            location: ALONE.to_owned(),
            name: "Acme".to_owned(),
            zone: None,
            comes_back: true,
        };
        let put = vault.put_locations(&credential, None, vec![location]).await;
        put.expect("connected");
        Self {
            highlevel,
            folder,
            vault,
            credential,
        }
    }

    async fn location(&self) -> VaultLocation {
        self.vault.list().await.expect("read").remove(0)
    }

    /// Waits for the status. Panics if it does not come.
    async fn comes_to(&self, status: CredentialStatus) {
        for _ in 0..200 {
            if self.location().await.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}, not {status:?}", self.location().await.status);
    }
}

#[tokio::test]
async fn a_locations_pair_is_renewed_as_a_locations() {
    let installed = InstallFixture::start().await;
    let pair_file = installed.folder.path().join("pair.json");
    let install = install_at(installed.highlevel.url(), &pair_file, &installed.credential);
    let token = token_text(install.token().await);
    assert_eq!(token.as_deref(), Ok("company.2.access"));
    let (_, body) = installed.highlevel.last();
    assert!(body.ends_with("&user_type=Location"), "{body}");
    let kept = kept(&installed.vault.pair(&installed.credential))
        .await
        .expect("a pair");
    assert!(kept.text.expose_secret().contains("company.2.access"));
    // The same pair holds in every process, and no process asks HighLevel again.
    let other = install_at(installed.highlevel.url(), &pair_file, &installed.credential);
    assert_eq!(
        token_text(other.token().await).as_deref(),
        Ok("company.2.access")
    );
    assert_eq!(installed.highlevel.renewals(), 1);
}

#[tokio::test]
async fn the_status_shows_a_lost_pair_and_one_that_works_again() {
    let installed = InstallFixture::start().await;
    let url = installed.highlevel.url().to_owned();
    let installs = installs(&url, &installed.vault);
    let row = installed.location().await;
    let InstallCredential::Location(install) = installs.credential(&row).expect("an install")
    else {
        panic!("it is a location's");
    };
    let gone =
        json!({"error": "invalid_grant", "error_description": "This refresh token is invalid"});
    installed
        .highlevel
        .next(Script::Say(400, &[], gone.to_string()));
    let failure = install.token().await.expect_err("refused");
    assert_eq!(failure.class, FailureClass::Auth);
    let remedy = failure.remedy.as_deref().unwrap_or_default();
    assert!(remedy.contains("sign in at HighLevel again"), "{remedy}");
    assert!(
        failure.sentence.contains("the location's refresh token"),
        "{}",
        failure.sentence
    );
    installed.comes_to(CredentialStatus::Refused).await;
    // The person signs in again.
    let pair = with(
        installed.highlevel.install(),
        &json!({"expires_at": now() - 1}),
    );
    let again = installed.vault.put_install(new_install(&pair)).await;
    assert_eq!(again.as_deref(), Ok(installed.credential.as_str()));
    installed.comes_to(CredentialStatus::Good).await;
    advance(5).await;
    assert!(install.token().await.is_ok());
    // The answer was lost, and HighLevel no longer accepts the old token, so that nobody has the new one.
    let ended = with(
        installed.highlevel.install(),
        &json!({"expires_at": now() - 1}),
    );
    installed
        .vault
        .put_install(new_install(&ended))
        .await
        .expect("kept");
    let fresh = crate::fixture::installs(&url, &installed.vault);
    let row = installed.location().await;
    let Some(InstallCredential::Location(install)) = fresh.credential(&row) else {
        panic!("it is a location's");
    };
    installed.highlevel.next(Script::Garble(502, "<html>"));
    assert!(install.token().await.is_err());
    assert_eq!(
        installed.location().await.status,
        CredentialStatus::Good,
        "it may still be had"
    );
    installed.highlevel.pass(Duration::from_secs(31));
    advance(5).await;
    assert!(install.token().await.is_err());
    installed.comes_to(CredentialStatus::Unsure).await;
}

/// The exchange of a code. `members` are merged into HighLevel's answer.
async fn exchange(members: Value) -> (Result<(String, Option<String>, usize), String>, String) {
    let usual = json!({
        "access_token": "a.b.c", "refresh_token": "r", "expires_in": 86_399, "userType": "Location",
        "locationId": ALONE, "companyId": COMPANY, "userId": "user-0",
    });
    let body = with(usual, &members).to_string();
    let highlevel = Recording::start(move |_| answer(200, body.clone())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let vault = vault(&store_beside(&folder.path().join("pair.json")));
    let installs = installs(&highlevel.url, &vault);
    let redeemed = installs
        .redeem(
            &"the-code".into(),
            "https://mcp.example.test/connect/crm/callback",
        )
        .await;
    let sent = highlevel.seen().remove(0);
    let form = String::from_utf8(sent.body.to_vec()).expect("UTF-8");
    let found = redeemed.map(|install| {
        let holder = match (install.location(), install.company()) {
            (Some(location), _) => format!("location {}", location.as_str()),
            (None, Some(company)) => format!("company {}", company.as_str()),
            (None, None) => String::new(),
        };
        (holder, install.user, install.approved.len())
    });
    (found.map_err(|failure| failure.sentence), form)
}

#[tokio::test]
async fn a_code_is_exchanged_for_the_installs_location_or_company() {
    let user = || Some("user-0".to_owned());
    let of_location = format!("location {ALONE}");
    let of_company = format!("company {COMPANY}");
    let rows: [(Value, Option<(&str, Option<String>, usize)>); 7] = [
        (json!({}), Some((&of_location, user(), 0))),
        (json!({"userType": null}), Some((&of_location, user(), 0))),
        // One location was chosen, and HighLevel still gives the company's tokens.
        (
            json!({"userType": "Company", "locationId": "", "isBulkInstallation": true,
                "approvedLocations": ["Location0", "not an id!", "Location1"]}),
            Some((&of_company, user(), 2)),
        ),
        (
            json!({"userType": "Company", "userId": null}),
            Some((&of_company, None, 0)),
        ),
        (json!({"locationId": null}), None),
        (json!({"userType": "Company", "companyId": null}), None),
        (json!({"refresh_token": null}), None),
    ];
    for (members, expected) in rows {
        let shown = members.to_string();
        let (found, form) = exchange(members).await;
        let expected = expected.map(|(holder, user, approved)| (holder.to_owned(), user, approved));
        assert_eq!(found.ok(), expected, "{shown}");
        assert_eq!(
            form,
            "client_id=client-0&client_secret=the-client-secret&grant_type=authorization_code&code=the-code\
             &redirect_uri=https%3A%2F%2Fmcp.example.test%2Fconnect%2Fcrm%2Fcallback"
        );
    }
}

/// HighLevel may give a company's tokens where one location was chosen. The location's own tokens are kept if they can be
/// renewed, and otherwise none.
#[tokio::test]
async fn a_companys_tokens_for_one_location_are_exchanged_for_its_own() {
    const OTHER: &str = "Location1";
    let rows = [
        (json!([ALONE]), json!({}), true, 2),
        (json!([ALONE]), json!({"refresh_token": null}), false, 2),
        (json!([ALONE]), json!({"access_token": null}), false, 2),
        // Another number of locations was chosen: nothing is exchanged.
        (json!([]), json!({}), false, 1),
        (json!([ALONE, OTHER]), json!({}), false, 1),
    ];
    for (approved, members, is_kept, sent) in rows {
        let shown = format!("{approved} {members}");
        let company = json!({
            "access_token": "a.b.c", "refresh_token": "r", "expires_in": 86_399, "userType": "Company",
            "companyId": COMPANY, "isBulkInstallation": true, "approvedLocations": approved,
        });
        let own = json!({"access_token": "d.e.f", "refresh_token": "s", "expires_in": 86_399});
        let own = with(own, &members);
        let highlevel = Recording::start(move |request| {
            let is_exchange = request.path() == "/oauth/locationToken";
            answer(200, if is_exchange { &own } else { &company }.to_string())
        });
        let highlevel = highlevel.await;
        let folder = tempfile::tempdir().expect("a folder");
        let vault = vault(&store_beside(&folder.path().join("pair.json")));
        let installs = installs(&highlevel.url, &vault);
        let code = "the-code".into();
        let install = installs.redeem(&code, "https://a.test/b").await;
        let install = install.expect("the company's");
        let of_one = installs.of_one_location(install).await.expect("an answer");
        let location = of_one.as_ref().and_then(|install| install.location());
        assert_eq!(
            location.map(|id| id.as_str()),
            is_kept.then_some(ALONE),
            "{shown}"
        );
        let requests = highlevel.seen();
        assert_eq!(requests.len(), sent, "{shown}");
        if let Some(exchange) = requests.get(1) {
            assert_eq!(exchange.token(), "a.b.c", "{shown}");
            let expected = json!({"companyId": COMPANY, "locationId": ALONE});
            assert_eq!(exchange.fields(), expected, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_code_is_not_in_the_message() {
    let body = json!({"error": "UnAuthorized!", "error_description": "Authorization code not found: the-code"});
    let highlevel = Recording::start(move |_| answer(401, body.to_string())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let vault = vault(&store_beside(&folder.path().join("pair.json")));
    let redeemed = installs(&highlevel.url, &vault)
        .redeem(&"the-code".into(), "https://a.test/b")
        .await;
    let failure = redeemed.map(drop).expect_err("refused");
    assert_eq!(failure.sentence, "HighLevel no longer knows this sign-in.");
    assert!(!failure.text().contains("the-code"), "{}", failure.text());
}
