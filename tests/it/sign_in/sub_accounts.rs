//! The page of one sub-account. Only its manager can check its token again and replace it.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use serde_json::json;
use state::links::{Invitation, Offer};
use state::people::{People, PersonRole};
use state::vault::{CredentialStatus, NewToken, Vault, VaultLocation};

use super::browser::{Browser, SIGN_IN};
use super::{link, sign_in_as_operator};
use test_support::recording::{Recording, json as answer};
use test_support::server::TestServer;

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const FIRST: &str = "pit-11111111-2222-3333-4444-555555555555";
const SECOND: &str = "pit-22222222-2222-3333-4444-555555555555";

/// A HighLevel that knows these tokens, which may only read contacts and the location.
async fn highlevel(known: &Arc<Mutex<Vec<&'static str>>>) -> Recording {
    let known = Arc::clone(known);
    Recording::start(move |request| {
        if !known.lock().expect("tokens").contains(&request.token()) {
            return answer(401, json!({"statusCode": 401, "message": "Invalid Private Integration token"}).to_string());
        }
        match request.path() {
            path if path.ends_with(LOCATION) => {
                let location = json!({"id": LOCATION, "name": "Acme Dental", "timezone": "Europe/Berlin"});
                answer(200, json!({"location": location}).to_string())
            }
            path if path.starts_with("/contacts") => answer(200, json!({"contacts": []}).to_string()),
            _ => answer(401, json!({"statusCode": 401, "message": "The token is not authorized for this scope."}).to_string()),
        }
    })
    .await
}

async fn member(server: &TestServer, name: &str) -> Browser {
    let browser = Browser::new(server);
    let offer = Offer::Invite(Invitation {
        name: name.to_owned(),
        role: PersonRole::Member,
        all_locations: false,
        locations: Vec::new(),
        policy: None,
        may_vault: true,
        may_approve: false,
    });
    let link = link(server, offer).await;
    browser.post("/console/join", &[("link", &link)]).await;
    browser
}

fn vault(server: &TestServer) -> Vault {
    let sign_in = server.pipeline.controls().sign_in.as_ref();
    sign_in.expect("sign-in").vault.clone()
}

async fn only(server: &TestServer) -> VaultLocation {
    let mut rows = vault(server).list().await.expect("the store");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

#[tokio::test]
async fn a_token_is_checked_and_replaced_by_its_manager() {
    let known = Arc::new(Mutex::new(vec![FIRST]));
    let highlevel = highlevel(&known).await;
    let server = TestServer::start_with(&highlevel.url, &SIGN_IN).await;
    let server = &server;
    let (ada, bob, olga) = (
        member(server, "Ada").await,
        member(server, "Bob").await,
        Browser::new(server),
    );
    sign_in_as_operator(server, &olga).await;
    let people = People::new(&server.store()).list().await.expect("people");
    let of_ada = people
        .iter()
        .find(|person| person.name == "Ada")
        .expect("Ada");
    let put = vault(server).put_token(NewToken {
        owner: Some(of_ada.id.clone()),
        location: LOCATION.to_owned(),
        name: "Acme Dental".to_owned(),
        zone: None,
        company: None,
        token: SecretString::from(FIRST),
    });
    let before = put.await.expect("a location");
    let path = format!("/console/locations/{}", before.id);
    let check = [("action", "check")];
    let paste = |token| [("action", "token"), ("token", token)];

    let page = ada.get(&path).await;
    for part in [
        "<h1>Acme Dental</h1>",
        "Its token works.",
        "Since <time datetime=\"20",
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    let checked = ada.submit(&path, &page, &check).await;
    for part in [
        "The token works.",
        "name and time zone, contacts",
        "It cannot read",
        "opportunities",
    ] {
        assert!(
            checked.text.contains(part),
            "{part} is not in {}",
            checked.text
        );
    }

    // Nobody else can see, check or change it.
    let elsewhere = bob.get("/console/locations").await;
    assert_eq!(bob.get(&path).await.status, 404);
    for fields in [&check[..], &paste(SECOND)] {
        assert_eq!(bob.submit(&path, &elsewhere, fields).await.status, 404);
    }

    known.lock().expect("tokens").clear();
    let refused = ada.submit(&path, &page, &check).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text.contains("BrightCRM does not know this token."),
        "{}",
        refused.text
    );
    assert_eq!(only(server).await.status, CredentialStatus::Refused);
    let shown = ada.get(&path).await;
    assert!(
        shown.text.contains("no longer accepts its token"),
        "{}",
        shown.text
    );

    known.lock().expect("tokens").push(SECOND);
    for wrong in [FIRST, "pit-x", ""] {
        assert_eq!(
            ada.submit(&path, &page, &paste(wrong)).await.status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(only(server).await.status, CredentialStatus::Refused);
    // An operator may do it for her. It stays hers.
    let of_olga = olga.get(&path).await;
    assert!(
        of_olga.text.contains("connected by Ada"),
        "{}",
        of_olga.text
    );
    let replaced = olga.submit(&path, &of_olga, &paste(SECOND)).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    assert!(
        replaced.text.contains("has replaced the old one"),
        "{}",
        replaced.text
    );
    let after = only(server).await;
    assert_eq!(
        (&after.id, &after.alias, &after.owner),
        (&before.id, &before.alias, &before.owner)
    );
    assert_eq!(after.status, CredentialStatus::Good);
    let again = ada.submit(&path, &page, &check).await;
    assert!(again.text.contains("The token works."), "{}", again.text);
    for page in [&page, &checked, &refused, &replaced, &again] {
        assert!(
            !page.text.contains("pit-1") && !page.text.contains("pit-2"),
            "{}",
            page.text
        );
    }
}
