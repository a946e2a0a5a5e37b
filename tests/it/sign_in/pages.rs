//! The promises of every page: its headers, its content, and the people who may open it.

use state::links::Offer;

use super::browser::{AFTER_JOINING, Browser, Page};
use super::{URL, house, invite, link, sign_in_as_member, sign_in_as_operator};
use test_support::server::TestServer;

const LONGEST: usize = 40 << 10;

/// Pages that anybody may open.
const OPEN: [&str; 3] = ["/console/first", "/console/join", "/console/signin"];

/// Pages for a signed-in person.
const OWN: [&str; 10] = [
    "/console",
    "/console/connect",
    "/console/connect/claude-code",
    "/console/approvals",
    "/console/connections",
    "/console/locations",
    "/console/live",
    "/console/usage",
    "/console/tools",
    "/console/tools/contacts_create-contact",
];

fn check_headers(path: &str, page: &Page) {
    let policy = page.header("content-security-policy");
    let is_consent = path.starts_with("/authorize");
    for part in [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {part} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}");
    assert_eq!(policy.contains("form-action 'self'"), !is_consent, "{path}");
    let opener = page.header("cross-origin-opener-policy");
    assert_eq!(
        opener,
        if is_consent { "" } else { "same-origin" },
        "{path}"
    );
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(page.header(name), value, "{path}: {name}");
    }
    assert!(
        page.text.len() <= LONGEST,
        "{path}: {} bytes",
        page.text.len()
    );
}

#[tokio::test]
async fn every_page_has_its_headers() {
    let agency = house(2).await;
    let server = &agency.server;
    let browser = Browser::new(server);
    for path in OPEN {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        check_headers(path, &page);
    }
    for path in OWN {
        let page = browser.get(path).await;
        assert_eq!(page.status, 401, "{path}");
        assert_eq!(page.heading(), "You are not signed in");
        check_headers(path, &page);
    }
    let unknown = browser.get("/authorize?client_id=x&redirect_uri=y").await;
    assert_eq!(unknown.status, 400);
    check_headers("/authorize", &unknown);
    sign_in_as_operator(server, &browser).await;
    for path in OWN {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        check_headers(path, &page);
        let session = browser.cookie("__Host-hl_session").expect("a session");
        assert!(!page.text.contains(&session), "{path} holds the session");
    }
    let lost = browser.get("/console/approvals/apr_none").await;
    assert_eq!(lost.status, 404);
    check_headers("/console/approvals/apr_none", &lost);
}

/// Where forms of the console go.
const FORMS: [&str; 16] = [
    "/console/approvals/apr_none",
    "/console/connections/end",
    "/console/connections/narrow",
    "/console/locations/add",
    "/console/locations/remove",
    "/console/pause",
    "/console/people/end",
    "/console/people/approvals",
    "/console/people/invite",
    "/console/people/uninvite",
    "/console/keys/new",
    "/console/keys/revoke",
    "/console/clients/block",
    "/console/clients/unblock",
    "/console/tools/contacts_create-contact",
    "/console/rules/front",
];

#[tokio::test]
async fn a_form_that_is_refused_shows_its_readers_menu_and_a_stranger_none() {
    let agency = house(1).await;
    let server = &agency.server;
    let [stranger, member, operator] = [(); 3].map(|()| Browser::new(server));
    sign_in_as_operator(server, &operator).await;
    sign_in_as_member(server, &member, "Ada", &["b01"]).await;
    // The page that refuses, whether it has a menu, and one of operators.
    let menu =
        |page: &Page| [">Menu", "href=\"/console/people\""].map(|part| page.text.contains(part));
    for path in FORMS {
        for (browser, status, expected) in [
            (&stranger, 401, [false, false]),
            (&member, 403, [true, false]),
            (&operator, 403, [true, true]),
        ] {
            let page = browser.post(path, &[("form", "of nobody")]).await;
            assert_eq!(page.status, status, "{path}");
            assert_eq!(menu(&page), expected, "{path}: {}", page.text);
        }
    }
    let page = stranger.get("/console/rules/new?name=-").await;
    assert_eq!((page.status, menu(&page)), (400, [false, false]));
}

#[tokio::test]
async fn pages_exist_only_with_sign_in() {
    let without = TestServer::start("http://127.0.0.1:9").await;
    let browser = Browser::new(&without);
    for path in OPEN.iter().chain(&OWN).chain(&["/authorize"]) {
        // The server does not even know this host.
        let page = browser.get(path).await;
        assert!([403, 404].contains(&page.status), "{path}: {}", page.status);
    }
    // The console of this machine is tested in `local_console`.
    let plain = without.http.get(format!("{}/authorize", without.url));
    assert_eq!(plain.send().await.expect("a reply").status(), 404);
}

#[tokio::test]
async fn files_of_pages_are_named_by_their_digest() {
    let agency = house(1).await;
    let browser = Browser::new(&agency.server);
    let page = browser.get("/console/join").await;
    let mut names = page.text.split("\"/assets/").skip(1);
    let mut found = Vec::new();
    for name in names.by_ref() {
        let name = name.split('"').next().expect("a name");
        let asset = browser.get(&format!("/assets/{name}")).await;
        assert_eq!(asset.status, 200, "{name}");
        assert!(asset.header("cache-control").contains("immutable"));
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
        found.push(asset.header("content-type").to_owned());
    }
    assert_eq!(found, ["text/css", "image/svg+xml", "text/javascript"]);
    assert_eq!(browser.get("/assets/style-0.css").await.status, 404);
    assert_eq!(
        browser.get("/assets/..%2f..%2fetc%2fpasswd").await.status,
        404
    );
}

#[tokio::test]
async fn a_link_is_used_by_its_button_alone_and_once() {
    let agency = house(2).await;
    let server = &agency.server;
    let first = link(server, Offer::First).await;
    let browser = Browser::new(server);
    // A preview of the link. It sends no fragment in any case.
    for _ in 0..3 {
        assert_eq!(browser.get("/console/first").await.status, 200);
    }
    let post = async |text: &str| {
        let fields = [("link", text), ("name", "Olga")];
        browser.post("/console/first", &fields).await
    };
    let wrong = post("hli_nothing").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("no longer works"), "{}", wrong.text);
    // Nobody types the name twice.
    assert!(wrong.text.contains("value=\"Olga\""), "{}", wrong.text);
    let fields = [("link", first.as_str()), ("name", "   ")];
    let nameless = browser.post("/console/first", &fields).await;
    assert_eq!(nameless.status, 400);
    assert!(
        nameless.text.contains("Give your name."),
        "{}",
        nameless.text
    );
    let no_link = post("hello").await;
    assert!(
        no_link.text.contains("not a link of this server"),
        "{}",
        no_link.text
    );
    let pasted = format!("{URL}/console/first#{first}");
    let joined = post(&pasted).await;
    assert_eq!(joined.location(), AFTER_JOINING);
    let cookie = joined.header("set-cookie");
    assert!(cookie.starts_with("__Host-hl_session=hls_"), "{cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let home = browser.get("/console").await;
    assert!(
        home.text
            .contains("<strong>Olga</strong>, an operator of this server"),
        "{}",
        home.text
    );
    let again = post(&first).await;
    assert_eq!(again.status, 400);
    // A page of another site cannot make anybody join.
    let invitation = invite(server, "Ada", &["b01"]).await;
    let foreign = browser
        .post_from(
            "/console/join",
            &[("link", &invitation)],
            &[("origin", "https://evil.example")],
        )
        .await;
    assert_eq!(foreign.status, 403);
    let other = Browser::new(server);
    let joined = other.post("/console/join", &[("link", &invitation)]).await;
    assert_eq!(joined.location(), AFTER_JOINING);
    let home = other.get("/console").await;
    assert!(
        home.text.contains("You are <strong>Ada</strong>."),
        "{}",
        home.text
    );
}

#[tokio::test]
async fn a_session_has_a_new_name_each_time_and_ends_by_its_button() {
    let agency = house(2).await;
    let server = &agency.server;
    let browser = Browser::new(server);
    const NAME: &str = "__Host-hl_session";
    // A session value chosen by somebody else is never accepted.
    browser.keep(NAME, "hls_chosen-by-somebody");
    sign_in_as_member(server, &browser, "Ada", &["b01"]).await;
    let first = browser.cookie(NAME).expect("a session");
    assert_ne!(first, "hls_chosen-by-somebody");
    sign_in_as_member(server, &browser, "Bob", &["b02"]).await;
    let second = browser.cookie(NAME).expect("a session");
    assert_ne!(first, second);
    let home = browser.get("/console").await;
    assert!(home.text.contains("<strong>Bob</strong>"), "{}", home.text);
    // The previous session has ended.
    let old = Browser::new(server);
    old.keep(NAME, &first);
    assert_eq!(old.get("/console").await.status, 401);
    // A form of another session ends none.
    let other = Browser::new(server);
    sign_in_as_member(server, &other, "Eve", &["b01"]).await;
    let foreign = other.get("/console").await;
    let refused = browser.submit("/console/signout", &foreign, &[]).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let left = browser.submit("/console/signout", &home, &[]).await;
    assert_eq!(left.location(), "/console/signin");
    assert_eq!(browser.cookie(NAME), None);
    let old = Browser::new(server);
    old.keep(NAME, &second);
    assert_eq!(old.get("/console").await.status, 401);
}
