//! The program itself: over stdio, and as commands of a terminal.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::recording::Recording;

/// The program without what the environment of the tests may hold.
pub fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"));
    command
        .args(arguments)
        .env_clear()
        .env("HIGHLEVEL_MCP_STATE_FOLDER", STATE)
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    command
}

/// The state folder of every program that a test starts.
pub const STATE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/state");

const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-stdio"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

#[tokio::test]
async fn stdio_carries_frames_and_nothing_else() {
    let highlevel = Recording::always(200, r#"{"contacts":[]}"#).await;
    let mut child = program(&["stdio", "--base-url", &highlevel.url], &ACCOUNT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let frames = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "contacts_get-contacts", "arguments": {"limit": 1}}}),
        json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "contacts_get-contacts", "arguments": {"locationId": "L1"}}}),
    ];
    let mut replies = Vec::new();
    for frame in frames {
        stdin
            .write_all(format!("{frame}\n").as_bytes())
            .await
            .expect("written");
        if frame.get("id").is_some() {
            let line = lines.next_line().await.expect("a line").expect("a reply");
            let reply: Value = serde_json::from_str(&line).expect("a frame");
            assert_eq!(reply["id"], frame["id"]);
            replies.push(reply);
        }
    }
    assert_eq!(
        replies[1]["result"]["tools"].as_array().map(Vec::len),
        Some(27)
    );
    assert_eq!(
        replies[2]["result"]["content"][0]["text"],
        r#"{"contacts":[]}"#
    );
    assert_eq!(replies[3]["result"]["isError"], true);
    let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
    assert_eq!(request.target, "/contacts/?limit=1&locationId=L0");
    assert_eq!(request.header("authorization"), Some("Bearer pit-stdio"));
    drop(stdin);
    let status = child.wait().await.expect("an end");
    assert!(status.success());
    assert_eq!(lines.next_line().await.expect("the end"), None);
}

#[tokio::test]
async fn commands_print_and_exit_as_documented() {
    let highlevel = Recording::always(200, r#"{ "contact": {} }"#).await;
    let refusing = Recording::always(404, r#"{"message": "gone"}"#).await;
    let (url, gone) = (highlevel.url.as_str(), refusing.url.as_str());
    let get = r#"{"contactId": "c1"}"#;
    let call = |url| ["call", "--base-url", url, "contacts_get-contact", get];
    // Arguments, variables, exit code, part of stdout, part of stderr.
    let rows: &[(&[&str], &[(&str, &str)], i32, &str, &str)] = &[
        (&call(url), &ACCOUNT, 0, "{\"contact\":{}}\n", ""),
        (&call(gone), &ACCOUNT, 1, "\"class\":\"not_found\"", ""),
        (&call(url), &[], 2, "", "set HIGHLEVEL_TOKEN"),
        (
            &call(url),
            &[("HIGHLEVEL_TOKEN", "secret")],
            2,
            "",
            "HIGHLEVEL_TOKEN is no HighLevel token",
        ),
        (
            &["call", "contacts_get-contac"],
            &ACCOUNT,
            2,
            "",
            "did you mean contacts_get-contact?",
        ),
        (
            &["call", "contacts_get-contact", "[1]"],
            &ACCOUNT,
            2,
            "",
            "no JSON object",
        ),
        (&["stdio"], &[], 2, "", "set HIGHLEVEL_TOKEN"),
        (
            &["stdio"],
            &[
                ("HIGHLEVEL_TOKEN", "pit-1"),
                ("HIGHLEVEL_LOCATION_ID", "../x"),
            ],
            2,
            "",
            "HIGHLEVEL_LOCATION_ID is no HighLevel id",
        ),
        (
            &["serve"],
            &[("HIGHLEVEL_MCP_LISTEN", "x")],
            2,
            "",
            "HIGHLEVEL_MCP_LISTEN is no setting",
        ),
        (
            &["serve", "--listen", "1.2.3.4:1"],
            &[],
            2,
            "",
            "other machines reach 1.2.3.4:1",
        ),
        (
            &["serve", "--listen", "1.2.3.4:1", "--tls", "proxy"],
            &[],
            2,
            "",
            "cannot listen on 1.2.3.4:1",
        ),
        (
            &["serve", "--tls", "maybe"],
            &[],
            2,
            "",
            "unknown variant `maybe`",
        ),
        (
            &["serve", "--base-url", "ftp://x"],
            &[],
            2,
            "",
            "is no http or https URL",
        ),
        (
            &["serve", "--config", "/gone.toml"],
            &[],
            2,
            "",
            "/gone.toml cannot be read",
        ),
        (&["tools"], &[], 0, "contacts_get-contact\tread\t", ""),
        (
            &["tools", "list", "contacts"],
            &[],
            0,
            "contacts_upsert-contact\twrite\t",
            "",
        ),
        (
            &["stdio", "--tools", "nothing"],
            &ACCOUNT,
            2,
            "",
            "there is no toolset nothing",
        ),
        (
            &["tools", "list"],
            &[],
            0,
            "payments_list-transactions\tread\t",
            "",
        ),
        (
            &["tools", "show", "contacts_get-contact"],
            &[],
            0,
            "GET /contacts/{contactId}",
            "",
        ),
        (&["tools", "scopes"], &[], 0, "- `contacts.readonly`: ", ""),
        (&["config"], &[], 0, "max_answer_bytes = 131072", ""),
        (
            &["--help"],
            &[],
            0,
            "Exit codes: 0 done; 1 a tool failed",
            "",
        ),
        (&["--version"], &[], 0, "(HighLevel documents ", ""),
        (
            &["serve", "--port", "1"],
            &[],
            2,
            "",
            "unexpected argument '--port'",
        ),
    ];
    for (arguments, variables, code, stdout, stderr) in rows {
        let output = program(arguments, variables).output().await.expect("run");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{arguments:?}: {out} {err}"
        );
        assert!(
            out.contains(stdout),
            "{arguments:?}: {stdout:?} is not in {out:?}"
        );
        assert!(
            err.contains(stderr),
            "{arguments:?}: {stderr:?} is not in {err:?}"
        );
        assert!(
            !format!("{out}{err}").contains("pit-stdio"),
            "{arguments:?} prints the token"
        );
        assert!(!err.contains("secret"), "{arguments:?} prints the token");
    }
}

#[tokio::test]
async fn serve_says_where_it_listens_and_stops_on_sigterm() {
    let mut child = program(&["serve", "--listen", "127.0.0.1:0"], &[])
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let line = lines.next_line().await.expect("a line").expect("a line");
    let (_, after) = line.split_once("http://").expect("an address");
    let (address, _) = after.split_once("/mcp").expect("an address");
    let reply = crate::server::client()
        .get(format!("http://{address}/readyz"))
        .send()
        .await
        .expect("a reply");
    assert!(reply.status().is_success());
    let id = child.id().expect("running").to_string();
    let kill = Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .await
        .expect("kill");
    assert!(kill.success());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), child.wait()).await;
    assert!(ended.expect("in time").expect("an end").success());
}

/// A client that asks for it is told how far a batch is; stdio carries what stateless HTTP cannot.
#[tokio::test]
async fn a_batch_tells_how_far_it_is() {
    let highlevel = Recording::always(200, r#"{"tags":["a"]}"#).await;
    let arguments = [
        "stdio",
        "--tools",
        "orchestrator",
        "--base-url",
        &highlevel.url,
    ];
    let mut child = program(&arguments, &ACCOUNT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let items: Vec<Value> = (0..3)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    let batch =
        json!({"operation": "contacts_add-tags", "arguments": {"tags": ["a"]}, "items": items});
    let frames = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "call_write", "arguments": batch, "_meta": {"progressToken": "p1"}}}),
    ];
    for frame in frames {
        let frame = format!("{frame}\n");
        stdin.write_all(frame.as_bytes()).await.expect("written");
    }
    let (mut told, mut is_done) = (Vec::new(), false);
    while !is_done || told.len() < 3 {
        let line = lines.next_line().await.expect("a line").expect("a frame");
        let frame: Value = serde_json::from_str(&line).expect("a frame");
        is_done |= frame["id"] == 2;
        if frame["method"] == "notifications/progress" {
            let params = &frame["params"];
            assert_eq!(
                (&params["progressToken"], &params["total"]),
                (&json!("p1"), &json!(3.0))
            );
            told.push(params["progress"].as_f64().expect("a number"));
        }
    }
    told.sort_by(f64::total_cmp);
    assert_eq!(told, [1.0, 2.0, 3.0]);
}
