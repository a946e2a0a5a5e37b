//! Trigger links of a location.

use serde_json::{Map, Value, json};

use super::records::{make, mentions, of_location};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::Records;

/// [I] rows if the caller gives no number.
const PAGE: usize = 20;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /links/search" => Ok(search(state, call)),
        "POST /links/" => Ok(create(state, call)),
        _ => return None,
    })
}

fn search(state: &Records, call: &SandboxCall) -> Value {
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let found = of_location(state, "link", call.location());
    let found = found.filter(|one| mentions(one, &["/name", "/redirectTo"], &needle));
    let (skip, limit) = (call.number("skip"), call.number("limit"));
    let page = found.skip(skip.unwrap_or(0)).take(limit.unwrap_or(PAGE));
    json!({"links": page.collect::<Vec<_>>()})
}

/// [E] messages name a link by its key.
fn create(state: &mut Records, call: &SandboxCall) -> Value {
    let made = make(state, call, "link", Value::Object(call.members()));
    let id = made["id"].as_str().unwrap_or_default();
    let key = json!(link_key(id));
    let changes = Map::from_iter([("fieldKey".to_owned(), key)]);
    json!({"link": state.change("link", id, changes)})
}

pub(crate) fn link_key(id: &str) -> String {
    format!("{{{{trigger_link.{id}}}}}")
}
