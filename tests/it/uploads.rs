//! Files of the sizes in the tools' texts, over HTTP and stdio, to HighLevel and to the sandbox.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::config::{Config, Flags};
use serde_json::{Map, Value, json};
use tool::{Place, Tool};

use crate::stdio::{Piped, program};
use test_support::recording::Recording;
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

/// A decimal megabyte.
const MB: usize = 1_000_000;

/// A HighLevel that accepts bodies of any size.
async fn highlevel() -> Recording {
    Recording::always(200, r#"{"fileId":"f1"}"#).await
}

/// The sizes of the received bodies, in bytes.
fn sizes(highlevel: &Recording) -> Vec<usize> {
    let taken = highlevel.take().into_iter();
    taken.map(|request| request.body.len()).collect()
}

fn uploads() -> impl Iterator<Item = &'static Tool> {
    TOOLS
        .iter()
        .filter(|tool| tool.arguments.iter().any(|argument| argument.file))
}

fn file(bytes: usize) -> String {
    STANDARD.encode(vec![b'x'; bytes])
}

/// Arguments of the tool, with one file.
fn arguments(tool: &Tool, bytes: usize) -> Value {
    let schema: Value = serde_json::from_str(tool.advertised_schema).expect("JSON");
    let required = schema["required"].as_array();
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    let mut arguments: Map<String, Value> = required
        .map(|name| (name.to_owned(), json!("id1")))
        .collect();
    let file_argument = tool.arguments.iter().find(|argument| argument.file);
    let file_argument = file_argument.expect("a file");
    let value = match file_argument.place {
        Place::WholeBody => json!({"field_1": file(bytes)}),
        _ if schema["properties"][file_argument.name]["type"] == "array" => json!([file(bytes)]),
        _ => json!(file(bytes)),
    };
    arguments.insert(file_argument.name.to_owned(), value);
    Value::Object(arguments)
}

#[test]
fn texts_name_sizes_that_fit() {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let server = &config.server;
    assert!(server.largest_request() <= server.max_bytes_per_caller);
    let mut named = 0;
    for tool in uploads() {
        let words: Vec<&str> = tool.description.split_whitespace().collect();
        for pair in words.windows(2) {
            if let Some(number) = pair[1].starts_with("MB").then(|| pair[0].parse::<usize>()) {
                let bytes = number.expect("a number") * MB;
                assert!(bytes <= server.max_upload_bytes, "{}: {bytes}", tool.name);
                named += 1;
            }
        }
    }
    assert_eq!(named, 2, "tools that name a size");
}

#[tokio::test]
async fn every_operation_with_files_takes_more_than_other_requests_may_hold() {
    let highlevel = highlevel().await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED, UNCONFIRMED]).await;
    server.vouched = true;
    server.path = "/mcp/x/all";
    let mut count = 0;
    for tool in uploads() {
        let (text, is_error) = server.call(tool.name, arguments(tool, 5 * MB)).await;
        assert!(!is_error, "{}: {text}", tool.name);
        let sent = sizes(&highlevel);
        assert!(
            sent.iter().any(|size| *size > 5 * MB),
            "{}: {sent:?}",
            tool.name
        );
        count += 1;
    }
    assert_eq!(count, 5);
    let tool = "medias_upload-media-content";
    let (text, is_error) = server.call(tool, json!({"file": file(25 * MB)})).await;
    assert!(!is_error, "{text}");
    let sent = sizes(&highlevel);
    assert!(sent.iter().any(|size| *size > 25 * MB), "{sent:?}");
    server.path = "/mcp";
    let call = json!({"operation": tool, "arguments": {"file": file(5 * MB)}});
    let (text, is_error) = server.call("call_write", call).await;
    assert!(!is_error, "by the orchestrator: {text}");
    server.stop().await;
}

#[tokio::test]
async fn other_requests_and_unknown_callers_may_not_be_as_large() {
    let highlevel = highlevel().await;
    let small = ("HIGHLEVEL_MCP_SERVER_MAX_BYTES_PER_CALLER", "10000000");
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED, small]).await;
    let key = ("x-access-key", test_support::server::KEY);
    // Tool, file or text, headers, status, words.
    for (tool, argument, bytes, vouched, status, part) in [
        (
            "contacts_create-contact",
            "name",
            5 * MB,
            true,
            413,
            "larger than 4194304 bytes, the limit of operations without files",
        ),
        (
            "medias_upload-media-content",
            "file",
            5 * MB,
            true,
            200,
            "fileId",
        ),
        (
            "medias_upload-media-content",
            "file",
            5 * MB,
            false,
            413,
            "Make a small call with it first",
        ),
        (
            "medias_upload-media-content",
            "file",
            15 * MB,
            true,
            503,
            "your share",
        ),
        (
            "medias_upload-media-content",
            "file",
            40 * MB,
            true,
            413,
            "larger than",
        ),
    ] {
        let arguments = json!({argument: file(bytes)});
        let params = json!({"name": tool, "arguments": arguments});
        let mut request = server
            .post("/mcp/x/all")
            .header(
                "authorization",
                if vouched {
                    "Bearer pit-test"
                } else {
                    "Bearer pit-new"
                },
            )
            .header("locationid", "L0")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
        if vouched {
            request = request.header(key.0, key.1);
        }
        let reply = request.send().await.expect("a reply");
        let found = reply.status().as_u16();
        let text = reply.text().await.expect("a text");
        assert!(
            found == status && text.contains(part),
            "{tool} {bytes}: {found} {text}"
        );
    }
    assert_eq!(sizes(&highlevel).len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn the_sandbox_takes_files_over_stdio() {
    let arguments = ["stdio", "--sandbox", "--tools", "all"];
    let mut client = Piped::start(program(&arguments, &[UNCONFIRMED])).await;
    let done = client
        .call(
            "medias_upload-media-content",
            json!({"file": file(25 * MB)}),
        )
        .await;
    assert_ne!(done["isError"], true, "{done}");
    assert!(done["content"][0]["text"].is_string(), "{done}");
}
