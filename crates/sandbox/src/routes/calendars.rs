//! Events, appointments with their notes, and the times that are still free.

use serde_json::{Map, Value, json};

use super::records::{make, of_location};
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// The year 5138: later times are no dates of anybody's.
const LATEST: i64 = 100_000_000_000_000;
/// Hours in which the sandbox's calendars are open, in UTC; not at weekends.
const OPEN: std::ops::Range<i64> = 9..17;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "DELETE /calendars/events/{eventId}" => delete(state, call),
        "PUT /calendars/groups/{groupId}/status" => set_group_status(state, call),
        "GET /calendars/events" => events(state, call, "event"),
        "GET /calendars/blocked-slots" => events(state, call, "block"),
        "GET /calendars/{calendarId}/free-slots" => free_slots(state, call),
        "POST /calendars/events/appointments" => book(state, call),
        "PUT /calendars/events/appointments/{eventId}" => edit(state, call),
        "GET /calendars/events/appointments/{eventId}" => {
            let event = call.record(state, "event", call.path("eventId"));
            event.map(|event| json!({"event": event}))
        }
        "GET /calendars/appointments/{appointmentId}/notes" => notes(state, call),
        _ => return None,
    })
}

/// [E] a window in epoch milliseconds and one of user, calendar, group; [I] the message.
fn events(state: &Records, call: &SandboxCall, kind: &'static str) -> Result<Value, Refusal> {
    let owners = [
        ("userId", "assignedUserId"),
        ("calendarId", "calendarId"),
        ("groupId", "groupId"),
    ];
    let mut wanted = owners
        .iter()
        .filter_map(|(name, member)| Some((call.query(name)?, *member)));
    let Some((id, member)) = wanted.next() else {
        let message = "Either of userId, calendarId or groupId is required";
        return Err(Refusal::new(422, json!([message])));
    };
    let bound = |name: &str| {
        let text = call.query(name).unwrap_or_default();
        text.parse::<i64>().map_err(|_| {
            // [I] the message: an ISO date here is known to find nothing.
            Refusal::invalid(vec![format!("{name} must be a number string")])
        })
    };
    let (start, end) = (bound("startTime")?, bound("endTime")?);
    let found = of_location(state, kind, call.location()).filter(|event| {
        let at = milliseconds(&event["startTime"]);
        event[member] == id && at >= start && at <= end
    });
    Ok(json!({"events": found.collect::<Vec<_>>()}))
}

/// By day, as text with an offset [E]; taken times are left out.
fn free_slots(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("calendarId");
    let calendar = call.record(state, "calendar", id)?;
    let length = slot_length(calendar);
    let bound = |name: &str| -> i64 {
        let text = call.query(name).unwrap_or_default();
        let at: i64 = text.parse().unwrap_or_default();
        at.clamp(0, LATEST)
    };
    let (start, end) = (bound("startDate"), bound("endDate"));
    if end - start > 31 * DAY {
        // [E] the range may not exceed 31 days.
        return Err(Refusal::new(
            400,
            "The date range cannot be more than 31 days",
        ));
    }
    let taken: Vec<(i64, i64)> = busy(state)
        .filter(|event| event["calendarId"] == id)
        .map(|event| {
            (
                milliseconds(&event["startTime"]),
                milliseconds(&event["endTime"]),
            )
        })
        .collect();
    let mut days = Map::new();
    let mut day = start - start.rem_euclid(DAY);
    while day <= end {
        // 1970-01-01 was a Thursday.
        let weekday = (day / DAY + 3).rem_euclid(7);
        let mut slots = Vec::new();
        let mut at = day + OPEN.start * 60 * MINUTE;
        while weekday < 5 && at + length <= day + OPEN.end * 60 * MINUTE {
            let free = taken
                .iter()
                .all(|(from, to)| at + length <= *from || at >= *to);
            if free && at >= start.max(call.now) && at <= end {
                let text = crate::call::date(at);
                slots.push(json!(text.replace(".000Z", "+00:00")));
            }
            at += length;
        }
        if !slots.is_empty() {
            let name: String = crate::call::date(day).chars().take(10).collect();
            days.insert(name, json!({"slots": slots}));
        }
        day += DAY;
    }
    Ok(Value::Object(days))
}

/// What takes a time: appointments and blocked slots.
fn busy(state: &Records) -> impl Iterator<Item = &Value> {
    let events = state.all("event").chain(state.all("block"));
    events.filter(|event| event["appointmentStatus"] != "cancelled")
}

/// An appointment or a blocked slot.
fn delete(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("eventId");
    let kind = if state.get("block", id).is_some() {
        "block"
    } else {
        "event"
    };
    call.record(state, kind, id)?;
    state.remove(kind, id);
    Ok(json!({"succeeded": true}))
}

fn set_group_status(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("groupId");
    call.record(state, "group", id)?;
    state.change("group", id, call.members());
    Ok(json!({"success": true}))
}

/// Milliseconds; a calendar may be given any number, and what is absurd is cut to a day.
fn slot_length(calendar: &Value) -> i64 {
    let unit = if calendar["slotDurationUnit"] == "hours" {
        60
    } else {
        1
    };
    let length = calendar["slotDuration"].as_i64().unwrap_or(30);
    length.saturating_mul(unit).clamp(1, 24 * 60) * MINUTE
}

/// [I] a taken time is a 400; a free one is not demanded where the caller says so.
fn check_free(state: &Records, event: &Value) -> Result<(), Refusal> {
    if event["ignoreFreeSlotValidation"] == true {
        return Ok(());
    }
    let (start, end) = (
        milliseconds(&event["startTime"]),
        milliseconds(&event["endTime"]),
    );
    let taken = busy(state).any(|other| {
        other["calendarId"] == event["calendarId"]
            && other["id"] != event["id"]
            && milliseconds(&other["startTime"]) < end
            && milliseconds(&other["endTime"]) > start
    });
    if taken {
        Err(Refusal::new(
            400,
            "The slot you have selected is no longer available.",
        ))
    } else {
        Ok(())
    }
}

fn book(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let contact = call.text("contactId").unwrap_or_default();
    let contact = call.record(state, "contact", contact)?.clone();
    let calendar = call.text("calendarId").unwrap_or_default();
    let calendar = call.record(state, "calendar", calendar)?.clone();
    let mut members = call.members();
    let start = milliseconds(&call.body["startTime"]);
    if start == 0 {
        return Err(Refusal::invalid(vec![
            "startTime must be a valid ISO 8601 date string".to_owned(),
        ]));
    }
    let length = slot_length(&calendar);
    let user = calendar["teamMembers"][0]["userId"].clone();
    for (name, usual) in [
        ("endTime", json!(crate::call::date(start + length))),
        ("title", contact["contactName"].clone()),
        ("appointmentStatus", json!("confirmed")),
        ("assignedUserId", user.clone()),
        ("users", json!([user])),
        ("groupId", calendar["groupId"].clone()),
        ("isRecurring", json!(false)),
    ] {
        members.entry(name).or_insert(usual);
    }
    let event = Value::Object(members);
    check_free(state, &event)?;
    Ok(make(state, call, "event", event))
}

fn edit(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("eventId");
    let mut event = call.record(state, "event", id)?.clone();
    let changes = call.members();
    for (name, value) in &changes {
        event[name] = value.clone();
    }
    if changes.contains_key("startTime") {
        check_free(state, &event)?;
    }
    Ok(state.change("event", id, changes).unwrap_or_default())
}

/// [E] limit and offset are both required.
fn notes(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("appointmentId");
    call.record(state, "event", id)?;
    let notes = state
        .all("appointmentNote")
        .filter(|note| note["appointmentId"] == id);
    let notes: Vec<&Value> = notes.collect();
    let (limit, offset) = (
        call.number("limit").unwrap_or(20),
        call.number("offset").unwrap_or(0),
    );
    let total = notes.len();
    let page: Vec<&Value> = notes.into_iter().skip(offset).take(limit).collect();
    Ok(json!({"hasMore": offset.saturating_add(page.len()) < total, "notes": page}))
}
