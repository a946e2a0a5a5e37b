//! Opportunities: create, change, search by filters, page and cursor.

use serde_json::{Map, Value, json};

use super::contact_fields::given_fields;
use super::found_records::{FoundRecords, filters_nothing, newest_first};
use super::opportunity_filters::{OpportunityFilter, sort};
use super::records::{make, mentions};
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [E] rows if the caller gives no number; [I] the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;
/// What a search is narrowed by.
const FILTERS: [&str; 9] = [
    "status",
    "pipeline_id",
    "pipeline_stage_id",
    "contact_id",
    "assigned_to",
    "id",
    "q",
    "date",
    "endDate",
];
/// What a search looks at, of a deal and of its contact.
const TEXTS: &[&str] = &["/name"];
const TEXTS_OF_CONTACT: &[&str] = &["/contactName", "/email"];

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /opportunities/search" => Ok(search(state, call)),
        "POST /opportunities/search" => search_by_body(state, call),
        "POST /opportunities/" => create(state, call),
        "POST /opportunities/upsert" => upsert(state, call),
        "PUT /opportunities/{id}" => {
            update(state, call).map(|opportunity| json!({"opportunity": opportunity}))
        }
        "PUT /opportunities/{id}/status" => update(state, call).map(|_| json!({"succeded": true})),
        _ => return None,
    })
}

fn search(state: &Records, call: &SandboxCall) -> Value {
    let is = |one: &Value, name: &str, member: &str| {
        call.query(name).is_none_or(|wanted| one[member] == *wanted)
    };
    let needle = call.query("q").unwrap_or_default().to_lowercase();
    let (start, end) = (day(call.query("date")), day(call.query("endDate")));
    let chosen = || {
        let all = newest_first(state, "opportunity", call.location(), "createdAt");
        let found = all.filter(|one| {
            let at = || milliseconds(&one["createdAt"]);
            let status = call.query("status").filter(|status| *status != "all");
            status.is_none_or(|status| one["status"] == *status)
                && is(one, "pipeline_id", "pipelineId")
                && is(one, "pipeline_stage_id", "pipelineStageId")
                && is(one, "contact_id", "contactId")
                && is(one, "assigned_to", "assignedTo")
                && is(one, "id", "id")
                && is_about(state, one, &needle)
                && start.is_none_or(|start| at() >= start)
                && end.is_none_or(|end| at() < end + 86_400_000)
        });
        found.collect::<Vec<&Value>>()
    };
    let rising = call.query("order") == Some("added_asc");
    let found = if !rising && filters_nothing(call, &FILTERS) {
        FoundRecords::All(state.newest_first("opportunity", call.location(), "createdAt"))
    } else {
        let mut found = chosen();
        if rising {
            found.reverse();
        }
        FoundRecords::List(found)
    };
    let total = found.len();
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let after = call.query("startAfterId");
    let after = after.and_then(|id| Some(found.position(id)? + 1));
    let page = call.number("page").unwrap_or(1).max(1);
    // A page after the last is empty.
    let start = after.unwrap_or_else(|| (page - 1).saturating_mul(limit).min(total));
    let page = found.iter().skip(start).take(limit);
    let page: Vec<Value> = page.map(|one| with_contact(state, one)).collect();
    let current = start / limit + 1;
    let mut meta = json!({
        "total": total,
        "currentPage": current,
        "nextPage": (start + page.len() < total).then_some(current + 1),
        "prevPage": (current > 1).then(|| current - 1),
    });
    if let Some(last) = page.last().filter(|_| start + page.len() < total) {
        meta["startAfterId"] = last["id"].clone();
        meta["startAfter"] = json!(milliseconds(&last["createdAt"]));
    }
    if let Value::Object(members) = &mut meta {
        members.retain(|_, value| !value.is_null());
    }
    json!({"opportunities": page, "meta": meta, "aggregations": {}})
}

/// Newest first unless sorted; `searchAfter` is the `sort` of the last row [I].
fn search_by_body(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let needle = call.text("query").unwrap_or_default().to_lowercase();
    let filter = OpportunityFilter::read(&call.body["filters"])?;
    let order = &call.body["sort"];
    let is_sorted = order.as_array().is_some_and(|order| !order.is_empty());
    let found = if needle.is_empty() && filter.is_empty() && !is_sorted {
        FoundRecords::All(state.newest_first("opportunity", call.location(), "createdAt"))
    } else {
        let all = newest_first(state, "opportunity", call.location(), "createdAt");
        let found = all.filter(|one| is_about(state, one, &needle) && filter.holds(state, one));
        let mut found: Vec<&Value> = found.collect();
        sort(state, &mut found, order)?;
        FoundRecords::List(found)
    };
    let total = found.len();
    let number = |name: &str, usual: usize| {
        let given = call.body[name].as_u64();
        given.map_or(usual, |given| usize::try_from(given).unwrap_or(usize::MAX))
    };
    let limit = number("limit", PAGE).clamp(1, LARGEST_PAGE);
    let after = call
        .texts("searchAfter")
        .last()
        .and_then(|id| Some(found.position(id)? + 1));
    let page = (number("page", 1).max(1) - 1)
        .saturating_mul(limit)
        .min(total);
    let rows = found.iter().skip(after.unwrap_or(page)).take(limit);
    let rows = rows.map(|one| {
        let mut one = with_contact(state, one);
        let at = milliseconds(&one["createdAt"]).to_string();
        one["sort"] = json!([at, one["id"]]);
        one
    });
    let rows: Vec<Value> = rows.collect();
    Ok(json!({"opportunities": rows, "total": total, "aggregations": {}}))
}

/// Whether a deal or its contact mentions the lower-case `needle`.
fn is_about(state: &Records, opportunity: &Value, needle: &str) -> bool {
    let id = opportunity["contactId"].as_str().unwrap_or_default();
    let contact = state.get("contact", id);
    mentions(opportunity, TEXTS, needle)
        || contact.is_some_and(|contact| mentions(contact, TEXTS_OF_CONTACT, needle))
}

/// Milliseconds of `mm-dd-yyyy` [E].
fn day(text: Option<&str>) -> Option<i64> {
    let mut parts = text?.split('-');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let date = format!("{year}-{month}-{day}T00:00:00Z");
    Some(date.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

fn with_contact(state: &Records, opportunity: &Value) -> Value {
    let mut whole = opportunity.clone();
    let id = opportunity["contactId"].as_str().unwrap_or_default();
    if let Some(contact) = state.get("contact", id) {
        let mut shown = Map::new();
        for (name, member) in [
            ("id", "id"),
            ("name", "contactName"),
            ("companyName", "companyName"),
            ("email", "email"),
            ("phone", "phone"),
            ("tags", "tags"),
        ] {
            if !contact[member].is_null() {
                shown.insert(name.to_owned(), contact[member].clone());
            }
        }
        whole["contact"] = Value::Object(shown);
    }
    whole
}

/// [I] messages for a pipeline or stage that does not exist.
fn check_stage(
    state: &Records,
    call: &SandboxCall,
    pipeline: &str,
    stage: Option<&str>,
) -> Result<(), Refusal> {
    let pipeline = call.record(state, "pipeline", pipeline)?;
    let stages = pipeline["stages"].as_array();
    let known = stages.is_some_and(|stages| {
        stages
            .iter()
            .any(|one| Some(one["id"].as_str()) == Some(stage))
    });
    match stage {
        Some(stage) if !known => Err(Refusal::not_found("Pipeline stage", stage)),
        _ => Ok(()),
    }
}

fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let pipeline = call.text("pipelineId").unwrap_or_default();
    check_stage(state, call, pipeline, call.text("pipelineStageId"))?;
    let contact = call.text("contactId").unwrap_or_default();
    call.record(state, "contact", contact)?;
    let mut members = call.members();
    let first = state
        .get("pipeline", pipeline)
        .map(|pipeline| pipeline["stages"][0]["id"].clone())
        .unwrap_or_default();
    members.entry("pipelineStageId").or_insert(first);
    members.insert("customFields".to_owned(), values(state, call, &Value::Null));
    members.insert("source".to_owned(), json!("api"));
    let opportunity = make(state, call, "opportunity", Value::Object(members));
    Ok(json!({"opportunity": with_contact(state, &opportunity)}))
}

fn upsert(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let mut members = call.members();
    let Some(id) = call.text("id") else {
        let pipeline = call.text("pipelineId").unwrap_or_default();
        check_stage(state, call, pipeline, call.text("pipelineStageId"))?;
        if members.contains_key("customFields") {
            members.insert("customFields".to_owned(), values(state, call, &Value::Null));
        }
        let made = make(state, call, "opportunity", Value::Object(members));
        return Ok(json!({"opportunity": made, "new": true}));
    };
    let before = call.record(state, "opportunity", id)?;
    if members.contains_key("customFields") {
        let fields = values(state, call, &before["customFields"]);
        members.insert("customFields".to_owned(), fields);
    }
    let changed = state.change("opportunity", id, members);
    Ok(json!({"opportunity": changed, "new": false}))
}

fn update(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    let before = call.record(state, "opportunity", id)?.clone();
    let own = before["pipelineId"].as_str().unwrap_or_default();
    let pipeline = call.text("pipelineId").unwrap_or(own);
    check_stage(state, call, pipeline, call.text("pipelineStageId"))?;
    let mut changes = call.members();
    if changes.contains_key("customFields") {
        let fields = values(state, call, &before["customFields"]);
        changes.insert("customFields".to_owned(), fields);
    }
    let now = json!(call.date());
    changes.insert("updatedAt".to_owned(), now.clone());
    for (member, date) in [
        ("status", "lastStatusChangeAt"),
        ("pipelineStageId", "lastStageChangeAt"),
    ] {
        if changes
            .get(member)
            .is_some_and(|value| *value != before[member])
        {
            changes.insert(date.to_owned(), now.clone());
        }
    }
    let changed = state.change("opportunity", id, changes).unwrap_or_default();
    Ok(with_contact(state, &changed))
}

/// The values of custom fields, merged over the earlier ones. [M] docs#87: one of an opportunity answers as
/// `fieldValueString`; [E] the document has it as `fieldValue`.
fn values(state: &Records, call: &SandboxCall, before: &Value) -> Value {
    let mut fields = before.as_array().cloned().unwrap_or_default();
    let given = &call.body["customFields"];
    for (id, value) in given_fields(state, call.location(), "opportunity", given) {
        fields.retain(|present| present["id"] != id);
        fields.push(json!({"id": id, "fieldValue": value, "fieldValueString": value}));
    }
    Value::Array(fields)
}
