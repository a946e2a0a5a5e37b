//! Messages: a sent one appears in its conversation, and some contacts reply.

use serde_json::{Map, Value, json};

use super::conversations::conversation_of;
use crate::call::{SandboxCall, date, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [I] the only conversation provider.
const PROVIDER: &str = "sandboxProvider00001";

/// [E] rows if the caller gives no number; [I] the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;
/// The delay of a contact's reply, in milliseconds.
const REPLY_AFTER: i64 = 2_000;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /conversations/{conversationId}/messages" => messages(state, call),
        "GET /conversations/messages/email/{id}" => email(state, call),
        "POST /conversations/messages" => send(state, call),
        "POST /conversations/messages/inbound" => inbound(state, call),
        "PUT /conversations/messages/{messageId}/status" => set_status(state, call),
        "DELETE /conversations/messages/{messageId}/schedule" => cancel(state, call),
        _ => return None,
    })
}

/// Newest first; nested one level deeper than documented [M: docs#54]; email bodies are left out [M: docs#40].
fn messages(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("conversationId");
    call.record(state, "conversation", id)?;
    let types: Vec<&str> = call
        .query("type")
        .map_or(Vec::new(), |one| one.split(',').collect());
    let mut found: Vec<&Value> = state
        .all("message")
        .filter(|message| message["conversationId"] == id)
        .filter(|message| {
            let own = message["messageType"].as_str().unwrap_or_default();
            types.is_empty() || types.contains(&own)
        })
        .collect();
    found.reverse();
    found.sort_by_cached_key(|message| std::cmp::Reverse(milliseconds(&message["dateAdded"])));
    let start = call.query("lastMessageId").and_then(|last| {
        let place = found.iter().position(|message| message["id"] == last);
        place.map(|place| place + 1)
    });
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let total = found.len();
    let start = start.unwrap_or_default();
    let page = found.into_iter().skip(start).take(limit).map(|message| {
        let mut message = message.clone();
        if message["messageType"] == "TYPE_EMAIL"
            && let Value::Object(members) = &mut message
        {
            members.shift_remove("body");
        }
        message
    });
    let page: Vec<Value> = page.collect();
    let last = page
        .last()
        .map_or("", |message| message["id"].as_str().unwrap_or_default());
    Ok(json!({"messages": {
        "lastMessageId": last,
        "nextPage": start + page.len() < total,
        "messages": page,
    }}))
}

/// `messageType` and number [E] for a sent `type`.
fn kind_of(channel: &str) -> (&'static str, u8) {
    match channel {
        "Email" => ("TYPE_EMAIL", 3),
        "WhatsApp" => ("TYPE_WHATSAPP", 19),
        "FB" => ("TYPE_FACEBOOK", 11),
        "IG" => ("TYPE_INSTAGRAM", 18),
        "Live_Chat" => ("TYPE_LIVE_CHAT", 29),
        "Call" => ("TYPE_CALL", 1),
        _ => ("TYPE_SMS", 2),
    }
}

/// Name of a channel in `dndSettings`.
fn dnd_name(channel: &str) -> &str {
    match channel {
        "Custom" | "RCS" => "SMS",
        other => other,
    }
}

fn send(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let contact_id = call.text("contactId").unwrap_or_default();
    let channel = call.text("type").unwrap_or_default();
    let contact = call.record(state, "contact", contact_id)?.clone();
    let setting = &contact["dndSettings"][dnd_name(channel)]["status"];
    if contact["dnd"] == true || setting == "active" || setting == "permanent" {
        return Err(Refusal::dnd(contact_id));
    }
    let (body, address, missing) = match channel {
        "Email" => (
            call.text("html").or(call.text("message")),
            call.text("emailTo").or(contact["email"].as_str()),
            "email",
        ),
        _ => (call.text("message"), contact["phone"].as_str(), "phone"),
    };
    // [I] both messages.
    if address.is_none_or(str::is_empty) && matches!(channel, "Email" | "SMS") {
        return Err(Refusal::new(400, format!("Contact has no {missing}")));
    }
    let attachments = call.texts("attachments");
    if body.is_none_or(str::is_empty) && attachments.is_empty() {
        return Err(Refusal::new(
            422,
            json!(["There is no message or attachments for this message. Skip sending."]),
        ));
    }
    let conversation = conversation_of(state, call, contact_id)?;
    let body = body.unwrap_or_default().to_owned();
    let scheduled = call.body.get("scheduledTimestamp").is_some();
    let mut details = Map::new();
    details.insert("attachments".to_owned(), json!(attachments));
    let status = if scheduled { "scheduled" } else { "delivered" };
    details.insert("status".to_owned(), json!(status));
    if let Some(subject) = call.text("subject") {
        details.insert("meta".to_owned(), json!({"email": {"subject": subject}}));
    }
    let message = add(
        state,
        call,
        &conversation,
        channel,
        "outbound",
        &body,
        details,
    );
    if let Some(reply) = contact["~replies"].as_str() {
        let pending = json!({
            "conversationId": conversation["id"], "~location": conversation["~location"],
            "contactId": contact_id, "channel": channel, "body": reply, "at": call.now + REPLY_AFTER,
        });
        let id = state.new_id();
        state.put("~reply", &id, pending);
    }
    let id = &message["id"];
    let mut sent = json!({
        "conversationId": conversation["id"], "messageId": id, "status": "pending",
        "msg": "Message queued successfully.",
    });
    if channel == "Email" {
        sent["emailMessageId"] = id.clone();
    }
    Ok(sent)
}

/// One email with its body, which the list of messages leaves out [M: docs#40].
fn email(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    let message = call.record(state, "message", id)?;
    if message["messageType"] != "TYPE_EMAIL" {
        return Err(Refusal::not_found("Email", id));
    }
    let text = |kind, id: &Value, member: &str| {
        let record = state.get(kind, id.as_str().unwrap_or_default());
        record
            .and_then(|record| record[member].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let person = text("contact", &message["contactId"], "email");
    let own = text("location", &message["~location"], "email");
    let (from, to) = if message["direction"] == "inbound" {
        (person, own)
    } else {
        (own, person)
    };
    let mut email = message.clone();
    email["threadId"] = message["conversationId"].clone();
    email["altId"] = message["id"].clone();
    email["subject"] = message["meta"]["email"]["subject"].clone();
    email["from"] = json!(from);
    email["to"] = json!([to]);
    if let Value::Object(members) = &mut email {
        members.retain(|name, value| name != "meta" && !value.is_null());
    }
    Ok(email)
}

/// [M: docs#6] an invalid provider is a 500; the sandbox has only one. [M: docs#70] without one the answer is an empty
/// 201; here the document requires it first.
fn inbound(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    if call
        .text("conversationProviderId")
        .is_some_and(|id| id != PROVIDER)
    {
        return Err(Refusal::new(500, "Internal server error"));
    }
    let id = call.text("conversationId").unwrap_or_default();
    let conversation = call.record(state, "conversation", id)?.clone();
    let channel = call.text("type").unwrap_or_default();
    let body = call.text("message").unwrap_or_default();
    let message = add(
        state,
        call,
        &conversation,
        channel,
        "inbound",
        body,
        Map::new(),
    );
    Ok(json!({
        "success": true, "conversationId": id, "messageId": message["id"],
        "message": "Message added", "contactId": conversation["contactId"],
    }))
}

fn set_status(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("messageId");
    let message = call.record(state, "message", id)?;
    let conversation = message["conversationId"].clone();
    let mut changes = Map::new();
    changes.insert("status".to_owned(), call.body["status"].clone());
    state.change("message", id, changes);
    Ok(json!({"conversationId": conversation, "messageId": id, "status": call.body["status"]}))
}

fn cancel(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("messageId");
    if call.record(state, "message", id)?["status"] != "scheduled" {
        // [I] the message.
        return Err(Refusal::new(400, "Message is not scheduled"));
    }
    state.remove("message", id);
    Ok(json!({"status": 200, "message": "Message schedule cancelled"}))
}

fn add(
    state: &mut Records,
    call: &SandboxCall,
    conversation: &Value,
    channel: &str,
    direction: &str,
    body: &str,
    details: Map<String, Value>,
) -> Value {
    let mut message = message(conversation, channel, direction, body, call.now);
    if let Value::Object(members) = &mut message {
        members.extend(details);
    }
    keep(state, conversation, message, call.now)
}

/// A message of `conversation`, without an id.
pub(crate) fn message(
    conversation: &Value,
    channel: &str,
    direction: &str,
    body: &str,
    at: i64,
) -> Value {
    let (name, number) = kind_of(channel);
    let content = if channel == "Email" {
        "text/html"
    } else {
        "text/plain"
    };
    json!({
        "type": number, "messageType": name, "locationId": conversation["~location"],
        "~location": conversation["~location"], "contactId": conversation["contactId"],
        "conversationId": conversation["id"], "dateAdded": date(at), "body": body,
        "direction": direction, "status": "delivered", "contentType": content, "attachments": [],
        "source": "api",
    })
}

/// Stores a message and updates its conversation.
pub(crate) fn keep(
    state: &mut Records,
    conversation: &Value,
    mut message: Value,
    at: i64,
) -> Value {
    let id = state.new_id();
    message["id"] = json!(id);
    state.put("message", &id, message.clone());
    let conversation_id = conversation["id"].as_str().unwrap_or_default();
    let present = state.get("conversation", conversation_id);
    let unread = present
        .and_then(|one| one["unreadCount"].as_u64())
        .unwrap_or(0);
    let unread = if message["direction"] == "inbound" {
        unread + 1
    } else {
        unread
    };
    let changes = json!({
        "lastMessageBody": message["body"], "lastMessageType": message["messageType"],
        "lastMessageDirection": message["direction"], "lastMessageDate": at,
        "unreadCount": unread, "dateUpdated": date(at),
    });
    let changes = changes.as_object().cloned().unwrap_or_default();
    state.change("conversation", conversation_id, changes);
    message
}

/// Turns due replies into messages.
pub(crate) fn deliver_replies(state: &mut Records, now: i64) {
    let due = state
        .all("~reply")
        .filter(|reply| reply["at"].as_i64() <= Some(now));
    let due: Vec<Value> = due.cloned().collect();
    if due.is_empty() {
        return;
    }
    for reply in due {
        let id = reply["conversationId"].as_str().unwrap_or_default();
        let at = reply["at"].as_i64().unwrap_or(now);
        if let Some(conversation) = state.get("conversation", id).cloned() {
            let channel = reply["channel"].as_str().unwrap_or_default();
            let body = reply["body"].as_str().unwrap_or_default();
            let message = message(&conversation, channel, "inbound", body, at);
            keep(state, &conversation, message, at);
        }
    }
    state.remove_where("~reply", |reply| reply["at"].as_i64() <= Some(now));
}
