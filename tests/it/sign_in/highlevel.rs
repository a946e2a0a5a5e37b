//! Signing in at HighLevel: the person who comes back, the state, the browser, and the locations that appear.

use ::sandbox::{CLIENT_ID, COMPANY, LOCATION, MarketplaceOptions, SandboxOptions, webhook_key};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::json;
use state::links::{Invitation, Links, Offer};
use state::people::PersonRole;
use state::sessions::{ProofKind, Sessions};
use state::vault::{CredentialKind, Vault, VaultLocation};
use test_support::server::TestServer;
use url::Url;

use super::browser::{Browser, Page, SIGN_IN};
use super::consent;
use crate::sandbox::Sandbox;
use crate::sandbox::marketplace::{REDIRECT, SUMMIT, choose};

/// The server that the sandbox's app belongs to.
pub(super) struct MarketplaceFixture {
    pub sandbox: Sandbox,
    pub server: TestServer,
}

impl MarketplaceFixture {
    pub(super) async fn start(who: &str, marketplace: MarketplaceOptions) -> Self {
        Self::start_with(who, marketplace, &[]).await
    }

    pub(super) async fn start_with(
        who: &str,
        marketplace: MarketplaceOptions,
        settings: &[(&str, &str)],
    ) -> Self {
        let options = SandboxOptions {
            marketplace: MarketplaceOptions {
                redirects: vec![REDIRECT.to_owned()],
                ..marketplace
            },
            ..SandboxOptions::default()
        };
        let key = webhook_key(options.seed).expect("a key");
        let sandbox = Sandbox::start(options).await;
        let app = json!({
            "client_id": CLIENT_ID, "client_secret": {"env": "APP_SECRET"}, "webhook_key": key,
            "url": format!("{}/v2/oauth/chooselocation", sandbox.url),
        });
        let app = app.to_string();
        let own = [
            ("APP_SECRET", ::sandbox::CLIENT_SECRET),
            ("HIGHLEVEL_MCP_OAUTH_WHO", who),
            ("HIGHLEVEL_MCP_MARKETPLACE", app.as_str()),
        ];
        let server =
            TestServer::start_with(&sandbox.url, &[&SIGN_IN[..], &own, settings].concat()).await;
        Self { sandbox, server }
    }

    pub(super) async fn locations(&self) -> Vec<VaultLocation> {
        self.vault().list().await.expect("read")
    }

    pub(super) fn vault(&self) -> Vault {
        let controls = self.server.pipeline.controls();
        controls
            .sign_in
            .as_ref()
            .expect("people sign in")
            .vault
            .clone()
    }

    pub(super) async fn chosen(&self, begun: &Page, choice: &[(&str, &str)]) -> Url {
        chosen(&self.sandbox, begun, choice).await
    }

    /// The whole sequence of a browser.
    pub(super) async fn connect(&self, browser: &Browser, choice: &[(&str, &str)]) -> Page {
        let begun = browser.get("/connect/crm").await;
        let back = self.chosen(&begun, choice).await;
        browser.get(&path(&back)).await
    }
}

/// HighLevel's page, and what a person chooses there: where the browser is sent.
pub(super) async fn chosen(sandbox: &Sandbox, begun: &Page, choice: &[(&str, &str)]) -> Url {
    let page: Url = begun.location().parse().expect("an address");
    let fields = page.query_pairs().into_owned().collect();
    choose(sandbox, fields, choice).await.expect("a way back")
}

/// Of our own server.
pub(super) fn path(url: &Url) -> String {
    assert!(url.as_str().starts_with(REDIRECT), "{url}");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// The same address without one of its parameters, or with another value.
pub(super) fn with(url: &Url, name: &str, value: Option<&str>) -> String {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear();
    for (one, old) in pairs {
        match (one == name, value) {
            (false, _) => drop(url.query_pairs_mut().append_pair(&one, &old)),
            (true, Some(new)) => drop(url.query_pairs_mut().append_pair(&one, new)),
            (true, None) => {}
        }
    }
    path(&url)
}

const ALONE: [(&str, &str); 2] = [("location", SUMMIT), ("user", "userAda")];

#[tokio::test]
async fn a_location_appears_and_the_person_is_signed_in() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    let begun = browser
        .get("/connect/crm?next=%2Fconsole%2Fconnections")
        .await;
    let page: Url = begun.location().parse().expect("an address");
    let asked = |name: &str| {
        let found = page.query_pairs().find(|(one, _)| one == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    assert_eq!(asked("redirect_uri"), REDIRECT);
    assert_eq!(asked("client_id"), CLIENT_ID);
    assert_eq!(asked("version_id"), ::sandbox::APP);
    assert!(asked("scope").contains("contacts.readonly") && asked("state").starts_with("hlf_"));
    let back = world.chosen(&begun, &ALONE).await;
    let came = browser.get(&path(&back)).await;
    assert_eq!(came.location(), "/console/connections");
    let locations = world.locations().await;
    let [one] = locations.as_slice() else {
        panic!("{locations:?}");
    };
    assert_eq!(
        (one.location.as_str(), one.kind),
        (SUMMIT, CredentialKind::Location)
    );
    assert_eq!(one.alias, "summit-fitness");
    assert!(one.zone.is_some() && one.company.as_deref() == Some(COMPANY));
    let person = one.owner.as_deref().expect("its person's");
    assert!(browser.cookie("__Host-hl_session").is_some());
    // Again, by the same user: the same person, the same location.
    let other = Browser::new(&world.server);
    assert_eq!(
        world.connect(&other, &ALONE).await.location(),
        "/console/locations"
    );
    assert_eq!(world.locations().await.len(), 1);
    assert_eq!(world.locations().await[0].owner.as_deref(), Some(person));
    // By another user of the location: it becomes that person's too.
    let third = Browser::new(&world.server);
    let choice = [("location", SUMMIT), ("user", "userBob")];
    world.connect(&third, &choice).await.location();
    let aliases = world.locations().await.into_iter().map(|one| one.alias);
    assert_eq!(
        aliases.collect::<Vec<_>>(),
        ["summit-fitness", "summit-fitness-2"]
    );
}

#[tokio::test]
async fn a_companys_locations_appear_by_themselves() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    let choice = [("agency", COMPANY), ("user", "userAda")];
    world.connect(&browser, &choice).await.location();
    let locations = world.locations().await;
    assert!(locations.len() > 1, "{locations:?}");
    assert!(locations.iter().any(|one| one.location == LOCATION));
    assert!(
        locations
            .iter()
            .all(|one| one.kind == CredentialKind::Company && one.owner.is_some())
    );
    let credential = &locations[0].credential;
    assert!(locations.iter().all(|one| one.credential == *credential));
    // One location was chosen, and HighLevel still gives the company's tokens.
    let bulk = MarketplaceOptions {
        is_always_bulk: true,
        ..MarketplaceOptions::default()
    };
    let world = MarketplaceFixture::start("anyone", bulk).await;
    world
        .connect(&Browser::new(&world.server), &ALONE)
        .await
        .location();
    let locations = world.locations().await;
    assert_eq!(locations.len(), 1, "{locations:?}");
    assert_eq!(
        (locations[0].location.as_str(), locations[0].kind),
        (SUMMIT, CredentialKind::Company)
    );
}

#[tokio::test]
async fn a_state_is_valid_once_and_only_in_its_browser() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let (browser, other, bare) = (
        Browser::new(&world.server),
        Browser::new(&world.server),
        Browser::new(&world.server),
    );
    other.get("/connect/crm").await;
    let begun = browser.get("/connect/crm").await;
    let back = world.chosen(&begun, &ALONE).await;
    let (good, wrong) = (path(&back), with(&back, "state", Some("hlf_wrong")));
    let empty = with(&back, "state", Some(""));
    let twice = format!("{good}&state=hlf_wrong");
    for (name, browser, path) in [
        ("another browser", &other, &good),
        ("a browser without a cookie", &bare, &good),
        ("a wrong state", &browser, &wrong),
        ("an empty state", &browser, &empty),
        ("two states", &browser, &twice),
    ] {
        let refused = browser.get(path).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        assert!(
            !refused.text.contains("hlf_") && world.locations().await.is_empty(),
            "{name}"
        );
    }
    browser.get(&good).await.location();
    assert_eq!(world.locations().await.len(), 1);
    assert_eq!(browser.get(&good).await.status, 400, "the same again");
}

#[tokio::test]
async fn without_a_state_a_person_has_to_say_so() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    let begun = browser.get("/connect/crm").await;
    let back = with(&world.chosen(&begun, &ALONE).await, "state", None);
    let asked = browser.get(&back).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert!(
        world.locations().await.is_empty(),
        "nothing is exchanged by opening a page"
    );
    // From another site's page, and in another browser.
    let confirm = "/connect/crm/confirm";
    let token = asked.token();
    let foreign = [("origin", "https://evil.example")];
    let refused = browser
        .post_from(confirm, &[("form", &token)], &foreign)
        .await;
    assert_eq!(refused.status, 403);
    let other = Browser::new(&world.server);
    other.get("/connect/crm").await;
    assert_eq!(other.submit(confirm, &asked, &[]).await.status, 400);
    assert!(world.locations().await.is_empty());
    browser.submit(confirm, &asked, &[]).await.location();
    assert_eq!(world.locations().await.len(), 1);
    // Several attempts in progress, or none.
    for _ in 0..2 {
        browser.get("/connect/crm").await;
    }
    let begun = browser.get("/connect/crm").await;
    let back = with(&world.chosen(&begun, &ALONE).await, "state", None);
    let asked = browser.get(&back).await;
    assert_eq!(browser.submit(confirm, &asked, &[]).await.status, 400);
}

/// By the links of the pages alone: from a client's question to HighLevel, back to the question, and to another
/// sub-account.
#[tokio::test]
async fn pages_lead_to_the_sign_in_and_back() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    let client = consent::client(&world.server, "Known", &[consent::REDIRECT]).await;
    let asked = consent::request(&client, &[]);
    let entry = browser.get(&asked).await;
    let begin = entry.link("/connect/crm").expect("a link").to_owned();
    let begun = browser.get(&begin).await;
    let back = world.chosen(&begun, &ALONE).await;
    assert_eq!(browser.get(&path(&back)).await.location(), asked);
    let question = browser.get(&asked).await;
    assert!(question.text.contains("Summit"), "{}", question.text);
    let page = browser.get("/console/locations").await;
    let begin = page.link("/connect/crm").expect("a link").to_owned();
    let begun = browser.get(&begin).await;
    let choice = [("location", LOCATION), ("user", "userAda")];
    let back = world.chosen(&begun, &choice).await;
    let came = browser.get(&path(&back)).await;
    assert_eq!(came.location(), "/console/locations");
    assert_eq!(world.locations().await.len(), 2);
    // A person who was invited to existing locations connects none, and is not offered to.
    let (member, _) = signed_in(&world, Some(false)).await;
    let page = member.get("/console/locations").await;
    assert_eq!((page.status, page.link("/connect/crm")), (200, None));
}

#[tokio::test]
async fn two_sign_ins_of_one_browser_do_not_mix() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    let first = browser
        .get("/connect/crm?next=%2Fconsole%2Fconnections")
        .await;
    let second = browser.get("/connect/crm").await;
    let second = world.chosen(&second, &ALONE).await;
    let choice = [("location", LOCATION), ("user", "userAda")];
    let first = world.chosen(&first, &choice).await;
    assert_eq!(
        browser.get(&path(&second)).await.location(),
        "/console/locations"
    );
    assert_eq!(
        browser.get(&path(&first)).await.location(),
        "/console/connections"
    );
    assert_eq!(world.locations().await.len(), 2);
}

/// A browser with a signed-in person: an operator, or a member who may or may not connect locations.
async fn signed_in(world: &MarketplaceFixture, may_vault: Option<bool>) -> (Browser, String) {
    let store = world.server.store();
    let offer = match may_vault {
        None => Offer::First,
        Some(may_vault) => Offer::Invite(Invitation {
            name: "Ada".to_owned(),
            role: PersonRole::Member,
            all_locations: false,
            // An invitation to nothing is refused.
            locations: if may_vault {
                Vec::new()
            } else {
                vec!["acme".to_owned()]
            },
            policy: None,
            may_vault,
            may_approve: false,
        }),
    };
    let links = Links::new(&store);
    let made = links
        .make(offer, SignedDuration::from_mins(5), 1, None)
        .await;
    let (_, text) = made.expect("made");
    let person = links.join(&text, Some("Ada".to_owned())).await;
    let id = person.expect("read").expect("good").id;
    let session = Sessions::new(&store)
        .begin(&id, ProofKind::Given, None)
        .await
        .expect("begun");
    let browser = Browser::new(&world.server);
    browser.keep("__Host-hl_session", session.expose_secret());
    (browser, id)
}

#[tokio::test]
async fn the_setting_who_decides_who_may_connect() {
    // Nobody is signed in, and nobody was invited.
    let world = MarketplaceFixture::start("invited", MarketplaceOptions::default()).await;
    let stranger = Browser::new(&world.server);
    let refused = world.connect(&stranger, &ALONE).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(stranger.cookie("__Host-hl_session").is_none());
    let (member, _) = signed_in(&world, Some(false)).await;
    assert_eq!(world.connect(&member, &ALONE).await.status, 403);
    assert!(world.locations().await.is_empty());
    let (member, id) = signed_in(&world, Some(true)).await;
    world.connect(&member, &ALONE).await.location();
    // A location that an operator connects belongs to the server.
    let (operator, _) = signed_in(&world, None).await;
    let choice = [("location", LOCATION), ("user", "userAda")];
    world.connect(&operator, &choice).await.location();
    let owners = world
        .locations()
        .await
        .into_iter()
        .map(|one| (one.location, one.owner));
    let mut owners: Vec<_> = owners.collect();
    owners.sort();
    let mut expected = [(SUMMIT.to_owned(), Some(id)), (LOCATION.to_owned(), None)];
    expected.sort();
    assert_eq!(owners, expected);
}

#[tokio::test]
async fn failed_sign_ins_connect_nothing() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let browser = Browser::new(&world.server);
    browser.get("/connect/crm").await;
    let refused = browser
        .get("/connect/crm/callback?error=access_denied")
        .await;
    assert_eq!(
        (refused.status, refused.heading()),
        (400, "Nothing was connected")
    );
    assert_eq!(browser.get("/connect/crm/callback").await.status, 400);
    // A code that HighLevel does not know.
    let begun = browser.get("/connect/crm").await;
    let back = world.chosen(&begun, &ALONE).await;
    let wrong = browser.get(&with(&back, "code", Some("wrong"))).await;
    assert_eq!(wrong.status, 502, "{}", wrong.text);
    assert!(wrong.text.contains("BrightCRM") && !wrong.text.contains("HighLevel"));
    assert!(world.locations().await.is_empty());
    // Without an app there is no such page.
    let server = TestServer::start_with(&world.sandbox.url, &SIGN_IN).await;
    assert_eq!(Browser::new(&server).get("/connect/crm").await.status, 404);
}

#[tokio::test]
async fn sign_ins_are_begun_so_often_from_one_address() {
    let world = MarketplaceFixture::start("anyone", MarketplaceOptions::default()).await;
    let mut statuses = Vec::new();
    for _ in 0..21 {
        statuses.push(Browser::new(&world.server).get("/connect/crm").await.status);
    }
    assert_eq!(statuses[..20], [303; 20]);
    assert_eq!(statuses[20], 429);
}
