//! The results of arguments for the 21 official tools, one row per case.

use serde_json::{Map, Value, json};

use super::{PIN, sent};
use tool::{Place, Role};

const DEFAULT: &str = "usual";

fn check(tool: &str, location: Option<&str>, given: Value) -> Result<Value, String> {
    let tools = crate::catalog::TOOLS;
    let tool = tools.iter().find(|one| one.name == tool).expect("a tool");
    sent(tools, tool, location, &given)
}

/// Each row: tool, location of the caller, given arguments, sent request.
fn sends(rows: &[(&str, Option<&str>, Value, Value)]) {
    for (tool, location, given, expected) in rows {
        let sent = check(tool, *location, given.clone());
        assert_eq!(sent.as_ref(), Ok(expected), "{tool} given {given}");
    }
}

/// Each row: tool, location of the caller, given arguments, parts of the refusal.
fn refuses(rows: &[(&str, Option<&str>, Value, &[&str])]) {
    for (tool, location, given, parts) in rows {
        let refusal = check(tool, *location, given.clone()).expect_err(tool);
        for part in *parts {
            assert!(
                refusal.contains(part),
                "{tool} given {given}: {part:?} is not in {refusal:?}"
            );
        }
    }
}

#[test]
fn names_and_aliases_reach_their_argument() {
    let search = |name: &str| json!({name: "p", "location_id": "L"});
    let expected = json!({"query": {"pipeline_id": "p", "location_id": "L"}});
    let tool = "opportunities_search-opportunity";
    sends(&[
        (tool, None, search("pipelineId"), expected.clone()),
        (tool, None, search("pipeline_id"), expected.clone()),
        (tool, None, search("query_pipeline_id"), expected),
        (
            "contacts_get-contact",
            None,
            json!({"path_contactId": "c", "contactId": "c", "toolCallId": "call_1"}),
            json!({"path": {"contactId": "c"}}),
        ),
        (
            "contacts_add-tags",
            None,
            json!({"path_contactId": "c", "body_tags": ["a"]}),
            json!({"path": {"contactId": "c"}, "body": {"tags": ["a"]}}),
        ),
    ]);
    refuses(&[
        (
            "contacts_get-contact",
            None,
            json!({"contactid": "c"}),
            &[
                "contactid is not an argument of contacts_get-contact, did you mean contactId?",
                "contactId is missing",
            ],
        ),
        (
            "contacts_get-contact",
            None,
            json!({"contactId": "c", "zebra": 1, "okapi": 2}),
            &[
                "zebra is not an argument of contacts_get-contact, which takes contactId; okapi is not an argument of contacts_get-contact.",
            ],
        ),
        (
            "contacts_get-contact",
            None,
            json!({"contactId": "c", "path_contactId": "d"}),
            &["contactId is given twice with different values"],
        ),
    ]);
}

#[test]
fn values_are_coerced_without_loss_or_refused() {
    let get = |limit: Value| {
        (
            "contacts_get-contacts",
            Some(DEFAULT),
            json!({"limit": limit}),
        )
    };
    let twenty = json!({"query": {"limit": 20, "locationId": DEFAULT}});
    for given in [json!(20), json!("20"), json!(20.0)] {
        let (tool, location, given) = get(given);
        sends(&[(tool, location, given, twenty.clone())]);
    }
    sends(&[
        (
            "conversations_search-conversation",
            Some(DEFAULT),
            json!({"assignedTo": ["u1", "u2"], "query": 5}),
            json!({"query": {"assignedTo": "u1,u2", "query": "5", "locationId": DEFAULT}}),
        ),
        (
            "contacts_add-tags",
            None,
            json!({"contactId": "c", "tags": "[\"a\"]"}),
            json!({"path": {"contactId": "c"}, "body": {"tags": ["a"]}}),
        ),
        (
            "contacts_update-contact",
            None,
            json!({"contactId": "c", "dnd": "true"}),
            json!({"path": {"contactId": "c"}, "body": {"dnd": true}}),
        ),
        (
            "opportunities_update-opportunity",
            None,
            json!({"id": "o", "monetaryValue": "12.5"}),
            json!({"path": {"id": "o"}, "body": {"monetaryValue": 12.5}}),
        ),
    ]);
    for value in ["true", "[1]", &"[".repeat(100), &"1".repeat(65)] {
        refuses(&[(
            "opportunities_update-opportunity",
            None,
            json!({"id": "o", "monetaryValue": value}),
            &["monetaryValue must be a number, not"],
        )]);
    }
    for limit in [
        json!("2x"),
        json!("020"),
        json!(2.5),
        json!([2]),
        json!(true),
    ] {
        let (tool, location, given) = get(limit);
        refuses(&[(tool, location, given, &["limit must be an integer, not"])]);
    }
    refuses(&[
        (
            "opportunities_update-opportunity",
            None,
            json!({"id": "o", "status": "all"}),
            &[r#"status must be one of "open", "won", "lost", "abandoned", not "all""#],
        ),
        (
            "conversations_search-conversation",
            Some(DEFAULT),
            json!({"assignedTo": ["a,b"]}),
            &["assignedTo is sent as one text joined by commas"],
        ),
        (
            "contacts_add-tags",
            None,
            json!({"contactId": "c", "tags": "vip"}),
            &[r#"tags must be a list, not "vip""#],
        ),
    ]);
}

#[test]
fn nulls_blank_nothing_by_accident() {
    let tool = "contacts_update-contact";
    sends(&[
        // Not nullable: absent.
        (
            tool,
            None,
            json!({"contactId": "c", "city": "Rome", "tags": null, "dnd": null}),
            json!({"path": {"contactId": "c"}, "body": {"city": "Rome"}}),
        ),
        // Nullable: absent too, because nothing says to empty it.
        (
            tool,
            None,
            json!({"contactId": "c", "city": "Rome", "lastName": null}),
            json!({"path": {"contactId": "c"}, "body": {"city": "Rome"}}),
        ),
        (
            tool,
            None,
            json!({"contactId": "c", "clear": ["lastName"]}),
            json!({"path": {"contactId": "c"}, "body": {"lastName": null}}),
        ),
    ]);
    // OpenAI's strict mode gives every property, with null for those that the model left out.
    let schema = crate::catalog::TOOLS
        .iter()
        .find(|one| one.name == tool)
        .map(|tool| serde_json::from_str::<Value>(tool.advertised_schema).expect("a schema"))
        .expect("a tool");
    let mut given: Map<String, Value> = schema["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect();
    given.insert("contactId".to_owned(), json!("c"));
    given.insert("city".to_owned(), json!("Rome"));
    let expected = json!({"path": {"contactId": "c"}, "body": {"city": "Rome"}});
    sends(&[(tool, None, Value::Object(given), expected)]);
}

#[test]
fn fields_inside_the_body_are_renamed_never_overwritten() {
    let tool = "contacts_upsert-contact";
    sends(&[(
        tool,
        Some(DEFAULT),
        json!({
            "customFields": [{"id": "a", "value": 100.5}, {"key": "b", "fieldValue": ["x"]}],
            "dndSettings": {"sms": {"status": "active"}, "Email": {"status": "inactive"}}
        }),
        json!({"body": {
            "locationId": DEFAULT,
            "customFields": [{"id": "a", "field_value": 100.5}, {"key": "b", "field_value": ["x"]}],
            "dndSettings": {"SMS": {"status": "active"}, "Email": {"status": "inactive"}}
        }}),
    )]);
    refuses(&[
        (
            tool,
            Some(DEFAULT),
            json!({"customFields": [{"id": "a", "value": 1, "field_value": 2}]}),
            &["customFields[0] gives both value and field_value"],
        ),
        (
            tool,
            Some(DEFAULT),
            json!({"customFields": [{"field_value": 2}]}),
            &["customFields[0] needs id or key"],
        ),
    ]);
}

#[test]
fn dates_are_lowered_to_the_form_each_field_takes() {
    let rows: &[(&str, &str, &str, Value, Value)] = &[
        (
            "calendars_get-calendar-events",
            "startTime",
            "startTime",
            json!("2026-01-31T09:00:00+01:00"),
            json!("1769846400000"),
        ),
        (
            "calendars_get-calendar-events",
            "startTime",
            "startTime",
            json!(1_769_846_400_000_i64),
            json!("1769846400000"),
        ),
        (
            "conversations_search-conversation",
            "startDate",
            "startDate",
            json!("2026-01-31"),
            json!(1_769_817_600_000_i64),
        ),
        (
            "opportunities_search-opportunity",
            "date",
            "date",
            json!("2026-01-31T09:00:00Z"),
            json!("01-31-2026"),
        ),
        (
            "opportunities_search-opportunity",
            "date",
            "date",
            json!("01-31-2026"),
            json!("01-31-2026"),
        ),
        (
            "opportunities_search-opportunity",
            "date",
            "date",
            json!("1769846400000"),
            json!("01-31-2026"),
        ),
        (
            "payments_list-transactions",
            "startAt",
            "startAt",
            json!("2026-01-31T23:30:00-05:00"),
            json!("2026-01-31"),
        ),
        (
            "payments_list-transactions",
            "startAt",
            "startAt",
            json!(1_769_846_400),
            json!("2026-01-31"),
        ),
    ];
    for (tool, argument, wire_name, given, expected) in rows {
        let mut arguments = json!({*argument: given});
        if *tool == "calendars_get-calendar-events" {
            arguments["endTime"] = json!("2026-02-01T00:00:00Z");
            arguments["calendarId"] = json!("c");
        }
        let sent = check(tool, Some(DEFAULT), arguments).expect(tool);
        assert_eq!(sent["query"][wire_name], *expected, "{tool} given {given}");
    }
    refuses(&[(
        "opportunities_search-opportunity",
        Some(DEFAULT),
        json!({"date": "next Tuesday"}),
        &[r#"date must be a date such as 2026-01-31, not "next Tuesday""#],
    )]);
}

#[test]
fn the_location_is_filled_pinned_or_asked_for() {
    let contacts = "contacts_get-contacts";
    let transactions = "payments_list-transactions";
    let filled = |id: &str| json!({"query": {"locationId": id}});
    let alt = |id: &str| json!({"query": {"altId": id, "altType": "location"}});
    sends(&[
        (contacts, Some(PIN), json!({}), filled(PIN)),
        (contacts, Some(PIN), json!({"locationId": PIN}), filled(PIN)),
        (contacts, Some(DEFAULT), json!({}), filled(DEFAULT)),
        (
            contacts,
            Some(DEFAULT),
            json!({"locationId": "other"}),
            filled("other"),
        ),
        (
            contacts,
            None,
            json!({"locationId": "other"}),
            filled("other"),
        ),
        (
            "locations_get-location",
            Some(PIN),
            json!({}),
            json!({"path": {"locationId": PIN}}),
        ),
        (transactions, Some(PIN), json!({}), alt(PIN)),
        (
            transactions,
            Some(DEFAULT),
            json!({"altId": "other"}),
            alt("other"),
        ),
        // Updating a contact takes no location: none is sent.
        (
            "contacts_update-contact",
            Some(PIN),
            json!({"contactId": "c", "city": "Rome"}),
            json!({"path": {"contactId": "c"}, "body": {"city": "Rome"}}),
        ),
    ]);
    refuses(&[
        (contacts, None, json!({}), &["locationId is missing"]),
        (
            contacts,
            Some(PIN),
            json!({"locationId": "other"}),
            &[
                "tenant: ",
                r#"locationId is "other", but this connection is bound to location pinned"#,
            ],
        ),
        (
            transactions,
            Some(PIN),
            json!({"altId": "other"}),
            &["tenant: ", "altId is"],
        ),
        (
            transactions,
            Some(PIN),
            json!({"locationId": "other"}),
            &["tenant: ", "locationId is"],
        ),
        (
            "locations_get-location",
            Some(PIN),
            json!({"path_locationId": "other"}),
            &["tenant: ", "locationId is"],
        ),
    ]);
}

#[test]
fn a_path_accepts_only_ids() {
    let strings = [
        "",
        ".",
        "..",
        "../locations/L9",
        "a/b",
        "%2e%2e",
        "%2E%2E",
        "a%2Fb",
        "\t..\t",
        "a b",
        "a?x=1",
        "a#b",
        "é",
        "a\\b",
        "a.b",
        "a;b",
        "a\0",
    ];
    let longest = "a".repeat(129);
    for tool in crate::catalog::TOOLS {
        // `beyond` tests those that accept dots.
        let paths = tool
            .arguments
            .iter()
            .filter(|argument| argument.place == Place::Path && !argument.wide_path_value);
        for argument in paths {
            for text in strings.into_iter().chain([longest.as_str()]) {
                // The connection fills in an empty one.
                if text.is_empty() && argument.role != Role::None {
                    continue;
                }
                let refusal =
                    check(tool.name, None, json!({argument.name: text})).expect_err(tool.name);
                let part = match text {
                    "" => format!("{} is missing", argument.name),
                    _ => format!("{} must be an id", argument.name),
                };
                assert!(refusal.contains(&part), "{} {text:?}: {refusal}", tool.name);
            }
        }
    }
}
