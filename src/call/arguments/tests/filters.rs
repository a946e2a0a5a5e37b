//! Filters and limits of HighLevel's own searches: faults are refused before anything is sent, with the
//! accepted values.

use serde_json::{Value, json};

use super::sent;
use crate::catalog::TOOLS;
use tool::{Tool, V3Variant};

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).expect("a tool")
}

#[track_caller]
fn check(name: &str, arguments: &Value, refusal: Option<&str>) {
    let taken = sent(TOOLS, tool(name), Some("L0"), arguments);
    match (taken, refusal) {
        (Ok(_), None) => {}
        (Err(told), Some(refusal)) => assert!(told.contains(refusal), "{name}: {told}"),
        (taken, _) => panic!("{name} {arguments}: {taken:?}"),
    }
}

#[track_caller]
fn filter(filter: Value, refusal: Option<&str>) {
    check(
        "contacts_search-contacts-advanced",
        &json!({"filters": [filter]}),
        refusal,
    );
}

#[test]
fn filters_that_highlevel_documents_are_sent() {
    filter(
        json!({"field": "tags", "operator": "contains", "value": "vip"}),
        None,
    );
    filter(
        json!({"field": "tags", "operator": "eq", "value": ["vip", "lead"]}),
        None,
    );
    filter(
        json!({"field": "dnd", "operator": "eq", "value": true}),
        None,
    );
    filter(json!({"field": "email", "operator": "not_exists"}), None);
    filter(
        json!({"field": "email", "operator": "exists", "value": null}),
        None,
    );
    filter(
        json!({"field": "dateAdded", "operator": "range", "value": {"gte": "2026-11-20", "lt": 1795942800000_i64}}),
        None,
    );
    filter(
        json!({"field": "dateAdded", "operator": "range", "value": {"gte": "2026-11-20T09:00:00-08:00"}}),
        None,
    );
    filter(
        json!({"field": "customFields.OBj007", "operator": "range", "value": {"gt": 1000}}),
        None,
    );
    filter(
        json!({"field": "customFields.OBj007.c1b70ec9", "operator": "contains", "value": "x"}),
        None,
    );
    filter(
        json!({"group": "OR", "filters": [
            {"field": "city", "operator": "eq", "value": "Oslo"},
            {"group": "AND", "filters": [{"field": "state", "operator": "exists"}]},
        ]}),
        None,
    );
    filter(
        json!({"field": "opportunities", "operator": "nested", "value": [
            {"field": "pipelineId", "operator": "eq", "value": "p1"},
            {"field": "status", "operator": "not_eq", "value": "lost"},
        ]}),
        None,
    );
    let deals = "opportunities_search-opportunities-advanced";
    let value = json!({"gte": 1000, "lte": 5000});
    let filters = json!([{"field": "monetary_value", "operator": "range", "value": value}]);
    check(deals, &json!({"limit": 20, "filters": filters}), None);
}

#[test]
fn a_filter_that_matches_nothing_or_everything_is_refused_with_the_right_form() {
    // Operators.
    filter(
        json!({"field": "dateAdded", "operator": "gt", "value": "2026-11-20"}),
        Some(
            r#"filters[0].operator must be one of range, exists, not_exists for dateAdded, not gt; give range with the value {"gt": …}"#,
        ),
    );
    filter(
        json!({"field": "tags", "operator": "is", "value": "vip"}),
        Some("for tags, not is; did you mean eq?"),
    );
    filter(
        json!({"field": "city", "operator": "contain", "value": "Os"}),
        Some("not contain; did you mean contains?"),
    );
    filter(
        json!({"field": "email", "operator": "contains", "value": "@x"}),
        Some("must be one of eq, not_eq, exists, not_exists for email, not contains"),
    );
    // Fields.
    filter(
        json!({"field": "tag", "operator": "eq", "value": "vip"}),
        Some(
            "filters[0].field must be one that HighLevel filters by: tag is none, did you mean tags?",
        ),
    );
    filter(
        json!({"field": "firstName", "operator": "eq", "value": "ada"}),
        Some("did you mean firstNameLowerCase?"),
    );
    filter(
        json!({"field": "customFields.", "operator": "exists"}),
        Some("filters[0].field must be one"),
    );
    filter(
        json!({"field": "opportunities", "operator": "eq", "value": "x"}),
        Some("filters[0].operator must be one of nested for opportunities, not eq"),
    );
    filter(
        json!({"field": "opportunities", "operator": "nested", "value": [{"field": "stage", "operator": "exists"}]}),
        Some("filters[0].value[0].field must be one"),
    );
    // Values.
    filter(
        json!({"field": "dateAdded", "operator": "range", "value": "2026-11-20"}),
        Some(r#"filters[0].value must be an object such as {"gte": …, "lte": …}"#),
    );
    filter(
        json!({"field": "dateAdded", "operator": "range", "value": {"from": "2026-11-20"}}),
        Some("filters[0].value takes gte, lte, gt and lt, not from"),
    );
    for wrong in ["last week", "11/20/2026", "2026-11-20T09:00:00"] {
        filter(
            json!({"field": "dateAdded", "operator": "range", "value": {"gte": wrong}}),
            Some("filters[0].value must have dates such as 2026-11-20"),
        );
    }
    filter(
        json!({"field": "email", "operator": "exists", "value": false}),
        Some("filters[0].value must be left out, for exists takes none"),
    );
    filter(
        json!({"field": "city", "operator": "eq"}),
        Some("filters[0].value is missing, and eq needs one"),
    );
    filter(
        json!({"field": "city", "operator": "eq", "value": {"gte": 1}}),
        Some("filters[0].value must be a text, a number, true or false"),
    );
    filter(
        json!({"field": "city", "operator": "contains", "value": "x".repeat(76)}),
        Some("filters[0].value must have at most 75 characters"),
    );
    // Shapes.
    filter(json!("tags=vip"), Some("filters[0] must be an object"));
    filter(
        json!({"field": "city", "op": "eq", "value": "Oslo"}),
        Some("filters[0] has no member op, did you mean operator?"),
    );
    filter(json!({"field": "city"}), Some("filters[0] needs operator"));
    filter(
        json!({"group": "or", "filters": [{"field": "city", "operator": "exists"}]}),
        Some(r#"filters[0].group must be "AND" or "OR", not "or""#),
    );
    filter(
        json!({"group": "OR", "filters": [{"field": "citi", "operator": "exists"}]}),
        Some("filters[0].filters[0].field must be one"),
    );
    filter(
        json!({"group": "OR", "filters": []}),
        Some("filters[0].filters must be a list of filters"),
    );
    let deals = "opportunities_search-opportunities-advanced";
    let filters = json!([{"field": "pipelineId", "operator": "eq", "value": "p"}]);
    check(
        deals,
        &json!({"limit": 20, "filters": filters}),
        Some("did you mean pipeline_id?"),
    );
}

#[test]
fn groups_within_groups_end() {
    let mut nested = json!({"field": "city", "operator": "exists"});
    for _ in 0..20 {
        nested = json!({"group": "AND", "filters": [nested]});
    }
    filter(nested, Some("stands too deep"));
}

#[test]
fn documented_limits_and_words_hold() {
    let contacts = "contacts_search-contacts-advanced";
    for (name, arguments, refusal) in [
        (contacts, json!({"pageLimit": 500}), None),
        (
            contacts,
            json!({"pageLimit": 600}),
            Some("pageLimit must be at most 500, it is 600"),
        ),
        (
            contacts,
            json!({"query": "x".repeat(76)}),
            Some("query must have at most 75 characters"),
        ),
        (
            contacts,
            json!({"sort": [{"field": "dateAdded", "direction": "down"}]}),
            Some(r#"sort[0].direction must be one of "asc", "desc", not "down""#),
        ),
        ("contacts_get-contacts", json!({"limit": 100}), None),
        (
            "contacts_get-contacts",
            json!({"limit": "500"}),
            Some("limit must be at most 100, it is 500"),
        ),
        (
            "opportunities_search-opportunity",
            json!({"limit": 101}),
            Some("limit must be at most 100"),
        ),
        (
            "opportunities_search-opportunities-advanced",
            json!({"limit": 501}),
            Some("limit must be at most 500"),
        ),
        (
            "forms_get-forms",
            json!({"limit": 51}),
            Some("limit must be at most 50"),
        ),
        (
            "forms_get-forms-submissions",
            json!({"limit": 101}),
            Some("limit must be at most 100"),
        ),
        (
            "surveys_get-surveys",
            json!({"limit": 51}),
            Some("limit must be at most 50"),
        ),
        (
            "surveys_get-surveys-submissions",
            json!({"limit": 101}),
            Some("limit must be at most 100"),
        ),
        (
            "emails_fetch-campaigns",
            json!({"limit": 101}),
            Some("limit must be at most 100"),
        ),
        (
            "voice-ai_get-call-logs",
            json!({"pageSize": 51}),
            Some("pageSize must be at most 50"),
        ),
    ] {
        check(name, &arguments, refusal);
    }
}

#[test]
fn the_fields_of_opportunities_in_v3_are_not_known() {
    let deals = tool("opportunities_search-opportunities-advanced");
    assert!(deals.check_schema.contains("x-filters"));
    let V3Variant::Other(v3) = deals.v3 else {
        panic!("v3 has a search of its own");
    };
    assert!(!v3.check_schema.contains("x-filters"));
}
