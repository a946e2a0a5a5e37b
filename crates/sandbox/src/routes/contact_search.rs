//! Finding contacts: the deprecated list with its cursor pair, and the search by filters.

use serde_json::{Value, json};

use super::records;
use super::records::of_location;
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] rows where the caller names no number; [I] the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// Newest first; the cursor is the date in milliseconds and the id of the last row [E].
pub(super) fn list(state: &Records, call: &SandboxCall) -> Value {
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let mut found: Vec<&Value> = of_location(state, "contact", call.location())
        .filter(|contact| mentions(contact, &needle))
        .collect();
    newest_first(&mut found);
    let total = found.len();
    let after = call.query("startAfterId").and_then(|id| {
        let place = found.iter().position(|contact| contact["id"] == id);
        place.map(|place| place + 1)
    });
    let after = after.or_else(|| {
        let date: i64 = call.query("startAfter")?.parse().ok()?;
        found
            .iter()
            .position(|contact| milliseconds(&contact["dateAdded"]) < date)
    });
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let start = after.unwrap_or_default();
    let page: Vec<&Value> = found.into_iter().skip(start).take(limit).collect();
    let more = start + page.len() < total;
    let last = page.last().filter(|_| more);
    let mut meta = json!({
        "total": total,
        "currentPage": start / limit + 1,
        "nextPage": more.then_some(start / limit + 2),
        "prevPage": (start >= limit).then_some(start / limit),
    });
    if let Some(last) = last {
        let (id, date) = (&last["id"], milliseconds(&last["dateAdded"]));
        meta["startAfterId"] = id.clone();
        meta["startAfter"] = json!(date);
        let (location, id) = (call.location(), id.as_str().unwrap_or_default());
        meta["nextPageUrl"] = json!(format!(
            "https://services.leadconnectorhq.com/contacts/?locationId={location}&limit={limit}&startAfter={date}&startAfterId={id}"
        ));
    }
    json!({"contacts": page, "count": total, "meta": meta})
}

/// [M] docs#31: `locationId` and `pageLimit` are required though the document says nothing.
pub(super) fn search(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let mut faults = Vec::new();
    if call.text("locationId").is_none() {
        faults.push("locationId should not be empty".to_owned());
    }
    let limit = call.body["pageLimit"].as_u64();
    if limit.is_none() {
        faults
            .push("pageLimit must be a number conforming to the specified constraints".to_owned());
    }
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults));
    }
    let limit = usize::try_from(limit.unwrap_or(20)).unwrap_or(LARGEST_PAGE);
    let limit = limit.clamp(1, 500);
    let needle = call.text("query").unwrap_or_default().to_lowercase();
    let filters = &call.body["filters"];
    let mut found: Vec<&Value> = of_location(state, "contact", call.location())
        .filter(|contact| mentions(contact, &needle) && passes_all(contact, filters))
        .collect();
    newest_first(&mut found);
    sort(&mut found, &call.body["sort"]);
    let total = found.len();
    let after = call.body["searchAfter"].as_array().and_then(|cursor| {
        let id = cursor.last()?;
        let place = found.iter().position(|contact| contact["id"] == *id);
        place.map(|place| place + 1)
    });
    let page = call.body["page"].as_u64().unwrap_or(1).max(1);
    let skipped = usize::try_from(page - 1).unwrap_or(usize::MAX);
    let rows = found
        .into_iter()
        .skip(after.unwrap_or_else(|| skipped.saturating_mul(limit)))
        .take(limit);
    let rows = rows.map(|contact| {
        let mut row = contact.clone();
        row["searchAfter"] = json!([milliseconds(&contact["dateAdded"]), contact["id"]]);
        if let Value::Object(members) = &mut row {
            // [M] docs#43.
            members.shift_remove("dndSettings");
        }
        row
    });
    Ok(json!({"contacts": rows.collect::<Vec<_>>(), "total": total}))
}

fn newest_first(contacts: &mut [&Value]) {
    contacts.sort_by_key(|contact| std::cmp::Reverse(milliseconds(&contact["dateAdded"])));
}

pub(super) fn mentions(contact: &Value, needle: &str) -> bool {
    let texts = ["/contactName", "/email", "/phone", "/companyName"];
    records::mentions(contact, &texts, needle)
}

/// Filters of a list all hold; `{group: "AND" | "OR", filters}` groups them.
fn passes_all(contact: &Value, filters: &Value) -> bool {
    let filters = filters.as_array().into_iter().flatten();
    filters.into_iter().all(|filter| passes(contact, filter))
}

fn passes(contact: &Value, filter: &Value) -> bool {
    if let Some(group) = filter["group"].as_str() {
        return if group.eq_ignore_ascii_case("or") {
            let mut inner = filter["filters"].as_array().into_iter().flatten();
            inner.any(|filter| passes(contact, filter))
        } else {
            passes_all(contact, &filter["filters"])
        };
    }
    let field = filter["field"].as_str().unwrap_or_default();
    let operator = filter["operator"].as_str().unwrap_or_default();
    // [M] docs#289: a phone is never equal to anything.
    if field == "phone" && operator == "eq" {
        return false;
    }
    let own = value_of(contact, field);
    let wanted = &filter["value"];
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().map(search_text).collect(),
            Value::Null => Vec::new(),
            one => vec![search_text(one)],
        }
    };
    let (own_texts, wanted_texts) = (texts(&own), texts(wanted));
    let equal = || wanted_texts.iter().any(|one| own_texts.contains(one));
    let contains = || {
        let holds = |one: &String| own_texts.iter().any(|text| text.contains(one.as_str()));
        wanted_texts.iter().any(holds)
    };
    match operator {
        "eq" => equal(),
        "not_eq" => !equal(),
        "contains" => contains(),
        "not_contains" => !contains(),
        "exists" => !own_texts.is_empty(),
        "not_exists" => own_texts.is_empty(),
        "range" => {
            let number = milliseconds(&own);
            let bound = |name: &str| wanted.get(name).map(milliseconds);
            !own.is_null()
                && bound("gte").is_none_or(|least| number >= least)
                && bound("gt").is_none_or(|least| number > least)
                && bound("lte").is_none_or(|most| number <= most)
                && bound("lt").is_none_or(|most| number < most)
        }
        _ => false,
    }
}

/// A member, or `customFields.<id>`; [M] docs#42: a custom field by any other key finds nothing.
fn value_of(contact: &Value, field: &str) -> Value {
    match field.strip_prefix("customFields.") {
        Some(id) => {
            let mut fields = contact["customFields"].as_array().into_iter().flatten();
            fields
                .find(|one| one["id"] == id)
                .map_or(Value::Null, |one| one["value"].clone())
        }
        None => contact[field].clone(),
    }
}

fn sort(contacts: &mut [&Value], order: &Value) {
    let orders: Vec<&Value> = order.as_array().into_iter().flatten().collect();
    for order in orders.into_iter().rev() {
        let field = order["field"].as_str().unwrap_or_default();
        let key = |contact: &&Value| search_text(&value_of(contact, field));
        contacts.sort_by_cached_key(key);
        if order["direction"] == "desc" {
            contacts.reverse();
        }
    }
}

/// For comparisons: text in lower case.
fn search_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_lowercase)
}
