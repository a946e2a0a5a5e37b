//! Users of a company and its locations.

use serde_json::{Map, Value, json};

use super::contact_search::mentions;
use super::records::make;
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

/// [I] rows if the caller gives no number.
const PAGE: usize = 25;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /users/" => Ok(users(state, call, usize::MAX)),
        "GET /users/search" => Ok(users(state, call, PAGE)),
        "POST /users/search/filter-by-email" => Ok(by_email(state, call)),
        "POST /users/" => create(state, call),
        "PUT /users/{userId}" => change(state, call),
        _ => return None,
    })
}

fn users(state: &Records, call: &SandboxCall, usual: usize) -> Value {
    let location = call.query("locationId").unwrap_or(&call.token.location);
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let is = |name: &str, own: &Value| {
        let wanted = call.query(name);
        wanted.is_none_or(|wanted| wanted.split(',').any(|one| *own == *one))
    };
    let found: Vec<&Value> = state
        .all("user")
        .filter(|user| {
            let locations = user["roles"]["locationIds"].as_array();
            let there = locations.is_some_and(|ids| ids.iter().any(|id| *id == *location));
            let name = user["name"].as_str().unwrap_or_default().to_lowercase();
            (there || location.is_empty() && user["~company"] == *call.token.company)
                && (mentions(user, &needle) || name.contains(&needle))
                && is("ids", &user["id"])
                && is("role", &user["roles"]["role"])
                && is("type", &user["roles"]["type"])
        })
        .collect();
    let count = found.len();
    let skip = call.number("skip").unwrap_or(0);
    let limit = call.number("limit").unwrap_or(usual);
    let page: Vec<&Value> = found.into_iter().skip(skip).take(limit).collect();
    json!({"users": page, "count": count})
}

/// [E] `emails` is a comma-separated list.
fn by_email(state: &Records, call: &SandboxCall) -> Value {
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

/// [I] an email belongs to one user.
fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let email = call.text("email").unwrap_or_default();
    if state.all("user").any(|user| user["email"] == *email) {
        return Err(Refusal::new(400, "User with this email already exists"));
    }
    let mut members = members(call, &Value::Null);
    members.insert("~company".to_owned(), json!(call.token.company));
    members.insert("deleted".to_owned(), json!(false));
    let mut user = make(state, call, "user", Value::Object(members));
    // A user belongs to a company, and to locations by roles.
    if let Value::Object(members) = &mut user {
        for name in ["~location", "locationId"] {
            members.shift_remove(name);
        }
    }
    let id = user["id"].as_str().unwrap_or_default();
    state.put("user", id, user.clone());
    Ok(user)
}

fn change(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("userId");
    let before = call.record(state, "user", id)?.clone();
    let changes = members(call, &before);
    Ok(state.change("user", id, changes).unwrap_or_default())
}

/// [E] answers have type, role and locations under `roles`, and never the password.
fn members(call: &SandboxCall, before: &Value) -> Map<String, Value> {
    let mut members = call.members();
    let mut roles = before["roles"].clone();
    for name in ["type", "role", "locationIds"] {
        if let Some(value) = members.remove(name) {
            roles[name] = value;
        }
    }
    members.insert("roles".to_owned(), roles);
    for name in ["password", "companyId", "emailChangeOTP"] {
        members.remove(name);
    }
    let text = |name: &str| {
        let own = members.get(name).or(before.get(name));
        own.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let name = format!("{} {}", text("firstName"), text("lastName"));
    members.insert("name".to_owned(), json!(name.trim()));
    members
}
