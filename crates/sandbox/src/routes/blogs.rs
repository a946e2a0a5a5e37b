//! Blogs of a location: their posts, authors and categories, and whether an address is taken.

use serde_json::{Map, Value, json};

use super::records::{make, mentions, of_location};
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::{RecordKind, Records};

/// [I] rows if the caller gives no number, and the most.
const PAGE: usize = 10;
const LARGEST_PAGE: usize = 100;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    let list = |kind: RecordKind, name: &str, skip: &str| {
        let needle = call.query("searchTerm").unwrap_or_default().to_lowercase();
        let found = of_location(state, kind, call.location());
        let found = found.filter(|one| mentions(one, &["/name"], &needle));
        // [M: docs#317] each list has a name of its own.
        Ok(json!({name: page(call, skip, found.collect())}))
    };
    Some(match call.operation.key.as_str() {
        "GET /blogs/site/all" => list("blog", "data", "skip"),
        "GET /blogs/authors" => list("author", "authors", "offset"),
        "GET /blogs/categories" => list("category", "categories", "offset"),
        "GET /blogs/posts/all" => posts(state, call),
        "GET /blogs/posts/url-slug-exists" => Ok(json!({"exists": is_taken(
            state,
            call,
            call.query("urlSlug").unwrap_or_default(),
            call.query("postId").unwrap_or_default(),
        )})),
        "POST /blogs/posts" => create(state, call),
        "PUT /blogs/posts/{postId}" => update(state, call),
        _ => return None,
    })
}

/// Newest first.
fn posts(state: &Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let blog = call.query("blogId").unwrap_or_default();
    call.record(state, "blog", blog)?;
    let needle = call.query("searchTerm").unwrap_or_default().to_lowercase();
    let mut found: Vec<&Value> = of_location(state, "blogPost", call.location())
        .filter(|one| {
            one["~blog"] == blog
                && call
                    .query("status")
                    .is_none_or(|wanted| one["status"] == *wanted)
                && mentions(one, &["/title", "/description"], &needle)
        })
        .collect();
    found.sort_by_cached_key(|one| std::cmp::Reverse(milliseconds(&one["publishedAt"])));
    Ok(json!({"blogs": page(call, "offset", found)}))
}

fn is_taken(state: &Records, call: &SandboxCall, slug: &str, own: &str) -> bool {
    let mut posts = of_location(state, "blogPost", call.location());
    posts.any(|one| one["urlSlug"] == *slug && one["_id"] != *own)
}

/// [I] an existing blog, and a free address.
fn check(state: &Records, call: &SandboxCall, own: &str) -> Result<(), Refusal> {
    call.record(state, "blog", call.text("blogId").unwrap_or_default())?;
    let slug = call.text("urlSlug").unwrap_or_default();
    if is_taken(state, call, slug, own) {
        return Err(Refusal::new(400, "urlSlug already exists"));
    }
    Ok(())
}

fn create(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    check(state, call, "")?;
    let post = make(state, call, "blogPost", Value::Object(members(call)));
    Ok(json!({"data": post}))
}

/// [M: docs#103, docs#105] the old text stays and `ARCHIVED` does nothing, both with a 200.
fn update(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let id = call.path("postId");
    call.record(state, "blogPost", id)?;
    check(state, call, id)?;
    let mut changes = members(call);
    changes.remove("~text");
    if call.text("status") == Some("ARCHIVED") {
        changes.remove("status");
    }
    changes.insert("updatedAt".to_owned(), json!(call.date()));
    Ok(json!({"updatedBlogPost": state.change("blogPost", id, changes)}))
}

/// [E] no answer has the text of a post, or the id of its blog.
fn members(call: &SandboxCall) -> Map<String, Value> {
    let mut members = call.members();
    members.remove("wordCount");
    for (name, hidden) in [("rawHTML", "~text"), ("blogId", "~blog")] {
        if let Some(value) = members.remove(name) {
            members.insert(hidden.to_owned(), value);
        }
    }
    members.insert("archived".to_owned(), json!(false));
    members
}

fn page<'v>(call: &SandboxCall, skip: &str, found: Vec<&'v Value>) -> Vec<&'v Value> {
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let skip = call.number(skip).unwrap_or(0);
    found.into_iter().skip(skip).take(limit).collect()
}
