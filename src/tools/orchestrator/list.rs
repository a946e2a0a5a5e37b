//! The orchestrator's tools as clients see them: together at most 1,000 tokens.

use serde_json::{Value, json};

use super::{Kind, Meta};

/// One tool of the list.
pub struct MetaTool {
    pub meta: Meta,
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub schema: Value,
}

/// The orchestrator's tools; `read_only` leaves out those that write.
pub fn meta_tools(read_only: bool) -> Vec<MetaTool> {
    let mut tools = vec![
        MetaTool {
            meta: Meta::Search,
            name: "search_operations",
            title: "Search operations",
            description: "Find HighLevel operations by what you want to do. Each hit names its effect: use call_<effect>. \
                          The location is filled in from the connection.",
            schema: search_schema(),
        },
        call_tool(
            Kind::Read,
            "Call a read",
            "Run an operation that only reads. Lists come back as columns and rows of their telling fields; output names \
             fields (rows are objects then), filters rows and follows pages.",
        ),
    ];
    if !read_only {
        tools.extend([
            call_tool(Kind::Write, "Call a write", "Run an operation of effect write."),
            call_tool(
                Kind::Send,
                "Call a send",
                "Run an operation of effect send: it reaches real people at once.",
            ),
            call_tool(
                Kind::Destructive,
                "Call a destructive operation",
                "Run an operation of effect destructive or money, or a bulk one. The first call changes nothing and \
                 answers with a preview and a confirm token.",
            ),
        ]);
    }
    tools.push(MetaTool {
        meta: Meta::Locations,
        name: "list_locations",
        title: "List locations",
        description: "The locations (sub-accounts) that the credential reaches.",
        schema: json!({"type": "object", "properties": {}}),
    });
    tools
}

fn search_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "queries": {
                "type": "array", "items": {"type": "string"}, "maxItems": 5,
                "description": "one intent each, such as \"reschedule appointment\"",
            },
            "operations": {"type": "array", "items": {"type": "string"}, "description": "or exact names"},
            "domain": {"type": "string", "description": "such as contacts"},
            "effect": {"type": "string", "enum": ["read", "write", "send", "money", "destructive"]},
            "limit": {"type": "integer"},
            "detail": {"type": "string", "enum": ["names", "signature", "schema"]},
        },
    })
}

fn call_tool(kind: Kind, title: &'static str, description: &'static str) -> MetaTool {
    let mut properties = json!({
        "operation": {"type": "string"},
        "arguments": {"type": "object"},
        "location": {"type": "string"},
        "items": {
            "type": "array", "items": {"type": "object"}, "maxItems": 100,
            "description": "one call for each, over arguments",
        },
    });
    if kind == Kind::Read {
        properties["output"] = json!({
            "type": "object",
            "properties": {
                "fields": {
                    "type": "array", "items": {"type": "string"},
                    "description": "dotted paths; [\"*\"] for all",
                },
                "filter": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "{field, op, value}; op: = != > >= < <= contains before after exists",
                },
                "format": {"type": "string", "enum": ["json", "table", "csv"]},
                "maxItems": {"type": "integer"},
                "allPages": {"type": "boolean"},
            },
        });
    } else {
        properties["onError"] = json!({"type": "string", "enum": ["stop", "continue"]});
        properties["dryRun"] = json!({"type": "boolean"});
        properties["idempotencyKey"] = json!({"type": "string"});
        properties["reason"] = json!({"type": "string"});
    }
    if kind == Kind::Destructive {
        properties["confirm"] = json!({"type": "string", "description": "token of the preview"});
    }
    MetaTool {
        meta: Meta::Call(kind),
        name: kind.tool_name(),
        title,
        description,
        schema: json!({"type": "object", "properties": properties, "required": ["operation"]}),
    }
}
