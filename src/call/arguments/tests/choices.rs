//! Arguments of which exactly one, or at most one, may be given: faults are refused before anything is sent,
//! on every tool.

use serde_json::{Map, Value, json};

use super::sent;
use crate::catalog::TOOLS;
use tool::Tool;

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).expect("a tool")
}

#[track_caller]
fn check(name: &str, arguments: Value, refusal: Option<&str>) {
    let taken = sent(TOOLS, tool(name), Some("L0"), &arguments);
    match (taken, refusal) {
        (Ok(_), None) => {}
        (Err(told), Some(refusal)) => assert!(told.contains(refusal), "{name}: {told}"),
        (taken, _) => panic!("{name} {arguments}: {taken:?}"),
    }
}

#[test]
fn a_blocked_slot_is_of_a_calendar_or_of_a_user() {
    let slot = |more: Value| {
        let mut slot = json!({"title": "Lunch", "startTime": "2026-12-01T12:00:00Z", "endTime": "2026-12-01T13:00:00Z"});
        slot.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        slot
    };
    let both = json!({"calendarId": "ca1", "assignedUserId": "u1"});
    let neither = "the call needs calendarId or assignedUserId";
    let twice = "the call takes calendarId or assignedUserId, not both";
    check(
        "calendars_create-block-slot",
        slot(json!({})),
        Some(neither),
    );
    check(
        "calendars_create-block-slot",
        slot(both.clone()),
        Some(twice),
    );
    check(
        "calendars_create-block-slot",
        slot(json!({"calendarId": "ca1"})),
        None,
    );
    check(
        "calendars_create-block-slot",
        slot(json!({"assignedUserId": "u1"})),
        None,
    );
    let event = json!({"eventId": "e1"});
    let with = |more: &Value| {
        let mut event = event.clone();
        event
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        event
    };
    check("calendars_edit-block-slot", with(&json!({})), Some(neither));
    check("calendars_edit-block-slot", with(&both), Some(twice));
    check(
        "calendars_edit-block-slot",
        with(&json!({"calendarId": "ca1"})),
        None,
    );
}

#[test]
fn a_window_of_events_is_of_somebody() {
    let window = json!({"startTime": "2026-12-01T12:00:00Z", "endTime": "2026-12-01T13:00:00Z"});
    for name in [
        "calendars_get-calendar-events",
        "calendars_get-blocked-slots",
    ] {
        check(
            name,
            window.clone(),
            Some("the call needs calendarId or userId or groupId"),
        );
        let mut whole = window.clone();
        whole["userId"] = json!("u1");
        check(name, whole, None);
    }
    check(
        "contacts_get-duplicate-contact",
        json!({}),
        Some("the call needs number or email"),
    );
    check(
        "contacts_get-duplicate-contact",
        json!({"email": "a@b.example"}),
        None,
    );
}

/// The check enforces what the texts say of exclusive arguments.
#[test]
fn arguments_that_the_texts_call_exclusive_are_checked() {
    let mut held = 0;
    for tool in TOOLS.iter().flat_map(Tool::variants) {
        let shown: Map<String, Value> = serde_json::from_str(tool.advertised_schema).expect("JSON");
        let check: Value = serde_json::from_str(tool.check_schema).expect("JSON");
        let choices = check["allOf"].as_array().cloned().unwrap_or_default();
        for (name, property) in shown["properties"].as_object().expect("properties") {
            let text = property["description"].as_str().unwrap_or_default();
            if text.contains("not both") {
                held += 1;
                let names = |choice: &Value| choice["not"]["required"].as_array().cloned();
                let excluded = choices.iter().filter_map(names).flatten();
                assert!(
                    excluded.into_iter().any(|one| one == *name),
                    "{} {name}",
                    tool.name
                );
            }
        }
    }
    assert!(held >= 4, "{held}");
}
