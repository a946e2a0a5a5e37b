//! The media library: files that were uploaded or linked, and folders. Only the data about a file is stored, not the
//! file.

use serde_json::{Map, Value, json};

use super::records::{make, mentions, of_location};
use crate::call::{SandboxCall, milliseconds};
use crate::refusal::Refusal;
use crate::state::Records;

/// [I] rows if the caller gives no number, and the most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;
/// [E] largest file, in bytes.
const LARGEST_FILE: u64 = 25 << 20;

pub(super) fn answer(state: &mut Records, call: &SandboxCall) -> Option<Result<Value, Refusal>> {
    Some(match call.operation.key.as_str() {
        "GET /medias/files" => Ok(files(state, call)),
        "POST /medias/upload-file" => upload(state, call),
        "POST /medias/folder" => folder(state, call),
        "POST /medias/{id}" => rename(state, call, call.path("id"), &call.body["name"])
            .map(|()| json!({"updated": true})),
        "DELETE /medias/{id}" => {
            delete(state, call, call.path("id")).map(|()| json!({"deleted": true}))
        }
        "PUT /medias/update-files" => rename_many(state, call),
        "PUT /medias/delete-files" => delete_many(state, call),
        _ => return None,
    })
}

/// [E] the contents of a folder, or of the top; files or folders. [I] `fetchAll` includes every folder.
fn files(state: &Records, call: &SandboxCall) -> Value {
    let needle = call.query("query").unwrap_or_default().to_lowercase();
    let folders = call.query("type") == Some("folder");
    let parent = call.query("parentId").unwrap_or_default();
    let all = call.query("fetchAll") == Some("true") || !needle.is_empty();
    let mut found: Vec<&Value> = of_location(state, "media", call.location())
        .filter(|one| {
            (one["type"] == "folder") == folders
                && (all || one["parentId"] == *parent)
                && mentions(one, &["/name"], &needle)
        })
        .collect();
    let field = call.query("sortBy").unwrap_or("createdAt");
    match field {
        "createdAt" | "updatedAt" => found.sort_by_cached_key(|one| milliseconds(&one[field])),
        _ => found.sort_by_cached_key(|one| one["name"].as_str().map(str::to_lowercase)),
    }
    if call.query("sortOrder") == Some("desc") {
        found.reverse();
    }
    let limit = call.number("limit").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let offset = call.number("offset").unwrap_or(0);
    let page: Vec<&Value> = found.into_iter().skip(offset).take(limit).collect();
    json!({"files": page})
}

/// [E] from `fileUrl` if `hosted` is true, else from `file`; [I] the messages.
fn upload(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let parent = call.text("parentId").filter(|id| !id.is_empty());
    if let Some(parent) = parent {
        call.record(state, "media", parent)?;
    }
    let file = &call.body["file"];
    let hosted = call.text("hosted") == Some("true");
    let link = call.text("fileUrl").filter(|_| hosted);
    let (name, kind, size) = match link {
        Some(link) => {
            let path = link.split(['?', '#']).next().unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default();
            (name.to_owned(), json!(kind_of(name)), json!(0))
        }
        None if hosted => {
            return Err(Refusal::new(400, "fileUrl is required when hosted is true"));
        }
        // A request without a file gets its document's sample.
        None if file.is_null() => return Ok(json!({})),
        None => {
            let name = file["name"].as_str().unwrap_or_default().to_owned();
            (name, file["type"].clone(), file["size"].clone())
        }
    };
    if size.as_u64() > Some(LARGEST_FILE) {
        return Err(Refusal::new(400, "The file is larger than 25 MB"));
    }
    let given = call.text("name").filter(|name| !name.is_empty());
    let name = given.map_or(name, str::to_owned);
    let record = json!({
        "name": name, "type": "file", "contentType": kind, "size": size, "parentId": parent,
    });
    let made = keep(state, call, record);
    Ok(json!({"fileId": made["_id"], "url": made["url"]}))
}

/// [I] derived from the name's ending.
fn kind_of(name: &str) -> &'static str {
    let ending = name.rsplit('.').next().unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

fn folder(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let parent = call.text("parentId").filter(|id| !id.is_empty());
    if let Some(parent) = parent {
        call.record(state, "media", parent)?;
    }
    let record = json!({"name": call.body["name"], "type": "folder", "parentId": parent});
    Ok(keep(state, call, record))
}

/// With its address: [I] the form of both.
fn keep(state: &mut Records, call: &SandboxCall, mut record: Value) -> Value {
    record["altId"] = json!(call.location());
    record["altType"] = json!("location");
    record["deleted"] = json!(false);
    let made = make(state, call, "media", record);
    let id = made["_id"].as_str().unwrap_or_default();
    let name = made["name"].as_str().unwrap_or_default();
    let path = format!("location/{}/media/{id}/{name}", call.location());
    let mut changes = Map::from_iter([("path".to_owned(), json!(path))]);
    if made["type"] == "file" {
        let url = format!("https://storage.example.com/{path}");
        changes.insert("url".to_owned(), json!(url.replace(' ', "%20")));
    }
    if made["parentId"].is_null() {
        changes.insert("parentId".to_owned(), json!(""));
    }
    state.change("media", id, changes).unwrap_or_default()
}

fn rename(state: &mut Records, call: &SandboxCall, id: &str, name: &Value) -> Result<(), Refusal> {
    call.record(state, "media", id)?;
    let changes = [("name", name.clone()), ("updatedAt", json!(call.date()))];
    let changes = changes.map(|(name, value)| (name.to_owned(), value));
    state.change("media", id, Map::from_iter(changes));
    Ok(())
}

fn rename_many(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let files = call.body["filesToBeUpdated"].as_array();
    let files = files.map_or(&[][..], Vec::as_slice);
    for file in files {
        let id = file["id"].as_str().unwrap_or_default();
        rename(state, call, id, &file["name"])?;
    }
    let ids: Vec<&Value> = files.iter().map(|file| &file["id"]).collect();
    Ok(json!({"id": ids, "updated": true}))
}

/// [E] deletes a folder with its contents.
fn delete(state: &mut Records, call: &SandboxCall, id: &str) -> Result<(), Refusal> {
    call.record(state, "media", id)?;
    let mut open = vec![id.to_owned()];
    while let Some(id) = open.pop() {
        let inside = state.all("media").filter(|one| one["parentId"] == *id);
        open.extend(inside.filter_map(|one| one["_id"].as_str().map(str::to_owned)));
        state.remove("media", &id);
    }
    Ok(())
}

fn delete_many(state: &mut Records, call: &SandboxCall) -> Result<Value, Refusal> {
    let files = call.body["filesToBeDeleted"].as_array();
    let files = files.map_or(&[][..], Vec::as_slice);
    for file in files {
        delete(state, call, file["_id"].as_str().unwrap_or_default())?;
    }
    let ids: Vec<&Value> = files.iter().map(|file| &file["_id"]).collect();
    Ok(json!({"id": ids, "deleted": true}))
}
