//! Contacts: create, upsert, change, delete, duplicates; and the values that HighLevel silently drops.

use serde_json::{Map, Value, json};

use super::contact_check::{check, check_new, check_upsert, e164, home, same};
use super::contact_fields::custom_fields;
use super::contact_search::{list, search};
use super::contact_tags::{keep_tags, lower};
use super::records::make;
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /contacts/" => Ok(list(state, call)),
        "POST /contacts/search" => search(state, call),
        "GET /contacts/search/duplicate" => Ok(duplicate(state, call)),
        "POST /contacts/" => create(state, call),
        "POST /contacts/upsert" => upsert(state, call),
        "PUT /contacts/{contactId}" => update(state, call),
        "DELETE /contacts/{contactId}" => delete(state, call),
        "GET /contacts/{contactId}/appointments" => appointments(state, call),
        _ => return None,
    })
}

fn existing<'s>(
    state: &'s Records,
    call: &'s SandboxCall,
    members: &Map<String, Value>,
) -> Option<(&'static str, &'s Value)> {
    ["email", "phone"].into_iter().find_map(|name| {
        let value = members.get(name)?.as_str()?;
        Some((name, same(state, call.location(), name, value)?))
    })
}

fn duplicate(state: &Records, call: &SandboxCall) -> Value {
    let by = |name, value: &str| same(state, call.location(), name, value);
    let contact = call.query("email").and_then(|email| by("email", email));
    let contact = contact.or_else(|| {
        let number = e164(call.query("number")?, home(state, call));
        by("phone", &number)
    });
    json!({"contact": contact})
}

/// [M] a contact with that email or phone is a 400 that names it; [E] unless the location allows duplicates.
fn check_duplicate(
    state: &Records,
    call: &SandboxCall,
    members: &Map<String, Value>,
    own: &Value,
) -> Result<(), Refusal> {
    let location = state.get("location", call.location());
    if location.is_some_and(|one| one["settings"]["allowDuplicateContact"] == true) {
        return Ok(());
    }
    // The contact's own values are not a new duplicate.
    let mut members = members.clone();
    members.retain(|name, value| own[name] != *value);
    let Some((name, contact)) = existing(state, call, &members) else {
        return Ok(());
    };
    let mut refusal = Refusal::new(400, "This location does not allow duplicated contacts.");
    refusal.body["meta"] = json!({
        "contactId": contact["id"], "contactName": contact["contactName"], "matchingField": name,
    });
    Err(refusal)
}

fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let members = check(state, call)?;
    check_new(&members)?;
    check_duplicate(state, call, &members, &Value::Null)?;
    let contact = with_changes(state, call, Map::new(), members);
    Ok(json!({"contact": make(state, call, "contact", Value::Object(contact))}))
}

fn upsert(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let members = check(state, call)?;
    check_upsert(&members)?;
    let found = existing(state, call, &members).map(|(_, contact)| contact.clone());
    let Some(found) = found else {
        let contact = with_changes(state, call, Map::new(), members);
        let contact = make(state, call, "contact", Value::Object(contact));
        return Ok(json!({"new": true, "contact": contact}));
    };
    let phone = members.get("phone").and_then(Value::as_str);
    let phone = phone.unwrap_or_default().to_owned();
    let before = found.as_object().cloned().unwrap_or_default();
    let mut changes = with_changes(state, call, before, members);
    // [M] docs#313: a gender is accepted and dropped for an existing contact.
    changes.shift_remove("gender");
    // [M] docs#37: the phone of another contact is silently dropped.
    if same(state, call.location(), "phone", &phone).is_some_and(|other| other["id"] != found["id"])
    {
        changes.insert("phone".to_owned(), found["phone"].clone());
    }
    let id = found["id"].as_str().unwrap_or_default();
    Ok(json!({"new": false, "contact": state.change("contact", id, changes)}))
}

fn update(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("contactId");
    let found = call.record(state, "contact", id)?.clone();
    let members = check(state, call)?;
    // [I] a contact may not take the email or phone of another either.
    check_duplicate(state, call, &members, &found)?;
    let before = found.as_object().cloned().unwrap_or_default();
    let changes = with_changes(state, call, before, members);
    Ok(json!({"succeded": true, "contact": state.change("contact", id, changes)}))
}

fn delete(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("contactId");
    call.record(state, "contact", id)?;
    state.remove("contact", id);
    for kind in [
        "task",
        "note",
        "conversation",
        "message",
        "opportunity",
        "event",
    ] {
        state.remove_where(kind, |record| record["contactId"] == id);
    }
    Ok(json!({"succeded": true}))
}

/// `contact` with the members of the body applied.
fn with_changes(
    state: &mut Records,
    call: &SandboxCall,
    mut contact: Map<String, Value>,
    members: Map<String, Value>,
) -> Map<String, Value> {
    let location = call.location().to_owned();
    for (name, value) in members {
        match name.as_str() {
            "customFields" => {
                let before = contact.remove(&name).unwrap_or_default();
                let fields = custom_fields(state, &location, &before, &value);
                contact.insert(name, fields);
            }
            "tags" => {
                let tags = lower(&call.texts("tags"));
                keep_tags(state, call, &tags);
                contact.insert(name, json!(tags));
            }
            "dndSettings" => {
                let mut settings = contact.remove(&name).unwrap_or_else(|| json!({}));
                for (channel, setting) in value.as_object().into_iter().flatten() {
                    settings[channel] = setting.clone();
                }
                contact.insert(name, settings);
            }
            "name" => {
                let whole = value.as_str().unwrap_or_default();
                let (first, last) = whole.split_once(' ').unwrap_or((whole, ""));
                contact.insert("firstName".to_owned(), json!(first));
                contact.insert("lastName".to_owned(), json!(last));
            }
            _ => drop(contact.insert(name, value)),
        }
    }
    complete(&mut contact);
    contact.insert("dateUpdated".to_owned(), json!(call.date()));
    contact
}

/// The members that HighLevel derives.
pub(crate) fn complete(contact: &mut Map<String, Value>) {
    let text = |contact: &Map<String, Value>, name: &str| {
        let value = contact.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let (first, last) = (text(contact, "firstName"), text(contact, "lastName"));
    let name = format!("{first} {last}").trim().to_owned();
    let derived = [
        ("firstNameLowerCase", first.to_lowercase()),
        ("lastNameLowerCase", last.to_lowercase()),
        ("fullNameLowerCase", name.to_lowercase()),
        ("emailLowerCase", text(contact, "email").to_lowercase()),
        ("contactName", name.clone()),
        ("name", name),
    ];
    for (member, value) in derived {
        contact.insert(member.to_owned(), json!(value));
    }
    for (member, usual) in [
        ("tags", json!([])),
        ("customFields", json!([])),
        ("dnd", json!(false)),
        ("dndSettings", json!({})),
        ("type", json!("lead")),
        ("followers", json!([])),
        ("attributions", json!([])),
    ] {
        contact.entry(member).or_insert(usual);
    }
}

fn appointments(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("contactId");
    call.record(state, "contact", id)?;
    let events = state.all("event").filter(|event| event["contactId"] == id);
    Ok(json!({"events": events.collect::<Vec<_>>()}))
}
