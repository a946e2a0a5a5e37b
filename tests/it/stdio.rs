//! The program itself: over stdio, and as commands of a terminal.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use test_support::recording::Recording;

/// The program without the environment variables of the tests.
pub(crate) fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
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
pub(crate) const STATE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/state");

const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-stdio"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

/// A client of a program that speaks MCP over stdin and stdout.
pub(crate) struct Piped {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Piped {
    /// Starts the program and performs the handshake.
    pub(crate) async fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::piped()).spawn().expect("started");
        let stdin = child.stdin.take().expect("stdin");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let mut client = Self {
            child,
            stdin,
            lines,
        };
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        client.send("initialize", hello).await;
        client.next().await;
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.write(&ready).await;
        client
    }

    /// Sends a request. Its answer is read by `next`.
    pub(crate) async fn send(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
            .await;
    }

    pub(crate) async fn next(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("a line");
        serde_json::from_str(&line.expect("a frame")).expect("a frame")
    }

    /// The result of a tool call.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        self.send("tools/call", params).await;
        self.next().await["result"].take()
    }

    async fn write(&mut self, frame: &Value) {
        let frame = format!("{frame}\n");
        self.stdin
            .write_all(frame.as_bytes())
            .await
            .expect("written");
    }
}

#[tokio::test]
async fn stdio_carries_frames_and_nothing_else() {
    let highlevel = Recording::always(200, r#"{"contacts":[]}"#).await;
    let mut client =
        Piped::start(program(&["stdio", "--base-url", &highlevel.url], &ACCOUNT)).await;
    client.send("tools/list", json!({})).await;
    let list = client.next().await;
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(27));
    let found = client
        .call("contacts_get-contacts", json!({"limit": 1}))
        .await;
    assert_eq!(found["content"][0]["text"], r#"{"contacts":[]}"#);
    let foreign = client
        .call("contacts_get-contacts", json!({"locationId": "L1"}))
        .await;
    assert_eq!(foreign["isError"], true);
    let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
    assert_eq!(request.target, "/contacts/?limit=1&locationId=L0");
    assert_eq!(request.header("authorization"), Some("Bearer pit-stdio"));
    let Piped {
        mut child,
        stdin,
        mut lines,
    } = client;
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
        (&call(url), &[], 2, "", "Set HIGHLEVEL_TOKEN"),
        (
            &call(url),
            &[("HIGHLEVEL_TOKEN", "secret")],
            2,
            "",
            "HIGHLEVEL_TOKEN is not a HighLevel token",
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
            "not a JSON object",
        ),
        (&["stdio"], &[], 2, "", "Set HIGHLEVEL_TOKEN"),
        (
            &["stdio"],
            &[
                ("HIGHLEVEL_TOKEN", "pit-1"),
                ("HIGHLEVEL_LOCATION_ID", "../x"),
            ],
            2,
            "",
            "HIGHLEVEL_LOCATION_ID is not a HighLevel id",
        ),
        (
            &["serve"],
            &[("HIGHLEVEL_MCP_LISTEN", "x")],
            2,
            "",
            "HIGHLEVEL_MCP_LISTEN is not a setting",
        ),
        (
            &["serve", "--listen", "1.2.3.4:1"],
            &[],
            2,
            "",
            "other machines can reach 1.2.3.4:1",
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
            "--tls: server.tls \"maybe\" does not exist; give one of required, proxy, off",
        ),
        (
            &["serve", "--base-url", "ftp://x"],
            &[],
            2,
            "",
            "is not an http or https URL",
        ),
        (
            &["serve", "--config", "/gone.toml"],
            &[],
            2,
            "",
            "/gone.toml cannot be read",
        ),
        (&["tools"], &[], 2, "", "Commands:"),
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
        (&["tools", "scopes"], &[], 0, "contacts.readonly\t", ""),
        (
            &["config", "show"],
            &[],
            0,
            "tools.max_answer_bytes\t131072\tdefault",
            "",
        ),
        (
            &["--help"],
            &[],
            0,
            "Exit codes: 0 done; 1 a tool failed",
            "",
        ),
        (&["--version"], &[], 0, "(HighLevel documents ", ""),
        (
            &["serve", "--prt", "1"],
            &[],
            2,
            "",
            "unexpected argument '--prt'",
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
    let line = loop {
        let line = lines.next_line().await.expect("a line").expect("a line");
        // The first server of all says before that it made the store.
        if line.contains("http://") {
            break line;
        }
    };
    let (_, after) = line.split_once("http://").expect("an address");
    let (address, _) = after.split_once("/mcp").expect("an address");
    let reply = test_support::server::client()
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

/// A client that asks for it gets the progress of a batch. stdio carries notifications that stateless HTTP cannot.
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
    let mut client = Piped::start(program(&arguments, &ACCOUNT)).await;
    let items: Vec<Value> = (0..3)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    let batch =
        json!({"operation": "contacts_add-tags", "arguments": {"tags": ["a"]}, "items": items});
    let call = json!({"name": "call_write", "arguments": batch, "_meta": {"progressToken": "p1"}});
    client.send("tools/call", call).await;
    let (mut told, mut is_done) = (Vec::new(), false);
    while !is_done || told.len() < 3 {
        let frame = client.next().await;
        is_done |= frame["id"] == 1;
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
