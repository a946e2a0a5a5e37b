//! The location and the token of each call.

use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, bearer, branches, company, location};
use super::highlevel::{AGENCY, AGENCY_TOKEN, highlevel, scripted};
use super::program::Program;
use super::setup::Setup;
use test_support::recording::{RecordedRequest, Recording, json as answer};

const EVERYTHING: &str = "/mcp/l/b01/x/all";

/// Requests with the agency's own token, except those that exchange it.
fn by_agency(highlevel: &Recording) -> Vec<String> {
    let seen = highlevel.seen().into_iter();
    let seen =
        seen.filter(|one| one.token() == AGENCY_TOKEN && one.path() != "/oauth/locationToken");
    seen.map(|one| format!("{} {}", one.method, one.target))
        .collect()
}

/// Operations that act on the whole agency if they are sent with its token.
fn agency_operations() -> [(&'static str, Value); 8] {
    [
        ("locations_search-locations", json!({})),
        ("locations_search-locations", json!({"companyId": AGENCY})),
        ("users_search-users", json!({"companyId": AGENCY})),
        (
            "users_update-user",
            json!({"userId": "userOfAnother", "password": "Tr0ub4dor&3", "role": "admin", "type": "account"}),
        ),
        ("users_delete-user", json!({"userId": "userOfAnother"})),
        (
            "marketplace_uninstall-application",
            json!({"appId": "sandbox"}),
        ),
        (
            "oauth_get-location-access-token",
            json!({"companyId": AGENCY, "locationId": location(1)}),
        ),
        ("oauth_get-installed-location", json!({"appId": "sandbox"})),
    ]
}

#[tokio::test]
async fn a1_a_key_of_one_location_never_acts_for_the_agency() {
    let highlevel = highlevel().await;
    let setup = company(2);
    let key = setup.key("n8n", &["--location", "b01"]).await;
    let program = setup.serve(&highlevel.url).await;
    let caller = [("authorization", key.as_str())];
    let contacts = program
        .call(&caller, EVERYTHING, "contacts_get-contacts", json!({}))
        .await;
    assert!(contacts.ok, "its own location is served: {}", contacts.text);
    let mut replies = String::new();
    for (tool, arguments) in agency_operations() {
        let reply = program
            .confirmed(&caller, EVERYTHING, tool, arguments)
            .await;
        replies += &reply.text;
    }
    let went = by_agency(&highlevel);
    println!(
        "{} of 8 operations went out with the agency's token: {went:?}",
        went.len()
    );
    assert!(went.is_empty(), "{went:?}");
    assert!(!replies.contains("minted-"), "a token was told: {replies}");
}

#[tokio::test]
async fn a1_agency_stands_on_a_key_made_by_the_command_line() {
    let highlevel = highlevel().await;
    let setup = company(2);
    let key = setup
        .key("office", &["--location", "b01", "--agency"])
        .await;
    let program = setup.serve(&highlevel.url).await;
    let caller = [("authorization", key.as_str())];
    let found = program
        .confirmed(
            &caller,
            EVERYTHING,
            "oauth_get-installed-location",
            json!({"appId": "sandbox"}),
        )
        .await;
    assert!(found.ok, "{}", found.text);
    assert_eq!(by_agency(&highlevel).len(), 1);
}

#[tokio::test]
async fn a1_company_id_is_bound_like_a_location() {
    // HighLevel tells the company of a location whose own token is used.
    let of_company = |request: &RecordedRequest| {
        let id = request.path().strip_prefix("/locations/")?;
        let told = json!({"location": {"id": id, "companyId": AGENCY}});
        (request.method == "GET" && id != "search").then(|| answer(200, told.to_string()))
    };
    let highlevel = scripted(of_company).await;
    let mut sent = 0;
    for setup in [company(1), branches(1)] {
        let program = setup.serve(&highlevel.url).await;
        for tool in ["users_search-users", "locations_search-locations"] {
            let arguments = json!({"companyId": "comSomebodyElse00001"});
            let reply = program
                .confirmed(&BY_OPERATOR, EVERYTHING, tool, arguments)
                .await;
            assert!(!reply.ok, "{tool}: {}", reply.text);
            assert!(reply.text.contains(AGENCY), "{tool}: {}", reply.text);
            sent += highlevel.count(|seen| seen.target.contains("comSomebodyElse"));
        }
    }
    println!("{sent} requests named another company");
    assert_eq!(sent, 0);
}

async fn is_served(program: &Program, headers: &[(&str, &str)]) -> (u16, String) {
    let reply = program
        .call(headers, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    (reply.status, reply.text)
}

fn with_own_account() -> Setup {
    Setup::new()
        .set("HIGHLEVEL_TOKEN", "pit-of-L0")
        .set("HIGHLEVEL_LOCATION_ID", "L0")
}

#[tokio::test]
async fn a2_behind_a_declared_proxy_nobody_uses_the_own_account_without_a_key() {
    let highlevel = highlevel().await;
    let arguments = ["--tls", "proxy", "--allowed-host", "mcp.example.com"];
    let setup = with_own_account().arguments(&arguments);
    let program = setup.serve(&highlevel.url).await;
    for host in ["mcp.example.com", "127.0.0.1", "localhost"] {
        let (status, text) = is_served(&program, &[("host", host)]).await;
        assert_eq!(status, 401, "Host {host}: {text}");
    }
    assert!(highlevel.seen().is_empty());
}

/// Headers that proxies and tunnels add. They show that a request comes from elsewhere.
const FORWARDING: [&str; 19] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-by",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-ray",
    "fastly-client-ip",
    "fly-client-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
    "via",
];

#[tokio::test]
async fn a2_any_sign_of_a_proxy_keeps_the_own_account_back() {
    let highlevel = highlevel().await;
    let setup = with_own_account().arguments(&["--allowed-host", "mcp.example.com"]);
    let program = setup.serve(&highlevel.url).await;
    let (status, text) = is_served(&program, &[]).await;
    assert_eq!(status, 200, "this machine: {text}");
    highlevel.take();
    let mut served = Vec::new();
    for header in FORWARDING {
        let (status, _) = is_served(&program, &[(header, "203.0.113.7")]).await;
        served.extend((status != 401).then_some(header));
    }
    let (status, _) = is_served(&program, &[("host", "mcp.example.com")]).await;
    served.extend((status != 401).then_some("host: mcp.example.com"));
    println!(
        "served in spite of {} of 20 signs: {served:?}",
        served.len()
    );
    assert!(
        served.is_empty() && highlevel.seen().is_empty(),
        "{served:?}"
    );
}

#[tokio::test]
async fn a2_a_setting_turns_the_own_account_off() {
    let highlevel = highlevel().await;
    for (setting, bare, keyed) in [("local", 200, 200), ("key", 401, 200), ("off", 401, 401)] {
        let setup = || with_own_account().set("HIGHLEVEL_MCP_SERVER_OWN_ACCOUNT", setting);
        let without = setup();
        let program = without.serve(&highlevel.url).await;
        let without = is_served(&program, &[]).await;
        assert_eq!(without.0, bare, "{setting}: {}", without.1);
        let with = setup().set("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", BY_OPERATOR[0].1);
        let program = with.serve(&highlevel.url).await;
        // Once a key exists, every caller needs it.
        assert_eq!(is_served(&program, &[]).await.0, 401, "{setting}");
        let with = is_served(&program, &BY_OPERATOR).await;
        assert_eq!(with.0, keyed, "{setting}: {}", with.1);
    }
}

#[tokio::test]
async fn a2_once_keys_exist_local_agents_need_one_too() {
    let highlevel = highlevel().await;
    let setup = company(2);
    let key = setup.key("n8n", &["--location", "b01"]).await;
    let program = setup.serve(&highlevel.url).await;
    let read = async |headers: &[(&str, &str)]| {
        let arguments = json!({"location": "b02"});
        let reply = program
            .call(headers, "/mcp", "contacts_get-contacts", arguments)
            .await;
        (reply.status == 200 && reply.ok, reply.text)
    };
    let (served, text) = read(&[]).await;
    assert!(!served, "without a key every location is open: {text}");
    let (served, text) = read(&[("authorization", key.as_str())]).await;
    assert!(!served, "by the key of another location: {text}");
    assert!(highlevel.seen().is_empty());
    let token = bearer("pit-of-L9");
    let (served, text) = read(&[("authorization", &token), ("locationid", "L9")]).await;
    assert!(!served, "by a client's token: {text}");
}
