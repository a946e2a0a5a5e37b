//! Dates by form, by zone, as the end of a window, and for every date of every tool.

mod days;
mod every;
mod given;
mod windows;

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::LocalZone;
use crate::call::arguments::Checker;
use crate::catalog::TOOLS;
use crate::upstream::Caller;
use crate::upstream::TenantId;
use crate::upstream::caller::{Credential, LocationBinding};
use tool::{Role, Tool};

const LOS_ANGELES: &str = "America/Los_Angeles";

fn zone(name: &str) -> LocalZone {
    LocalZone::Known(TimeZone::get(name).expect("a zone"))
}

fn unknown() -> LocalZone {
    LocalZone::unknown("the reason")
}

fn tool(name: &str) -> &'static Tool {
    let mut tools = TOOLS.iter();
    tools.find(|tool| tool.name == name).expect("a tool")
}

/// For all tools and tests: a schema is compiled once.
static CHECKER: LazyLock<Checker> = LazyLock::new(|| Checker::new(TOOLS, Vec::new()));

/// A value that `schema` accepts, with its required members.
fn sample(schema: &Value) -> Value {
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str());
    match kind {
        Some("array") => json!([sample(&schema["items"])]),
        Some("number" | "integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let names = required.filter_map(Value::as_str);
            names
                .map(|name| (name.to_owned(), sample(&schema["properties"][name])))
                .collect::<Map<String, Value>>()
                .into()
        }
        _ => json!("abc123"),
    }
}

/// `given` with a value for each missing required argument.
fn with_required(tool: &Tool, mut given: Map<String, Value>) -> Map<String, Value> {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("a schema");
    let required = schema["required"].as_array().into_iter().flatten();
    // Where one of several arguments is required, the first.
    let choices = schema["allOf"].as_array().into_iter().flatten();
    let chosen = choices
        .chain([&schema])
        .filter_map(|choice| choice.pointer("/anyOf/0/required/0"));
    for name in required.chain(chosen) {
        let name = name.as_str().expect("a name");
        let argument = tool.arguments.iter().find(|one| one.name == name);
        let argument = argument.expect("an argument");
        if given.contains_key(name) || argument.date_form.is_some() {
            continue;
        }
        let value = match argument.role {
            Role::None if tool.timezone == Some(name) => json!(LOS_ANGELES),
            Role::Location(_) => json!("here"),
            Role::Company(_) => json!("company"),
            Role::None => sample(&schema["properties"][name]),
        };
        given.insert(name.to_owned(), value);
    }
    given
}

/// What is sent, under HighLevel's names, or the refusal; `asks` if the location's zone is needed first.
fn sent(tool: &Tool, given: &Value, zone: &LocalZone) -> Result<Value, String> {
    let id = |id| TenantId::parse(id).expect("an id");
    let caller = Caller {
        credential: Credential::parse("pit-1").expect("a token"),
        location: Some(LocationBinding::Pin(id("here"))),
        company: Some(id("company")),
        configured: None,
        home: None,
    };
    let given = with_required(tool, given.as_object().cloned().expect("an object"));
    match CHECKER.check(tool, given, &caller, false, zone) {
        Ok(checked) => {
            let arguments = checked.arguments;
            let mut sent = arguments.path.0;
            sent.extend(arguments.query.0);
            let body = arguments.body.as_ref().and_then(Value::as_object);
            sent.extend(body.cloned().unwrap_or_default());
            Ok(Value::Object(sent))
        }
        Err(rejection) if rejection.needs_zone => Err("asks".to_owned()),
        Err(rejection) => Err(rejection.sentence()),
    }
}

/// `expected` is the values sent under the names of `given`, or a part of the refusal.
struct Row {
    tool: &'static str,
    given: Value,
    zone: LocalZone,
    expected: Result<Value, &'static str>,
}

fn check(row: Row) {
    let Row {
        tool: name,
        given,
        zone,
        expected,
    } = row;
    let tool = tool(name);
    match (sent(tool, &given, &zone), expected) {
        (Ok(sent), Ok(expected)) => {
            for (name, expected) in expected.as_object().expect("an object") {
                let wire = tool.arguments.iter().find(|one| one.name == name);
                let wire = wire.expect("an argument").wire_name;
                assert_eq!(sent[wire], *expected, "{} {given}: {name}", tool.name);
            }
        }
        (Err(refusal), Err(part)) => {
            assert!(
                refusal.contains(part),
                "{given}: {part:?} is not in {refusal:?}"
            );
        }
        (sent, expected) => panic!("{} {given}: {sent:?} is not {expected:?}", tool.name),
    }
}

fn ok(tool: &'static str, given: Value, zone: LocalZone, expected: Value) {
    let expected = Ok(expected);
    check(Row {
        tool,
        given,
        zone,
        expected,
    });
}

fn refused(tool: &'static str, given: Value, zone: LocalZone, part: &'static str) {
    let expected = Err(part);
    check(Row {
        tool,
        given,
        zone,
        expected,
    });
}

const BOOK: &str = "calendars_create-appointment";
const EVENTS: &str = "calendars_get-calendar-events";
const SLOTS: &str = "calendars_get-slots";
const TASK: &str = "contacts_create-task";

#[test]
fn a_time_keeps_its_zone() {
    let start = |time: &str| json!({"startTime": time});
    for (given, expected) in [
        (
            "2026-12-01T12:30:00[America/Los_Angeles]",
            "2026-12-01T12:30:00-08:00",
        ),
        (
            "2026-12-01T12:30:00-08:00[America/Los_Angeles]",
            "2026-12-01T12:30:00-08:00",
        ),
        (
            "2026-07-01T12:30:00[America/Los_Angeles]",
            "2026-07-01T12:30:00-07:00",
        ),
        (
            "2026-12-01T12:30:00[Asia/Kolkata]",
            "2026-12-01T12:30:00+05:30",
        ),
        ("2026-12-01T12:30:00.250Z", "2026-12-01T12:30:00.250Z"),
        ("2026-12-01t12:30:00z", "2026-12-01T12:30:00Z"),
        ("2026-12-01T12:30:00+05:30", "2026-12-01T12:30:00+05:30"),
        ("1796083200", "2026-12-01T00:00:00Z"),
        ("1796083200000", "2026-12-01T00:00:00Z"),
    ] {
        // The location's zone is not looked up at all.
        ok(BOOK, start(given), LocalZone::Unasked, start(expected));
    }
    for (given, expected) in [
        ("2026-12-01T12:30:00", "2026-12-01T12:30:00-08:00"),
        ("2026-12-01 12:30", "2026-12-01T12:30:00-08:00"),
        ("2026-07-01T12:30:00.5", "2026-07-01T12:30:00.5-07:00"),
    ] {
        ok(BOOK, start(given), zone(LOS_ANGELES), start(expected));
        refused(BOOK, start(given), LocalZone::Unasked, "asks");
        refused(
            BOOK,
            start(given),
            unknown(),
            "startTime depends on the location's time zone, which is not known (the reason); give an offset, such as",
        );
    }
    ok(
        BOOK,
        start("2026-12-01T12:30:00"),
        zone("Europe/London"),
        start("2026-12-01T12:30:00Z"),
    );
    ok(
        BOOK,
        start("2026-12-01T12:30:00"),
        LocalZone::Utc,
        start("2026-12-01T12:30:00Z"),
    );
}

#[test]
fn a_day_is_that_day_in_the_locations_zone() {
    let due = |day: &str| json!({"dueDate": day, "title": "Call", "completed": false});
    ok(
        TASK,
        due("2026-12-01"),
        zone(LOS_ANGELES),
        json!({"dueDate": "2026-12-01T00:00:00-08:00"}),
    );
    ok(
        TASK,
        due("12-01-2026"),
        zone(LOS_ANGELES),
        json!({"dueDate": "2026-12-01T00:00:00-08:00"}),
    );
    ok(
        TASK,
        due("2026-12-01[Asia/Tokyo]"),
        LocalZone::Unasked,
        json!({"dueDate": "2026-12-01T00:00:00+09:00"}),
    );
    // Clocks go from 00:00 to 01:00 there that day.
    ok(
        TASK,
        due("2026-09-06"),
        zone("America/Santiago"),
        json!({"dueDate": "2026-09-06T01:00:00-03:00"}),
    );
    refused(TASK, due("2026-12-01"), unknown(), "give an offset");
}

#[test]
fn conflicts_and_garbage_are_refused_in_words() {
    for (given, part) in [
        (
            json!("2026-12-01T12:30:00-05:00[America/Los_Angeles]"),
            "startTime says -05:00 and names a time zone that is at -08:00 then",
        ),
        (
            json!("2026-12-01T12:30:00[Mars/Base]"),
            "names the time zone \"Mars/Base\"",
        ),
        (
            json!("12/02/2026 14:00"),
            "startTime must be a date such as 2026-01-31T09:00:00, which is in the location's time zone, or 2026-01-31T09:00:00-08:00 with its offset, not \"12/02/2026 14:00\".",
        ),
        (json!("2026-13-01T00:00:00Z"), "startTime must be a date"),
        (json!("5"), "startTime must be a date"),
        (json!("20261201"), "startTime must be a date"),
        (json!("0"), "startTime is 1970"),
        // Clocks go back that night, and forward.
        (
            json!("2026-11-01T01:30:00[America/Los_Angeles]"),
            "comes twice that night, as clocks go back; give it the offset -07:00 or -08:00",
        ),
        (
            json!("2026-03-08T02:30:00[America/Los_Angeles]"),
            "does not exist that night, as clocks go from -08:00 to -07:00",
        ),
    ] {
        refused(BOOK, json!({"startTime": given}), zone(LOS_ANGELES), part);
    }
    // A read takes the usual one.
    let night = json!({"startTime": "2026-11-01T01:30:00", "endTime": "2026-11-02T00:00:00"});
    ok(
        EVENTS,
        night,
        zone(LOS_ANGELES),
        json!({"startTime": "1793521800000"}),
    );
}

#[test]
fn a_refusal_teaches_the_form_of_the_field_and_nothing_else() {
    let slots = |zone: &str, start: &str| json!({"calendarId": "c", "timezone": zone, "startDate": start, "endDate": "2026-12-02"});
    for (name, given, zone, whole) in [
        (
            SLOTS,
            slots("America/New_York", "tomorrow"),
            zone(LOS_ANGELES),
            "Nothing was sent: startDate must be a date such as 2026-01-31T09:00:00, which is in the zone of timezone, or \
             2026-01-31T09:00:00-08:00 with its offset, not \"tomorrow\".",
        ),
        (
            TASK,
            json!({"title": "Call", "completed": false, "dueDate": "tomorrow"}),
            unknown(),
            "Nothing was sent: dueDate must be a date such as 2026-01-31T09:00:00-08:00 with its offset, not \"tomorrow\".",
        ),
        (
            TASK,
            json!({"title": "Call", "completed": false, "dueDate": 5}),
            zone("Europe/Berlin"),
            "Nothing was sent: dueDate must be a date such as 2026-01-31T09:00:00, which is in the location's time zone, or \
             2026-01-31T09:00:00+01:00 with its offset, not \"5\".",
        ),
        (
            SLOTS,
            json!({"calendarId": "c", "startDate": 5, "endDate": "2026-12-02"}),
            zone(LOS_ANGELES),
            "Nothing was sent: startDate must be a date such as 2026-01-31T09:00:00, which is in the location's time zone, or \
             2026-01-31T09:00:00-08:00 with its offset, or seconds or milliseconds since 1970, not 5.",
        ),
        (
            "contacts_update-contact",
            json!({"dateOfBirth": "02/29/1990"}),
            zone(LOS_ANGELES),
            "Nothing was sent: dateOfBirth must be a date such as 2026-01-31, not \"02/29/1990\".",
        ),
    ] {
        let refusal = sent(tool(name), &given, &zone).expect_err("no date");
        assert_eq!(refusal, whole, "{name}");
    }
    let refusal = sent(
        tool(SLOTS),
        &slots("New York", "2026-12-01"),
        &zone(LOS_ANGELES),
    );
    let refusal = refusal.expect_err("no zone");
    let (known, wrong) = (
        "\"New York\" is not a known time zone",
        "must be an integer",
    );
    assert!(
        refusal.contains(known) && !refusal.contains(wrong),
        "{refusal}"
    );
}

#[test]
fn a_birthday_is_a_day() {
    let born = |day: Value| json!({"dateOfBirth": day});
    for given in [
        json!("1990-02-28"),
        json!("02-28-1990"),
        json!("1990-02-28T23:30:00-08:00"),
        json!("1990-02-28T00:00:00.000Z"),
        json!(636_192_000),
    ] {
        for tool in [
            "contacts_create-contact",
            "contacts_update-contact",
            "contacts_upsert-contact",
        ] {
            ok(
                tool,
                born(given.clone()),
                zone(LOS_ANGELES),
                born(json!("1990-02-28")),
            );
        }
    }
    for given in ["yesterday", "02/29/1990", "1990-02-29"] {
        let part = "dateOfBirth must be a date such as 2026-01-31";
        refused(
            "contacts_create-contact",
            born(json!(given)),
            zone(LOS_ANGELES),
            part,
        );
    }
}
