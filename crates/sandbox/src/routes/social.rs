//! The social planner: accounts, and posts that are drafts, scheduled or published. Nothing leaves the sandbox.

use serde_json::{Map, Value, json};

use super::records::{make, of_location};
use crate::call::{SandboxCall, date, moment};
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

/// [M: docs#178] the states that a list can filter by; another is a 400.
const STATES: [&str; 8] = [
    "recent",
    "all",
    "scheduled",
    "draft",
    "failed",
    "in_review",
    "published",
    "deleted",
];
/// [I] most rows of a page.
const LARGEST_PAGE: usize = 100;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    let key = call.operation.key.as_str();
    let rest = key.replace("/social-media-posting/{locationId}", "");
    Some(match rest.as_str() {
        "GET /accounts" => Ok(accounts(state, call)),
        "DELETE /accounts/{id}" => disconnect(state, call),
        "POST /posts/list" => posts(state, call),
        "POST /posts" => create(state, call),
        "GET /posts/{id}" => call
            .record(state, "socialPost", call.path("id"))
            .map(|post| done(200, "Fetched Post", json!({"post": post}))),
        "PUT /posts/{id}" => edit(state, call),
        "DELETE /posts/{id}" => delete(state, call),
        "POST /posts/bulk-delete" => delete_many(state, call),
        "GET /categories" => Ok(listed(state, call, "socialCategory", "categories", "name")),
        "GET /tags" => Ok(listed(state, call, "socialTag", "tags", "tag")),
        _ => return None,
    })
}

/// [E] the envelope of every answer; [I] the words.
fn done(code: u16, message: &str, results: Value) -> Value {
    json!({"success": true, "statusCode": code, "message": message, "results": results})
}

fn accounts(state: &Records, call: &SandboxCall) -> Value {
    let found = of_location(state, "socialAccount", call.location());
    let found: Vec<&Value> = found.collect();
    done(
        200,
        "Fetched Accounts",
        json!({"accounts": found, "groups": []}),
    )
}

fn disconnect(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    call.record(state, "socialAccount", id)?;
    state.remove("socialAccount", id);
    let results = json!({"locationId": call.location(), "id": id});
    Ok(done(200, "Deleted Account", results))
}

fn listed(state: &Records, call: &SandboxCall, kind: RecordKind, name: &str, text: &str) -> Value {
    let needle = call.query("searchText").unwrap_or_default().to_lowercase();
    let found = of_location(state, kind, call.location()).filter(|one| {
        let own = one[text].as_str().unwrap_or_default();
        own.to_lowercase().contains(&needle)
    });
    let found: Vec<&Value> = found.collect();
    let (skip, limit) = (call.number("skip"), call.number("limit"));
    let count = found.len();
    let page = found.into_iter().skip(skip.unwrap_or(0));
    let page: Vec<&Value> = page.take(limit.unwrap_or(LARGEST_PAGE)).collect();
    done(200, "Fetched", json!({name: page, "count": count}))
}

/// Latest first. [E] the days are those on which posts are shown, `accounts` is a comma-separated list, and skip and
/// limit are texts.
fn posts(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let kind = call.text("type").unwrap_or("all");
    if !STATES.contains(&kind) {
        let message = format!("Cast to [string] failed for value \"{kind}\" at path \"status\"");
        return Err(Refusal::new(400, message));
    }
    let bound = |name: &str| {
        let found = moment(&call.body[name]);
        found.ok_or_else(|| Refusal::new(400, format!("{name} is an Invalid Date")))
    };
    let (from, to) = (bound("fromDate")?, bound("toDate")?);
    let accounts: Vec<&str> = call
        .text("accounts")
        .map_or(Vec::new(), |text| text.split(',').map(str::trim).collect());
    let accounts: Vec<&str> = accounts.into_iter().filter(|id| !id.is_empty()).collect();
    let mut found: Vec<&Value> = of_location(state, "socialPost", call.location())
        .filter(|one| {
            let at = moment(&one["displayDate"]).unwrap_or_default();
            let of_account = one["accountIds"].as_array().is_some_and(|ids| {
                ids.iter()
                    .filter_map(Value::as_str)
                    .any(|id| accounts.contains(&id))
            });
            (matches!(kind, "all" | "recent") || one["status"] == kind)
                && (accounts.is_empty() || of_account)
                && (from..=to).contains(&at)
        })
        .collect();
    found.sort_by_cached_key(|one| std::cmp::Reverse(moment(&one["displayDate"])));
    let number = |name: &str| call.text(name).and_then(|text| text.parse::<usize>().ok());
    let (skip, limit) = (number("skip").unwrap_or(0), number("limit").unwrap_or(10));
    let count = found.len();
    let page: Vec<&Value> = found
        .into_iter()
        .skip(skip)
        .take(limit.min(LARGEST_PAGE))
        .collect();
    Ok(done(
        201,
        "Fetched Posts",
        json!({"posts": page, "count": count}),
    ))
}

/// The members of a post as it is stored. [M: docs#30] a new one requires accounts, and TikTok's details for an account
/// there; an invalid date is an error.
fn members(
    state: &Records,
    call: &SandboxCall,
    before: &Value,
) -> Result<Map<String, Value>, Refusal> {
    let mut members = call.members();
    let ids = match members.get("accountIds") {
        // [I] a change may omit them.
        None => serde_json::from_value(before["accountIds"].clone()).unwrap_or_default(),
        Some(_) => call.texts("accountIds"),
    };
    if ids.is_empty() {
        return Err(Refusal::new(400, "accountIds should not be empty"));
    }
    for id in &ids {
        let account = call.record(state, "socialAccount", id)?;
        if account["platform"] == "tiktok" && call.body["tiktokPostDetails"].is_null() {
            let message = "Cannot read properties of undefined (reading 'toLowerCase')";
            return Err(Refusal::new(400, message));
        }
        members
            .entry("platform")
            .or_insert_with(|| account["platform"].clone());
        members.entry("accountId").or_insert_with(|| json!(id));
    }
    let scheduled = members.remove("scheduleDate");
    // [M] an epoch is not accepted as a date here.
    let at = match &scheduled {
        Some(text) if text.is_string() => {
            let at = moment(text);
            Some(at.ok_or_else(|| Refusal::new(400, "Invalid Date"))?)
        }
        _ => None,
    };
    // [I] a post without a state is published at its time, or at once.
    let usual = if at.is_some() {
        "scheduled"
    } else {
        "published"
    };
    let status = members
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or(usual)
        .to_owned();
    let shown = at.map_or_else(|| before["displayDate"].clone(), |at| json!(date(at)));
    let shown = match shown {
        Value::Null => json!(call.date()),
        shown => shown,
    };
    if status == "published" {
        members.insert("publishedAt".to_owned(), json!(call.date()));
    }
    members.insert("displayDate".to_owned(), shown);
    members.insert("status".to_owned(), json!(status));
    members.insert("source".to_owned(), json!("composer"));
    if let Some(user) = members.remove("userId") {
        members.insert("createdBy".to_owned(), user);
    }
    for name in ["scheduleTimeUpdated", "categoryId", "followUpComment"] {
        if let Some(value) = members.remove(name) {
            members.insert(format!("~{name}"), value);
        }
    }
    Ok(members)
}

fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let members = members(state, call, &Value::Null)?;
    let mut post = Value::Object(members);
    // It has no error.
    post["error"] = json!("");
    let post = make(state, call, "socialPost", post);
    Ok(done(201, "Created Post", json!({"post": post})))
}

fn edit(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    let before = call.record(state, "socialPost", id)?.clone();
    let mut changes = members(state, call, &before)?;
    changes.insert("updatedAt".to_owned(), json!(call.date()));
    state.change("socialPost", id, changes);
    Ok(json!({"success": true, "statusCode": 200, "message": "Updated Post"}))
}

fn delete(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("id");
    call.record(state, "socialPost", id)?;
    state.remove("socialPost", id);
    Ok(done(200, "Deleted Post", json!({"postId": id})))
}

fn delete_many(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let ids = call.texts("postIds");
    for id in &ids {
        call.record(state, "socialPost", id)?;
    }
    for id in &ids {
        state.remove("socialPost", id);
    }
    let results = json!({"message": "Deleted Posts", "deletedCount": ids.len()});
    Ok(done(201, "Deleted Posts", results))
}
