//! The orchestrator's tools as clients see them: together at most 1,000 tokens.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::CallToolKind;
use crate::surfaces::{MetaHints, MetaListing};

pub(super) const SEARCH: &str = "search_operations";
pub(super) const LOCATIONS: &str = "list_locations";

static METAS: LazyLock<[Arc<MetaListing>; 6]> = LazyLock::new(|| {
    let metas = [
        MetaListing {
            name: SEARCH,
            title: Some("Search operations"),
            description: "Find HighLevel operations by what you want to do. Each hit names its effect: use call_<effect>, for money call_destructive.",
            schema: search_schema(),
            hints: hints(true, true),
            calls: None,
        },
        call_tool(
            CallToolKind::Read,
            "Call a read",
            "Run an operation that only reads. Lists are columns and rows of their telling fields, with \
             output.fields objects.",
        ),
        call_tool(
            CallToolKind::Write,
            "Call a write",
            "Run an operation of effect write.",
        ),
        call_tool(
            CallToolKind::Send,
            "Call a send",
            "Run an operation of effect send: it reaches real people at once.",
        ),
        call_tool(
            CallToolKind::Destructive,
            "Call a destructive operation",
            "Run an operation of effect destructive or money, or a bulk one. The first call only previews; \
             confirm alone then runs it.",
        ),
        MetaListing {
            name: LOCATIONS,
            title: Some("List locations"),
            description: "The locations (sub-accounts) that the credential reaches.",
            schema: json!({"type": "object", "properties": {}}),
            hints: hints(true, true),
            calls: None,
        },
    ];
    metas.map(Arc::new)
});

/// The orchestrator's tools.
pub(super) fn metas() -> impl Iterator<Item = &'static Arc<MetaListing>> {
    METAS.iter()
}

/// Whether a tool only reads.
pub(super) fn reads(meta: &MetaListing) -> bool {
    meta.hints.is_some_and(|hints| hints.read_only)
}

fn hints(read_only: bool, closed_world: bool) -> Option<MetaHints> {
    Some(MetaHints {
        read_only,
        closed_world,
    })
}

fn search_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "queries": {
                "type": "array", "items": {"type": "string"}, "maxItems": 5,
                "description": "one intent each, in a few words",
            },
            "operations": {"type": "array", "items": {"type": "string"}, "description": "or exact names"},
            "domain": {"type": "string"},
            "effect": {"type": "string", "enum": ["read", "write", "send", "money", "destructive"]},
            "limit": {"type": "integer"},
            "detail": {"type": "string", "enum": ["names", "signature", "schema"]},
            "path": {"type": "string", "description": "what is inside openHours.hours"},
        },
    })
}

fn call_tool(kind: CallToolKind, title: &'static str, description: &'static str) -> MetaListing {
    let mut properties = json!({
        "operation": {"type": "string"},
        "arguments": {"type": "object"},
        "location": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object"}, "maxItems": 100},
    });
    // What holds for all four is told of two: each word here costs four times.
    if matches!(kind, CallToolKind::Read | CallToolKind::Write) {
        properties["items"]["description"] = json!("one call each, over arguments");
    }
    if kind == CallToolKind::Read {
        properties["output"] = json!({
            "type": "object",
            "properties": {
                "fields": {
                    "type": "array", "items": {"type": "string"},
                    "description": "dotted paths; [\"*\"] for all. Texts end at 300 characters, named ones at 20,000",
                },
                "filter": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "{field, op, value}; op: = != > >= < <= before after contains in exists not_*",
                },
                "format": {"type": "string", "enum": ["json", "table", "csv"]},
                "maxItems": {"type": "integer", "description": "500 if absent"},
                "allPages": {"type": "boolean", "description": "5 pages; a number: so many, at most 50"},
                "spreadsheetSafe": {"type": "boolean", "description": "in csv"},
                "groupBy": {"type": "string", "description": "field or date:month|week|day"},
                "count": {"type": "boolean", "description": "50 pages; also sum avg min max minCount"},
                "locations": {"type": "array", "items": {"type": "string"}, "description": "[\"*\"] for all"},
            },
        });
    } else {
        properties["each"] = json!({"type": "object"});
        properties["onError"] = json!({"type": "string", "enum": ["stop", "continue"]});
        properties["dryRun"] = json!({"type": "boolean"});
        properties["idempotencyKey"] = json!({"type": "string"});
        properties["confirm"] = json!({"type": "string"});
    }
    if kind == CallToolKind::Write {
        properties["each"]["description"] = json!(
            "one call a row of a read: {operation, arguments, filter, maxItems, bind: {argument: field}}"
        );
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if kind == CallToolKind::Read {
        schema["required"] = json!(["operation"]);
    }
    MetaListing {
        name: kind.tool_name(),
        title: Some(title),
        description,
        schema,
        hints: hints(kind == CallToolKind::Read, kind != CallToolKind::Send),
        calls: Some(kind),
    }
}
