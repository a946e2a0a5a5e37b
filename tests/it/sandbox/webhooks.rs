//! Webhooks of the sandbox: those that installs cause, and those that a test orders.

use std::time::Duration;

use ::sandbox::{APP, COMPANY, LOCATION, MarketplaceOptions, webhook_key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::marketplace::{SUMMIT, code, exchange, options, post, redeem, start};
use super::{answer, text};
use test_support::recording::{RecordedRequest, Recording};
use test_support::server::client;

/// The received requests, once there are `count`.
async fn arrived(receiver: &Recording, count: usize) -> Vec<RecordedRequest> {
    for _ in 0..200 {
        if receiver.seen().len() >= count {
            return receiver.take();
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of {count} webhooks", receiver.seen().len());
}

fn is_signed(request: &RecordedRequest) -> bool {
    let key = STANDARD
        .decode(webhook_key(0).expect("a key"))
        .expect("base64");
    let Some(signature) = request.header("x-ghl-signature") else {
        return false;
    };
    let signature = STANDARD.decode(signature).expect("base64");
    let key = UnparsedPublicKey::new(&ED25519, &key[12..]);
    key.verify(&request.body, &signature).is_ok()
}

#[tokio::test]
async fn installs_and_their_end_are_posted_to_the_app() {
    let receiver = Recording::always(200, "{}").await;
    let sandbox = start(MarketplaceOptions {
        webhook: Some(receiver.url.clone()),
        ..options()
    })
    .await;
    let check = async |expected: &[(&str, Value, Value)]| {
        let requests = arrived(&receiver, expected.len()).await;
        let bodies: Vec<Value> = requests.iter().map(RecordedRequest::fields).collect();
        let rows: Vec<(&str, Value, Value)> = bodies
            .iter()
            .map(|body| {
                let (location, company) = (&body["locationId"], &body["companyId"]);
                (text(body, "/type"), location.clone(), company.clone())
            })
            .collect();
        assert_eq!(rows, expected);
        assert!(requests.iter().all(is_signed));
        assert!(bodies.iter().all(|body| body["appId"] == APP));
        bodies
    };
    let all = [LOCATION, SUMMIT, "locMapleRealty000001"];
    let mut expected = vec![("INSTALL", json!(null), json!(COMPANY))];
    expected.extend(all.map(|location| ("INSTALL", json!(location), json!(COMPANY))));
    let company = redeem(&sandbox, &code(&sandbox, &[("agency", COMPANY)]).await).await;
    let bodies = check(&expected).await;
    let types: Vec<&str> = bodies
        .iter()
        .map(|body| text(body, "/installType"))
        .collect();
    assert_eq!(types, ["Company", "Location", "Location", "Location"]);

    // A location that is created later.
    let body = json!({"name": "Later", "companyId": COMPANY});
    let (_, _, made) = sandbox
        .send("POST /locations/", "pit-sandbox-agency", Some(body))
        .await;
    let later = text(&made, "/id");
    check(&[("INSTALL", json!(later), json!(null))]).await;
    assert_eq!(exchange(&sandbox, &company, later).await.0, 200);

    post(&sandbox, "uninstall", json!({"locationId": later})).await;
    check(&[("UNINSTALL", json!(later), json!(null))]).await;
    post(&sandbox, "uninstall", json!({"companyId": COMPANY})).await;
    check(&[("UNINSTALL", json!(null), json!(COMPANY))]).await;
}

#[tokio::test]
async fn a_webhook_is_sent_as_it_is_ordered() {
    struct Expected {
        signed: bool,
        legacy: bool,
        deliveries: usize,
    }
    async fn check(order: Value, expected: Expected) {
        let receiver = Recording::always(202, "").await;
        let sandbox = start(options()).await;
        let mut whole = json!({"type": "UNINSTALL", "locationId": SUMMIT, "url": receiver.url});
        let members = whole.as_object_mut().expect("members");
        members.extend(order.as_object().expect("members").clone());
        let (status, sent) = post(&sandbox, "webhooks", whole).await;
        assert_eq!(status, 200, "{sent}");
        assert_eq!(sent["statuses"], json!(vec![202; expected.deliveries]));
        let requests = receiver.take();
        assert_eq!(requests.len(), expected.deliveries, "{order}");
        for request in &requests {
            assert_eq!(request.body, text(&sent, "/body"));
            assert_eq!(is_signed(request), expected.signed, "{order}");
            assert_eq!(request.header("x-wh-signature").is_some(), expected.legacy);
            let fields = request.fields();
            assert_eq!(
                (&fields["type"], &fields["locationId"]),
                (&json!("UNINSTALL"), &json!(SUMMIT))
            );
            assert_eq!(fields["webhookId"], sent["webhookId"]);
        }
    }
    let expected = |signed, legacy, deliveries| Expected {
        signed,
        legacy,
        deliveries,
    };
    check(json!({}), expected(true, false, 1)).await;
    check(json!({"times": 3}), expected(true, false, 3)).await;
    check(json!({"reordered": true}), expected(true, false, 1)).await;
    check(json!({"signature": "both"}), expected(true, true, 1)).await;
    check(json!({"signature": "legacy"}), expected(false, true, 1)).await;
    check(json!({"signature": "forged"}), expected(false, false, 1)).await;
    check(json!({"signature": "none"}), expected(false, false, 1)).await;
}

#[tokio::test]
async fn an_ordered_webhook_may_be_old_and_in_another_order() {
    let receiver = Recording::always(200, "").await;
    let sandbox = start(options()).await;
    let order = json!({
        "type": "INSTALL", "companyId": COMPANY, "url": receiver.url, "ageSeconds": 600,
        "reordered": true, "more": {"webhookId": "w1", "extra": "}\""},
    });
    let (_, sent) = post(&sandbox, "webhooks", order).await;
    let body = text(&sent, "/body");
    assert!(body.starts_with("{ \"extra\" : "), "{body}");
    let fields: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        (&fields["webhookId"], &fields["extra"]),
        (&json!("w1"), &json!("}\""))
    );
    let at: jiff::Timestamp = text(&fields, "/timestamp").parse().expect("a time");
    let age = jiff::Timestamp::now().as_second() - at.as_second();
    assert!((600..660).contains(&age), "{age}");
    let (status, refused) = post(&sandbox, "webhooks", json!({"type": "INSTALL"})).await;
    assert_eq!(
        (status, text(&refused, "/error").contains("give a url")),
        (400, true)
    );
    let key = client().get(format!("{}/__sandbox/webhook-key", sandbox.url));
    let (_, _, key) = answer(key).await;
    assert_eq!(key["publicKey"], webhook_key(0).expect("a key"));
}
