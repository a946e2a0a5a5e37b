//! Events, blocked times, and appointments with their notes.

use serde_json::{Value, json};

use super::free_slots::{check_free, free_slots, slot_length};
use super::records::{make, of_location};
use crate::call::{SandboxCall, date, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

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

/// [E] requires a window in epoch milliseconds and one of user, calendar, group; [I] the message.
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
        ("endTime", json!(date(start + length))),
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
    check_free(state, call, &event)?;
    Ok(undated(make(state, call, "event", event)))
}

/// [M: docs#246] the answer to a change does not have its time.
fn undated(mut event: Value) -> Value {
    if let Value::Object(members) = &mut event {
        for name in ["dateAdded", "dateUpdated", "createdAt", "updatedAt"] {
            members.shift_remove(name);
        }
    }
    event
}

/// [I] changing only the start moves the end with it.
fn edit(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("eventId");
    let mut event = call.record(state, "event", id)?.clone();
    let mut changes = call.members();
    let (start, end) = (
        milliseconds(&event["startTime"]),
        milliseconds(&event["endTime"]),
    );
    let moves = changes.contains_key("startTime");
    if moves && !changes.contains_key("endTime") {
        let moved = milliseconds(&call.body["startTime"]) + (end - start);
        changes.insert("endTime".to_owned(), json!(date(moved)));
    }
    for (name, value) in &changes {
        event[name] = value.clone();
    }
    // [I] an appointment that is only cancelled, or marked as held, may keep its time.
    if moves || changes.contains_key("endTime") || changes.contains_key("calendarId") {
        check_free(state, call, &event)?;
    }
    changes.insert("dateUpdated".to_owned(), json!(call.date()));
    Ok(undated(
        state.change("event", id, changes).unwrap_or_default(),
    ))
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
