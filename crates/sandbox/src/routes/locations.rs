//! Locations of an agency, custom fields by model, tasks across contacts, users.

use serde_json::{Value, json};

use super::contact_search::mentions;
use super::records::{make, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /locations/search" => Ok(search(state, call)),
        "PUT /locations/{locationId}" => change(state, call),
        "GET /locations/{locationId}/customFields" => Ok(custom_fields(state, call)),
        "POST /locations/{locationId}/customFields" => Ok(make_custom_field(state, call)),
        "POST /locations/{locationId}/tasks/search" => Ok(tasks(state, call)),
        "GET /users/" => Ok(users(state, call)),
        "POST /users/search/filter-by-email" => Ok(users_by_email(state, call)),
        "GET /users/search" => Ok(users(state, call)),
        _ => return None,
    })
}

fn search(state: &Records, call: &SandboxCall) -> Value {
    let own = state.all("location").filter(|location| {
        if call.token.is_agency() {
            location["companyId"] == *call.token.company
        } else {
            location["id"] == *call.token.location
        }
    });
    let email = call.query("email");
    let own = own.filter(|location| email.is_none_or(|email| location["email"] == email));
    let (skip, limit) = (
        call.number("skip").unwrap_or(0),
        call.number("limit").unwrap_or(10),
    );
    json!({"locations": own.skip(skip).take(limit).collect::<Vec<_>>()})
}

fn change(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("locationId");
    call.record(state, "location", id)?;
    Ok(state
        .change("location", id, call.members())
        .unwrap_or_default())
}

/// [I] contacts' fields where no model is named.
fn custom_fields(state: &Records, call: &SandboxCall) -> Value {
    let model = call.query("model").unwrap_or("contact");
    let fields = of_location(state, "customField", call.location())
        .filter(|field| model == "all" || field["model"] == model);
    json!({"customFields": fields.collect::<Vec<_>>()})
}

fn make_custom_field(state: &mut Records, call: &SandboxCall) -> Value {
    let mut members = call.members();
    let model = call.text("model").unwrap_or("contact").to_owned();
    let name = call.text("name").unwrap_or_default().to_lowercase();
    let key: String = name
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    members.insert("fieldKey".to_owned(), json!(format!("{model}.{key}")));
    members.insert("model".to_owned(), json!(model));
    let options: Vec<&str> = call.body["textBoxListOptions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|option| option["label"].as_str().or(option.as_str()))
        .collect();
    members.insert("picklistOptions".to_owned(), json!(options));
    json!({"customField": make(state, call, "customField", Value::Object(members))})
}

fn tasks(state: &Records, call: &SandboxCall) -> Value {
    let among = |name: &str, own: &Value| {
        let wanted = call.texts(name);
        wanted.is_empty() || wanted.iter().any(|one| *own == **one)
    };
    let completed = call.body.get("completed").and_then(Value::as_bool);
    let needle = call.text("query").unwrap_or_default().to_lowercase();
    let found = of_location(state, "task", call.location()).filter(|task| {
        let title = task["title"].as_str().unwrap_or_default().to_lowercase();
        among("contactId", &task["contactId"])
            && among("assignedTo", &task["assignedTo"])
            && completed.is_none_or(|completed| task["completed"] == completed)
            && title.contains(&needle)
    });
    let number = |name: &str, usual: u64| {
        let value = call.body.get(name).and_then(Value::as_u64);
        usize::try_from(value.unwrap_or(usual)).unwrap_or(usize::MAX)
    };
    let page = found.skip(number("skip", 0)).take(number("limit", 25));
    json!({"tasks": page.collect::<Vec<_>>()})
}

fn users(state: &Records, call: &SandboxCall) -> Value {
    let location = call.query("locationId").unwrap_or(&call.token.location);
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let found: Vec<&Value> = state
        .all("user")
        .filter(|user| {
            let locations = user["roles"]["locationIds"].as_array();
            let there = locations.is_some_and(|ids| ids.iter().any(|id| *id == *location));
            (there || location.is_empty() && user["~company"] == *call.token.company)
                && (mentions(user, &needle)
                    || user["name"]
                        .as_str()
                        .is_some_and(|name| name.to_lowercase().contains(&needle)))
        })
        .collect();
    let count = found.len();
    json!({"users": found, "count": count})
}

/// [E] `emails` is a list joined by commas.
fn users_by_email(state: &Records, call: &SandboxCall) -> Value {
    let emails = call.text("emails").unwrap_or_default();
    let wanted: Vec<&str> = emails.split(',').map(str::trim).collect();
    let found = state.all("user").filter(|user| {
        let email = user["email"].as_str().unwrap_or_default();
        user["~company"] == *call.token.company && wanted.contains(&email)
    });
    let found: Vec<&Value> = found.collect();
    let count = found.len();
    json!({"users": found, "count": count})
}
