//! Free slots of calendars: in the requested time zone, inside the opening hours, without booked times.

use std::collections::BTreeMap;

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, ok, refused, text};

/// 5 May 2031, a Monday, 0:00 in Portland.
const MONDAY: i64 = 1_935_730_800_000;
const HOUR: i64 = 3_600_000;
const WEEK: i64 = 7 * 24 * HOUR - 1;

/// A sandbox, and one of its calendars.
async fn start() -> (Sandbox, String) {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let calendars = ok(
        &sandbox,
        &format!("GET /calendars/?locationId={LOCATION}"),
        None,
    )
    .await;
    let calendar = text(&calendars, "/calendars/0/id").to_owned();
    (sandbox, calendar)
}

/// The free slots by day, for `length` milliseconds from that Monday on.
async fn slots(
    sandbox: &Sandbox,
    calendar: &str,
    length: i64,
    more: &str,
) -> BTreeMap<String, Vec<String>> {
    let window = format!("startDate={MONDAY}&endDate={}{more}", MONDAY + length);
    let request = format!("GET /calendars/{calendar}/free-slots?{window}");
    let days = ok(sandbox, &request, None).await;
    let days = days.as_object().expect("days").iter();
    days.map(|(day, slots)| {
        let slots = slots["slots"].as_array().expect("slots").iter();
        let slots = slots.map(|slot| slot.as_str().expect("a time").to_owned());
        (day.clone(), slots.collect())
    })
    .collect()
}

async fn change(sandbox: &Sandbox, calendar: &str, changes: Value) {
    ok(
        sandbox,
        &format!("PUT /calendars/{calendar}"),
        Some(changes),
    )
    .await;
}

fn hours(days: &[u8], open: u8, close: u8) -> Value {
    let hours = json!([{"openHour": open, "openMinute": 30, "closeHour": close, "closeMinute": 0}]);
    json!([{"daysOfTheWeek": days, "hours": hours}])
}

#[tokio::test]
async fn times_are_in_the_requested_zone() {
    let (sandbox, calendar) = start().await;
    let own = slots(&sandbox, &calendar, WEEK, "").await;
    assert_eq!(own.len(), 5);
    let monday = &own["2031-05-05"];
    assert_eq!(
        (monday.len(), monday[0].as_str()),
        (16, "2031-05-05T09:00:00-07:00")
    );
    let tokyo = slots(&sandbox, &calendar, WEEK, "&timezone=Asia/Tokyo").await;
    assert_eq!(tokyo["2031-05-06"][0], "2031-05-06T01:00:00+09:00");
    let instants = |days: &BTreeMap<String, Vec<String>>| -> Vec<jiff::Timestamp> {
        days.values()
            .flatten()
            .map(|slot| slot.parse().expect("a time"))
            .collect()
    };
    assert_eq!(instants(&own), instants(&tokyo));
    let request =
        format!("GET /calendars/{calendar}/free-slots?startDate=1&endDate=2&timezone=Mars");
    assert_eq!(sandbox.send(&request, TOKEN, None).await.0, 422);
    let long = format!(
        "GET /calendars/{calendar}/free-slots?startDate={MONDAY}&endDate={}",
        MONDAY + 32 * 24 * HOUR
    );
    assert_eq!(sandbox.send(&long, TOKEN, None).await.0, 400);
}

#[tokio::test]
async fn times_follow_the_hours_of_the_calendar() {
    let (sandbox, calendar) = start().await;
    // Sunday is 0.
    let weekly = hours(&[0, 1], 10, 12);
    change(
        &sandbox,
        &calendar,
        json!({"openHours": weekly, "slotDuration": 30, "slotInterval": 60}),
    )
    .await;
    let found = slots(&sandbox, &calendar, WEEK, "").await;
    let days: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(days, ["2031-05-05", "2031-05-11"]);
    assert_eq!(
        found["2031-05-05"],
        ["2031-05-05T10:30:00-07:00", "2031-05-05T11:30:00-07:00"]
    );

    let on = |date: &str| json!({"date": date, "hours": [{"openHour": 20, "openMinute": 0, "closeHour": 21, "closeMinute": 0}]});
    let dates = json!([
        on("2031-05-05T00:00:00.000Z"),
        on("2031-05-07T00:00:00.000Z")
    ]);
    change(&sandbox, &calendar, json!({"availabilities": dates})).await;
    let both = slots(&sandbox, &calendar, WEEK, "").await;
    assert_eq!(both["2031-05-05"], ["2031-05-05T20:00:00-07:00"]);
    assert_eq!(both.len(), 3);
    for (kind, days) in [(0, 2), (1, 2)] {
        change(&sandbox, &calendar, json!({"availabilityType": kind})).await;
        let found = slots(&sandbox, &calendar, WEEK, "").await;
        assert_eq!(found.len(), days, "{found:?}");
        assert_eq!(found.contains_key("2031-05-07"), kind == 1);
    }
    // Nobody may book a year ahead.
    change(
        &sandbox,
        &calendar,
        json!({"allowBookingFor": 2, "allowBookingForUnit": "weeks"}),
    )
    .await;
    assert!(slots(&sandbox, &calendar, WEEK, "").await.is_empty());
}

#[tokio::test]
async fn booked_slots_are_not_free() {
    let (sandbox, calendar) = start().await;
    let contacts = ok(
        &sandbox,
        &format!("GET /contacts/?locationId={LOCATION}&limit=1"),
        None,
    )
    .await;
    let book = |start: &str, more: Value| {
        let mut body = json!({
            "calendarId": calendar, "locationId": LOCATION, "contactId": contacts["contacts"][0]["id"],
            "startTime": start,
        });
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        body
    };
    let appointments = "POST /calendars/events/appointments";
    let monday = async || {
        let mut days = slots(&sandbox, &calendar, 24 * HOUR, "").await;
        days.remove("2031-05-05").unwrap_or_default()
    };
    let long = json!({"endTime": "2031-05-05T12:00:00-07:00"});
    let event = ok(
        &sandbox,
        appointments,
        Some(book("2031-05-05T10:00:00-07:00", long)),
    )
    .await;
    assert!(event.get("dateAdded").is_none(), "docs#246: {event}");
    assert_eq!(monday().await.len(), 12);
    // Taken, closed, and nine in the morning without a time zone.
    for start in [
        "2031-05-05T11:30:00-07:00",
        "2031-05-05T20:00:00-07:00",
        "2031-05-05T09:00:00",
    ] {
        refused(&sandbox, appointments, book(start, json!({}))).await;
    }
    let anyway = json!({"ignoreFreeSlotValidation": true});
    ok(
        &sandbox,
        appointments,
        Some(book("2031-05-05T20:00:00-07:00", anyway)),
    )
    .await;

    // A start alone moves the end too.
    let id = text(&event, "/id");
    let moved = json!({"startTime": "2031-05-05T13:00:00-07:00"});
    let moved = ok(
        &sandbox,
        &format!("PUT /calendars/events/appointments/{id}"),
        Some(moved),
    )
    .await;
    let end: jiff::Timestamp = text(&moved, "/endTime").parse().expect("a time");
    assert_eq!(end.as_millisecond(), MONDAY + 15 * HOUR);
    let free = monday().await;
    assert!(
        free.iter().any(|slot| slot.contains("T10:00"))
            && !free.iter().any(|slot| slot.contains("T14:30"))
    );

    let padded = json!({"preBuffer": 30, "preBufferUnit": "mins", "slotBuffer": 60});
    change(&sandbox, &calendar, padded).await;
    assert_eq!(monday().await.len(), 12 - 3);
    change(
        &sandbox,
        &calendar,
        json!({"preBuffer": 0, "slotBuffer": 0, "appoinmentPerSlot": 2}),
    )
    .await;
    assert_eq!(monday().await.len(), 16);
    change(&sandbox, &calendar, json!({"appoinmentPerDay": 2})).await;
    assert!(monday().await.is_empty());
}
