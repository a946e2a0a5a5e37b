//! From a new key to a client's call with it. The client runs exactly the printed command.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::stdio::{Piped, program};
use test_support::recording::Recording;

const SETTINGS: &str = "[locations.acme]\nlocation_id = \"L1\"\ntoken = { env = \"ACME\" }\n\
    [locations.bright]\nlocation_id = \"L2\"\ntoken = { env = \"BRIGHT\" }\n";

/// The settings of an agency with two locations, in a folder of their own.
struct Settings {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Settings {
    fn new(upstream: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, SETTINGS).expect("written");
        let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
        let variables = vec![
            ("HIGHLEVEL_MCP_CONFIG", path(&file)),
            ("HIGHLEVEL_MCP_STATE_FOLDER", path(folder.path())),
            ("HIGHLEVEL_MCP_METRICS_LISTEN", String::new()),
            ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", upstream.to_owned()),
            ("ACME", "pit-acme".to_owned()),
            ("BRIGHT", "pit-bright".to_owned()),
        ];
        Self { folder, variables }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        program(arguments, &variables)
    }

    /// Runs the program. Returns exit code, stdout and stderr.
    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let done = self.program(arguments).output().await.expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }
}

#[tokio::test]
async fn the_configuration_for_claude_desktop_works_with_the_key() {
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c1"}}"#).await;
    let mut settings = Settings::new(&highlevel.url);
    let mut server = settings.program(&["serve", "--listen", "127.0.0.1:0"]);
    let mut server = server.stderr(Stdio::piped()).spawn().expect("started");
    let mut log = BufReader::new(server.stderr.take().expect("stderr")).lines();
    let address = loop {
        let line = log.next_line().await.expect("a line").expect("a line");
        if let Some((_, after)) = line.split_once("http://127") {
            let address = after.split("/mcp").next().expect("an address");
            break format!("127{address}");
        }
    };
    settings
        .variables
        .push(("HIGHLEVEL_MCP_SERVER_LISTEN", address.clone()));

    let create = ["keys", "create", "--name", "desk", "--location", "acme"];
    let arguments = [&create[..], &["--client", "claude-desktop"]].concat();
    let (status, stdout, stderr) = settings.run(&arguments).await;
    assert_eq!(status, Some(0), "{stderr}");
    let printed: Value = serde_json::from_str(&stdout).expect("JSON");
    let entry = &printed["mcpServers"]["ghl"];
    let arguments: Vec<&str> = entry["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let url = format!("http://{address}/mcp");
    assert_eq!(arguments, ["stdio", "--url", &url]);
    let key = entry["env"]["HIGHLEVEL_TOKEN"].as_str().expect("a key");

    let mut command = Command::new(entry["command"].as_str().expect("a program"));
    command
        .args(&arguments)
        .env_clear()
        .env("HIGHLEVEL_TOKEN", key)
        .env("HIGHLEVEL_MCP_STATE_FOLDER", settings.folder.path())
        .kill_on_drop(true);
    // A running server learns of a key within 0.2 seconds.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let mut client = Piped::start(command).await;
    let answer = client
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert!(answer["content"].is_array(), "{answer}");
    assert_ne!(answer["isError"], json!(true), "{answer}");
    let requests = highlevel.seen();
    let request = requests.last().expect("a request");
    assert_eq!(request.header("authorization"), Some("Bearer pit-acme"));

    // After the revocation the client is told so, and is not asked to sign in.
    let (status, _, stderr) = settings.run(&["keys", "revoke", "desk"]).await;
    assert_eq!(status, Some(0), "{stderr}");
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let contact = json!({"name": "contacts_get-contact", "arguments": {"contactId": "c1"}});
    client.send("tools/call", contact).await;
    let refused = client.next().await["error"]["message"].to_string();
    assert!(refused.contains("answers 401"), "{refused}");
    assert!(!refused.contains(key), "{refused}");
}

#[tokio::test]
async fn a_key_is_made_for_several_locations_and_a_slip_names_the_nearest() {
    let settings = Settings::new("http://127.0.0.1:9");
    let create = ["keys", "create", "--name", "k"];
    let with = |more: &[&'static str]| [&create[..], more].concat();
    let (status, stdout, stderr) = settings.run(&with(&["--location", "acme,bright"])).await;
    assert_eq!(status, Some(0), "{stderr}");
    let key = stdout.trim().strip_prefix("Authorization: Bearer ");
    let key = key.expect("a key");
    let hint = "highlevel-mcp connect NAME --key hlk_…";
    assert!(stderr.contains(hint) && !stderr.contains(key), "{stderr}");
    let (_, list, _) = settings.run(&["keys", "list"]).await;
    assert!(list.contains("acme, bright"), "{list}");
    // The command in the hint works.
    let (status, stdout, stderr) = settings.run(&["connect", "codex", "--key", key]).await;
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.contains(key), "{stdout}");

    for (more, part) in [
        (
            &["--location", "acne"][..],
            "there is no location acne; did you mean acme?",
        ),
        (
            &["--location", "acme", "--client", "chatgpt"],
            "ChatGPT sends no keys",
        ),
        (
            &["--location", "acme", "--client", "nope"],
            "possible values",
        ),
    ] {
        let (status, stdout, stderr) = settings.run(&with(more)).await;
        assert_eq!(status, Some(2), "{more:?}: {stdout}");
        assert!(stderr.contains(part), "{more:?}: no {part:?} in {stderr}");
    }
    let (_, list, _) = settings.run(&["keys", "list"]).await;
    assert_eq!(list.lines().count(), 1, "a refusal makes no key: {list}");
}

/// The holder of a key has no account of its own.
#[tokio::test]
async fn stdio_without_an_address_explains_where_a_key_belongs() {
    let key = [("HIGHLEVEL_TOKEN", "hlk_a_canary")];
    for (arguments, part) in [
        (
            &["stdio"][..],
            "holds an access key, which belongs to a server",
        ),
        (
            &["stdio", "--url", "http://mcp.example.com"],
            "Give https://",
        ),
    ] {
        let mut command = program(arguments, &key);
        let done = command.stdin(Stdio::null()).output().await.expect("run");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(part) && !said.contains("canary"), "{said}");
    }
}
