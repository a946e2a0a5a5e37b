//! Opportunities: the filters and the order of the search by body, and values of custom fields.

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, list, text};

/// A search by body with these members besides: status and answer.
async fn search(sandbox: &Sandbox, more: Value) -> (u16, Value) {
    let mut body = json!({"locationId": LOCATION, "limit": 100, "page": 1});
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    let (status, _, answer) = sandbox
        .send("POST /opportunities/search", TOKEN, Some(body))
        .await;
    (status, answer)
}

fn is(field: &str, operator: &str, value: Value) -> Value {
    json!({"field": field, "operator": operator, "value": value})
}

#[tokio::test]
async fn filters_find_the_opportunities_that_they_describe() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let (_, all) = search(&sandbox, json!({})).await;
    let rows = list(&all, "/opportunities").to_vec();
    assert_eq!(all["total"], rows.len());
    let count = |passes: &dyn Fn(&Value) -> bool| rows.iter().filter(|one| passes(one)).count();
    let first = &rows[0];
    let (stage, contact) = (
        text(first, "/pipelineStageId"),
        text(first, "/contact/name"),
    );
    let lost = count(&|one| one["status"] == "lost");
    assert!(lost > 0 && lost < rows.len());
    let open_or_lost = count(&|one| one["status"] == "lost" || one["status"] == "open");
    let rich = count(&|one| one["monetaryValue"].as_f64() >= Some(500.0));
    let staged = count(&|one| one["pipelineStageId"] == stage);
    let named = count(&|one| one["contact"]["name"] == contact);
    let added = text(first, "/createdAt");
    let later = count(&|one| text(one, "/createdAt") >= added);
    for (filter, expected) in [
        (is("status", "eq", json!("lost")), lost),
        (is("status", "not_eq", json!("lost")), rows.len() - lost),
        (is("status", "eq", json!(["lost", "open"])), open_or_lost),
        (is("monetary_value", "range", json!({"gte": 500})), rich),
        (is("pipeline_stage_id", "eq", json!(stage)), staged),
        (is("contact_name", "eq", json!(contact)), named),
        (is("date_added", "range", json!({"gte": added})), later),
        (is("custom_fields.none", "exists", Value::Null), 0),
        (
            json!({"group": "OR", "filters": [is("status", "eq", json!("lost")), is("status", "eq", json!("open"))]}),
            open_or_lost,
        ),
    ] {
        let (status, found) = search(&sandbox, json!({"filters": [filter.clone()]})).await;
        assert_eq!(status, 200, "{filter}: {found}");
        assert_eq!(found["total"], expected, "{filter}");
        assert_eq!(list(&found, "/opportunities").len(), expected, "{filter}");
    }
}

#[tokio::test]
async fn opportunity_filters_that_are_none_are_refused() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    for (more, message) in [
        (
            json!({"filters": [is("mood", "eq", json!("good"))]}),
            "Invalid field mood",
        ),
        (
            json!({"filters": [is("status", "contains", json!("o"))]}),
            "Invalid operator contains for field status",
        ),
        (
            json!({"filters": [{"group": "NOT", "filters": []}]}),
            "group must be one of",
        ),
        (
            json!({"sort": [{"field": "mood", "direction": "asc"}]}),
            "Invalid field mood",
        ),
    ] {
        let (status, told) = search(&sandbox, more.clone()).await;
        assert_eq!(status, 400, "{more}: {told}");
        assert!(text(&told, "/message").starts_with(message), "{told}");
    }
}

#[tokio::test]
async fn opportunities_are_sorted_as_asked() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let sorted = json!({"sort": [{"field": "monetary_value", "direction": "desc"}], "limit": 20});
    let (_, first) = search(&sandbox, sorted.clone()).await;
    let rows = list(&first, "/opportunities");
    let values: Vec<f64> = rows
        .iter()
        .filter_map(|one| one["monetaryValue"].as_f64())
        .collect();
    assert!(
        values.len() == 20 && values.is_sorted_by(|a, b| a >= b),
        "{values:?}"
    );
}

#[tokio::test]
async fn custom_fields_of_an_opportunity_are_kept_by_id_and_by_key() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let (_, found) = search(&sandbox, json!({})).await;
    let id = text(&found, "/opportunities/0/id");
    let fields = format!("GET /locations/{LOCATION}/customFields?model=opportunity");
    let (_, _, fields) = sandbox.send(&fields, TOKEN, None).await;
    let field = text(&fields, "/customFields/0/id");
    for (given, value) in [
        (
            json!({"key": "deal_type", "field_value": "renewal"}),
            "renewal",
        ),
        (
            json!({"key": "opportunity.deal_type", "field_value": "new"}),
            "new",
        ),
        (json!({"id": field, "field_value": "upsell"}), "upsell"),
    ] {
        let change = Some(json!({"customFields": [given]}));
        let path = format!("PUT /opportunities/{id}");
        let (status, _, changed) = sandbox.send(&path, TOKEN, change).await;
        assert_eq!(status, 200, "{changed}");
        let kept = list(&changed, "/opportunity/customFields");
        assert_eq!(kept.len(), 1, "{changed}");
        assert_eq!(kept[0]["id"], field);
        assert_eq!(kept[0]["fieldValue"], value);
        assert_eq!(kept[0]["fieldValueString"], value);
        let filter = is(&format!("custom_fields.{field}"), "eq", json!(value));
        let (_, found) = search(&sandbox, json!({"filters": [filter]})).await;
        assert_eq!(found["total"], 1, "{found}");
    }
}
