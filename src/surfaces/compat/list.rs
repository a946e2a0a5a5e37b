//! The four tools as clients see them, with the arguments of each.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::call::arguments::own::OwnArguments;
use crate::call::output_schema;
use crate::surfaces::MetaListing;

pub(super) const LIST_LOCATIONS: &str = "list_locations";
pub(super) const SEARCH: &str = "search_operations";
pub(super) const DESCRIBE: &str = "describe_operation";
pub(super) const EXECUTE: &str = "execute_operation";

/// The four tools as clients see them.
pub(super) static LIST: LazyLock<Vec<Arc<MetaListing>>> =
    LazyLock::new(|| metas().into_iter().map(Arc::new).collect());

/// The arguments of each of the four.
pub(super) struct CompatArguments {
    pub list_locations: OwnArguments,
    pub search: OwnArguments,
    pub describe: OwnArguments,
    pub execute: OwnArguments,
}

pub(super) static OWN: LazyLock<CompatArguments> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let object = |properties: Value, required: &[&str]| {
        json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": false,
        })
    };
    let search = json!({
        "query": text,
        "domains": {"type": "array", "items": text},
        "kind": {"type": "string", "enum": ["read", "write"]},
        "limit": {"type": "integer", "minimum": 1},
    });
    let params = json!({
        "path": {"type": "object"},
        "query": {"type": "object"},
        "body": {"type": ["object", "array"]},
        "locationId": text,
    });
    // Arguments of the operation may be beside these.
    let params = json!({"type": "object", "properties": params, "additionalProperties": true});
    let execute = json!({
        "operationId": text,
        "params": params,
        "idempotencyKey": text,
        "reason": text,
        "confirm": text,
        "dryRun": {"type": "boolean"},
        "output": output_schema(),
    });
    CompatArguments {
        list_locations: OwnArguments::new(LIST_LOCATIONS, object(json!({}), &[])),
        search: OwnArguments::new(SEARCH, object(search, &["query"])),
        describe: OwnArguments::new(
            DESCRIBE,
            object(json!({"operationId": text, "path": text}), &["operationId"]),
        ),
        execute: OwnArguments::new(EXECUTE, object(execute, &["operationId"])),
    }
});

fn metas() -> [MetaListing; 4] {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    let meta = |name, description, schema| MetaListing {
        name,
        title: None,
        description,
        schema,
        hints: None,
        calls: None,
    };
    [
        meta(
            LIST_LOCATIONS,
            "List the locations (sub-accounts) that the credential can access.",
            json!({"type": "object", "properties": {}}),
        ),
        meta(
            SEARCH,
            "Find operations of HighLevel's API by intent; describe_operation lists the arguments of one.",
            object(
                json!({"query": text, "domains": texts, "kind": {"type": "string", "enum": ["read", "write"]}, "limit": {"type": "integer"}}),
                &["query"],
            ),
        ),
        meta(
            DESCRIBE,
            "Describe one operation with its path, query and body arguments. The argument path, such as openHours.hours, \
             lists the fields inside one.",
            object(json!({"operationId": text, "path": text}), &["operationId"]),
        ),
        meta(
            EXECUTE,
            "Run an operation by its operationId, with the arguments from describe_operation. A write requires an \
             idempotencyKey; dryRun shows the request and sends nothing.",
            object(
                json!({
                    "operationId": text,
                    "params": {"type": "object", "properties": {
                        "path": {"type": "object"}, "query": {"type": "object"}, "body": {"type": "object"}, "locationId": text,
                    }},
                    "idempotencyKey": text,
                    "reason": text,
                    "confirm": text,
                    "dryRun": {"type": "boolean"},
                    "output": {
                        "type": "object",
                        "description": "reduces HighLevel's answer: {fields: [dotted paths], filter: [{field, op, value}], maxItems, allPages}",
                    },
                }),
                &["operationId"],
            ),
        ),
    ]
}
