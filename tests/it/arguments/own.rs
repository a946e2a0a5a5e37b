//! Every argument of ours: a wrong type, a null, its JSON text, an unknown name, and no text of the parser in an error.

use serde_json::{Value, json};

use super::{only, stack};

/// serde's messages about a value that it cannot read.
const PARSER_WORDS: [&str; 8] = [
    "invalid type",
    "invalid value",
    "missing field",
    "unknown field",
    "unknown variant",
    "did not match",
    "expected",
    " line ",
];

/// One tool of ours with arguments that are accepted.
struct OwnTool {
    path: &'static str,
    tool: &'static str,
    base: fn() -> Value,
    /// Each argument with a value of a type that it never has.
    arguments: &'static [(&'static str, &'static str)],
}

const OBJECT: &str = r#"{"a":1}"#;

const TOOLS: [OwnTool; 7] = [
    OwnTool {
        path: "/mcp",
        tool: "call_read",
        base: || json!({"operation": "contacts_get-contact", "arguments": {"contactId": "c"}}),
        arguments: &[
            ("arguments", "5"),
            ("items", OBJECT),
            ("output", "5"),
            ("output.fields", OBJECT),
            ("output.filter", "5"),
            ("output.format", OBJECT),
            ("output.maxItems", OBJECT),
            ("output.allPages", OBJECT),
            ("location", OBJECT),
        ],
    },
    OwnTool {
        path: "/mcp",
        tool: "call_write",
        base: || json!({"operation": "contacts_update-contact", "arguments": {"contactId": "c", "city": "R"}}),
        arguments: &[
            ("onError", OBJECT),
            ("dryRun", OBJECT),
            ("idempotencyKey", OBJECT),
            ("reason", OBJECT),
            ("confirm", OBJECT),
        ],
    },
    OwnTool {
        path: "/mcp",
        tool: "contacts_get-contact",
        base: || json!({"contactId": "c"}),
        arguments: &[
            ("output", "5"),
            ("output.fields", OBJECT),
            ("location", OBJECT),
            ("confirm", OBJECT),
        ],
    },
    OwnTool {
        path: "/mcp",
        tool: "search_operations",
        base: || json!({"queries": ["tag a contact"]}),
        arguments: &[
            ("operations", OBJECT),
            ("domain", OBJECT),
            ("effect", OBJECT),
            ("limit", OBJECT),
            ("detail", OBJECT),
        ],
    },
    OwnTool {
        path: "/mcp/compat",
        tool: "search_operations",
        base: || json!({"query": "tag a contact"}),
        arguments: &[("domains", OBJECT), ("kind", OBJECT), ("limit", OBJECT)],
    },
    OwnTool {
        path: "/mcp/compat",
        tool: "describe_operation",
        base: || json!({"operationId": "contacts_get-contact"}),
        arguments: &[("path", OBJECT)],
    },
    OwnTool {
        path: "/mcp/compat",
        tool: "execute_operation",
        base: || json!({"operationId": "contacts_get-contact", "params": {"path": {"contactId": "c"}}}),
        arguments: &[
            ("params.query", "5"),
            ("params.body", "5"),
            ("params.locationId", OBJECT),
            ("idempotencyKey", OBJECT),
            ("confirm", OBJECT),
            ("dryRun", OBJECT),
            ("reason", OBJECT),
            ("output", "5"),
            ("output.fields", OBJECT),
        ],
    },
];

/// `base` with `value` at a dotted path.
fn with(mut base: Value, path: &str, value: Value) -> Value {
    let mut holder = &mut base;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            holder[step] = value;
            break;
        }
        if holder.get(step).is_none() {
            holder[step] = json!({});
        }
        holder = &mut holder[step];
    }
    base
}

#[track_caller]
fn is_plain(text: &str) {
    for word in PARSER_WORDS {
        assert!(!text.contains(word), "{word:?} is in {text}");
    }
}

#[tokio::test]
async fn a_wrong_type_is_reported_with_the_name_of_the_argument() {
    let (highlevel, mut server) = stack().await;
    for OwnTool {
        path,
        tool,
        base,
        arguments,
    } in &TOOLS
    {
        server.path = path;
        for (argument, wrong) in *arguments {
            let wrong: Value = serde_json::from_str(wrong).expect("JSON");
            let (text, is_error) = server.call(tool, with(base(), argument, wrong)).await;
            let expected = format!("Nothing was sent: {argument} must be ");
            assert!(
                is_error && text.contains(&expected),
                "{tool} {argument}: {text}"
            );
            is_plain(&text);
        }
    }
    assert_eq!(highlevel.take().len(), 0);
}

#[tokio::test]
async fn a_null_means_absent() {
    let (highlevel, mut server) = stack().await;
    for OwnTool {
        path,
        tool,
        base,
        arguments,
    } in &TOOLS
    {
        server.path = path;
        let usual = server.call(tool, base()).await;
        let sent = highlevel.take();
        for (argument, _) in *arguments {
            let changed = ["arguments", "params"].contains(argument);
            if changed {
                continue;
            }
            let answer = server.call(tool, with(base(), argument, Value::Null)).await;
            // An `output` of its own shows a row by other fields; nulls in it do not.
            let same = answer == usual || argument.starts_with("output.") && !answer.1;
            assert!(same, "{tool} {argument}: {answer:?} is not {usual:?}");
            assert_eq!(highlevel.take().len(), sent.len(), "{tool} {argument}");
        }
    }
}

#[tokio::test]
async fn an_unknown_name_is_reported_with_the_nearest_one() {
    let (highlevel, mut server) = stack().await;
    let rows = [
        (
            "/mcp",
            "call_read",
            json!({"operation": "contacts_get-contact", "argumens": {}}),
            "argumens is not an argument of call_read, did you mean arguments?",
        ),
        (
            "/mcp",
            "call_read",
            json!({"tool": "contacts_get-contact", "params": {}}),
            "params is not an argument of call_read, did you mean arguments?",
        ),
        (
            "/mcp",
            "call_read",
            json!({"operation": "contacts_get-contact", "output": {"feilds": []}}),
            "output.feilds is not an argument of call_read, did you mean fields?",
        ),
        (
            "/mcp",
            "call_read",
            json!({"operation": "contacts_get-contact", "output": {"filter": [{"felid": "a"}]}}),
            "output.filter[0].felid is not an argument of call_read, did you mean field?",
        ),
        (
            "/mcp",
            "call_read",
            json!({"operation": "contacts_get-contact", "zebra": 1}),
            "zebra is not an argument of call_read, which takes operation, arguments, ",
        ),
        (
            "/mcp",
            "call_read",
            json!({"arguments": {}}),
            "operation is missing",
        ),
        (
            "/mcp",
            "call_read",
            json!({"operation": "contacts_get-contact", "output": {"filter": [{}, {"field": "a", "op": "~"}], "maxItems": -1}}),
            "output.filter[0].field is missing; output.filter[1].op must be one of ",
        ),
        (
            "/mcp",
            "contacts_get-contact",
            json!({"contactId": "c", "output": {"fields": [5, {}]}}),
            "output.fields[1] must be a string, not {}",
        ),
        (
            "/mcp",
            "search_operations",
            json!({"querys": ["a"]}),
            "querys is not an argument of search_operations, did you mean queries?",
        ),
        (
            "/mcp",
            "search_operations",
            json!({"queries": ["a", null]}),
            "queries[1] must be a string, not null",
        ),
        (
            "/mcp",
            "list_locations",
            json!({"location": "x"}),
            "location is not an argument of list_locations",
        ),
        (
            "/mcp/compat",
            "search_operations",
            json!({}),
            "query is missing",
        ),
        (
            "/mcp/compat",
            "execute_operation",
            json!({"operationId": "contacts_get-contact", "params": {"qury": {}}}),
            "params.qury is not an argument of execute_operation, did you mean query?",
        ),
        (
            "/mcp/compat",
            "list_locations",
            json!({"all": true}),
            "all is not an argument of list_locations",
        ),
    ];
    for (path, tool, arguments, expected) in rows {
        server.path = path;
        let (text, is_error) = server.call(tool, arguments.clone()).await;
        let text: Value = serde_json::from_str(&text).expect("JSON");
        let error = text["error"].as_str().expect("an error");
        assert!(
            is_error && error.contains(expected),
            "{tool} {arguments}: {error}"
        );
        is_plain(error);
    }
    assert_eq!(highlevel.take().len(), 0);
}

#[tokio::test]
async fn other_types_and_names_that_say_the_same_are_taken() {
    let (highlevel, mut server) = stack().await;
    let written = json!({"operation": "contacts_update-contact", "arguments": {"contactId": "c", "city": "R"}});
    let rows = [
        json!({"operation": "contacts_update-contact", "arguments": "{\"contactId\": \"c\", \"city\": \"R\"}"}),
        with(written.clone(), "items", json!("[{\"city\": \"R\"}]")),
        with(written.clone(), "idempotency_key", json!(17)),
        with(written.clone(), "dry_run", json!("false")),
        with(written.clone(), "on_error", json!("stop")),
        with(written.clone(), "location", json!("")),
    ];
    for arguments in rows {
        let (text, is_error) = server.call("call_write", arguments.clone()).await;
        assert!(!is_error, "{arguments}: {text}");
        let sent = only(highlevel.take(), &arguments.to_string());
        assert_eq!(
            (sent.target.as_str(), super::body(&sent)),
            ("/contacts/c", json!({"city": "R"})),
            "{arguments}"
        );
    }
    let (text, _) = server
        .call("call_write", with(written, "dry_run", json!("true")))
        .await;
    assert!(text.contains("\"dryRun\":true"), "{text}");
    let read = json!({"operation": "contacts_get-contact", "arguments": {"contactId": "c"}});
    let rows = [
        json!({"fields": "[\"contact.id\"]"}),
        json!("{\"fields\": [\"contact.id\"]}"),
        json!({"fields": ["contact.id"], "max_items": "1", "all_pages": "true", "format": null, "filter": "[]"}),
        json!({"fields": ["contact.id"], "allPages": "1", "filter": "{\"field\": \"id\", \"op\": null}"}),
    ];
    for output in rows {
        let (text, is_error) = server
            .call("call_read", with(read.clone(), "output", output.clone()))
            .await;
        assert_eq!(
            (text.as_str(), is_error),
            (r#"{"contact.id":"c"}"#, false),
            "{output}"
        );
        only(highlevel.take(), &output.to_string());
    }
    let (text, _) = server
        .call(
            "contacts_get-contact",
            json!({"contactId": "c", "output": "{\"fields\": \"[\\\"contact.id\\\"]\"}"}),
        )
        .await;
    assert_eq!(text, r#"{"contact.id":"c"}"#);
    let (text, is_error) = server
        .call(
            "search_operations",
            json!({"queries": "[\"tag a contact\"]", "limit": "1"}),
        )
        .await;
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (found["results"].as_array().map(Vec::len), is_error),
        (Some(1), false),
        "{text}"
    );
    server.path = "/mcp/compat";
    let described = server
        .call(
            "describe_operation",
            json!({"operation_id": "contacts_get-contact"}),
        )
        .await;
    assert!(!described.1, "{described:?}");
}
