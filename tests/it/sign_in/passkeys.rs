//! Passkeys: how one is created, what signs a person in, and what does not.

#[cfg(feature = "passkeys")]
mod device;

use super::browser::Browser;
use super::{house, sign_in_as_operator};

/// Without passkeys no page mentions them.
#[cfg(not(feature = "passkeys"))]
#[tokio::test]
async fn a_server_without_passkeys_offers_none() {
    let server = house(1).await.server;
    let browser = Browser::new(&server);
    sign_in_as_operator(&server, &browser).await;
    assert_eq!(browser.get("/console/passkeys").await.status, 404);
    for path in ["/console", "/console/signin"] {
        let page = browser.get(path).await;
        assert!(!page.text.contains("passkey"), "{path}: {}", page.text);
    }
    let begun = browser.post("/console/signin/passkey/begin", &[]).await;
    assert_eq!(begun.status, 404, "{}", begun.text);
}

#[cfg(feature = "passkeys")]
mod built_in {
    use serde_json::Value;
    use state::links::Offer;
    use state::people::People;

    use super::super::browser::Page;
    use super::super::{URL, link, sign_in_as_member};
    use super::device::Device;
    use super::*;
    use crate::agency::Agency;

    const BEGIN: &str = "/console/signin/passkey/begin";
    const SIGN: &str = "/console/signin/passkey";

    fn json(page: &Page) -> Value {
        serde_json::from_str(&page.text).expect("JSON")
    }

    /// Creates one for the signed-in person, as the page's script does.
    async fn make(browser: &Browser, name: &str) -> Device {
        let page = browser.get("/console/passkeys").await;
        let begun = browser.submit("/console/passkeys/begin", &page, &[]).await;
        let begun = json(&begun);
        let selection = &begun["options"]["publicKey"]["authenticatorSelection"];
        assert_eq!(
            (&selection["residentKey"], &selection["userVerification"]),
            (&"required".into(), &"required".into())
        );
        let (device, answer) = Device::make(&begun["options"], URL);
        let sealed = begun["sealed"].as_str().expect("text");
        let fields = [("name", name), ("sealed", sealed), ("answer", &answer)];
        let kept = browser.submit("/console/passkeys", &page, &fields).await;
        assert_eq!(json(&kept)["next"], "/console/passkeys", "{}", kept.text);
        // The same answer again adds nothing.
        let again = browser.submit("/console/passkeys", &page, &fields).await;
        assert_eq!(again.status, 400, "{}", again.text);
        device
    }

    async fn sign(browser: &Browser, device: &Device, next: &str) -> (Page, Vec<(String, String)>) {
        let begun = json(&browser.post(BEGIN, &[]).await);
        let fields = [
            ("sealed", begun["sealed"].as_str().expect("text").to_owned()),
            ("answer", device.sign(&begun["options"])),
            ("next", next.to_owned()),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        (send(browser, &fields).await, fields.to_vec())
    }

    async fn send(browser: &Browser, fields: &[(String, String)]) -> Page {
        let fields = fields.iter();
        let fields: Vec<(&str, &str)> = fields
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        browser.post(SIGN, &fields).await
    }

    async fn with_device() -> (Agency, Browser, Device) {
        let agency = house(1).await;
        let browser = Browser::new(&agency.server);
        sign_in_as_operator(&agency.server, &browser).await;
        let device = make(&browser, "my phone").await;
        (agency, browser, device)
    }

    #[tokio::test]
    async fn a_passkey_signs_its_person_in_for_a_month() {
        let (agency, _, mut device) = with_device().await;
        let browser = Browser::new(&agency.server);
        let page = browser.get("/console/signin?next=%2Fconsole%2Fkeys").await;
        assert!(
            page.text.contains("value=\"/console/keys\""),
            "{}",
            page.text
        );
        let (came, fields) = sign(&browser, &device, "/console/approvals").await;
        assert_eq!(json(&came)["next"], "/console/approvals", "{}", came.text);
        assert!(came.header("set-cookie").contains("Max-Age=2592000"));
        assert_eq!(browser.get("/console").await.status, 200);
        // The same answer is valid once, in any browser.
        assert_eq!(send(&browser, &fields).await.status, 400);
        // Nobody is sent to another site.
        let (came, _) = sign(&browser, &device, "https://evil.example/console").await;
        assert_eq!(json(&came)["next"], "/console");
        // A device that counts, and then a copy of it.
        device.counter = 5;
        assert_eq!(sign(&browser, &device, "").await.0.status, 200);
        assert_eq!(sign(&browser, &device, "").await.0.status, 400);
    }

    #[tokio::test]
    async fn invalid_passkey_answers_sign_nobody_in() {
        let (agency, owner, mut device) = with_device().await;
        let server = &agency.server;
        let browser = Browser::new(server);
        let refused = async |device: &Device, what: &str| {
            let (came, _) = sign(&browser, device, "").await;
            assert_eq!(came.status, 400, "{what}: {}", came.text);
            assert!(browser.cookie("__Host-hl_session").is_none(), "{what}");
            // The refusal does not reveal what was wrong.
            let said = json(&came)["problem"].as_str().expect("text").to_owned();
            assert!(
                said.starts_with("This passkey is not known here"),
                "{what}: {said}"
            );
        };
        device.verifies = false;
        refused(&device, "a device that nobody unlocked").await;
        device.verifies = true;
        device.origin = "https://mcp.example.test.evil.example".to_owned();
        refused(&device, "another site's page").await;
        device.origin = URL.to_owned();
        // From another browser.
        let begun = json(&Browser::new(server).post(BEGIN, &[]).await);
        browser.post(BEGIN, &[]).await;
        let answer = device.sign(&begun["options"]);
        let sealed = begun["sealed"].as_str().expect("text");
        let fields = [("sealed", sealed), ("answer", answer.as_str())];
        let came = browser.post(SIGN, &fields).await;
        assert_eq!(came.status, 400, "{}", came.text);
        // From another site's page not even a challenge is given.
        let foreign = [("origin", "https://evil.example")];
        assert_eq!(browser.post_from(BEGIN, &[], &foreign).await.status, 403);
        // The response that creates a passkey does not sign anybody in.
        let page = owner.get("/console/passkeys").await;
        let made = owner.submit("/console/passkeys/begin", &page, &[]).await;
        let sealed = json(&made)["sealed"].as_str().expect("text").to_owned();
        let fields = [("sealed", sealed.as_str()), ("answer", answer.as_str())];
        assert_eq!(owner.post(SIGN, &fields).await.status, 400);
        // After its removal, and after its person may no longer sign in.
        let page = owner.get("/console/passkeys").await;
        let id = page.text.split("name=\"passkey\" value=\"").nth(1);
        let id = id.and_then(|rest| rest.split('"').next()).expect("a row");
        let member = Browser::new(server);
        sign_in_as_member(server, &member, "Bea", &["b01"]).await;
        let own = member.get("/console/passkeys").await;
        let remove = "/console/passkeys/remove";
        member
            .submit(remove, &own, &[("passkey", id)])
            .await
            .location();
        assert_eq!(
            sign(&browser, &device, "").await.0.status,
            200,
            "another's stays"
        );
        browser.forget("__Host-hl_session");
        owner
            .submit(remove, &page, &[("passkey", id)])
            .await
            .location();
        refused(&device, "removed").await;
        let bea = make(&member, "her phone").await;
        People::new(&server.store())
            .end("Bea", None)
            .await
            .expect("ended");
        refused(&bea, "of somebody who has gone").await;
    }

    /// A person who joins by a link is offered a passkey at once. Without it the next sign-in needs another link.
    #[tokio::test]
    async fn a_new_person_is_offered_a_passkey() {
        let agency = house(1).await;
        let browser = Browser::new(&agency.server);
        let link = link(&agency.server, Offer::First).await;
        let joined = browser
            .post("/console/first", &[("link", &link), ("name", "Ada")])
            .await;
        assert_eq!(joined.location(), "/console/passkeys");
        let home = browser.get("/console").await;
        assert_eq!(home.link("/console/passkeys"), Some("/console/passkeys"));
    }
}
