//! The Marketplace of the sandbox: consent, codes and installs, as HighLevel is known to do them.

use ::sandbox::{
    APP, CLIENT_ID, CLIENT_SECRET, COMPANY, LOCATION, MarketplaceOptions, SandboxOptions,
};
use serde_json::{Value, json};

use super::{Sandbox, answer, list, text};
use test_support::server::client;

pub(crate) const REDIRECT: &str = "https://mcp.example.test/connect/crm/callback";
pub(crate) const SUMMIT: &str = "locSummitFitness0001";
const CEDAR: &str = "locCedarLegal0000001";
const SCOPES: &str = "contacts.readonly contacts.write";

/// An app that redirects to `REDIRECT`.
pub(crate) fn options() -> MarketplaceOptions {
    MarketplaceOptions {
        redirects: vec![REDIRECT.to_owned()],
        ..MarketplaceOptions::default()
    }
}

pub(crate) async fn start(marketplace: MarketplaceOptions) -> Sandbox {
    let options = SandboxOptions {
        marketplace,
        ..SandboxOptions::default()
    };
    Sandbox::start(options).await
}

/// The parameters of the app's link, with some values replaced. A parameter with an empty value is left out.
pub(crate) fn asked(others: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("version_id", APP),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPES),
        ("state", "a state & more"),
    ];
    let value = |name: &str, usual: &str| {
        let other = others.iter().find(|(other, _)| *other == name);
        other.map_or(usual, |(_, value)| value).to_owned()
    };
    let fields = usual.map(|(name, usual)| (name.to_owned(), value(name, usual)));
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn form(fields: &[(String, String)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish()
}

/// Sends the form of the page with a person's choice. Returns the address of the redirect, or the text of the page.
pub(crate) async fn choose(
    sandbox: &Sandbox,
    mut fields: Vec<(String, String)>,
    chosen: &[(&str, &str)],
) -> Result<url::Url, String> {
    let chosen = chosen.iter().chain(&[("decision", "allow")]);
    fields.extend(chosen.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let request = browser
        .build()
        .expect("a browser")
        .post(format!("{}/v2/oauth/chooselocation", sandbox.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(&fields));
    let reply = request.send().await.expect("a reply");
    if reply.status() != 302 {
        return Err(reply.text().await.expect("a page"));
    }
    let location = reply.headers()["location"].to_str().expect("text");
    Ok(location.parse().expect("an address"))
}

fn value(url: &url::Url, name: &str) -> Option<String> {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// The code for a person's choice.
pub(crate) async fn code(sandbox: &Sandbox, chosen: &[(&str, &str)]) -> String {
    let back = choose(sandbox, asked(&[]), chosen)
        .await
        .expect("a way back");
    value(&back, "code").expect("a code")
}

async fn token(sandbox: &Sandbox, fields: &[(&str, &str)]) -> (u16, Value) {
    let usual = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let usual = usual
        .iter()
        .filter(|(name, _)| fields.iter().all(|(other, _)| other != name));
    let fields: Vec<(String, String)> = usual
        .chain(fields)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = client()
        .post(format!("{}/oauth/token", sandbox.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(&fields));
    let (status, _, pair) = answer(request).await;
    (status, pair)
}

pub(crate) async fn redeem(sandbox: &Sandbox, code: &str) -> Value {
    let fields = [("grant_type", "authorization_code"), ("code", code)];
    let (status, pair) = token(sandbox, &fields).await;
    assert_eq!(status, 200, "{pair}");
    pair
}

/// Exchanges a company's token for a location's.
pub(crate) async fn exchange(sandbox: &Sandbox, company: &Value, location: &str) -> (u16, Value) {
    let request = client()
        .post(format!("{}/oauth/locationToken", sandbox.url))
        .header("version", "2021-07-28")
        .bearer_auth(text(company, "/access_token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("companyId={COMPANY}&locationId={location}"));
    let (status, _, pair) = answer(request).await;
    (status, pair)
}

pub(crate) async fn post(sandbox: &Sandbox, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/__sandbox/{path}", sandbox.url);
    let (status, _, answer) = answer(client().post(url).json(&body)).await;
    (status, answer)
}

#[tokio::test]
async fn the_page_refuses_what_cannot_be_installed() {
    async fn check(others: &[(&str, &str)], chosen: &[(&str, &str)], expected: &str) {
        let sandbox = start(options()).await;
        if chosen.is_empty() {
            let query = form(&asked(others));
            let page = client().get(format!("{}/oauth/chooselocation?{query}", sandbox.url));
            let page = page.send().await.expect("a reply");
            assert_eq!(page.status(), 400, "{others:?}");
            let page = page.text().await.expect("a page");
            assert!(page.contains(expected), "{others:?}: {page}");
        }
        let refused = choose(&sandbox, asked(others), chosen).await;
        let page = refused.expect_err("a page");
        assert!(page.contains(expected), "{others:?} {chosen:?}: {page}");
    }
    let check_query = async |name, value, expected| check(&[(name, value)], &[], expected).await;
    check_query("response_type", "token", "response_type must be code").await;
    check_query(
        "client_id",
        "sandbox-client",
        "No integration found with the id: sandbox-client",
    )
    .await;
    check_query("version_id", "", "error.noAppVersionIdFound").await;
    check_query(
        "redirect_uri",
        "https://mcp.example.test/",
        "no redirect address",
    )
    .await;
    check_query("scope", "", "cannot have these scopes").await;
    check_query(
        "scope",
        "contacts.readonly companies.readonly <b>",
        "[&quot;companies.readonly&quot;, &quot;&lt;b&gt;&quot;]",
    )
    .await;
    let locations = [("location", LOCATION), ("location", CEDAR)];
    check(&[], &locations, "Choose locations of one agency.").await;
    check(&[], &[("user", "u")], "Choose a location, or the agency.").await;
    check(&[], &[("location", "nowhere")], "There is no location").await;
    check(&[], &[("agency", "nobody")], "There is no agency").await;
}

#[tokio::test]
async fn the_page_needs_no_script_and_shows_what_is_asked() {
    let sandbox = start(options()).await;
    let query = form(&asked(&[]));
    let page = client().get(format!("{}/v2/oauth/chooselocation?{query}", sandbox.url));
    let page = page.send().await.expect("a reply").text().await;
    let page = page.expect("a page");
    for part in [
        "name=\"location\" value=\"locHarborDental00001\"",
        "name=\"agency\" value=\"comBrightside0000001\"",
        "name=\"state\" value=\"a state &amp; more\"",
        "<li>contacts.write</li>",
        "method=\"post\"",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(!page.contains("<script"));
}

#[tokio::test]
async fn the_browser_returns_with_the_state_or_without() {
    async fn check(drops_state: bool, decision: &str, expected: &[(&str, Option<&str>)]) {
        let redirect = "https://mcp.example.test/back?own=1";
        let sandbox = start(MarketplaceOptions {
            redirects: vec![redirect.to_owned()],
            drops_state,
            ..options()
        })
        .await;
        let fields = asked(&[("redirect_uri", redirect)]);
        let chosen = [("location", LOCATION), ("decision", decision)];
        let back = choose(&sandbox, fields, &chosen).await.expect("a way back");
        assert_eq!(back.path(), "/back");
        assert_eq!(value(&back, "own").as_deref(), Some("1"));
        for (name, expected) in expected {
            assert_eq!(value(&back, name).as_deref(), *expected, "{name} of {back}");
        }
        let code = value(&back, "code").unwrap_or_default();
        assert_eq!(code.len(), if decision == "allow" { 40 } else { 0 });
    }
    check(false, "allow", &[("state", Some("a state & more"))]).await;
    check(true, "allow", &[("state", None), ("error", None)]).await;
    let denied = [
        ("state", Some("a state & more")),
        ("error", Some("access_denied")),
    ];
    check(false, "cancel", &denied).await;
}

#[tokio::test]
async fn a_code_is_valid_for_the_choice() {
    async fn check(always_bulk: bool, chosen: &[(&str, &str)], expected: Value) {
        let sandbox = start(MarketplaceOptions {
            is_always_bulk: always_bulk,
            ..options()
        })
        .await;
        let pair = redeem(&sandbox, &code(&sandbox, chosen).await).await;
        for (name, expected) in expected.as_object().expect("members") {
            assert_eq!(&pair[name], expected, "{name} of {chosen:?}: {pair}");
        }
        let given = "contacts.readonly contacts.write oauth.readonly oauth.write";
        assert_eq!(pair["scope"], given);
        assert_eq!(
            (&pair["companyId"], &pair["expires_in"]),
            (&json!(COMPANY), &json!(86_399))
        );
    }
    let one = [("location", SUMMIT), ("user", "someone")];
    check(
        false,
        &one,
        json!({
            "userType": "Location", "locationId": SUMMIT, "userId": "someone",
            "isBulkInstallation": false, "approvedLocations": null,
        }),
    )
    .await;
    check(
        true,
        &one,
        json!({
            "userType": "Company", "locationId": "", "userId": "someone", "isBulkInstallation": true,
            "approvedLocations": [SUMMIT], "approveAllLocations": false, "installToFutureLocations": false,
        }),
    )
    .await;
    check(
        false,
        &[("location", LOCATION), ("location", SUMMIT)],
        json!({
            "userType": "Company", "isBulkInstallation": true, "approvedLocations": [LOCATION, SUMMIT],
            "approveAllLocations": false, "installToFutureLocations": false,
        }),
    )
    .await;
    check(
        false,
        &[("agency", COMPANY)],
        json!({
            "userType": "Company", "isBulkInstallation": true, "userId": "sandboxUser",
            "approvedLocations": [LOCATION, SUMMIT, "locMapleRealty000001"],
            "approveAllLocations": true, "installToFutureLocations": true,
        }),
    )
    .await;
}

#[tokio::test]
async fn a_code_serves_its_client_once() {
    async fn check(sandbox: &Sandbox, fields: &[(&str, &str)], status: u16, message: &str) {
        let usual = [("grant_type", "authorization_code")];
        let (got, answer) = token(sandbox, &[fields, &usual].concat()).await;
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!((got, said), (status, message), "{fields:?}");
    }
    let sandbox = start(options()).await;
    let code = code(&sandbox, &[("location", LOCATION)]).await;
    let none = "Authorization code not found";
    let client = "Invalid client credentials!";
    let with = |name, value| [("code", code.as_str()), (name, value)];
    // The code is checked first.
    check(
        &sandbox,
        &[("code", "none"), ("client_secret", "wrong")],
        401,
        none,
    )
    .await;
    check(&sandbox, &with("client_secret", "wrong"), 401, client).await;
    check(&sandbox, &with("client_id", "sandbox-client"), 401, client).await;
    check(
        &sandbox,
        &with("redirect_uri", "https://mcp.example.test/"),
        401,
        "Redirect uri mismatch!",
    )
    .await;
    check(&sandbox, &with("redirect_uri", REDIRECT), 200, "").await;
    check(&sandbox, &with("redirect_uri", REDIRECT), 401, none).await;
}

#[tokio::test]
async fn a_refresh_token_is_its_clients() {
    let sandbox = start(options()).await;
    let pair = redeem(&sandbox, &code(&sandbox, &[("location", LOCATION)]).await).await;
    let check = async |refresh: &str, client: &str, status: u16, message: &str| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", client),
        ];
        let (got, answer) = token(&sandbox, &fields).await;
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!((got, said), (status, message), "{client}");
        answer
    };
    let refresh = text(&pair, "/refresh_token");
    check("none", CLIENT_ID, 401, "Invalid refresh token").await;
    check(
        refresh,
        "sandbox-client",
        401,
        "Invalid client credentials!",
    )
    .await;
    let first = check(refresh, CLIENT_ID, 200, "").await;
    let again = check(refresh, CLIENT_ID, 200, "").await;
    assert_eq!(first, again);
    assert_ne!(first["refresh_token"], pair["refresh_token"]);
    assert_eq!(first["locationId"], LOCATION);
}

#[tokio::test]
async fn highlevel_lets_no_app_return_to_such_addresses() {
    async fn check(redirect: &str, allows_loopback: bool, expected: Option<&str>) {
        let options = SandboxOptions {
            marketplace: MarketplaceOptions {
                redirects: vec![redirect.to_owned()],
                allows_loopback,
                ..MarketplaceOptions::default()
            },
            ..SandboxOptions::default()
        };
        let refused = Sandbox::refusal(options).await.unwrap_or_default();
        let fits = expected.map_or(refused.is_empty(), |part| refused.contains(part));
        assert!(fits, "{redirect}: {refused:?}");
    }
    check("https://mcp.example.test/connect/crm/callback", false, None).await;
    check(
        "http://localhost:8080/back",
        false,
        Some("must begin with https://"),
    )
    .await;
    check(
        "http://127.0.0.1/back",
        false,
        Some("must begin with https://"),
    )
    .await;
    check(
        "https://localhost/back",
        false,
        Some("not be an address of this machine"),
    )
    .await;
    check(
        "http://mcp.example.test/back",
        false,
        Some("must begin with https://"),
    )
    .await;
    check(
        "http://mcp.example.test/back",
        true,
        Some("must begin with https://"),
    )
    .await;
    check("http://localhost:8080/back", true, None).await;
    check(
        "https://mcp.example.test/HighLevel",
        false,
        Some("must not contain"),
    )
    .await;
    check(
        "https://ghl.example.test/back",
        false,
        Some("must not contain"),
    )
    .await;
    check("nowhere", false, Some("is not a redirect address")).await;
}

#[tokio::test]
async fn an_install_reaches_its_locations_until_it_ends() {
    let sandbox = start(options()).await;
    let chosen = [("location", LOCATION), ("location", SUMMIT)];
    let company = redeem(&sandbox, &code(&sandbox, &chosen).await).await;
    let installed = async || {
        let request = format!("GET /oauth/installedLocations?companyId={COMPANY}&appId={APP}");
        let access = text(&company, "/access_token");
        let (_, _, found) = sandbox.send(&request, access, None).await;
        let rows = list(&found, "/locations").iter();
        let flags: Vec<bool> = rows.map(|row| row["isInstalled"] == true).collect();
        flags
    };
    assert_eq!(installed().await, [true, true, false]);
    let narrowed = format!(
        "GET /oauth/installedLocations?companyId={COMPANY}&appId={APP}&isInstalled=true&query=summit"
    );
    let (_, _, found) = sandbox
        .send(&narrowed, text(&company, "/access_token"), None)
        .await;
    assert_eq!(
        (&found["count"], text(&found, "/locations/0/_id")),
        (&json!(1), SUMMIT)
    );

    let (status, refused) = exchange(&sandbox, &company, "locMapleRealty000001").await;
    assert_eq!(
        (status, text(&refused, "/message").contains("not installed")),
        (400, true)
    );
    let (_, summit) = exchange(&sandbox, &company, SUMMIT).await;
    let summit = text(&summit, "/access_token");
    let contacts = format!("GET /contacts/?locationId={SUMMIT}");
    assert_eq!(sandbox.send(&contacts, summit, None).await.0, 200);
    // A scope that was not requested is not granted.
    let calendars = format!("GET /calendars/?locationId={SUMMIT}");
    assert_eq!(sandbox.send(&calendars, summit, None).await.0, 401);

    let (_, gone) = post(&sandbox, "uninstall", json!({"locationId": SUMMIT})).await;
    assert_eq!(gone, json!({"success": true}));
    let (_, gone) = post(&sandbox, "uninstall", json!({"locationId": SUMMIT})).await;
    assert_eq!(gone, json!({"success": false}));
    let (status, _, refused) = sandbox.send(&contacts, summit, None).await;
    assert_eq!((status, &refused["message"]), (401, &json!("Invalid JWT")));
    assert_eq!(exchange(&sandbox, &company, SUMMIT).await.0, 400);
    assert_eq!(installed().await, [true, false, false]);

    // The whole company, by HighLevel's own operation.
    let (status, _, gone) = sandbox
        .send(
            &format!("DELETE /marketplace/app/{APP}/installations"),
            text(&company, "/access_token"),
            Some(json!({"companyId": COMPANY})),
        )
        .await;
    assert_eq!((status, gone), (200, json!({"success": true})));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&company, "/refresh_token")),
    ];
    let (status, refused) = token(&sandbox, &fields).await;
    assert_eq!(
        (status, &refused["error_description"]),
        (401, &json!("Invalid client credentials!"))
    );
}
