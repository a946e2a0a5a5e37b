//! The same over stdin and stdout, where client and server share one connection.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{ELICIT, LONGEST, text};
use crate::stdio::program;
use test_support::recording::Recording;

/// A client that started the program and declares the given capabilities.
struct StdioClient {
    highlevel: Recording,
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

impl StdioClient {
    async fn start(rules: &str, capabilities: Value) -> Self {
        let highlevel = Recording::always(200, r#"{"tags":["vip"]}"#).await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, rules).expect("written");
        let variables = [
            ("HIGHLEVEL_TOKEN", "pit-stdio"),
            ("HIGHLEVEL_LOCATION_ID", "L0"),
            ("HIGHLEVEL_MCP_POLICY_FILE", path.to_str().expect("UTF-8")),
            (
                "HIGHLEVEL_MCP_STATE_FOLDER",
                folder.path().to_str().expect("UTF-8"),
            ),
        ];
        let mut command = program(&["stdio", "--base-url", &highlevel.url], &variables);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::null()).spawn().expect("started");
        let stdin = child.stdin.take().expect("stdin");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let mut client = Self {
            highlevel,
            child,
            stdin,
            lines,
            _folder: folder,
        };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": capabilities,
            "clientInfo": {"name": "t", "version": "1"}});
        client
            .write(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}))
            .await;
        client.next().await.expect("hello");
        client
            .write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        client
    }

    async fn write(&mut self, frame: &Value) {
        let line = format!("{frame}\n");
        self.stdin
            .write_all(line.as_bytes())
            .await
            .expect("written");
    }

    async fn call(&mut self, id: Value, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
            .await;
    }

    async fn tag(&mut self, id: Value) {
        let arguments = json!({"contactId": "c1", "tags": ["vip"]});
        self.call(id, "contacts_add-tags", arguments).await;
    }

    async fn next(&mut self) -> Option<Value> {
        let line = timeout(LONGEST, self.lines.next_line()).await;
        let line = line.expect("in time").expect("a line")?;
        Some(serde_json::from_str(&line).expect("a frame"))
    }

    async fn question(&mut self) -> Value {
        let question = self.next().await.expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let schema = &question["params"]["requestedSchema"];
        assert_eq!(*schema, json!({"type": "object", "properties": {}}));
        question
    }
}

#[tokio::test]
async fn the_answer_of_the_user_decides() {
    let mut client = StdioClient::start(ELICIT, json!({"elicitation": {}})).await;
    let cannot = json!({"error": {"code": -32601, "message": "no"}});
    let rows = [
        (
            json!({"result": {"action": "accept", "content": {}}}),
            "vip",
            1,
        ),
        (
            json!({"result": {"action": "decline"}}),
            "the user said no",
            1,
        ),
        (
            json!({"result": {"action": "cancel"}}),
            "closed the question",
            1,
        ),
        (cannot, "could not ask its user", 1),
        (json!({"result": {"action": "accept"}}), "vip", 2),
    ];
    for (number, (mut answer, told, writes)) in rows.into_iter().enumerate() {
        client.tag(json!(number)).await;
        let question = client.question().await;
        // Other calls go on meanwhile, under any id, including that of the question.
        let id = question["id"].clone();
        client
            .call(
                id.clone(),
                "contacts_get-contact",
                json!({"contactId": "c1"}),
            )
            .await;
        let read = client.next().await.expect("an answer");
        assert_eq!(read["id"], id, "{read}");
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = id;
        client.write(&answer).await;
        let done = client.next().await.expect("an answer");
        assert_eq!(done["id"], number, "{done}");
        let (found, _) = text(&done);
        assert!(found.contains(told), "{found}");
        assert_eq!(client.highlevel.writes(), writes, "{found}");
    }
}

#[tokio::test]
async fn a_client_that_shows_no_forms_is_not_asked() {
    let rows = [
        (json!({}), "elicit", "this client cannot ask"),
        (
            json!({"elicitation": {"url": {}}}),
            "elicit",
            "this client cannot ask",
        ),
        (
            json!({}),
            "elicit or token",
            "runs only once it is confirmed",
        ),
    ];
    for (capabilities, mode, told) in rows {
        let rules = format!("[server]\nconfirm = {{ write = {mode:?} }}\n");
        let mut client = StdioClient::start(&rules, capabilities).await;
        client.tag(json!(1)).await;
        let (found, is_error) = text(&client.next().await.expect("an answer"));
        // A preview is not an error.
        assert_eq!(is_error, mode == "elicit", "{mode}: {found}");
        assert!(found.contains(told), "{found}");
        assert_eq!(client.highlevel.writes(), 0);
    }
}

/// Nobody is left to answer. The call ends with a message, and the program ends at once.
#[tokio::test]
async fn a_client_that_leaves_ends_its_questions() {
    let mut client = StdioClient::start(ELICIT, json!({"elicitation": {"form": {}}})).await;
    client.tag(json!("a")).await;
    client.question().await;
    let StdioClient {
        highlevel,
        mut child,
        stdin,
        mut lines,
        ..
    } = client;
    drop(stdin);
    let line = timeout(LONGEST, lines.next_line()).await.expect("in time");
    let line = line.expect("a line").expect("an answer");
    let (found, is_error) = text(&serde_json::from_str(&line).expect("a frame"));
    assert!(is_error && found.contains("Nothing was sent"), "{found}");
    let ended = timeout(Duration::from_secs(5), child.wait()).await;
    assert!(ended.expect("at once").expect("an end").success());
    assert_eq!(highlevel.writes(), 0);
}
