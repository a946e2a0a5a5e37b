//! Ranges of dates in HighLevel's own filters find what the same filter of rows finds, in the location's zone.

use ::sandbox::LOCATION;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Stack, list, text};

const SEARCH: &str = "contacts_search-contacts-advanced";

/// The number of contacts that a search finds.
async fn count(stack: &Stack, arguments: Value, mut output: Value) -> i64 {
    output["count"] = json!(true);
    let call = json!({"operation": SEARCH, "arguments": arguments, "output": output});
    let found = stack.call("call_read", call).await;
    let count = ["/count", "/figures/count", "/rows/0/count"]
        .into_iter()
        .find_map(|pointer| found.pointer(pointer)?.as_i64());
    count.unwrap_or_else(|| panic!("{found}"))
}

async fn start() -> Stack {
    let mut stack = Stack::start().await;
    stack.server.path = "/mcp/orchestrator";
    stack
}

#[tokio::test]
async fn a_range_of_days_finds_whom_the_filter_of_rows_finds() {
    let stack = start().await;
    let newest = json!({"operation": SEARCH, "arguments": {"sort": [{"field": "dateAdded", "direction": "desc"}]},
        "output": {"fields": ["dateAdded"], "maxItems": 20}});
    let newest = stack.call("call_read", newest).await;
    let added = text(
        list(&newest, "/contacts").last().expect("a row"),
        "/dateAdded",
    );
    let last: Date = added.get(..10).expect("a day").parse().expect("a day");
    let first = last.saturating_sub(5.days());
    let mut different = 0;
    for (bounds, conditions) in [
        (
            json!({"gte": first, "lte": last}),
            json!([[">=", first], ["<=", last]]),
        ),
        (json!({"gte": last, "lte": last}), json!([["=", last]])),
        (
            json!({"gt": first, "lt": last}),
            json!([[">", first], ["<", last]]),
        ),
        (json!({"gt": first}), json!([[">", first]])),
    ] {
        let filters = json!([{"field": "dateAdded", "operator": "range", "value": bounds}]);
        let by_highlevel = count(&stack, json!({"filters": filters}), json!({})).await;
        let conditions = conditions.as_array().into_iter().flatten();
        let conditions = conditions
            .map(|one| json!({"field": "dateAdded", "op": one[0], "value": one[1]}))
            .collect::<Value>();
        let by_rows = count(
            &stack,
            json!({"pageLimit": 100}),
            json!({"filter": conditions}),
        )
        .await;
        assert_eq!(by_highlevel, by_rows, "{bounds}");
        different += i64::from(by_rows > 0);
    }
    assert!(different > 2, "{LOCATION} has too few contacts for this");
}

#[tokio::test]
async fn a_custom_field_by_its_name_is_refused_with_the_tool_that_has_its_id() {
    let stack = start().await;
    let ids = "locations_get-custom-fields";
    for call in [
        json!({"operation": SEARCH, "output": {"sum": "customFields.Budget"}}),
        json!({"operation": SEARCH, "output": {"fields": ["id", "customFields.Budget"]}}),
        json!({"operation": SEARCH, "arguments": {"filters": [
            {"field": "customFields.Budget", "operator": "eq", "value": "250"},
        ]}}),
    ] {
        let refusal = stack.try_call("call_read", call.clone()).await;
        let refusal = refusal.expect_err("it is refused").to_string();
        assert!(
            refusal.contains(ids) && refusal.contains("customFields.<id>"),
            "{call}: {refusal}"
        );
    }
    // The remedy, followed.
    let fields = json!({"operation": ids, "output": {"fields": ["id"]}});
    let fields = stack.call("call_read", fields).await;
    let id = text(&fields, "/customFields/0/id");
    let sum = json!({"operation": SEARCH, "output": {"sum": format!("customFields.{id}")}});
    stack.call("call_read", sum).await;
}
