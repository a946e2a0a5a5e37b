//! Searches for contacts: the deprecated list with its cursor pair, and the search by filters.

use serde_json::{Value, json};

use super::contact_filters::{ContactFilters, value_of};
use super::field_test::search_text;
use super::found_records::{FoundRecords, newest_first};
use super::records;
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] rows if the caller gives no number; [I] the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// [E] records that page numbers reach, and characters of a query.
const DEEPEST: usize = 10_000;
const LONGEST_QUERY: usize = 75;
/// [E] the sortable fields of a search.
const SORTS: [&str; 8] = [
    "firstNameLowerCase",
    "lastNameLowerCase",
    "businessName",
    "dateAdded",
    "dateUpdated",
    "email",
    "dnd",
    "source",
];

/// Newest first. The cursor is the date in milliseconds and the id of the last row [E].
pub(super) fn list(state: &Records, call: &SandboxCall) -> Value {
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let found = found(state, call, &needle, |_| true, needle.is_empty());
    let total = found.len();
    let after = call.query("startAfterId");
    let after = after.and_then(|id| Some(found.position(id)? + 1));
    let after = after.or_else(|| {
        let date: i64 = call.query("startAfter")?.parse().ok()?;
        found
            .iter()
            .position(|contact| milliseconds(&contact["dateAdded"]) < date)
    });
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let start = after.unwrap_or_default();
    let page: Vec<&Value> = found.iter().skip(start).take(limit).collect();
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

/// [M] docs#31: `locationId` and `pageLimit` are required although the document does not say so; [E] the limits, [I] a
/// larger value is refused.
pub(super) fn search(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let limit = check_page(call)?;
    let needle = call.text("query").unwrap_or_default().to_lowercase();
    let filters = ContactFilters::read(state, call.location(), &call.body["filters"])?;
    let order: Vec<&Value> = call.body["sort"].as_array().into_iter().flatten().collect();
    let is_all = needle.is_empty() && filters.is_empty();
    let mut found = found(
        state,
        call,
        &needle,
        |one| filters.pass(one),
        is_all && order.is_empty(),
    );
    if let FoundRecords::List(found) = &mut found {
        sort(found, &order)?;
    }
    let total = found.len();
    let after = call.body["searchAfter"].as_array().and_then(|cursor| {
        let id = cursor.last()?.as_str()?;
        Some(found.position(id)? + 1)
    });
    let page = call.body["page"].as_u64().unwrap_or(1).max(1);
    let skipped = usize::try_from(page - 1).unwrap_or(usize::MAX);
    let start = after.unwrap_or_else(|| skipped.saturating_mul(limit));
    if after.is_none() && start.saturating_add(limit) > DEEPEST {
        let message = "Pages reach 10000 records; use searchAfter beyond them";
        return Err(Refusal::new(400, message));
    }
    let rows = found.iter().skip(start).take(limit);
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

/// Newest first: those that mention the `needle` and pass. Where it `is_all` of them, none is looked at.
fn found<'s>(
    state: &'s Records,
    call: &SandboxCall,
    needle: &str,
    passes: impl Fn(&Value) -> bool,
    is_all: bool,
) -> FoundRecords<'s> {
    if is_all {
        return FoundRecords::All(state.newest_first("contact", call.location(), "dateAdded"));
    }
    let all = newest_first(state, "contact", call.location(), "dateAdded");
    let found = all.filter(|contact| mentions(contact, needle) && passes(contact));
    FoundRecords::List(found.collect())
}

/// The rows of a page, where the request may ask for them.
fn check_page(call: &SandboxCall) -> Result<usize, Refusal> {
    let mut faults = Vec::new();
    if call.text("locationId").is_none() {
        faults.push("locationId should not be empty");
    }
    let limit = call.body["pageLimit"].as_u64();
    match limit {
        None => faults.push("pageLimit must be a number conforming to the specified constraints"),
        Some(0) => faults.push("pageLimit must not be less than 1"),
        Some(501..) => faults.push("pageLimit must not be greater than 500"),
        Some(_) => {}
    }
    let query = call.text("query").unwrap_or_default();
    if query.chars().count() > LONGEST_QUERY {
        faults.push("query must be shorter than or equal to 75 characters");
    }
    if !faults.is_empty() {
        let faults = faults.into_iter().map(str::to_owned);
        return Err(Refusal::invalid(faults.collect()));
    }
    Ok(usize::try_from(limit.unwrap_or_default()).unwrap_or(LARGEST_PAGE))
}

pub(super) fn mentions(contact: &Value, needle: &str) -> bool {
    let texts = ["/contactName", "/email", "/phone", "/companyName"];
    records::mentions(contact, &texts, needle)
}

/// [E] the fields; [I] another is refused like another field of a filter.
fn sort(contacts: &mut [&Value], order: &[&Value]) -> Result<(), Refusal> {
    for order in order.iter().rev() {
        let field = order["field"].as_str().unwrap_or_default();
        if !SORTS.contains(&field) && !field.starts_with("customFields.") {
            return Err(Refusal::new(400, format!("Invalid field {field}")));
        }
        contacts.sort_by_cached_key(|contact| search_text(value_of(contact, field)));
        if order["direction"] == "desc" {
            contacts.reverse();
        }
    }
    Ok(())
}
