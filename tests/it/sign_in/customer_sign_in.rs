//! A builder's customers who sign in at HighLevel: what they connect is their link's, and nobody else's.

use std::time::Duration;

use ::sandbox::{COMPANY, LOCATION, MarketplaceOptions};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::flows::Flows;
use state::keys::Keys;
use state::vault::{CredentialKind, CredentialStatus, Vault, VaultLocation};
use tokio::time::sleep;
use url::Url;

use super::browser::{Browser, Page};
use super::builder::{Builder, RETURN, TOKEN, open, value};
use super::highlevel::{MarketplaceFixture, chosen, path, with};
use crate::sandbox::marketplace::SUMMIT;
use crate::sandbox::text;

const SIGN_IN: &str = "/connect/sign-in";

/// What customers choose at HighLevel.
const ALONE: [(&str, &str); 1] = [("location", SUMMIT)];
const CANCEL: [(&str, &str); 1] = [("decision", "cancel")];

async fn builder(marketplace: MarketplaceOptions) -> Builder {
    builder_with(marketplace, &[]).await
}

async fn builder_with(marketplace: MarketplaceOptions, settings: &[(&str, &str)]) -> Builder {
    let world = MarketplaceFixture::start_with("invited", marketplace, settings).await;
    Builder::new(world.sandbox, world.server).await
}

/// Where the browser of a customer is sent who presses the button of the link's page and chooses so at HighLevel.
async fn sign_in(
    builder: &Builder,
    browser: &Browser,
    link: &Value,
    choice: &[(&str, &str)],
) -> Url {
    let page = open(browser, link).await;
    let begun = browser.submit(SIGN_IN, &page, &[]).await;
    chosen(&builder.sandbox, &begun, choice).await
}

/// The page at the end of the way back.
async fn arrive(browser: &Browser, path: &str) -> Page {
    let came = browser.get(path).await;
    match came.status {
        303 => browser.get(came.location()).await,
        _ => came,
    }
}

/// The whole way of a customer; the page at its end.
async fn connect(builder: &Builder, link: &Value, choice: &[(&str, &str)]) -> Page {
    let browser = Browser::new(&builder.server);
    let back = sign_in(builder, &browser, link, choice).await;
    arrive(&browser, &path(&back)).await
}

/// The address at the builder's to which the last page leads.
fn way_back(page: &Page) -> Url {
    assert_eq!(page.status, 200, "{}", page.text);
    let link = page.link(RETURN).expect("a way back").replace("&amp;", "&");
    link.parse().expect("an address")
}

async fn locations(builder: &Builder) -> Vec<VaultLocation> {
    Vault::new(&builder.server.store())
        .list()
        .await
        .expect("read")
}

/// How often HighLevel was asked for tokens.
async fn exchanges(builder: &Builder) -> usize {
    let requests = builder.sandbox.requests().await;
    requests
        .iter()
        .filter(|one| one["path"] == "/oauth/token")
        .count()
}

#[tokio::test]
async fn the_chosen_location_belongs_to_the_link() {
    let builder = builder(MarketplaceOptions::default()).await;
    let link = builder.make("customer-7", "everyday").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    for part in [
        "Sign in at BrightCRM",
        "Bright Agency",
        "Connect with a token",
    ] {
        assert!(page.text.contains(part), "no {part} in {}", page.text);
    }
    let back = sign_in(&builder, &browser, &link, &ALONE).await;
    let came = browser.get(&path(&back)).await;
    let shown_at = came.location();
    let connected = browser.get(shown_at).await;
    assert_eq!(connected.heading(), "Summit Fitness is connected");
    assert_eq!(browser.get(shown_at).await.text, connected.text, "again");
    let stranger = Browser::new(&builder.server);
    drop(open(&stranger, &builder.make("other", "read-only").await).await);
    let foreign = stranger.get(shown_at).await;
    assert_eq!(foreign.heading(), "There is nothing left to do here");
    assert!(!foreign.text.contains("hlo_") && !shown_at.contains("hlo_"));
    for part in ["Acme App", "BrightCRM", "Continue to app.example.com"] {
        assert!(
            connected.text.contains(part),
            "no {part} in {}",
            connected.text
        );
    }
    assert!(!connected.text.contains("HighLevel"), "{}", connected.text);
    // Nobody became a person of this server.
    assert!(browser.cookie("__Host-hl_session").is_none());
    let listed = builder.link(text(&link, "/id")).await;
    assert_eq!(listed["state"], "connected");
    assert_eq!(
        (
            text(&listed, "/location/id"),
            text(&listed, "/location/status")
        ),
        (SUMMIT, "good")
    );
    let [one] = <[VaultLocation; 1]>::try_from(locations(&builder).await).expect("one");
    assert_eq!((one.kind, one.owner), (CredentialKind::Location, None));

    let back = way_back(&connected);
    assert!(
        back.as_str()
            .starts_with(&format!("{RETURN}?session=s1&code=hlo_"))
    );
    assert_eq!(value(&back, "ref"), "customer-7");
    let given = builder.key_of(&back).await;
    assert_eq!(text(&given, "/location/name"), "Summit Fitness");
    sleep(Duration::from_millis(400)).await;
    let key = text(&given, "/key");
    // The rules of the link hold, not those of an app that an agency installed.
    let contact = json!({"firstName": "Eve", "email": "eve@example.com"});
    let (answer, is_error) = builder.call(key, "contacts_create-contact", contact).await;
    assert!(!is_error, "{answer}");
    let elsewhere = json!({"limit": 1, "locationId": LOCATION});
    let (answer, is_error) = builder.call(key, "contacts_get-contacts", elsewhere).await;
    assert!(is_error, "{answer}");

    builder.end(&link).await;
    assert_eq!(locations(&builder).await, []);
}

#[tokio::test]
async fn a_way_back_is_valid_once_and_only_in_its_browser() {
    let builder = builder(MarketplaceOptions::default()).await;
    let (link, other_link) = (
        builder.make("customer-7", "read-only").await,
        builder.make("customer-8", "read-only").await,
    );
    let (browser, other, bare) = (
        Browser::new(&builder.server),
        Browser::new(&builder.server),
        Browser::new(&builder.server),
    );
    let others = sign_in(&builder, &other, &other_link, &[("location", LOCATION)]).await;
    let back = sign_in(&builder, &browser, &link, &ALONE).await;
    let cookie = browser.cookie("__Host-hl_flow").expect("a cookie");
    let flows = Flows::new(&builder.server.store());
    let text_of_link = text(&link, "/url")
        .split_once('#')
        .expect("a link")
        .1
        .into();
    let begun = flows.begin(cookie.as_bytes(), "customer", &text_of_link, Duration::ZERO);
    let expired = begun.await.expect("begun");
    let state = |state: &str| with(&back, "state", Some(state));
    let good = path(&back);
    let twice = format!("{good}&state=hlf_wrong");
    for (name, browser, path) in [
        ("another browser", &other, &good),
        ("a browser without a cookie", &bare, &good),
        ("another customer's", &browser, &path(&others)),
        ("a wrong state", &browser, &state("hlf_wrong")),
        ("an empty state", &browser, &state("")),
        (
            "an expired state",
            &browser,
            &state(expired.expose_secret()),
        ),
        ("two states", &browser, &twice),
        ("no code", &browser, &with(&back, "code", None)),
    ] {
        let refused = browser.get(path).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        assert!(
            !refused.text.contains("hlf_") && !refused.text.contains("hli_"),
            "{name}"
        );
    }
    assert_eq!(
        exchanges(&builder).await,
        0,
        "nothing was asked of HighLevel"
    );
    assert_eq!(locations(&builder).await, []);
    let connected = arrive(&browser, &good).await;
    assert_eq!(connected.heading(), "Summit Fitness is connected");
    assert_eq!(browser.get(&good).await.status, 400, "the same again");
    let state = builder.link(text(&other_link, "/id")).await["state"].take();
    assert_eq!(state, "open", "the other customer's link is what it was");
    assert_eq!(locations(&builder).await.len(), 1);
}

#[tokio::test]
async fn a_link_that_is_over_meanwhile_connects_nothing() {
    for how in ["ended", "revoked", "used"] {
        let builder = builder(MarketplaceOptions::default()).await;
        let link = builder.make("customer-7", "read-only").await;
        let browser = Browser::new(&builder.server);
        let page = open(&browser, &link).await;
        let back = sign_in(&builder, &browser, &link, &ALONE).await;
        let expected = match how {
            "ended" => {
                builder.end(&link).await;
                0
            }
            "revoked" => {
                let keys = Keys::new(&builder.server.store());
                keys.revoke("Acme App").await.expect("revoked");
                0
            }
            _ => {
                builder.connect(&link, LOCATION, TOKEN).await;
                1
            }
        };
        let late = browser.get(&path(&back)).await;
        assert_eq!(
            (late.status, late.heading()),
            (400, "This link does not work"),
            "{how}"
        );
        assert_eq!(
            browser.submit(SIGN_IN, &page, &[]).await.status,
            400,
            "{how}"
        );
        assert_eq!(exchanges(&builder).await, 0, "{how}");
        let left = locations(&builder).await;
        assert_eq!(left.len(), expected, "{how}: {left:?}");
        assert!(left.iter().all(|one| one.location == LOCATION), "{how}");
    }
}

#[tokio::test]
async fn a_customer_who_made_a_wrong_choice_may_choose_again() {
    let bulk = MarketplaceOptions {
        is_always_bulk: true,
        ..MarketplaceOptions::default()
    };
    let agency = [("agency", COMPANY)];
    let several = [("location", SUMMIT), ("location", LOCATION)];
    for (choice, part) in [
        (&CANCEL[..], "because you did not choose a sub-account"),
        (
            &agency,
            "BrightCRM gave access to a whole agency or to several sub-accounts",
        ),
        (&several, "this link connects one"),
    ] {
        let builder = builder(MarketplaceOptions::default()).await;
        let link = builder.make("customer-7", "read-only").await;
        let refused = connect(&builder, &link, choice).await;
        assert_eq!(
            (refused.status, refused.heading()),
            (400, "Acme App asks to work in your BrightCRM account")
        );
        assert!(refused.text.contains(part), "no {part} in {}", refused.text);
        assert!(!refused.text.contains("<details open"), "{}", refused.text);
        let vault = Vault::new(&builder.server.store());
        assert_eq!(vault.list().await, Ok(Vec::new()));
        assert_eq!(
            vault.companies().await,
            Ok(Vec::new()),
            "the agency's tokens were dropped"
        );
        assert_eq!(builder.link(text(&link, "/id")).await["state"], "open");
        let connected = connect(&builder, &link, &ALONE).await;
        assert_eq!(connected.heading(), "Summit Fitness is connected");
    }
    // One was chosen, and HighLevel gives the agency's tokens all the same.
    let builder = builder(bulk).await;
    let link = builder.make("customer-7", "everyday").await;
    let back = way_back(&connect(&builder, &link, &ALONE).await);
    let vault = Vault::new(&builder.server.store());
    assert_eq!(vault.companies().await, Ok(Vec::new()));
    let [one] = <[VaultLocation; 1]>::try_from(locations(&builder).await).expect("one");
    assert_eq!(
        (one.location.as_str(), one.kind),
        (SUMMIT, CredentialKind::Location)
    );
    let given = builder.key_of(&back).await;
    sleep(Duration::from_millis(400)).await;
    let read = builder
        .call(
            text(&given, "/key"),
            "contacts_get-contacts",
            json!({"limit": 1}),
        )
        .await;
    assert!(!read.1, "{}", read.0);
}

#[tokio::test]
async fn two_customers_of_one_location_each_have_a_key() {
    let builder = builder(MarketplaceOptions::default()).await;
    let mut links = Vec::new();
    let mut keys = Vec::new();
    for reference in ["customer-7", "customer-8"] {
        let link = builder.make(reference, "read-only").await;
        let connected = connect(&builder, &link, &ALONE).await;
        let given = builder.key_of(&way_back(&connected)).await;
        assert_eq!(given["ref"], reference);
        keys.push(text(&given, "/key").to_owned());
        links.push(link);
    }
    sleep(Duration::from_millis(400)).await;
    assert_eq!(locations(&builder).await.len(), 1);
    for key in &keys {
        let read = builder
            .call(key, "contacts_get-contacts", json!({"limit": 1}))
            .await;
        assert!(!read.1, "{}", read.0);
    }
    builder.end(&links[0]).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(builder.status(&keys[0]).await, 401);
    let read = builder
        .call(&keys[1], "contacts_get-contacts", json!({"limit": 1}))
        .await;
    assert!(!read.1, "{}", read.0);
    builder.end(&links[1]).await;
    assert_eq!(
        locations(&builder).await,
        [],
        "the last link takes the location with it"
    );
}

#[tokio::test]
async fn a_token_and_a_sign_in_take_each_others_place() {
    let builder = builder(MarketplaceOptions::default()).await;
    let link = builder.make("customer-7", "read-only").await;
    builder.connect(&link, LOCATION, TOKEN).await;
    let link = builder.make("customer-7", "read-only").await;
    connect(&builder, &link, &[("location", LOCATION)]).await;
    let [one] = <[VaultLocation; 1]>::try_from(locations(&builder).await).expect("one");
    assert_eq!(one.kind, CredentialKind::Location);
    // The app is uninstalled: the links of its location are over.
    let vault = Vault::new(&builder.server.store());
    let gone = vault.set_status(&one.credential, CredentialStatus::Uninstalled);
    gone.await.expect("set");
    assert_eq!(builder.link(text(&link, "/id")).await["state"], "ended");
}

#[tokio::test]
async fn without_a_state_the_customer_has_to_say_so() {
    let builder = builder(MarketplaceOptions::default()).await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let back = sign_in(&builder, &browser, &link, &ALONE).await;
    let asked = browser.get(&with(&back, "state", None)).await;
    assert_eq!(asked.heading(), "Connect this sub-account?");
    assert_eq!(locations(&builder).await, []);
    let came = browser.submit("/connect/crm/confirm", &asked, &[]).await;
    let connected = browser.get(came.location()).await;
    assert_eq!(connected.heading(), "Summit Fitness is connected");
    // One begun for the console, and one for the link: nobody knows which it is.
    let link = builder.make("customer-8", "read-only").await;
    browser.get("/connect/crm").await;
    let back = sign_in(&builder, &browser, &link, &ALONE).await;
    let asked = browser.get(&with(&back, "state", None)).await;
    let refused = browser.submit("/connect/crm/confirm", &asked, &[]).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert_eq!(builder.link(text(&link, "/id")).await["state"], "open");
}

#[tokio::test]
async fn a_code_that_highlevel_refuses_uses_up_no_link() {
    let builder = builder(MarketplaceOptions::default()).await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let back = sign_in(&builder, &browser, &link, &ALONE).await;
    let wrong = browser.get(&with(&back, "code", Some("wrong"))).await;
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text.contains("BrightCRM gave no access") && !wrong.text.contains("HighLevel"),
        "{}",
        wrong.text
    );
    let begun = browser.submit(SIGN_IN, &wrong, &[]).await;
    let back = chosen(&builder.sandbox, &begun, &ALONE).await;
    let connected = arrive(&browser, &path(&back)).await;
    assert_eq!(connected.heading(), "Summit Fitness is connected");
    // From a page of somebody else's, and in another browser.
    let link = builder.make("customer-8", "read-only").await;
    let page = open(&browser, &link).await;
    let sealed = page.token();
    let foreign = [("origin", "https://evil.example")];
    let refused = browser
        .post_from(SIGN_IN, &[("form", &sealed)], &foreign)
        .await;
    assert_eq!(refused.status, 403);
    let other = Browser::new(&builder.server);
    drop(open(&other, &link).await);
    assert_eq!(other.submit(SIGN_IN, &page, &[]).await.status, 400);
}

#[tokio::test]
async fn customers_are_offered_the_ways_of_the_settings() {
    // No app.
    let builder = Builder::start().await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    assert!(!page.text.contains("Sign in at"), "{}", page.text);
    assert_eq!(browser.submit(SIGN_IN, &page, &[]).await.status, 400);
    // No tokens.
    let no_tokens = [("HIGHLEVEL_MCP_OAUTH_VAULT", "false")];
    let builder = builder_with(MarketplaceOptions::default(), &no_tokens).await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    assert!(!page.text.contains("token</"), "{}", page.text);
    let token = [("location", LOCATION), ("token", TOKEN)];
    assert_eq!(
        browser.submit("/connect/token", &page, &token).await.status,
        400
    );
    let connected = connect(&builder, &link, &ALONE).await;
    assert_eq!(connected.heading(), "Summit Fitness is connected");
}

#[tokio::test]
async fn customers_begin_so_often_from_one_address() {
    let builder = builder(MarketplaceOptions::default()).await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    let mut statuses = Vec::new();
    for _ in 0..21 {
        statuses.push(browser.submit(SIGN_IN, &page, &[]).await.status);
    }
    assert_eq!(statuses[..20], [303; 20]);
    assert_eq!(statuses[20], 429);
}
