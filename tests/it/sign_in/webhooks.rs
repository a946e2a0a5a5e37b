//! HighLevel's webhooks about the app: valid, forged, repeated and old, and their effects.

use std::time::Duration;

use ::sandbox::{COMPANY, LOCATION, MarketplaceOptions};
use serde_json::{Value, json};
use state::vault::CredentialStatus;

use test_support::recording::Recording;

use super::browser::Browser;
use super::highlevel::MarketplaceFixture;
use crate::sandbox::marketplace::{SUMMIT, post};

/// Orders a webhook, and delivers it to the server as a proxy does, byte for byte. Returns the statuses of the answers.
async fn send(world: &MarketplaceFixture, order: Value) -> Vec<u16> {
    let proxy = Recording::always(200, "").await;
    let mut whole = json!({"url": format!("{}/webhooks/highlevel", proxy.url)});
    let members = order.as_object().expect("members").clone();
    whole.as_object_mut().expect("members").extend(members);
    let (status, answer) = post(&world.sandbox, "webhooks", whole).await;
    assert_eq!(status, 200, "{answer}");
    let mut statuses = Vec::new();
    for notice in proxy.take() {
        let url = format!("{}/webhooks/highlevel", world.server.url);
        let mut request = world
            .server
            .http
            .post(url)
            .header("host", "mcp.example.test");
        for name in ["content-type", "x-ghl-signature", "x-wh-signature"] {
            if let Some(value) = notice.header(name) {
                request = request.header(name, value);
            }
        }
        let reply = request.body(notice.body.clone()).send().await;
        statuses.push(reply.expect("a reply").status().as_u16());
    }
    statuses
}

/// Waits until the server has connected `count` locations.
async fn comes_to(world: &MarketplaceFixture, count: usize) {
    for _ in 0..500 {
        if world.locations().await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} locations, not {count}", world.locations().await.len());
}

async fn with_company() -> (MarketplaceFixture, usize) {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let choice = [("agency", COMPANY), ("user", "userAda")];
    world
        .connect(&Browser::new(&world.server), &choice)
        .await
        .location();
    let count = world.locations().await.len();
    (world, count)
}

#[tokio::test]
async fn webhooks_without_highlevels_signature_change_nothing() {
    let (world, count) = with_company().await;
    let uninstall = |more: Value| {
        let mut order = json!({"type": "UNINSTALL", "locationId": SUMMIT});
        order
            .as_object_mut()
            .expect("members")
            .extend(more.as_object().expect("members").clone());
        order
    };
    for (name, more, status) in [
        ("forged", json!({"signature": "forged"}), 401),
        ("none", json!({"signature": "none"}), 401),
        (
            "the older signature alone",
            json!({"signature": "legacy"}),
            401,
        ),
        ("too old", json!({"ageSeconds": 600}), 401),
        ("from the future", json!({"ageSeconds": -600}), 401),
        ("of another app", json!({"more": {"appId": "another"}}), 200),
    ] {
        let answered = send(&world, uninstall(more)).await;
        assert_eq!(answered, [status], "{name}");
        assert_eq!(world.locations().await.len(), count, "{name}");
    }
    let large = "x".repeat(65 << 10);
    let url = format!("{}/webhooks/highlevel", world.server.url);
    let request = world
        .server
        .http
        .post(url)
        .header("host", "mcp.example.test");
    let reply = request
        .header("x-ghl-signature", "AAAA")
        .body(large)
        .send()
        .await;
    assert_eq!(reply.expect("a reply").status(), 413);
    let nowhere = world
        .server
        .http
        .post(format!("{}/webhooks/highlevel", world.server.url));
    let reply = nowhere.body("{}").send().await.expect("a reply");
    assert_eq!(reply.status(), 404, "at another host");
}

#[tokio::test]
async fn an_uninstalled_location_is_gone_and_a_notice_counts_once() {
    let (world, count) = with_company().await;
    let order = json!({"type": "UNINSTALL", "locationId": SUMMIT, "companyId": COMPANY, "times": 3, "signature": "both"});
    assert_eq!(send(&world, order).await, [200, 200, 200]);
    assert_eq!(world.locations().await.len(), count - 1);
    // All of them.
    let order = json!({"type": "UNINSTALL", "companyId": COMPANY});
    assert_eq!(send(&world, order).await, [200]);
    let locations = world.locations().await;
    assert_eq!(locations.len(), count - 1);
    assert!(
        locations
            .iter()
            .all(|one| one.status == CredentialStatus::Uninstalled)
    );
    // A late message about a location that was installed again since.
    let choice = [("agency", COMPANY), ("user", "userAda")];
    world
        .connect(&Browser::new(&world.server), &choice)
        .await
        .location();
    comes_to(&world, count).await;
    let late = json!({"type": "UNINSTALL", "companyId": COMPANY, "ageSeconds": 120});
    assert_eq!(send(&world, late).await, [200]);
    assert!(
        world
            .locations()
            .await
            .iter()
            .all(|one| one.status == CredentialStatus::Good)
    );
}

#[tokio::test]
async fn a_location_of_its_own_install_is_uninstalled() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let choice = [("location", SUMMIT), ("user", "userAda")];
    world
        .connect(&Browser::new(&world.server), &choice)
        .await
        .location();
    let order = json!({"type": "UNINSTALL", "locationId": SUMMIT});
    assert_eq!(send(&world, order).await, [200]);
    assert_eq!(
        world.locations().await[0].status,
        CredentialStatus::Uninstalled
    );
}

#[tokio::test]
async fn a_location_in_which_the_app_is_installed_later_appears() {
    let (world, count) = with_company().await;
    let summit = world
        .locations()
        .await
        .into_iter()
        .find(|one| one.location == SUMMIT);
    let summit = summit.expect("connected");
    world
        .vault()
        .remove(&summit.id, None)
        .await
        .expect("removed");
    // HighLevel sends many within seconds; the removed location is not among them.
    for _ in 0..5 {
        let order = json!({"type": "INSTALL", "companyId": COMPANY, "locationId": LOCATION, "more": {"installType": "Location"}});
        assert_eq!(send(&world, order).await, [200]);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        world.locations().await.len(),
        count - 1,
        "what was removed here stays so"
    );
    // A location that was created later names no company.
    let order =
        json!({"type": "INSTALL", "locationId": SUMMIT, "more": {"installType": "Location"}});
    assert_eq!(send(&world, order).await, [200]);
    comes_to(&world, count).await;
    let aliases: Vec<_> = world
        .locations()
        .await
        .into_iter()
        .map(|one| one.alias)
        .collect();
    assert!(aliases.contains(&summit.alias), "{aliases:?}");
}
