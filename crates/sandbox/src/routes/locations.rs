//! Locations of an agency, custom fields by model, tasks across contacts.

use serde_json::{Map, Value, json};

use super::records::{make, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

/// [I] a few of all zones.
const TIME_ZONES: [&str; 12] = [
    "America/Los_Angeles",
    "America/Denver",
    "America/Phoenix",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Australia/Sydney",
    "Pacific/Honolulu",
];

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /locations/search" => Ok(search(state, call)),
        "POST /locations/" => Ok(create(state, call)),
        "PUT /locations/{locationId}" => change(state, call),
        "DELETE /locations/{locationId}" => delete(state, call),
        "GET /locations/{locationId}/timezones" => Ok(json!({"timeZones": TIME_ZONES})),
        "GET /locations/{locationId}/customFields" => Ok(custom_fields(state, call)),
        "POST /locations/{locationId}/customFields" => Ok(make_custom_field(state, call)),
        "PUT /locations/{locationId}/customFields/{id}" => change_custom_field(state, call),
        "POST /locations/{locationId}/tasks/search" => Ok(tasks(state, call)),
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

/// An empty location in the token's company. [I] its time zone if none is given.
fn create(state: &mut Records, call: &SandboxCall) -> Value {
    let mut members = call.members();
    for (name, usual) in [
        ("timezone", json!("America/Los_Angeles")),
        ("country", json!("US")),
        (
            "settings",
            json!({"allowDuplicateContact": false, "allowDuplicateOpportunity": false}),
        ),
    ] {
        members.entry(name).or_insert(usual);
    }
    // The credentials of its other accounts, and a snapshot, are not stored.
    for name in ["twilio", "mailgun", "snapshotId"] {
        members.remove(name);
    }
    if let Some(person) = members.remove("prospectInfo") {
        members.entry("email").or_insert(person["email"].clone());
    }
    let made = make(state, call, "location", Value::Object(members));
    let id = made["id"].as_str().unwrap_or_default();
    let own = [("locationId", json!(id)), ("~location", json!(id))];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let own = Map::from_iter(own);
    state.change("location", id, own).unwrap_or_default()
}

/// [I] the location's contents become unreachable with it.
fn delete(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("locationId");
    call.record(state, "location", id)?;
    state.remove("location", id);
    Ok(json!({"success": true, "message": "Location deleted successfully"}))
}

fn change(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("locationId");
    call.record(state, "location", id)?;
    Ok(state
        .change("location", id, call.members())
        .unwrap_or_default())
}

/// [I] contacts' fields if no model is named.
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
    // [M: docs#300] a key may be given.
    let given = call.text("fieldKey").filter(|key| !key.is_empty());
    let key = given.map_or(key, |given| {
        let bare = given.strip_prefix(&format!("{model}."));
        bare.unwrap_or(given).to_owned()
    });
    members.insert("fieldKey".to_owned(), json!(format!("{model}.{key}")));
    members.insert("model".to_owned(), json!(model));
    keep_options(&mut members);
    json!({"customField": make(state, call, "customField", Value::Object(members))})
}

fn change_custom_field(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    let before = call.record(state, "customField", id)?.clone();
    let mut changes = call.members();
    let gives = ["textBoxListOptions", "options"].iter();
    let gives = gives.into_iter().any(|name| changes.contains_key(*name));
    keep_options(&mut changes);
    if !gives {
        changes.insert(
            "picklistOptions".to_owned(),
            before["picklistOptions"].clone(),
        );
    }
    Ok(json!({"customField": state.change("customField", id, changes)}))
}

/// [E] `textBoxListOptions`, or `options` [M: docs#300], are answered as `picklistOptions`.
fn keep_options(members: &mut Map<String, Value>) {
    let given = ["textBoxListOptions", "options"].map(|name| members.remove(name));
    let given = given.iter().flatten().find_map(Value::as_array);
    let options: Vec<&str> = given
        .into_iter()
        .flatten()
        .filter_map(|option| option["label"].as_str().or(option.as_str()))
        .collect();
    members.insert("picklistOptions".to_owned(), json!(options));
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
