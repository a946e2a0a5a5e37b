//! Search says so if no operation does what is asked for, and lists the nearest ones as such.

use serde_json::json;

use super::{Stack, list, text};

#[tokio::test]
async fn every_search_reports_requests_without_an_operation() {
    let mut stack = Stack::start().await;
    stack.server.path = "/mcp/orchestrator";
    let found = stack
        .call(
            "search_operations",
            json!({"queries": ["refund a transaction"], "limit": 3}),
        )
        .await;
    assert!(
        text(&found, "/hint").starts_with("No operation does this"),
        "{found}"
    );
    assert_eq!(list(&found, "/nearest").len(), 3, "{found}");
    assert!(found["results"].is_null(), "{found}");
    let found = stack
        .call(
            "search_operations",
            json!({"queries": ["list refunded transactions"]}),
        )
        .await;
    assert!(
        found["hint"].is_null() && found["nearest"].is_null(),
        "{found}"
    );

    stack.server.path = "/mcp/compat";
    let found = stack
        .call("search_operations", json!({"query": "merge two contacts"}))
        .await;
    assert!(
        text(&found, "/hint").starts_with("No operation does this"),
        "{found}"
    );
    assert!(!list(&found, "/operations").is_empty(), "{found}");
    let found = stack
        .call("search_operations", json!({"query": "create contact"}))
        .await;
    assert!(found["hint"].is_null(), "{found}");
}
