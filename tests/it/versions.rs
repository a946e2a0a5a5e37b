//! `prefer_version = "v3"`: the same tools and arguments, v3's request.

use highlevel_mcp::catalog::TOOLS;
use serde_json::{Value, json};
use tool::{Tool, V3Variant};

use test_support::recording::Recording;
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

const V3: (&str, &str) = ("HIGHLEVEL_MCP_UPSTREAM_PREFER_VERSION", "v3");

/// A call under both versions: the target, version and body that are sent.
async fn check(tool: &str, arguments: Value, older: (&str, &str, Value), v3: (&str, &str, Value)) {
    let highlevel = Recording::always(200, "{}").await;
    for (variables, expected) in [
        (&[UNCONFIRMED, VOUCHED][..], older),
        (&[UNCONFIRMED, VOUCHED, V3][..], v3),
    ] {
        let mut server = TestServer::start_with(&highlevel.url, variables).await;
        server.path = "/mcp/x/all";
        let (text, is_error) = server.call(tool, arguments.clone()).await;
        assert!(!is_error, "{tool}: {text}");
        let [request] = <[_; 1]>::try_from(highlevel.take()).expect(tool);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let sent = (
            request.target.as_str(),
            request.header("version").unwrap_or_default(),
            body,
        );
        assert_eq!(sent, expected, "{tool}");
    }
}

#[tokio::test]
async fn names_are_the_same_under_both_versions() {
    check(
        "opportunities_search-opportunity",
        json!({"pipelineId": "p1", "limit": 5}),
        (
            "/opportunities/search?limit=5&location_id=L0&pipeline_id=p1",
            "2021-07-28",
            Value::Null,
        ),
        (
            "/opportunities/search?limit=5&locationId=L0&pipelineId=p1",
            "v3",
            Value::Null,
        ),
    )
    .await;
    check(
        "contacts_update-contact",
        json!({"contactId": "c1", "customFields": [{"id": "f1", "value": "x"}], "dndSettings": {"Call": {"status": "active"}}}),
        (
            "/contacts/c1",
            "2021-07-28",
            json!({"customFields": [{"id": "f1", "field_value": "x"}], "dndSettings": {"Call": {"status": "active"}}}),
        ),
        (
            "/contacts/c1",
            "v3",
            json!({"customFields": [{"id": "f1", "fieldValue": "x"}], "dndSettings": {"call": {"status": "active"}}}),
        ),
    )
    .await;
    check(
        "contacts_get-contact",
        json!({"contactId": "c1"}),
        ("/contacts/c1", "2021-07-28", Value::Null),
        ("/contacts/c1", "v3", Value::Null),
    )
    .await;
    // v3 has moved it.
    check(
        "contacts_remove-contact-from-every-campaign",
        json!({"contactId": "c1"}),
        (
            "/contacts/c1/campaigns/removeAll",
            "2021-07-28",
            Value::Null,
        ),
        ("/contacts/c1/campaigns/remove-all", "v3", Value::Null),
    )
    .await;
    // Only v3 has it.
    check(
        "emails_list-email-templates",
        json!({}),
        ("/emails/locations/L0/templates", "v3", Value::Null),
        ("/emails/locations/L0/templates", "v3", Value::Null),
    )
    .await;
}

/// An argument may be missing in v3, but none has another name there.
#[test]
fn no_argument_is_renamed_by_the_version() {
    let v3 = |tool: &'static Tool| match tool.v3 {
        V3Variant::Other(v3) => Some((tool, v3)),
        _ => None,
    };
    let pairs: Vec<_> = TOOLS.iter().filter_map(v3).collect();
    assert!(pairs.len() > 50, "{}", pairs.len());
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    for (older, v3) in pairs {
        for argument in v3.arguments {
            let before = older
                .arguments
                .iter()
                .find(|before| plain(before.wire_name) == plain(argument.wire_name));
            if let Some(before) = before.filter(|before| before.place == argument.place) {
                assert_eq!(before.name, argument.name, "{}", older.name);
            }
        }
    }
}
