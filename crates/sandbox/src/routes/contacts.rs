//! Contacts: create, upsert, change, tags, duplicates; and the values that HighLevel drops in silence.

use serde_json::{Map, Value, json};

use super::contact_search::{list, search};
use super::records::{make, of_location};
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
        "POST /contacts/{contactId}/tags" => tag(state, call, true),
        "DELETE /contacts/{contactId}/tags" => tag(state, call, false),
        "POST /contacts/bulk/tags/update/{type}" => tag_many(state, call),
        "GET /contacts/{contactId}/appointments" => appointments(state, call),
        _ => return None,
    })
}

/// The contact of the location with that email or phone.
fn same<'s>(state: &'s Records, location: &'s str, name: &str, value: &str) -> Option<&'s Value> {
    let value = value.to_lowercase();
    of_location(state, "contact", location).find(|contact| {
        let own = contact[name].as_str().unwrap_or_default().to_lowercase();
        !value.is_empty() && own == value
    })
}

fn existing<'s>(state: &'s Records, call: &'s SandboxCall) -> Option<(&'static str, &'s Value)> {
    ["email", "phone"].into_iter().find_map(|name| {
        let value = call.text(name)?;
        Some((name, same(state, call.location(), name, value)?))
    })
}

fn duplicate(state: &Records, call: &SandboxCall) -> Value {
    let by = |name, parameter| same(state, call.location(), name, call.query(parameter)?);
    let contact = by("email", "email").or_else(|| by("phone", "number"));
    json!({"contact": contact})
}

/// [M] a contact with that email or phone is a 400 that names it.
fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    if let Some((name, contact)) = existing(state, call) {
        let mut refusal = Refusal::new(400, "This location does not allow duplicated contacts.");
        refusal.body["meta"] = json!({
            "contactId": contact["id"], "contactName": contact["contactName"], "matchingField": name,
        });
        return Err(refusal);
    }
    let contact = with_custom_fields(state, call, Map::new());
    Ok(json!({"contact": make(state, call, "contact", Value::Object(contact))}))
}

fn upsert(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let found = existing(state, call).map(|(_, contact)| contact.clone());
    let Some(found) = found else {
        let contact = with_custom_fields(state, call, Map::new());
        let contact = make(state, call, "contact", Value::Object(contact));
        return Ok(json!({"new": true, "contact": contact}));
    };
    let mut changes =
        with_custom_fields(state, call, found.as_object().cloned().unwrap_or_default());
    // [M] docs#313: a gender is taken and dropped for a contact that exists.
    changes.shift_remove("gender");
    // [M] docs#37: the phone of another contact is left out in silence.
    let phone = call.text("phone").unwrap_or_default();
    if same(state, call.location(), "phone", phone).is_some_and(|other| other["id"] != found["id"])
    {
        changes.insert("phone".to_owned(), found["phone"].clone());
    }
    let id = found["id"].as_str().unwrap_or_default();
    Ok(json!({"new": false, "contact": state.change("contact", id, changes)}))
}

fn update(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("contactId");
    let found = call.record(state, "contact", id)?.clone();
    let changes = with_custom_fields(state, call, found.as_object().cloned().unwrap_or_default());
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
        let of_contact = state.all(kind).filter(|record| record["contactId"] == id);
        let ids: Vec<String> = of_contact
            .filter_map(|record| record["id"].as_str().map(str::to_owned))
            .collect();
        for id in ids {
            state.remove(kind, &id);
        }
    }
    Ok(json!({"succeded": true}))
}

/// The contact that the body makes of `contact`.
fn with_custom_fields(
    state: &mut Records,
    call: &SandboxCall,
    mut contact: Map<String, Value>,
) -> Map<String, Value> {
    let location = call.location().to_owned();
    for (name, value) in call.members() {
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

/// Values by id over those there were. [E] the id or the key names a field, the value is `field_value`,
/// `fieldValue` or `value`; [M] one that a picklist does not offer is dropped in silence.
fn custom_fields(state: &Records, location: &str, before: &Value, given: &Value) -> Value {
    let mut fields = before.as_array().cloned().unwrap_or_default();
    for one in given.as_array().into_iter().flatten() {
        let key = one["key"].as_str().map(|key| match key.split_once('.') {
            Some(_) => key.to_owned(),
            None => format!("contact.{key}"),
        });
        let field = of_location(state, "customField", location).find(|field| {
            field["id"] == one["id"] || key.as_ref().is_some_and(|key| field["fieldKey"] == **key)
        });
        let names = ["field_value", "fieldValue", "value"];
        let value = names.iter().find_map(|name| one.get(*name));
        let (Some(field), Some(value)) = (field, value) else {
            continue;
        };
        let offered = field["picklistOptions"].as_array();
        if offered.is_some_and(|offered| !offered.is_empty() && !offered.contains(value)) {
            continue;
        }
        fields.retain(|present| present["id"] != field["id"]);
        fields.push(json!({"id": field["id"], "value": value}));
    }
    Value::Array(fields)
}

/// [M] answers hold all of the contact's tags; tags are in lower case.
fn tag(state: &mut Records, call: &SandboxCall, add: bool) -> Result<Value, Refusal> {
    let given = lower(&call.texts("tags"));
    let tags = retag(state, call, call.path("contactId"), &given, add)?;
    Ok(json!({"tags": tags}))
}

/// [I] every contact must be there; the words of `responses`.
fn tag_many(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let add = match call.path("type") {
        "add" => true,
        "remove" => false,
        _ => {
            return Err(Refusal::invalid(vec![
                "type must be one of the following values: add, remove".to_owned(),
            ]));
        }
    };
    let contacts = call.texts("contacts");
    for id in &contacts {
        call.record(state, "contact", id)?;
    }
    let given = lower(&call.texts("tags"));
    let all = call.body["removeAllTags"] == true;
    for id in &contacts {
        let given = match state.get("contact", id) {
            Some(contact) if all && !add => {
                serde_json::from_value(contact["tags"].clone()).unwrap_or_default()
            }
            _ => given.clone(),
        };
        retag(state, call, id, &given, add)?;
    }
    let done = contacts.iter().map(|id| format!("{id}: tags updated"));
    let done: Vec<String> = done.collect();
    Ok(json!({"succeded": true, "errorCount": 0, "responses": done}))
}

/// Adds or takes tags away; what the contact has then.
fn retag(
    state: &mut Records,
    call: &SandboxCall,
    id: &str,
    given: &[String],
    add: bool,
) -> Result<Vec<String>, Refusal> {
    let contact = call.record(state, "contact", id)?;
    let own = contact["tags"].as_array().into_iter().flatten();
    let mut tags: Vec<String> = own
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .filter(|tag| !given.contains(tag))
        .collect();
    if add {
        tags.extend(given.iter().cloned());
        keep_tags(state, call, given);
    }
    let mut changes = Map::new();
    changes.insert("tags".to_owned(), json!(tags));
    changes.insert("dateUpdated".to_owned(), json!(call.date()));
    state.change("contact", id, changes);
    Ok(tags)
}

/// A tag that the location does not know is made.
fn keep_tags(state: &mut Records, call: &SandboxCall, tags: &[String]) {
    for tag in tags {
        let known = of_location(state, "tag", call.location()).any(|one| one["name"] == **tag);
        if !known {
            make(state, call, "tag", json!({"name": tag}));
        }
    }
}

fn lower(tags: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
    tags.dedup();
    tags
}

fn appointments(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("contactId");
    call.record(state, "contact", id)?;
    let events = state.all("event").filter(|event| event["contactId"] == id);
    Ok(json!({"events": events.collect::<Vec<_>>()}))
}
