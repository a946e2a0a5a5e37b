//! Filters and limits of HighLevel's own searches: faults are refused before anything is sent, with the
//! accepted values.

use serde_json::{Value, json};

use jiff::tz::TimeZone;

use super::{checked_in, sent};
use crate::call::arguments::LocalZone;
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
        json!({"field": "customFields.OBj007Z8b4yV08OJdaWh", "operator": "range", "value": {"gt": 1000}}),
        None,
    );
    filter(
        json!({"field": "customFields.OBj007Z8b4yV08OJdaWh.c1b70ec9", "operator": "contains", "value": "x"}),
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
    // HighLevel knows custom fields by their ids alone.
    for name in ["custom_fields", "customFields", "customField.Interest"] {
        filter(
            json!({"field": name, "operator": "exists"}),
            Some(
                "a custom field is customFields.<id>, with its id from locations_get-custom-fields",
            ),
        );
    }
    for name in [
        "Interest",
        "contact.interest",
        "Preferred contact method",
        "<id>",
    ] {
        filter(
            json!({"field": format!("customFields.{name}"), "operator": "eq", "value": "Premium"}),
            Some(
                "which is not an id; take its id from locations_get-custom-fields, and write customFields.<id>",
            ),
        );
    }
    // A phone is equal to none.
    for operator in ["eq", "not_eq", "is"] {
        filter(
            json!({"field": "phone", "operator": operator, "value": "+15550600041"}),
            Some("contacts_get-duplicate-contact finds a contact by its whole number"),
        );
    }
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
    for wrong in ["last week", "11/20/2026"] {
        filter(
            json!({"field": "dateAdded", "operator": "range", "value": {"gte": wrong}}),
            Some("filters[0].value.gte must be a date such as 2026-01-31T09:00:00"),
        );
    }
    filter(
        json!({"field": "dateAdded", "operator": "eq", "value": "2026-11-20"}),
        Some(r#"not eq; give range with the value {"gte": …, "lte": …}"#),
    );
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
            json!({"sort": [{"field": "dateAdded", "order": "desc"}]}),
            Some("sort[0] has no field order, it takes direction, field"),
        ),
        (
            contacts,
            json!({"sort": [{"direction": "desc"}]}),
            Some("sort[0].field is missing"),
        ),
        (
            "opportunities_search-opportunities-advanced",
            json!({"limit": 20, "sort": [{"field": "date_added", "dir": "desc"}]}),
            Some("sort[0] has no field dir, it takes direction, field"),
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

/// What is sent as the range of a date, or the refusal; days and local times are those of Los Angeles.
fn range_sent(name: &str, field: &str, bounds: Value) -> Result<Value, String> {
    let zone = LocalZone::Known(TimeZone::get("America/Los_Angeles").expect("a zone"));
    let group = json!({"group": "OR", "filters": [
        {"field": field, "operator": "range", "value": bounds},
    ]});
    let given = json!({"limit": 20, "pageLimit": 20, "filters": [group]});
    let mut given = given.as_object().cloned().expect("an object");
    given.retain(|one, _| tool(name).arguments.iter().any(|known| known.name == one));
    let checked = checked_in(TOOLS, tool(name), Some("L0"), &Value::Object(given), &zone);
    match checked {
        Ok(checked) => {
            let body = checked.arguments.body.expect("a body");
            Ok(body["filters"][0]["filters"][0]["value"].clone())
        }
        Err(rejection) => Err(rejection.sentence()),
    }
}

#[test]
fn days_and_times_of_a_range_are_those_of_the_location() {
    let contacts = "contacts_search-contacts-advanced";
    let deals = "opportunities_search-opportunities-advanced";
    let (start, end) = ("2026-11-20T00:00:00-08:00", "2026-11-20T23:59:59.999-08:00");
    let custom = "customFields.OBj007Z8b4yV08OJdaWh";
    for (name, field, given, expected) in [
        (
            contacts,
            "dateAdded",
            json!({"gte": "2026-11-20", "lte": "2026-11-20"}),
            Ok(json!({"gte": start, "lte": end})),
        ),
        (
            contacts,
            "dateAdded",
            json!({"gt": "2026-11-20"}),
            Ok(json!({"gt": end})),
        ),
        (
            deals,
            "date_added",
            json!({"lt": "2026-11-20"}),
            Ok(json!({"lt": start})),
        ),
        (
            contacts,
            "dateAdded",
            json!({"gte": 1_795_161_600, "lte": 1_795_161_600_000_i64}),
            Ok(json!({"gte": "2026-11-20T08:00:00Z", "lte": "2026-11-20T08:00:00Z"})),
        ),
        (
            contacts,
            "dateAdded",
            json!({"gte": "1795161600000"}),
            Ok(json!({"gte": "2026-11-20T08:00:00Z"})),
        ),
        (
            contacts,
            "lastAppointment",
            json!({"gte": "2026-11-20T09:00:00", "lt": "2026-11-21T00:00:00[America/New_York]"}),
            Ok(json!({"gte": "2026-11-20T09:00:00-08:00", "lt": "2026-11-21T00:00:00-05:00"})),
        ),
        // Days have no zone.
        (
            contacts,
            "dateOfBirth",
            json!({"gte": "1990-02-28", "lte": "1990-02-28"}),
            Ok(json!({"gte": "1990-02-28", "lte": "1990-02-28"})),
        ),
        // A custom field is a number or a day.
        (
            contacts,
            custom,
            json!({"gte": "2026-11-20", "lte": "2026-11-25T12:00:00"}),
            Ok(json!({"gte": "2026-11-20", "lte": "2026-11-25"})),
        ),
        (
            contacts,
            custom,
            json!({"gte": "1000", "lt": 2000}),
            Ok(json!({"gte": "1000", "lt": 2000})),
        ),
        // Nothing lies between these.
        (
            contacts,
            "dateAdded",
            json!({"gte": "2026-11-25", "lte": "2026-11-20"}),
            Err(
                r#"filters[0].filters[0].value holds nothing: gte is "2026-11-25" and lte is "2026-11-20"; give the earlier"#,
            ),
        ),
        (
            contacts,
            "dateAdded",
            json!({"gt": "2026-11-20", "lt": "2026-11-20"}),
            Err("holds nothing: gt is"),
        ),
        (
            deals,
            "date_added",
            json!({"lt": "2026-11-20", "gte": "2026-11-25"}),
            Err("holds nothing: gte is"),
        ),
        (
            deals,
            "monetary_value",
            json!({"gte": 5000, "lte": 1000}),
            Err("holds nothing: gte is 5000 and lte is 1000"),
        ),
        (
            contacts,
            custom,
            json!({"gte": "next week"}),
            Err("value.gte must be a date such as 2026-01-31, not"),
        ),
    ] {
        match (range_sent(name, field, given.clone()), expected) {
            (Ok(sent), Ok(expected)) => assert_eq!(sent, expected, "{field} {given}"),
            (Err(told), Err(part)) => assert!(told.contains(part), "{field} {given}: {told}"),
            (sent, _) => panic!("{field} {given}: {sent:?}"),
        }
    }
    // Without a zone a day asks for it.
    let filters =
        json!([{"field": "dateAdded", "operator": "range", "value": {"gte": "2026-11-20"}}]);
    let given = json!({"filters": filters});
    let asks = checked_in(
        TOOLS,
        tool(contacts),
        Some("L0"),
        &given,
        &LocalZone::Unasked,
    );
    assert!(asks.is_err_and(|rejection| rejection.needs_zone));
}
