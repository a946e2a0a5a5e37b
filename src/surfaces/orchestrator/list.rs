//! The orchestrator's tools as clients see them: together at most 1,000 tokens.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::CallToolKind;
use crate::surfaces::{MetaHints, MetaListing};

pub(super) const SEARCH: &str = "search_operations";
pub(super) const LOCATIONS: &str = "list_locations";

const AS_WRITE: &str = "see call_write";
const ITEMS_TEXT: &str = "up to 100 calls, merged over arguments";
const EACH_TEXT: &str =
    "one call per row of a read: {operation, arguments, filter, maxItems, bind: {argument: field}}";

/// `output` in words: as a schema it costs 95 more tokens.
const OUTPUT_TEXT: &str = "{fields: [dotted paths], [\"*\"] for all; \
     texts end at 300 characters, named ones at 20,000; filter: [{field, op, value}], \
     op = != > >= < <= before after contains in exists not_*; format: json, table, csv; maxItems: 500; \
     allPages: true (5) or up to 50; locations: [\"*\"] for all; groupBy: field or date:month|week|day; \
     count, sum, avg, min, max, minCount: 50 pages; spreadsheetSafe}";

static METAS: LazyLock<[Arc<MetaListing>; 6]> = LazyLock::new(|| {
    let metas = [
        MetaListing {
            name: SEARCH,
            title: Some("Search operations"),
            description: "Find HighLevel operations by intent. Each hit names its effect: use call_<effect>, for money or bulk call_destructive.",
            schema: search_schema(),
            hints: hints(true, true),
            calls: None,
        },
        call_tool(
            CallToolKind::Read,
            "Read",
            "Run a read operation. Lists are columns and rows of summary fields; output.fields returns objects.",
        ),
        call_tool(CallToolKind::Write, "Write", "Run a write operation."),
        call_tool(
            CallToolKind::Send,
            "Send",
            "Run a send operation: it reaches people immediately.",
        ),
        call_tool(
            CallToolKind::Destructive,
            "Delete or pay",
            "Run a destructive, money or bulk operation. The first call previews; confirm alone runs it.",
        ),
        MetaListing {
            name: LOCATIONS,
            title: Some("List locations"),
            description: "List the locations (sub-accounts) you can access.",
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
                "description": "one intent each",
            },
            "operations": {"type": "array", "items": {"type": "string"}, "description": "exact names"},
            "domain": {"type": "string", "description": "e.g. contacts"},
            "effect": {"type": "string", "enum": ["read", "write", "send", "money", "destructive"]},
            "limit": {"type": "integer"},
            "detail": {"type": "string", "enum": ["names", "signature", "schema"]},
            "path": {"type": "string", "description": "fields inside openHours.hours"},
        },
    })
}

fn call_tool(kind: CallToolKind, title: &'static str, description: &'static str) -> MetaListing {
    // Each word costs as many times as there are call tools, so common facts are given on one or two only.
    let is_first = matches!(kind, CallToolKind::Read | CallToolKind::Write);
    let mut properties = json!({
        "operation": {"type": "string"},
        "arguments": {"type": "object"},
        "location": {"type": "string"},
        "items": {
            "type": "array", "items": {"type": "object"},
            "description": if is_first { ITEMS_TEXT } else { AS_WRITE },
        },
    });
    if kind == CallToolKind::Read {
        properties["location"]["description"] = json!("alias or id");
        properties["output"] = json!({"type": "object", "description": OUTPUT_TEXT});
    } else {
        let each = if is_first { EACH_TEXT } else { AS_WRITE };
        properties["each"] = json!({"type": "object", "description": each});
        properties["onError"] = json!({"type": "string", "description": "stop or continue"});
        properties["dryRun"] = json!({"type": "boolean", "description": "sends nothing"});
        properties["idempotencyKey"] = json!({"type": "string"});
        properties["confirm"] = json!({"type": "string", "description": "from a preview"});
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
