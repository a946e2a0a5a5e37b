//! A client's request for access, and what a person sees, chooses and grants.

use secrecy::ExposeSecret;
use state::clients::{ClientMethod, Clients, NewClient};
use state::grants::{GrantHolder, GrantScope, Grants, Redemption};

use super::browser::{Browser, Page};
use super::{URL, house, sign_in_as_operator};
use test_support::server::TestServer;

/// RFC 7636's own example.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) const REDIRECT: &str = "https://app.example.com/callback?tenant=7";

/// The id of a client that the operator created.
pub(super) async fn client(server: &TestServer, name: &str, redirects: &[&str]) -> String {
    let new = NewClient {
        name: name.to_owned(),
        redirects: redirects.iter().map(ToString::to_string).collect(),
        method: ClientMethod::None,
    };
    let (record, _) = Clients::new(&server.store())
        .add(new)
        .await
        .expect("a client");
    record.id
}

/// The usual request of a client with some parameters changed. A parameter without a value is left out.
pub(super) fn request(client: &str, changes: &[(&str, Option<&str>)]) -> String {
    let mut parameters = vec![
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "a b"),
    ];
    for (name, value) in changes {
        parameters.retain(|(one, _)| one != name);
        parameters.extend(value.map(|value| (*name, value)));
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    format!("/authorize?{}", query.finish())
}

/// The choice of a person who allows a client everything it asks for in one location.
const ALLOW: [(&str, &str); 3] = [
    ("decision", "allow"),
    ("location", "b01"),
    ("rules", "ask-first"),
];

pub(super) fn grants(server: &TestServer) -> Grants {
    let controls = server.pipeline.controls();
    controls.sign_in.as_ref().expect("sign-in").grants.clone()
}

/// Rows of all tables of the server's store, except its housekeeping records.
async fn rows(server: &TestServer) -> Vec<(String, i64)> {
    use sqlx::Row;
    let path = server.store().path().expect("a file").to_owned();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options)
        .await
        .expect("a database");
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta' ORDER BY name";
    let tables = sqlx::query(tables).fetch_all(&pool).await.expect("tables");
    let mut counted = Vec::new();
    for table in tables {
        let name: String = table.get("name");
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM {name}"));
        let row = sqlx::query(count).fetch_one(&pool).await.expect("a count");
        counted.push((name, row.get("n")));
    }
    counted
}

#[tokio::test]
async fn requests_without_a_usable_redirect_get_a_page() {
    let agency = house(2).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    #[rustfmt::skip]
    let rows: [(&str, &[(&str, Option<&str>)], &str); 9] = [
        ("cli_nobody", &[], "does not know the program"),
        (&known, &[("redirect_uri", Some("https://evil.example/callback"))], "has not registered"),
        (&known, &[("redirect_uri", Some("https://app.example.com/callback"))], "has not registered"),
        (&known, &[("redirect_uri", Some("https://app.example.com/callback?tenant=7#x"))], "has not registered"),
        (&known, &[("redirect_uri", Some("javascript:alert(1)"))], "has not registered"),
        (&known, &[("redirect_uri", None)], "redirect_uri"),
        (&known, &[("client_id", None)], "client_id"),
        ("https://127.0.0.1/client.json", &[], "names 127.0.0.1 as its publisher"),
        ("http://app.example.com/client.json", &[], "does not know the program"),
    ];
    for (client, changes, part) in rows {
        let page = browser.get(&request(client, changes)).await;
        assert_eq!(page.status, 400, "{client} {changes:?}");
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
        assert!(page.headers.get("location").is_none());
    }
    // A repeated parameter is refused.
    let twice = format!("{}&client_id={known}", request(&known, &[]));
    assert_eq!(browser.get(&twice).await.status, 400);
    Clients::new(&server.store())
        .block(&known, true)
        .await
        .expect("blocked");
    let page = browser.get(&request(&known, &[])).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("has blocked it"), "{}", page.text);
}

#[tokio::test]
async fn faults_of_a_request_go_back_to_its_client() {
    let agency = house(1).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    let before = rows(server).await;
    #[rustfmt::skip]
    let cases: [(&[(&str, Option<&str>)], &str); 11] = [
        (&[("code_challenge", None)], "invalid_request"),
        (&[("code_challenge_method", None)], "invalid_request"),
        (&[("code_challenge_method", Some("plain"))], "invalid_request"),
        (&[("code_challenge", Some("short"))], "invalid_request"),
        (&[("response_type", Some("token"))], "unsupported_response_type"),
        (&[("response_type", None)], "invalid_request"),
        (&[("prompt", Some("none"))], "interaction_required"),
        (&[("resource", Some("https://evil.example/mcp"))], "invalid_target"),
        (&[("resource", Some("https://mcp.example.test/mcpx"))], "invalid_target"),
        (&[("response_mode", Some("fragment"))], "invalid_request"),
        (&[("request", Some("eyJ"))], "request_not_supported"),
    ];
    for (changes, error) in cases {
        let page = browser.get(&request(&known, changes)).await;
        assert!(
            page.location()
                .starts_with("https://app.example.com/callback?tenant=7&")
        );
        assert_eq!(page.answer("error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(page.answer("state").as_deref(), Some("a b"), "{changes:?}");
        assert_eq!(page.answer("iss").as_deref(), Some(URL), "{changes:?}");
        assert_eq!(page.answer("code"), None);
    }
    let resource = "resource=https%3A%2F%2Fmcp.example.test%2Fmcp";
    let two = format!("{}&{resource}&{resource}", request(&known, &[]));
    assert_eq!(
        browser.get(&two).await.answer("error").as_deref(),
        Some("invalid_target")
    );
    let two = format!("{}&scope=read&scope=write", request(&known, &[]));
    assert_eq!(
        browser.get(&two).await.answer("error").as_deref(),
        Some("invalid_request")
    );
    assert_eq!(rows(server).await, before);
}

#[tokio::test]
async fn looking_leaves_no_trace() {
    let agency = house(1).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let before = rows(server).await;
    for _ in 0..100 {
        let page = Browser::new(server).get(&request(&known, &[])).await;
        assert_eq!(page.status, 200);
    }
    // A person who is not signed in can also say no, and leaves no trace.
    let browser = Browser::new(server);
    let page = browser.get(&request(&known, &[])).await;
    let denied = browser
        .submit("/authorize/decide", &page, &[("decision", "deny")])
        .await;
    assert_eq!(denied.answer("error").as_deref(), Some("access_denied"));
    assert_eq!(rows(server).await, before);
}

/// The redeemed code of an allowed client.
pub(super) async fn redeem(server: &TestServer, client: &str, allowed: &Page) -> String {
    let redemption = Redemption {
        code: allowed.answer("code").expect("a code").into(),
        client: client.to_owned(),
        redirect: Some(REDIRECT.to_owned()),
        verifier: VERIFIER.into(),
        resource: None,
    };
    let tokens = grants(server).redeem(redemption).await.expect("the store");
    let tokens = tokens.expect("tokens");
    assert!(tokens.access.expose_secret().starts_with("hla_"));
    tokens.grant
}

#[tokio::test]
async fn a_person_lets_a_client_in() {
    let agency = house(3).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    struct Row {
        asked: &'static [(&'static str, Option<&'static str>)],
        chosen: &'static [(&'static str, &'static str)],
        scope: GrantScope,
        rules: &'static str,
        locations: &'static [&'static str],
    }
    const YES: (&str, &str) = ("decision", "allow");
    #[rustfmt::skip]
    let cases = [
        Row { asked: &[], chosen: &ALLOW, scope: GrantScope::Write, rules: "ask-first", locations: &["b01"] },
        Row { asked: &[("scope", Some("openid claudeai"))], chosen: &[YES, ("location", "b02"), ("location", "b01"), ("rules", "everything")],
            scope: GrantScope::Write, rules: "everything", locations: &["b01", "b02"] },
        Row { asked: &[("scope", Some("read offline_access"))], chosen: &[YES, ("location", "*"), ("rules", "read-only")],
            scope: GrantScope::Read, rules: "read-only", locations: &["*"] },
        Row { asked: &[("resource", Some("https://mcp.example.test/mcp/"))], chosen: &[YES, ("others", "b03, b01"), ("rules", "section:front")],
            scope: GrantScope::Write, rules: "section:front", locations: &["b01", "b03"] },
        Row { asked: &[("state", None)], chosen: &[YES, ("location", "b01"), ("rules", "read-only")],
            scope: GrantScope::Write, rules: "read-only", locations: &["b01"] },
    ];
    for row in cases {
        // The person is asked each time, also about a client that was allowed before.
        let page = browser.get(&request(&known, row.asked)).await;
        assert_eq!(
            page.heading(),
            "Known wants to work in your BrightCRM account"
        );
        let allowed = browser.submit("/authorize/decide", &page, row.chosen).await;
        assert!(
            allowed
                .location()
                .starts_with("https://app.example.com/callback?tenant=7&code=hlc_")
        );
        assert_eq!(allowed.answer("iss").as_deref(), Some(URL));
        let has_state = !row.asked.contains(&("state", None));
        assert_eq!(
            allowed.answer("state").as_deref(),
            has_state.then_some("a b")
        );
        let id = redeem(server, &known, &allowed).await;
        let grant = grants(server)
            .get(&id)
            .await
            .expect("the store")
            .expect("a grant");
        assert!(matches!(grant.holder, GrantHolder::Person(_)));
        let found = (
            grant.scope,
            grant.rules.as_str(),
            grant.locations.as_slice(),
        );
        let locations: Vec<String> = row.locations.iter().map(ToString::to_string).collect();
        assert_eq!(found, (row.scope, row.rules, locations.as_slice()));
        assert_eq!(grant.client_name, "Known");
    }
}

#[tokio::test]
async fn only_offered_choices_are_accepted() {
    let agency = house(2).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    const YES: (&str, &str) = ("decision", "allow");
    let usual = request(&known, &[]);
    let reading = request(&known, &[("scope", Some("read"))]);
    #[rustfmt::skip]
    let cases: [(&str, &[(&str, &str)], &str); 6] = [
        (&usual, &[YES, ("rules", "ask-first")], "Tick at least one sub-account."),
        (&usual, &[YES, ("location", "b01")], "Choose what it may do."),
        (&usual, &[YES, ("location", "nowhere"), ("rules", "ask-first")], "no sub-account “nowhere”"),
        (&usual, &[YES, ("location", "b01"), ("others", "<b>"), ("rules", "ask-first")], "no sub-account “&lt;b&gt;”"),
        (&usual, &[YES, ("location", "b01"), ("rules", "section:none")], "Choose what it may do."),
        (&reading, &[YES, ("location", "b01"), ("rules", "everything")], "Choose what it may do."),
    ];
    for (asked, chosen, part) in cases {
        let page = browser.get(asked).await;
        let again = browser.submit("/authorize/decide", &page, chosen).await;
        assert_eq!(again.status, 400, "{chosen:?}");
        assert!(again.text.contains(part), "{part} is not in {}", again.text);
        // The choices are still there, and the page works.
        let is_ticked = again.text.contains("value=\"b01\" checked");
        assert_eq!(
            is_ticked,
            chosen.contains(&("location", "b01")),
            "{chosen:?}"
        );
        let fields = [YES, ("location", "b01"), ("rules", "read-only")];
        let allowed = browser.submit("/authorize/decide", &again, &fields).await;
        assert!(allowed.answer("code").is_some());
    }
}

#[tokio::test]
async fn a_form_is_valid_only_for_its_own_browser_and_page() {
    let agency = house(1).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    let page = browser.get(&request(&known, &[])).await;
    let token = page.token();
    let form = [&[("form", token.as_str())], &ALLOW[..]].concat();
    let before = rows(server).await;
    let path = "/authorize/decide";
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[],
    ] {
        let refused = browser.post_from(path, &form, headers).await;
        assert_eq!(refused.status, 403, "{headers:?}");
    }
    let other = Browser::new(server);
    assert_eq!(other.post(path, &form).await.status, 400);
    other.get(&request(&known, &[])).await;
    let foreign = other.post(path, &form).await;
    assert_eq!(foreign.status, 400);
    assert!(foreign.text.contains("another browser"), "{}", foreign.text);
    let mut changed = form.clone();
    let altered = token.replace(['A', 'B', 'C'], "x");
    changed[0] = ("form", altered.as_str());
    assert_eq!(browser.post(path, &changed).await.status, 400);
    let none = browser.post(path, &ALLOW).await;
    assert_eq!(none.status, 400);
    // A person who signs out meanwhile is asked again.
    browser.forget("__Host-hl_session");
    let begun_anew = browser.post(path, &form).await;
    assert!(begun_anew.location().starts_with("/authorize?client_id="));
    assert_eq!(rows(server).await, before);
}

#[tokio::test]
async fn two_clicks_are_one_answer() {
    let agency = house(1).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    let page = browser.get(&request(&known, &[])).await;
    let click = || browser.submit("/authorize/decide", &page, &ALLOW);
    let (first, second) = tokio::join!(click(), click());
    assert_eq!(first.location(), second.location());
    redeem(server, &known, &first).await;
    let late = click().await;
    assert_eq!(late.status, 409);
    assert!(late.text.contains("answered this already"), "{}", late.text);
    assert_eq!(grants(server).list(None).await.expect("grants").len(), 1);
}

#[tokio::test]
async fn any_process_accepts_the_form_of_a_page() {
    let agency = house(1).await;
    let known = client(&agency.server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(&agency.server);
    sign_in_as_operator(&agency.server, &browser).await;
    let page = browser.get(&request(&known, &[])).await;
    let again = agency.another().await;
    let browser = browser.before(&again);
    let allowed = browser.submit("/authorize/decide", &page, &ALLOW).await;
    assert!(allowed.answer("code").is_some());
    redeem(&again, &known, &allowed).await;
}

#[tokio::test]
async fn an_answer_returns_the_state_of_the_client() {
    let agency = house(1).await;
    let server = &agency.server;
    let known = client(server, "Known", &[REDIRECT]).await;
    let browser = Browser::new(server);
    sign_in_as_operator(server, &browser).await;
    let long = "s".repeat(2_048);
    for state in ["x", "a+b/c=&d", "Zürich €", long.as_str(), "<script>"] {
        let page = browser
            .get(&request(&known, &[("state", Some(state))]))
            .await;
        let denied = browser
            .submit("/authorize/decide", &page, &[("decision", "deny")])
            .await;
        assert_eq!(denied.answer("state").as_deref(), Some(state));
        assert_eq!(denied.answer("error").as_deref(), Some("access_denied"));
        assert_eq!(denied.answer("iss").as_deref(), Some(URL));
        assert_eq!(denied.answer("tenant").as_deref(), Some("7"));
    }
}
