//! Operators' view of running calls, of the limits and of the last hour.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use state::keys::{KeyLocations, Keys};
use tokio::sync::Notify;

use super::browser::{Browser, SIGN_IN};
use super::{sign_in_as_member, sign_in_as_operator};
use test_support::recording::{Recording, json as answer};
use test_support::server::{TestServer, UNCONFIRMED};

const LIVE: &str = "/console/live";
const FIGURES: &str = "/console/live/figures";

/// A server with one location in front of this HighLevel, and a key for it called “front desk”.
async fn start(highlevel: &str) -> (TestServer, String) {
    let own = [
        ("ACME_TOKEN", "pit-acme"),
        (
            "HIGHLEVEL_MCP_LOCATIONS",
            r#"{"acme":{"location_id":"L1","name":"Acme Dental","token":{"env":"ACME_TOKEN"}}}"#,
        ),
        UNCONFIRMED,
    ];
    let server = TestServer::start_with(highlevel, &[&SIGN_IN[..], &own].concat()).await;
    let keys = Keys::new(&server.store());
    let made = keys.create("front desk", KeyLocations::All, None, None);
    let (_, key) = made.await.expect("a key");
    (server, format!("Bearer {}", key.expose_secret()))
}

async fn read(server: &TestServer, key: &str, contact: &str) -> bool {
    let arguments = json!({"contactId": contact, "location": "acme"});
    let headers = [("authorization", key)];
    let called = server.call_with(&headers, "contacts_get-contact", arguments);
    called.await.1
}

#[tokio::test]
async fn an_operator_sees_running_and_recent_calls() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waits = (Arc::clone(&begun), Arc::clone(&go_on));
    let highlevel = Recording::start_async(move |request| {
        let (begun, go_on) = waits.clone();
        async move {
            let mut reply = match request.path() {
                "/contacts/slow" => {
                    begun.notify_one();
                    go_on.notified().await;
                    answer(200, r#"{"contact":{"id":"slow"}}"#)
                }
                "/contacts/many" => answer(429, r#"{"message":"Too many requests"}"#),
                _ => answer(200, r#"{"contact":{"id":"c1"}}"#),
            };
            for (name, value) in [
                ("x-ratelimit-max", "100"),
                ("x-ratelimit-remaining", "40"),
                ("x-ratelimit-limit-daily", "200000"),
                ("x-ratelimit-daily-remaining", "150000"),
            ] {
                reply
                    .headers_mut()
                    .insert(name, value.parse().expect("a value"));
            }
            reply
        }
    })
    .await;
    let (server, key) = start(&highlevel.url).await;
    let [olga, ada] = [(); 2].map(|()| Browser::new(&server));
    sign_in_as_operator(&server, &olga).await;
    sign_in_as_member(&server, &ada, "Ada", &["acme"]).await;

    let before = olga.get(LIVE).await;
    for part in ["None.", "BrightCRM answered no call", "Refresh"] {
        assert!(
            before.text.contains(part),
            "{part} is not in {}",
            before.text
        );
    }
    let slow = read(&server, &key, "slow");
    let look = async {
        begun.notified().await;
        let page = olga.get(LIVE).await;
        go_on.notify_one();
        page
    };
    let (is_error, during) = tokio::join!(slow, look);
    assert!(!is_error);
    for part in ["<strong>Get contact", "Acme Dental · access key front desk"] {
        assert!(
            during.text.contains(part),
            "{part} is not in {}",
            during.text
        );
    }
    assert!(!read(&server, &key, "c1").await);
    let after = olga.get(FIGURES).await;
    for part in [
        "None.",
        "<strong>Acme Dental</strong>",
        "60 of 100 calls in 10 s",
        "50,001 of 200,000 calls today",
        "<dt>Worked</dt><dd>2</dd>",
        "2 to BrightCRM, 0 of them refused",
        "Half of the calls of the last hour were answered within",
        "The highest bar is 2.",
        "<dt>access key front desk</dt><dd>2</dd>",
    ] {
        assert!(after.text.contains(part), "{part} is not in {}", after.text);
    }
    assert!(!after.text.contains("<html"), "a part of the page");
    assert!(
        after
            .header("content-security-policy")
            .contains("default-src 'none'")
    );

    assert!(read(&server, &key, "many").await, "refused as too many");
    let asked = highlevel.count(|request| request.path() == "/contacts/many");
    let limited = olga.get(LIVE).await;
    for part in [
        format!("refused {asked} requests as over the limit (429)"),
        format!("{} to BrightCRM, {asked} of them refused", asked + 2),
        "<dt>At a limit</dt><dd>1 got".to_owned(),
    ] {
        assert!(
            limited.text.contains(&part),
            "{part} is not in {}",
            limited.text
        );
    }

    for path in [LIVE, FIGURES] {
        let foreign = ada.get(path).await;
        assert_eq!(foreign.status, 403, "{path}");
        assert!(!foreign.text.contains("front desk"), "{path}");
        assert_eq!(Browser::new(&server).get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_closed_window_is_listed_first_with_its_reason() {
    // Nobody listens there.
    let (server, key) = start("http://127.0.0.1:9").await;
    let olga = Browser::new(&server);
    sign_in_as_operator(&server, &olga).await;
    let is_shut = async {
        loop {
            assert!(read(&server, &key, "c1").await);
            let page = olga.get(LIVE).await;
            if page.text.contains("All recent calls failed") {
                break page;
            }
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(30), is_shut).await;
    let page = page.expect("the window is shut");
    assert!(
        page.text.contains("<strong>Acme Dental</strong>"),
        "{}",
        page.text
    );
    assert!(
        !page.text.contains("BrightCRM does not answer"),
        "one caller is no witness"
    );
    assert!(
        !page.text.contains("<dt>Failed</dt><dd>0</dd>"),
        "{}",
        page.text
    );
}
