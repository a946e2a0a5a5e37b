//! Users who follow a contact or an opportunity.

use serde_json::{Map, Value, json};

use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    let (kind, id) = match call.operation.path {
        "/contacts/{contactId}/followers" => ("contact", call.path("contactId")),
        "/opportunities/{id}/followers" => ("opportunity", call.path("id")),
        _ => return None,
    };
    let add = call.operation.key.starts_with("POST ");
    Some(changed(state, call, kind, id, add))
}

fn changed(
    state: &mut Records,
    call: &SandboxCall,
    kind: RecordKind,
    id: &str,
    add: bool,
) -> Result<Value, Refusal> {
    let record = call.record(state, kind, id)?;
    let before: Vec<String> =
        serde_json::from_value(record["followers"].clone()).unwrap_or_default();
    let mut given = call.texts("followers");
    if !add && call.query("isRemoveAllFollowers") == Some("true") {
        given.clone_from(&before);
    }
    let (touched, name): (Vec<String>, _) = if add {
        let new = given.into_iter().filter(|user| !before.contains(user));
        (new.collect(), "followersAdded")
    } else {
        let gone = given.into_iter().filter(|user| before.contains(user));
        (gone.collect(), "followersRemoved")
    };
    for user in touched.iter().filter(|_| add) {
        call.record(state, "user", user)?;
    }
    let kept = before.into_iter().filter(|user| !touched.contains(user));
    let mut followers: Vec<String> = kept.collect();
    if add {
        followers.extend(touched.iter().cloned());
    }
    let mut changes = Map::new();
    changes.insert("followers".to_owned(), json!(followers));
    state.change(kind, id, changes);
    Ok(json!({"followers": followers, name: touched}))
}
