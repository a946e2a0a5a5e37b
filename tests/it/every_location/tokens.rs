//! Tokens of an agency: one that is exchanged for those of its locations, and one that reaches no location's data.

use ::sandbox::{LOCATION, SandboxOptions};
use serde_json::{Value, json};

use super::Visitors;
use crate::sandbox::Sandbox;
use test_support::server::TestServer;

const AGENCY: &str = "pit-sandbox-agency";

fn deals(locations: Value) -> Value {
    json!({
        "operation": "opportunities_search-opportunity",
        "arguments": {"status": "open", "limit": 1},
        "output": {"fields": ["id", "locationId"], "locations": locations},
    })
}

#[tokio::test]
async fn a_companys_oauth_token_reads_every_location_by_tokens_that_it_is_exchanged_for() {
    let mut visitors = Visitors::start().await;
    let token = visitors.sandbox.company_token().await;
    let answer = visitors
        .call("/mcp", &token, "call_read", deals(json!(["*"])))
        .await;
    let answer = answer.expect("an answer");
    let rows = answer["locations"].as_array().expect("rows");
    assert_eq!(rows.len(), 3, "{answer}");
    for row in rows {
        assert_eq!(
            row["answer"]["opportunities"][0]["locationId"], row["location"]["id"],
            "{row}"
        );
        assert!(row["location"]["name"].is_string(), "{row}");
    }
    assert_eq!(visitors.seen("/oauth/locationToken").await, 3);
}

#[tokio::test]
async fn an_agencys_private_integration_gets_a_remedy_for_a_person() {
    let mut visitors = Visitors::start().await;
    let answer = visitors
        .call("/mcp", AGENCY, "call_read", deals(json!(["*"])))
        .await;
    let refused = answer.expect_err("no location's data");
    let check = |refused: &Value| {
        assert_eq!(refused["class"], "token_class", "{refused}");
        let remedy = refused["remedy"].as_str().expect("a remedy");
        assert!(
            remedy.contains("A person has to connect each location's own token"),
            "{remedy}"
        );
        assert!(remedy.contains("highlevel-mcp locations add"), "{remedy}");
        assert!(!remedy.contains("Give the token the scope"), "{remedy}");
    };
    check(&refused);
    // One location is tried, not all three.
    assert_eq!(visitors.seen("/opportunities/search").await, 1);
    // A single call says the same, whether or not the locations were listed before.
    let mut visitors = Visitors::start().await;
    let one = json!({"status": "open", "locationId": LOCATION});
    let answer = visitors
        .call(
            "/mcp/official",
            AGENCY,
            "opportunities_search-opportunity",
            one,
        )
        .await;
    check(&answer.expect_err("no location's data"));
}

#[tokio::test]
async fn a_token_of_one_location_reads_that_one() {
    let mut visitors = Visitors::start().await;
    let answer = visitors
        .call(
            "/mcp",
            "pit-sandbox-summit",
            "call_read",
            deals(json!(["*"])),
        )
        .await;
    let answer = answer.expect("an answer");
    let rows = answer["locations"].as_array().expect("rows");
    let ids: Vec<&Value> = rows.iter().map(|row| &row["location"]["id"]).collect();
    assert_eq!(ids, ["locSummitFitness0001"], "{answer}");
    // A scope that such a token lacks can be added to it.
    let asked = json!({"contactId": "c", "tags": ["x"]});
    let refused = visitors
        .call(
            "/mcp",
            "pit-sandbox-summit-readonly",
            "contacts_add-tags",
            asked,
        )
        .await;
    let refused = refused.expect_err("no scope to write");
    assert_eq!(refused["class"], "scope", "{refused}");
    let remedy = refused["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("contacts.write"), "{remedy}");
}

#[tokio::test]
async fn configured_locations_are_read_though_the_servers_own_token_is_an_agencys() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("token"), "pit-sandbox-harbor\n").expect("written");
    let settings = format!(
        "[locations.harbor]\nlocation_id = \"{LOCATION}\"\ntoken = {{ file = \"{}\" }}\n",
        path("token")
    );
    std::fs::write(path("settings.toml"), settings).expect("written");
    let config = path("settings.toml");
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", config.as_str()),
        ("HIGHLEVEL_TOKEN", AGENCY),
    ];
    let server = TestServer::start_with(&sandbox.url, &variables).await;
    // On loopback, without a credential: every user of this machine may use the server's accounts.
    let headers = [("accept-language", "en")];
    let asked = deals(json!(["*"]));
    let (text, is_error) = server.call_with(&headers, "call_read", asked).await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert!(!is_error, "{answer}");
    let rows = answer["locations"].as_array().expect("rows");
    assert_eq!(rows[0]["location"]["alias"], "harbor", "{answer}");
    assert_eq!(
        rows[0]["answer"]["opportunities"][0]["locationId"],
        LOCATION
    );
    let classes: Vec<&Value> = rows[1..].iter().map(|row| &row["error"]["class"]).collect();
    assert_eq!(classes, ["token_class", "token_class"], "{answer}");
    let requests = sandbox.requests().await;
    let asked = requests
        .iter()
        .filter(|one| one["path"] == "/opportunities/search");
    assert_eq!(asked.count(), 2, "harbor, and one of the two others");
}
