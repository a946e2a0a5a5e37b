//! Every operation of the documents, sent as documented, answers as documented.

mod ask;
mod ids;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::sandbox::{SandboxOptions, coverage};
use serde_json::{Map, Value, json};

use super::{Sandbox, answer};
use ids::Ids;
use test_support::server::client;

/// Operations with a documented answer that a repair corrects, and the repair.
const MENDED: &[(&str, &str, &str)] = &[
    (
        "GET /conversations/{conversationId}/messages",
        "conversations",
        "$.components.schemas.GetMessagesByConversationResponseDto",
    ),
    (
        "GET /opportunities/pipelines",
        "opportunities",
        "$.components.schemas.PipelinesResponseSchema.properties.stages.items",
    ),
    (
        "POST /locations/{locationId}/tasks/search",
        "locations",
        "$.components.schemas.LocationTaskListSuccessfulResponseDto.properties.tasks.items",
    ),
];

/// Documents with records that the sandbox stores.
const STATEFUL: [&str; 13] = [
    "blogs",
    "calendars",
    "contacts",
    "conversations",
    "invoices",
    "links",
    "locations",
    "medias",
    "opportunities",
    "payments",
    "products",
    "social-media-posting",
    "users",
];

/// A number from HighLevel's documents, which an import changes. `codegen refresh` writes it.
fn documented(name: &str) -> usize {
    let counts = include_str!("../../../snapshots/counts.toml");
    let counts: toml::Table = counts.parse().expect("TOML");
    let count = counts.get(name).and_then(toml::Value::as_integer);
    usize::try_from(count.expect(name)).expect("a count")
}

#[tokio::test]
async fn every_answer_is_what_its_document_describes() {
    let (mut asked, mut silent, mut mended) = (0, 0, Vec::new());
    let mut faults = Vec::new();
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    // The same seed gives the same ids after every reset.
    let mut ids = Ids::read(&sandbox).await;
    let mut changed = false;
    for (stem, document) in documents() {
        let schemas = checkable(&document);
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in ["get", "post", "put", "patch", "delete"] {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let key = format!("{} {path}", method.to_uppercase());
                asked += 1;
                // Each write finds the initial records, and no write meets the rate limit of earlier ones. Ids stay the
                // same.
                if changed || asked % 50 == 0 {
                    answer(client().post(format!("{}/__sandbox/reset", sandbox.url))).await;
                }
                changed = method != "get" && STATEFUL.contains(&stem.as_str());
                ids.prepare(path).await;
                let (status, found) = ids.ask(&document, path, method, operation).await;
                if !(200..300).contains(&status) {
                    faults.push(format!("{stem} {key}: {status} {found}"));
                    continue;
                }
                let success = operation["responses"].as_object().into_iter().flatten();
                let success = success.filter(|(status, _)| status.starts_with('2'));
                let schema = success.into_iter().find_map(|(_, answer)| {
                    Some(answer["content"].as_object()?.values().next()?["schema"].clone())
                });
                let Some(schema) = schema.filter(|schema| !schema.is_null()) else {
                    silent += 1;
                    continue;
                };
                if MENDED.iter().any(|(mended, ..)| *mended == key) {
                    mended.push(key);
                    continue;
                }
                let mut whole = checkable(&schema);
                whole["components"] = schemas["components"].clone();
                let checker = jsonschema::validator_for(&whole).expect("a schema");
                if let Err(error) = checker.validate(&found) {
                    faults.push(format!(
                        "{stem} {key}: {error} at {}",
                        error.instance_path()
                    ));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {asked}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert_eq!(
        (asked, silent),
        (documented("operations"), documented("undocumented_answers"))
    );
    // The sandbox answers v3-only operations from their documents alone.
    let of_v3 = (
        documented("operations_of_v3_alone"),
        documented("undocumented_answers_of_v3_alone"),
    );
    assert_eq!(coverage(), (asked + of_v3.0, silent + of_v3.1));
    assert_eq!(
        mended.len(),
        MENDED.len(),
        "a mended operation is gone: {mended:?}"
    );
}

fn documents() -> BTreeMap<String, Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi/highlevel");
    let entries = std::fs::read_dir(folder).expect("documents");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let stem = path
                .file_stem()
                .expect("a stem")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("a file");
            (stem, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

/// The schema as JSON Schema 2020-12: null for OpenAPI's nullable, and no type if the document's own example
/// contradicts it.
fn checkable(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut checkable: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| *name != "example" && *name != "format")
                // Branches overlap in these documents.
                .map(|(name, member)| {
                    let name = if name == "oneOf" { "anyOf" } else { name };
                    (name.to_owned(), self::checkable(member))
                })
                .collect();
            if members.contains_key("x-example-type") {
                checkable.remove("type");
                checkable.remove("properties");
                checkable.remove("items");
            }
            let kind = checkable
                .get("type")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if let (Some(kind), true) = (kind, members.get("nullable") == Some(&json!(true))) {
                checkable.insert("type".to_owned(), json!([kind, "null"]));
            }
            Value::Object(checkable)
        }
        Value::Array(items) => items.iter().map(checkable).collect(),
        plain => plain.clone(),
    }
}

fn resolved<'d>(document: &'d Value, mut schema: &'d Value) -> &'d Value {
    while let Some(reference) = schema["$ref"].as_str() {
        schema = document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
    }
    match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) => resolved(document, only),
        _ => schema,
    }
}
