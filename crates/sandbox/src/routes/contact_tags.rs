//! Tags of contacts: of one contact and of many, all in lower case.

use serde_json::{Map, Value, json};

use super::records::{make, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "POST /contacts/{contactId}/tags" => tag(state, call, true),
        "DELETE /contacts/{contactId}/tags" => tag(state, call, false),
        "POST /contacts/bulk/tags/update/{type}" => tag_many(state, call),
        _ => return None,
    })
}

/// [M] answers have all of the contact's tags; tags are in lower case.
fn tag(state: &mut Records, call: &SandboxCall, add: bool) -> Result<Value, Refusal> {
    let given = lower(&call.texts("tags"));
    let tags = retag(state, call, call.path("contactId"), &given, add)?;
    Ok(json!({"tags": tags}))
}

/// [I] every contact must exist; the words of `responses`.
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

/// Adds or removes tags. Returns the contact's tags.
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

/// Creates tags that the location does not know.
pub(super) fn keep_tags(state: &mut Records, call: &SandboxCall, tags: &[String]) {
    for tag in tags {
        let known = of_location(state, "tag", call.location()).any(|one| one["name"] == **tag);
        if !known {
            make(state, call, "tag", json!({"name": tag}));
        }
    }
}

pub(super) fn lower(tags: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
    tags.dedup();
    tags
}
