//! Conversations: search, create, change.

use serde_json::{Value, json};

use super::contact_search::mentions;
use super::found_records::{FoundRecords, filters_nothing, newest_first};
use super::records::make;
use crate::call::{SandboxCall, date};
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] rows if the caller gives no number; [I] the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;
/// What a search is narrowed by.
const FILTERS: [&str; 9] = [
    "status",
    "contactId",
    "assignedTo",
    "id",
    "lastMessageType",
    "lastMessageDirection",
    "query",
    "startDate",
    "endDate",
];

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /conversations/search" => search(state, call),
        "GET /conversations/{conversationId}" => {
            let found = call.record(state, "conversation", call.path("conversationId"));
            found.map(|one| alone(one.clone()))
        }
        "POST /conversations/" => create(state, call),
        "PUT /conversations/{conversationId}" => update(state, call),
        _ => return None,
    })
}

fn search(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let is = |conversation: &Value, name: &str, member: &str| {
        call.query(name).is_none_or(|wanted| {
            let own = conversation[member].as_str().unwrap_or_default();
            wanted.split(',').any(|one| one == own)
        })
    };
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let number = |name: &str| call.query(name).and_then(|text| text.parse::<i64>().ok());
    let chosen = || {
        let all = newest_first(state, "conversation", call.location(), "lastMessageDate");
        let found = all.filter(|one| {
            let at = one["lastMessageDate"].as_i64().unwrap_or_default();
            let status = match call.query("status") {
                Some("unread") => one["unreadCount"].as_u64() > Some(0),
                Some("read") => one["unreadCount"] == 0,
                Some("starred") => one["starred"] == true,
                _ => true,
            };
            status
                && is(one, "contactId", "contactId")
                && is(one, "assignedTo", "assignedTo")
                && is(one, "id", "id")
                && is(one, "lastMessageType", "lastMessageType")
                && is(one, "lastMessageDirection", "lastMessageDirection")
                && mentions(one, &needle)
                && number("startDate").is_none_or(|start| at >= start)
                && number("endDate").is_none_or(|end| at <= end)
        });
        found.collect::<Vec<&Value>>()
    };
    let at = |one: &&Value| one["lastMessageDate"].as_i64().unwrap_or_default();
    let rising = call.query("sort") == Some("asc");
    let found = if !rising && filters_nothing(call, &FILTERS) {
        FoundRecords::All(state.newest_first("conversation", call.location(), "lastMessageDate"))
    } else {
        let mut found = chosen();
        if rising {
            found.sort_by_cached_key(at);
        }
        FoundRecords::List(found)
    };
    let total = found.len();
    let after = number("startAfterDate");
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let page = found.iter().filter(|one| {
        after.is_none_or(|after| {
            if rising {
                at(one) > after
            } else {
                at(one) < after
            }
        })
    });
    let page = page.take(limit).map(|one| {
        let mut row = one.clone();
        row["sort"] = json!([one["lastMessageDate"]]);
        row
    });
    Ok(json!({"conversations": page.collect::<Vec<_>>(), "total": total}))
}

fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let contact = call.text("contactId").unwrap_or_default();
    call.record(state, "contact", contact)?;
    if state
        .all("conversation")
        .any(|one| one["contactId"] == contact)
    {
        // [I] one conversation per contact.
        return Err(Refusal::new(400, "Conversation already exists"));
    }
    let conversation = conversation_of(state, call, contact)?;
    Ok(json!({"success": true, "conversation": alone(conversation)}))
}

/// [E] a single conversation has a number for its type and text for its last date; in a search it is the reverse.
fn alone(mut conversation: Value) -> Value {
    conversation["type"] = json!(1);
    let at = conversation["lastMessageDate"].as_i64();
    conversation["lastMessageDate"] = json!(date(at.unwrap_or_default()));
    conversation
}

fn update(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("conversationId");
    call.record(state, "conversation", id)?;
    let changed = state.change("conversation", id, call.members());
    Ok(json!({"success": true, "conversation": changed.map(alone)}))
}

/// The contact's conversation, created if there is none.
pub(super) fn conversation_of(
    state: &mut Records,
    call: &SandboxCall,
    contact: &str,
) -> Result<Value, Refusal> {
    let present = state
        .all("conversation")
        .find(|one| one["contactId"] == contact);
    if let Some(present) = present {
        return Ok(present.clone());
    }
    let contact = call.record(state, "contact", contact)?.clone();
    Ok(make(state, call, "conversation", fresh(&contact, call.now)))
}

/// An empty conversation with `contact`.
pub(crate) fn fresh(contact: &Value, now: i64) -> Value {
    json!({
        "contactId": contact["id"], "fullName": contact["contactName"], "contactName": contact["contactName"],
        "email": contact["email"], "phone": contact["phone"], "assignedTo": contact["assignedTo"],
        "type": "TYPE_PHONE", "unreadCount": 0, "lastMessageBody": "", "lastMessageType": "TYPE_SMS",
        "lastMessageDirection": "outbound", "lastMessageDate": now, "deleted": false, "inbox": true,
        "starred": false,
    })
}
