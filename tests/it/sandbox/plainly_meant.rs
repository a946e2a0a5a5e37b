//! What callers plainly mean: arguments of ours under other names, and writes where an endpoint only reads.

use serde_json::{Value, json};

use super::orchestrator::start_at;
use super::text;

#[tokio::test]
async fn an_endpoint_that_only_reads_says_so_of_writes() {
    let stack = start_at("/mcp/orchestrator/readonly").await;
    let why = "contacts_add-tags changes something, and this endpoint only reads.";
    let called = json!({"operation": "contacts_add-tags"});
    let refused = stack.try_call("call_read", called).await;
    let refused = refused.expect_err("a write");
    assert_eq!(refused["error"], why, "{refused}");
    let called = json!({"operation": "contacts_ad-tags"});
    let refused = stack.try_call("call_read", called).await;
    let told = text(&refused.expect_err("no name"), "/error").to_owned();
    assert!(told.ends_with(why), "{told}");
    let found = json!({"queries": ["add a tag to a contact"]});
    let found = stack.call("search_operations", found).await;
    assert_eq!(found["hint"], why, "{found}");
    let compat = start_at("/mcp/compat/readonly").await;
    let asked = json!({"query": "add a tag to a contact"});
    let found = compat.call("search_operations", asked).await;
    assert_eq!(found["hint"], why, "{found}");
    let asked = json!({"operationId": "contacts_add-tags"});
    let refused = compat.try_call("describe_operation", asked).await;
    assert_eq!(refused.expect_err("a write")["error"], why);
}

/// Names and forms that callers bring from elsewhere.
#[tokio::test]
async fn tools_of_ours_take_what_is_plainly_meant() {
    let stack = start_at("/mcp/orchestrator").await;
    let search = async |given: Value| stack.call("search_operations", given).await;
    let usual = search(json!({"queries": ["list contacts"]})).await;
    for given in [
        json!({"queries": "list contacts"}),
        json!({"query": "list contacts"}),
        json!({"query": ["list contacts"]}),
        json!({"queries": "[\"list contacts\"]"}),
    ] {
        assert_eq!(search(given.clone()).await, usual, "{given}");
    }
    let named = search(json!({"operations": "contacts_get-contact"})).await;
    assert_eq!(named["operations"][0]["name"], "contacts_get-contact");
    let filtered = json!({
        "operation": "opportunities_search-opportunity",
        "output": {"count": true, "filter": {"field": "status", "operator": "eq", "value": "lost"}},
    });
    let counted = stack.call("call_read", filtered).await;
    assert!(counted["matched"].as_u64() > Some(0), "{counted}");
    let unknown = json!({"operation": "contacts_get-contact", "nonsense": 1, "dryRun": true});
    let refused = stack.try_call("call_read", unknown).await;
    let told = refused.expect_err("an argument").to_string();
    assert!(told.contains("output") && told.contains("items"), "{told}");
    for unlisted in [
        "each",
        "onError",
        "confirm",
        "dryRun",
        "idempotencyKey",
        "reason",
    ] {
        assert!(!told.contains(unlisted), "{told}");
    }
}
