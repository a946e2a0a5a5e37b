//! An agency's set-up from nothing, by its operator's commands.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use ::sandbox::SandboxOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::branch;
use crate::sandbox::Sandbox;
use crate::stdio::{Piped, program};
use test_support::server::client;

/// A folder with settings, rules and token files, in front of a sandbox.
pub(super) struct Desk {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let options = SandboxOptions {
            branches: 3,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await;
        let folder = tempfile::tempdir().expect("a folder");
        for number in 1..=3 {
            let token = folder.path().join(format!("token-{number}"));
            std::fs::write(token, format!("pit-sandbox-branch-{number:02}")).expect("written");
        }
        Self { sandbox, folder }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    }

    /// A command of this desk.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let (config, state, rules) = (
            self.path("settings.toml"),
            self.path("state"),
            self.path("rules.toml"),
        );
        let mut variables = vec![
            ("HIGHLEVEL_MCP_CONFIG", config.as_str()),
            ("HIGHLEVEL_MCP_STATE_FOLDER", state.as_str()),
            ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", self.sandbox.url.as_str()),
            ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
            ("THIRD_TOKEN", "pit-sandbox-branch-03"),
        ];
        if Path::new(&rules).exists() {
            variables.push(("HIGHLEVEL_MCP_POLICY_FILE", &rules));
        }
        program(arguments, &variables)
    }

    /// The output of a command, which has to contain `part` and end with this exit code.
    pub(super) async fn run(&self, arguments: &[&str], code: i32, part: &str) -> String {
        let done = self.command(arguments).output().await.expect("run");
        Self::judge(arguments, &done, code, part)
    }

    /// The output of a command, which contains no token.
    pub(super) fn judge(arguments: &[&str], done: &Output, code: i32, part: &str) -> String {
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
        assert!(
            !text.contains("pit-sandbox"),
            "{arguments:?} prints a token: {text}"
        );
        text.into_owned()
    }

    pub(super) async fn add(&self, number: usize) {
        let (alias, id) = (super::alias(number), branch(number));
        let (name, token) = (
            format!("Branch {number}"),
            self.path(&format!("token-{number}")),
        );
        let add = [
            "locations",
            "add",
            &alias,
            "--location-id",
            &id,
            "--name",
            &name,
            "--token-file",
            &token,
        ];
        self.run(&add, 0, &format!("{alias} is in")).await;
    }
}

#[tokio::test]
async fn locations_are_added_tried_and_removed() {
    let desk = Desk::new().await;
    desk.run(&["locations", "list"], 2, "settings.toml cannot be read")
        .await;
    std::fs::write(
        desk.path("settings.toml"),
        "# Our clients.\n[log]\nlevel = \"warn\"\n",
    )
    .expect("written");
    desk.add(1).await;
    desk.add(2).await;
    let third = [
        "locations",
        "add",
        "b03",
        "--location-id",
        &branch(3),
        "--token-env",
        "THIRD_TOKEN",
    ];
    desk.run(&third, 0, "b03 is in").await;
    desk.run(&third, 2, "already has [locations.b03]").await;
    desk.run(
        &[
            "locations",
            "add",
            "B 4",
            "--location-id",
            "x",
            "--token-env",
            "X",
        ],
        2,
        "not an alias",
    )
    .await;
    desk.run(
        &["locations", "add", "b04", "--location-id", "x"],
        2,
        "--token-file",
    )
    .await;
    let text = std::fs::read_to_string(desk.path("settings.toml")).expect("text");
    assert!(text.starts_with("# Our clients.\n[log]"), "{text}");
    desk.run(
        &["locations", "list"],
        0,
        &format!("b02\tBranch 2\t{}\tfile ", branch(2)),
    )
    .await;
    desk.run(&["locations", "test"], 0, "ok\tb03\tBranch 03")
        .await;
    std::fs::write(desk.path("token-2"), "pit-sandbox-branch-01").expect("written");
    desk.run(&["locations", "test", "b02"], 1, "fault\tb02")
        .await;
    desk.run(&["locations", "test", "b01"], 0, "ok\tb01").await;
    std::fs::remove_file(desk.path("token-2")).expect("removed");
    desk.run(&["config", "check"], 2, "[locations.b02] token: ")
        .await;
    desk.run(&["locations", "remove", "b02"], 0, "no longer")
        .await;
    desk.run(
        &["locations", "remove", "b02"],
        2,
        "no location b02; did you mean b0",
    )
    .await;
    desk.run(&["config", "check"], 0, "valid").await;
    desk.run(
        &["call", "locations_get-location", "--location", "b01"],
        0,
        "Branch 01",
    )
    .await;
    desk.run(
        &["call", "locations_get-location", "--location", "b09"],
        2,
        "no location b09; did you mean b0",
    )
    .await;
}

#[tokio::test]
async fn rules_are_examined_and_keys_made_under_them() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    let rules =
        "[locations.b01]\nconfirm = { send = \"human\" }\n[policies.reader]\nread_only = true\n";
    std::fs::write(desk.path("rules.toml"), rules).expect("written");
    let file = desk.path("rules.toml");
    desk.run(&["policy", "check", &file], 0, "valid").await;
    std::fs::write(
        desk.path("wrong.toml"),
        "[server]\ndeny = [\"contacts_delete-contac\"]\n",
    )
    .expect("written");
    desk.run(
        &["policy", "check", &desk.path("wrong.toml")],
        2,
        "contacts_delete-contact",
    )
    .await;
    let send = "conversations_send-a-new-message";
    desk.run(
        &["policy", "explain", send, "--location", "b01"],
        0,
        "human",
    )
    .await;
    desk.run(
        &["policy", "explain", send, "--policy", "reader"],
        0,
        "[policies.reader] read_only",
    )
    .await;
    desk.run(
        &["keys", "create", "--name", "n8n", "--location", "b09"],
        2,
        "no location b09",
    )
    .await;
    desk.run(
        &[
            "keys",
            "create",
            "--name",
            "n8n",
            "--location",
            "b01",
            "--policy",
            "x",
        ],
        2,
        "[policies.x]",
    )
    .await;
    let made = desk
        .run(
            &[
                "keys",
                "create",
                "--name",
                "n8n",
                "--location",
                "b01",
                "--policy",
                "reader",
                "--expires",
                "90d",
            ],
            0,
            "Authorization: Bearer hlk_",
        )
        .await;
    let secret = made
        .split("hlk_")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("a key");
    let listed = desk.run(&["keys", "list"], 0, "n8n\tvalid\t").await;
    assert!(!listed.contains(&secret[9..]), "{listed}");
    let agency = [
        "keys",
        "create",
        "--name",
        "hq",
        "--all-locations",
        "--agency",
    ];
    desk.run(&agency, 0, "acts with the agency's own token")
        .await;
    desk.run(&["keys", "list"], 0, "hq\tvalid\tnever\t-\tyes\tall")
        .await;
    desk.run(&["keys", "revoke", "n8n"], 0, "is revoked").await;
    desk.run(&["keys", "list"], 0, "n8n\trevoked\t").await;
}

/// The result of a tool call over HTTP.
pub(super) async fn call(
    address: &str,
    key: &str,
    path: &str,
    tool: &str,
    arguments: Value,
) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    let request = client()
        .post(format!("http://{address}{path}"))
        .header("accept", "application/json, text/event-stream")
        .header("authorization", format!("Bearer {key}"))
        .json(&request);
    request
        .send()
        .await
        .expect("a reply")
        .json()
        .await
        .expect("JSON")
}

#[tokio::test]
async fn a_running_server_reads_settings_again_and_a_person_approves() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    std::fs::write(
        desk.path("rules.toml"),
        "[server]\nconfirm = { destructive = \"human\" }\n",
    )
    .expect("written");
    let made = desk
        .run(
            &["keys", "create", "--name", "ops", "--all-locations"],
            0,
            "hlk_",
        )
        .await;
    let key = made
        .split("Bearer ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("a key")
        .to_owned();
    let mut child = desk
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let line = lines.next_line().await.expect("a line").expect("a line");
    let (_, after) = line.split_once("http://").expect("an address");
    let address = after.split_once("/mcp").expect("an address").0.to_owned();
    let found = call(
        &address,
        &key,
        "/mcp/l/b01",
        "contacts_get-contacts",
        json!({"limit": 1}),
    )
    .await;
    let text = found["result"]["content"][0]["text"]
        .as_str()
        .expect("text")
        .to_owned();
    let contacts: Value = serde_json::from_str(&text).expect("JSON");
    let id = contacts["contacts"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();

    let delete = |confirm: Option<String>| json!({"contactId": id, "confirm": confirm});
    let path = "/mcp/l/b01/x/contacts";
    let asked = call(
        &address,
        &key,
        path,
        "contacts_delete-contact",
        delete(None),
    )
    .await;
    let asked: Value = serde_json::from_str(
        asked["result"]["content"][0]["text"]
            .as_str()
            .expect("text"),
    )
    .expect("JSON");
    let handle = asked["confirm"].as_str().expect("a handle").to_owned();
    let listed = desk.run(&["approvals", "list"], 0, &handle).await;
    assert!(
        listed.contains("contacts_delete-contact") && listed.contains(&id),
        "{listed}"
    );
    desk.run(
        &["approvals", "approve", &handle, "--by", "Ada"],
        0,
        "is approved",
    )
    .await;
    let done = call(
        &address,
        &key,
        path,
        "contacts_delete-contact",
        delete(Some(handle.clone())),
    )
    .await;
    assert_ne!(done["result"]["isError"], true, "{done}");
    desk.run(&["audit", "tail"], 0, "contacts_delete-contact")
        .await;
    let found = desk
        .run(
            &[
                "audit",
                "search",
                "--tool",
                "contacts_*",
                "--location",
                "b01",
                "--json",
            ],
            0,
            &handle,
        )
        .await;
    assert!(found.contains("\"mode\":\"human\""), "{found}");

    desk.add(2).await;
    let id = child.id().expect("running").to_string();
    let hangup = Command::new("kill")
        .args(["-HUP", &id])
        .status()
        .await
        .expect("kill");
    assert!(hangup.success());
    let mut reached = false;
    for _ in 0..100 {
        let found = call(
            &address,
            &key,
            "/mcp/l/b02",
            "locations_get-location",
            json!({}),
        )
        .await;
        reached = found["result"]["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("Branch 02"));
        if reached {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reached, "the second location is not served");
}

#[tokio::test]
async fn stdio_acts_in_the_given_location() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    desk.add(2).await;
    // The flags, the argument, and the location of the call or its error.
    let cases: [(&[&str], Value, &str); 4] = [
        (&["--location", "b02"], json!({}), "Branch 02"),
        (
            &["--location", "b02"],
            json!({"location": "b01"}),
            "bound to location",
        ),
        (&[], json!({"location": "b01"}), "Branch 01"),
        (&[], json!({}), "b01, b02"),
    ];
    for (flags, arguments, part) in cases {
        let mut client = Piped::start(desk.command(&[&["stdio"], flags].concat())).await;
        let told = client
            .call("locations_get-location", arguments.clone())
            .await;
        assert!(
            told.to_string().contains(part),
            "{flags:?} {arguments}: {told}"
        );
    }
}
