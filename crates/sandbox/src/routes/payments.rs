//! Orders and transactions of a location, by offset.

use serde_json::{Value, json};

use super::found_records::{FoundRecords, newest_first};
use super::records::{in_days, mentions};
use crate::call::SandboxCall;
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

/// [E] rows if the caller gives no number; [I] the most.
const PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;
/// Members that a list is narrowed by.
const MEMBERS: [&str; 5] = [
    "contactId",
    "entityId",
    "status",
    "entitySourceType",
    "subscriptionId",
];
/// What a search looks at.
const TEXTS: &[&str] = &[
    "/contactName",
    "/contactDetails/name",
    "/contactDetails/email",
    "/name",
];

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    let list = |kind| {
        let (rows, total) = found(state, call, kind);
        Ok(json!({"data": rows, "totalCount": total}))
    };
    Some(match call.operation.key.as_str() {
        "GET /payments/orders" => list("order"),
        "GET /payments/transactions" => list("transaction"),
        _ => return None,
    })
}

/// Newest first, with the total number.
pub(super) fn found(state: &Records, call: &SandboxCall, kind: RecordKind) -> (Vec<Value>, usize) {
    let is = |one: &Value, name: &str| {
        // An invoice has its contact in its details.
        let own = match one.get(name) {
            None if name == "contactId" => &one["contactDetails"]["id"],
            _ => &one[name],
        };
        // [I] several words are separated by commas.
        let is_one = |wanted: &str| wanted.split(',').any(|wanted| own == wanted.trim());
        call.query(name).is_none_or(is_one)
    };
    let needle = call.query("search").unwrap_or_default().to_lowercase();
    let mut narrowing = MEMBERS.iter().chain(&["search", "startAt", "endAt"]);
    let is_all = narrowing.all(|name| call.query(name).is_none());
    let rows = if is_all {
        FoundRecords::All(state.newest_first(kind, call.location(), "createdAt"))
    } else {
        let all = newest_first(state, kind, call.location(), "createdAt");
        let rows = all.filter(|one| {
            in_days(call, one)
                && MEMBERS.iter().all(|name| is(one, name))
                && mentions(one, TEXTS, &needle)
        });
        FoundRecords::List(rows.collect())
    };
    let total = rows.len();
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let offset = call.number("offset").unwrap_or(0);
    (
        rows.iter().skip(offset).take(limit).cloned().collect(),
        total,
    )
}
