//! A location's marketing: trigger links, workflows, campaigns, a blog, social posts, and its files.

use serde_json::{Value, json};

use super::{DAY, SeedLocation, put, records_of};
use crate::call::date;
use crate::routes::link_key;
use crate::state::{RecordKind, Records};

/// Slug, title, state, and age in days.
const POSTS: [(&str, &str, &str, i64); 4] = [
    ("opening-hours", "New opening hours", "PUBLISHED", 40),
    ("meet-the-team", "Meet the team", "PUBLISHED", 25),
    (
        "five-questions",
        "Five questions before you book",
        "PUBLISHED",
        8,
    ),
    ("summer-offer", "Our summer offer", "DRAFT", 2),
];
/// Text, state, days from today.
const SOCIAL_POSTS: [(&str, &str, i64); 3] = [
    ("Thank you for ten years!", "published", -6),
    ("We are closed next Monday.", "scheduled", 2),
    ("A before-and-after, photos to follow", "draft", 0),
];
const WORKFLOWS: [(&str, &str); 3] = [
    ("New lead follow-up", "published"),
    ("Missed appointment", "published"),
    ("Birthday greetings", "draft"),
];
const CAMPAIGNS: [(&str, &str); 2] = [("Spring check-up", "published"), ("Win-back", "draft")];

pub(super) fn marketing(state: &mut Records, place: &SeedLocation) {
    let made = date(place.today - 60 * DAY);
    let dated = |mut record: Value| {
        record["createdAt"] = json!(made);
        record["updatedAt"] = json!(made);
        record
    };
    for (name, status) in WORKFLOWS {
        let record = json!({"name": name, "status": status, "version": 3});
        put(state, place, "workflow", dated(record));
    }
    for (name, status) in CAMPAIGNS {
        put(
            state,
            place,
            "campaign",
            json!({"name": name, "status": status}),
        );
    }
    for (name, to) in [("Booking page", "book"), ("Reviews", "reviews")] {
        let id = state.new_id();
        let to = format!("https://example.com/{to}");
        let key = link_key(&id);
        let record = json!({"id": id, "name": name, "redirectTo": to, "fieldKey": key});
        put(state, place, "link", record);
    }
    blog(state, place, &made);
    social(state, place, &made);
    files(state, place, &made);
    enrol(state, place);
}

/// Like `put`, for records whose id is `_id`.
fn keep(state: &mut Records, place: &SeedLocation, kind: RecordKind, mut record: Value) -> String {
    let id = state.new_id();
    record["_id"] = json!(id);
    record["locationId"] = json!(place.id);
    record["~location"] = json!(place.id);
    state.put(kind, &id, record);
    id
}

fn blog(state: &mut Records, place: &SeedLocation, made: &str) {
    let blog = keep(state, place, "blog", json!({"name": "News"}));
    let link = "https://example.com/news";
    let author = json!({"name": "The team", "updatedAt": made, "canonicalLink": link});
    let author = keep(state, place, "author", author);
    let categories = ["Practice", "Offers"].map(|label| {
        let slug = label.to_lowercase();
        let record = json!({
            "name": label, "label": label, "urlSlug": slug, "updatedAt": made, "canonicalLink": format!("{link}/{slug}"),
        });
        keep(state, place, "category", record)
    });
    for (slug, title, status, days) in POSTS {
        let at = date(place.today - days * DAY);
        let record = json!({
            "title": title, "description": format!("{title}, in short."), "status": status, "urlSlug": slug,
            "imageUrl": "https://example.com/post.png", "imageAltText": title, "author": author,
            "categories": [categories[0]], "tags": ["news"], "archived": false, "publishedAt": at,
            "updatedAt": at, "~blog": blog, "~text": "<p>…</p>",
        });
        keep(state, place, "blogPost", record);
    }
}

fn social(state: &mut Records, place: &SeedLocation, made: &str) {
    let mut accounts = Vec::new();
    for (platform, kind) in [
        ("facebook", "page"),
        ("google", "location"),
        ("tiktok", "profile"),
    ] {
        let record = json!({
            "name": format!("Our {platform} {kind}"), "platform": platform, "type": kind,
            "oauthId": state.new_id(), "profileId": state.new_id(), "isExpired": false, "meta": {},
        });
        accounts.push(put(state, place, "socialAccount", record)["id"].clone());
    }
    let user = records_of(state, "user", place.id);
    let user = user.first().map(|user| user["id"].clone());
    for (text, status, days) in SOCIAL_POSTS {
        let at = date(place.at_hour(days, 9));
        let mut record = json!({
            "summary": text, "status": status, "type": "post", "source": "composer", "error": "",
            "platform": "facebook", "accountId": accounts[0], "accountIds": [accounts[0]], "media": [],
            "displayDate": at, "createdAt": made, "updatedAt": made, "createdBy": user,
        });
        if status == "published" {
            record["publishedAt"] = json!(at);
        }
        keep(state, place, "socialPost", record);
    }
    let record =
        json!({"name": "Offers", "primaryColor": "#155eef", "deleted": false, "createdAt": made});
    keep(state, place, "socialCategory", record);
    keep(
        state,
        place,
        "socialTag",
        json!({"tag": "smile", "deleted": false, "createdAt": made}),
    );
}

fn files(state: &mut Records, place: &SeedLocation, made: &str) {
    let mut keep = |name: &str, kind: &str, content: &str, size: u32, parent: &str| {
        let path = format!("location/{}/media/{name}", place.id);
        let mut record = json!({
            "name": name, "type": kind, "parentId": parent, "altId": place.id, "altType": "location",
            "path": path, "deleted": false, "createdAt": made, "updatedAt": made,
        });
        if kind == "file" {
            record["url"] = json!(format!("https://storage.example.com/{path}"));
            record["contentType"] = json!(content);
            record["size"] = json!(size);
        }
        keep(state, place, "media", record)
    };
    let folder = keep("Logos", "folder", "", 0, "");
    keep("logo.png", "file", "image/png", 48_212, &folder);
    keep("price-list.pdf", "file", "application/pdf", 120_934, "");
}

/// Every tenth contact is in the first workflow.
fn enrol(state: &mut Records, place: &SeedLocation) {
    let workflows = records_of(state, "workflow", place.id);
    let Some(first) = workflows.first() else {
        return;
    };
    let contacts = records_of(state, "contact", place.id);
    for contact in contacts.iter().skip(4).step_by(10) {
        let id = contact["id"].as_str().unwrap_or_default();
        let changes = json!({"~activeWorkflows": [first["id"]]});
        let changes = changes.as_object().cloned().unwrap_or_default();
        state.change("contact", id, changes);
    }
}
