//! A builder's customers: from a link that the builder's server creates to a key for the location that the customer
//! connected.

use std::time::Duration;

use serde_json::{Value, json};
use state::vault::{NewToken, Vault};
use tokio::time::sleep;

use super::browser::Browser;
use super::builder::{Builder, RETURN, TOKEN, make_key, open, value};
use crate::sandbox::marketplace::SUMMIT;
use crate::sandbox::{list, text};
use ::sandbox::LOCATION;

/// Of the sandbox's second location.
const SUMMIT_TOKEN: &str = "pit-5a4db0c0-0000-4000-8000-000000000002";

#[tokio::test]
async fn a_customer_connects_and_the_builder_gets_a_key_for_that_location_alone() {
    let builder = Builder::start().await;
    let link = builder.make("customer-7", "everyday").await;
    assert_eq!(link["state"], "open");
    assert!(text(&link, "/url").starts_with("https://mcp.example.test/connect#hli_"));

    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    assert_eq!(
        page.heading(),
        "Acme App asks to work in your BrightCRM account"
    );
    for part in ["app.example.com", "50 a day", "Bright Agency"] {
        assert!(page.text.contains(part), "no {part} in {}", page.text);
    }
    let policy = page.header("content-security-policy");
    assert!(
        !policy.contains("form-action"),
        "it leads back to the builder: {policy}"
    );

    let back = builder.connect(&link, LOCATION, TOKEN).await;
    assert!(
        back.as_str()
            .starts_with(&format!("{RETURN}?session=s1&code=hlo_"))
    );
    assert_eq!(value(&back, "ref"), "customer-7");
    let given = builder.key_of(&back).await;
    assert_eq!(
        (&given["ref"], &given["state"]),
        (&json!("customer-7"), &json!("connected"))
    );
    assert_eq!(given["mcp"], "https://mcp.example.test/mcp");
    assert_eq!(
        (text(&given, "/location/id"), text(&given, "/location/name")),
        (LOCATION, "Harbor Dental")
    );

    let key = text(&given, "/key");
    sleep(Duration::from_millis(400)).await;
    let (answer, is_error) = builder
        .call(key, "contacts_get-contacts", json!({"limit": 1}))
        .await;
    assert!(!is_error, "{answer}");
    let requests = builder.sandbox.requests().await;
    let last = requests.last().expect("a request");
    assert_eq!(last["path"], "/contacts/");
    assert!(
        text(last, "/query").contains(&format!("locationId={LOCATION}")),
        "{last}"
    );

    // The key does not open another location, though that one is connected here too.
    let summit = builder.make("customer-8", "everyday").await;
    let back = builder.connect(&summit, SUMMIT, SUMMIT_TOKEN).await;
    let count = builder.sandbox.requests().await.len();
    let elsewhere = json!({"limit": 1, "locationId": SUMMIT});
    let (answer, is_error) = builder.call(key, "contacts_get-contacts", elsewhere).await;
    assert!(is_error, "{answer}");
    assert_eq!(
        builder.sandbox.requests().await.len(),
        count,
        "nothing was sent"
    );
    let other = builder.key_of(&back).await;

    let path = format!("DELETE /connect/links/{}", text(&link, "/id"));
    let (status, ended) = builder.ask(&path, None).await;
    assert_eq!((status, &ended["state"]), (200, &json!("ended")));
    sleep(Duration::from_millis(400)).await;
    assert_eq!(builder.status(key).await, 401);
    assert_eq!(builder.status(text(&other, "/key")).await, 200);
    let left = Vault::new(&builder.server.store())
        .list()
        .await
        .expect("read");
    let left: Vec<&str> = left.iter().map(|one| one.location.as_str()).collect();
    assert_eq!(left, [SUMMIT]);
}

#[tokio::test]
async fn the_rules_of_a_link_hold_for_its_key() {
    async fn check(rules: &str, expected: bool) {
        let builder = Builder::start().await;
        let link = builder.make("customer-7", rules).await;
        let back = builder.connect(&link, LOCATION, TOKEN).await;
        let given = builder.key_of(&back).await;
        sleep(Duration::from_millis(400)).await;
        let contact = json!({"firstName": "Eve", "email": "eve@example.com"});
        let (answer, is_error) = builder
            .call(text(&given, "/key"), "contacts_create-contact", contact)
            .await;
        assert_eq!(!is_error, expected, "{rules}: {answer}");
        let requests = builder.sandbox.requests().await;
        let writes = requests.iter().filter(|one| one["method"] == "POST");
        assert_eq!(writes.count(), usize::from(expected), "{rules}");
    }
    check("read-only", false).await;
    check("everyday", true).await;
}

#[tokio::test]
async fn only_a_key_that_makes_links_is_let_in() {
    let builder = Builder::start().await;
    let plain = make_key(&builder.server, "plain", &[]).await;
    let check = async |key: &str, status: u16, error: &str| {
        for (request, body) in [
            ("GET /connect/links", None),
            (
                "POST /connect/links",
                Some(json!({"ref": "a", "return_url": RETURN})),
            ),
            ("DELETE /connect/links/lnk_a", None),
            ("POST /connect/keys", Some(json!({"link": "lnk_a"}))),
        ] {
            let (got, answer) = builder.ask_as(key, request, body).await;
            assert_eq!(
                (got, &answer["error"]),
                (status, &json!(error)),
                "{request}"
            );
        }
    };
    check("", 401, "invalid_token").await;
    check("hlk_abcdefgh_none", 401, "invalid_token").await;
    check(TOKEN, 401, "invalid_token").await;
    check(&plain, 403, "forbidden").await;
    let listed = builder.ask("GET /connect/links", None).await;
    assert_eq!(listed, (200, json!({"links": []})));
}

#[tokio::test]
async fn a_key_for_a_customer_makes_no_links() {
    let builder = Builder::start().await;
    let link = builder.make("customer-7", "everything").await;
    let back = builder.connect(&link, LOCATION, TOKEN).await;
    let given = builder.key_of(&back).await;
    sleep(Duration::from_millis(400)).await;
    let (status, _) = builder
        .ask_as(text(&given, "/key"), "GET /connect/links", None)
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_link_that_makes_no_sense_is_not_made() {
    let builder = Builder::start().await;
    let check = async |body: Value, part: &str| {
        let (status, answer) = builder.ask("POST /connect/links", Some(body.clone())).await;
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert!(
            status == 422 && said.contains(part),
            "{body}: {status} {answer}"
        );
    };
    let with = |name: &str, value: Value| {
        let mut body = json!({"ref": "a", "return_url": RETURN});
        body[name] = value;
        body
    };
    for url in [
        "https://evil.example/connected",
        "https://app.example.com/connected/more",
        "https://app.example.com/",
        "http://app.example.com/connected",
        "https://app.example.com:444/connected",
        "https://user@app.example.com/connected",
        "https://app.example.com/connected#x",
        "https://app.example.com@evil.example/connected",
        "javascript:alert(1)",
        "",
    ] {
        check(with("return_url", json!(url)), "return_url must be one of").await;
    }
    check(with("rules", json!("all of it")), "rules must be one of").await;
    check(with("rules", json!("section:none")), "rules must be one of").await;
    check(with("rules", json!("installed")), "rules must be one of").await;
    check(with("ref", json!("")), "1 to 200 bytes").await;
    check(with("expires_in", json!(1)), "a minute at least").await;
    check(with("expires_in", json!(-1)), "a minute at least").await;
    check(with("more", json!(1)), "unknown field").await;
    check(json!([]), "Send {\"ref\"").await;
}

#[tokio::test]
async fn a_code_is_valid_once_and_only_for_its_builder() {
    let builder = Builder::start().await;
    let other = make_key(&builder.server, "other", &["https://other.example/back"]).await;
    let link = builder.make("customer-7", "read-only").await;
    let id = text(&link, "/id");
    let check = async |key: &str, body: Value, status: u16| {
        let (got, answer) = builder
            .ask_as(key, "POST /connect/keys", Some(body.clone()))
            .await;
        assert_eq!(got, status, "{body}: {answer}");
        answer
    };
    let own = builder.key.as_str();
    check(own, json!({"link": id}), 400).await;
    let back = builder.connect(&link, LOCATION, TOKEN).await;
    let code = value(&back, "code");
    check(&other, json!({"code": code}), 400).await;
    check(&other, json!({"link": id}), 400).await;
    check(own, json!({"code": code, "link": id}), 422).await;
    check(own, json!({}), 422).await;
    let first = check(own, json!({"code": code}), 200).await;
    check(own, json!({"code": code}), 400).await;
    // The answer was lost.
    let second = check(own, json!({"link": id}), 200).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(builder.status(text(&first, "/key")).await, 401);
    assert_eq!(builder.status(text(&second, "/key")).await, 200);
    let (status, _) = builder
        .ask_as(&other, &format!("DELETE /connect/links/{id}"), None)
        .await;
    assert_eq!(status, 404);
    let (_, listed) = builder.ask("GET /connect/links?ref=customer-7", None).await;
    assert_eq!(list(&listed, "/links").len(), 1);
    assert_eq!(listed["links"][0]["key_id"], second["key_id"]);
    let (_, listed) = builder.ask("GET /connect/links?ref=customer-8", None).await;
    assert_eq!(list(&listed, "/links").len(), 0);
}

#[tokio::test]
async fn a_token_that_is_not_the_locations_uses_nothing_up() {
    let builder = Builder::start().await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    let check = async |location: &str, token: &str, part: &str| {
        let fields = [("location", location), ("token", token)];
        let refused = browser.submit("/connect/token", &page, &fields).await;
        assert!(
            refused.status == 400 && refused.text.contains(part),
            "{}",
            refused.text
        );
        assert!(token.is_empty() || !refused.text.contains(token));
        // Nobody types the sub-account twice.
        let typed = format!("name=\"location\" value=\"{location}\"");
        assert_eq!(refused.text.contains(&typed), !location.is_empty());
    };
    check(LOCATION, "pit-short", "not a private integration token").await;
    check(SUMMIT, TOKEN, "belongs to another sub-account").await;
    check("", TOKEN, "is not a sub-account").await;
    let vault = Vault::new(&builder.server.store());
    assert_eq!(vault.list().await, Ok(Vec::new()));
    let back = builder.connect(&link, LOCATION, TOKEN).await;
    assert_eq!(value(&back, "ref"), "customer-7");
}

#[tokio::test]
async fn a_link_serves_one_customer_in_the_browser_that_opened_it() {
    let builder = Builder::start().await;
    let link = builder.make("customer-7", "read-only").await;
    let browser = Browser::new(&builder.server);
    let page = open(&browser, &link).await;
    let fields = [("location", LOCATION), ("token", TOKEN)];
    let sealed = page.token();
    let form = [&[("form", sealed.as_str())], &fields[..]].concat();

    let stranger = Browser::new(&builder.server);
    drop(open(&stranger, &builder.make("other", "read-only").await).await);
    assert_eq!(stranger.post("/connect/token", &form).await.status, 400);
    let elsewhere = [("origin", "https://evil.example")];
    let foreign = browser.post_from("/connect/token", &form, &elsewhere).await;
    assert_eq!(foreign.status, 403);
    let before = builder.sandbox.requests().await.len();
    assert_eq!(before, 0, "nothing was asked of HighLevel");

    let connected = browser.post("/connect/token", &form).await;
    assert!(connected.location().starts_with(RETURN));
    assert_eq!(browser.post("/connect/token", &form).await.status, 400);
    let again = browser
        .post("/connect", &[("link", text(&link, "/url"))])
        .await;
    assert!(
        again.status == 400 && again.text.contains("works once"),
        "{}",
        again.text
    );

    // Ended while the customer was on the page.
    let link = builder.make("customer-9", "read-only").await;
    let page = open(&browser, &link).await;
    let end = format!("DELETE /connect/links/{}", text(&link, "/id"));
    builder.ask(&end, None).await;
    let late = browser.submit("/connect/token", &page, &fields).await;
    assert!(late.status == 400 && late.text.contains("works once"));
}

#[tokio::test]
async fn a_location_of_the_operators_own_outlives_a_customers_link() {
    let builder = Builder::start().await;
    let vault = Vault::new(&builder.server.store());
    let own = NewToken {
        owner: None,
        location: LOCATION.to_owned(),
        name: "Harbor".to_owned(),
        zone: None,
        company: None,
        token: TOKEN.into(),
    };
    vault.put_token(own).await.expect("put");
    let link = builder.make("customer-7", "read-only").await;
    builder.connect(&link, LOCATION, TOKEN).await;
    let end = format!("DELETE /connect/links/{}", text(&link, "/id"));
    assert_eq!(builder.ask(&end, None).await.0, 200);
    assert_eq!(vault.list().await.expect("read").len(), 1);
}

#[tokio::test]
async fn without_sign_in_there_are_no_links() {
    let builder = Builder::start().await;
    for path in ["/connect", "/connect/links"] {
        let request = builder
            .server
            .http
            .get(format!("{}{path}", builder.server.url));
        let reply = request
            .bearer_auth(&builder.key)
            .send()
            .await
            .expect("a reply");
        assert_eq!(reply.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn without_pasted_tokens_no_customer_link_is_made() {
    let builder = Builder::start_with(&[("HIGHLEVEL_MCP_OAUTH_VAULT", "false")]).await;
    let body = json!({"ref": "customer-7", "return_url": RETURN});
    let (status, answer) = builder.ask("POST /connect/links", Some(body)).await;
    assert_eq!((status, &answer["error"]), (403, &json!("forbidden")));
}
