//! `init` without a terminal: by flags alone, and its message if they are not enough.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use tokio::process::Command;

use crate::sandbox::Sandbox;
use crate::stdio::program;

/// A user without any files yet.
struct Newcomer {
    home: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Newcomer {
    async fn new() -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let home = tempfile::tempdir().expect("a folder");
        Self { home, sandbox }
    }

    fn path(&self, name: &str) -> String {
        self.home
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (home, state) = (self.path(""), self.path("state"));
        let variables = [
            ("HOME", home.as_str()),
            ("HIGHLEVEL_MCP_STATE_FOLDER", &state),
            ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", &self.sandbox.url),
            ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
        ];
        let mut command = program(arguments, &variables);
        command.current_dir(self.home.path());
        command
    }

    async fn run(&self, arguments: &[&str], code: i32) -> String {
        let done = self.command(arguments).output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(
            !text.contains(TOKEN),
            "{arguments:?} prints a token: {text}"
        );
        text.into_owned()
    }
}

#[track_caller]
fn check(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in {text}");
}

#[tokio::test]
async fn an_account_is_set_up_by_flags_and_calls_go_there() {
    let newcomer = Newcomer::new().await;
    let token = newcomer.path("token");
    std::fs::write(&token, TOKEN).expect("written");
    let page = format!("https://app.gohighlevel.com/v2/location/{LOCATION}/dashboard");
    let init = [
        "init",
        "--token-file",
        &token,
        "--location",
        &page,
        "--client",
        "cursor",
        "--yes",
    ];
    let text = newcomer.run(&init, 0).await;
    let settings = newcomer.path(".config/highlevel-mcp/config.toml");
    check(
        &text,
        &format!("Harbor Dental (harbor-dental) is in {settings}"),
    );
    check(&text, "other users of this machine can read");
    check(&text, "Start the server with `highlevel-mcp serve`");
    let mode = std::fs::metadata(&settings)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let client = std::fs::read_to_string(newcomer.path(".cursor/mcp.json")).expect("text");
    check(&client, "http://127.0.0.1:8100/mcp");
    assert!(!client.contains("Authorization"), "{client}");
    // No variable and no flag sets the location of calls; the settings do.
    let text = newcomer.run(&["call", "locations_get-location"], 0).await;
    check(&text, "Harbor Dental");
    // Again: the existing file is shown and stays, and the client is connected.
    let before = std::fs::read_to_string(&settings).expect("text");
    let cursor = newcomer.path(".cursor/mcp.json");
    std::fs::write(&cursor, r#"{"mcpServers": {"ghl": {"url": "x"}}}"#).expect("written");
    let text = newcomer.run(&init, 0).await;
    check(&text, "has the location harbor-dental");
    check(
        &text,
        "This location is configured already, as harbor-dental, and stays as it is",
    );
    check(&text, "in place of another server of that name");
    check(&text, "mcp.json.bak");
    let now = std::fs::read_to_string(&settings).expect("text");
    assert_eq!(now, before);
}

/// What cannot be connected says why, with a command that exists.
#[tokio::test]
async fn a_client_that_is_not_connected_is_reported_with_its_reason() {
    let newcomer = Newcomer::new().await;
    let init = |client: &'static str| ["init", "--sandbox", "--yes", "--client", client];
    let text = newcomer.run(&init("claude-ai"), 2).await;
    check(&text, "run `highlevel-mcp connect claude-ai`");
    let text = newcomer.run(&init("claude-desktop"), 0).await;
    check(&text, "The client starts the server itself");
    assert!(!text.contains("serve --sandbox"), "{text}");
    std::fs::create_dir_all(newcomer.path(".cursor")).expect("made");
    std::fs::write(newcomer.path(".cursor/mcp.json"), "// mine").expect("written");
    let text = newcomer.run(&init("cursor"), 2).await;
    check(&text, "mcp.json is not plain JSON");
    check(&text, "\"ghl\"");
    check(
        &text,
        "run `highlevel-mcp connect cursor --write --sandbox`",
    );
    assert!(!text.contains("--write does that"), "{text}");
}

#[tokio::test]
async fn missing_flags_are_named_and_nothing_is_written() {
    let newcomer = Newcomer::new().await;
    let token = newcomer.path("token");
    std::fs::write(&token, "pit-sandbox-gone").expect("written");
    let from = ["--token-file", token.as_str()];
    for (further, part) in [
        (
            vec![],
            "nobody can be asked here. Give --sandbox, or --token-file FILE and --location ID",
        ),
        (vec!["--location", "L1"], "nobody can be asked here"),
        (from.to_vec(), "give --location: the id of the sub-account"),
        (
            [&from[..], &["--location", ""]].concat(),
            "the location id is empty",
        ),
        (
            [&from[..], &["--location", LOCATION]].concat(),
            "nothing was written: ",
        ),
        (
            vec!["--sandbox", "--client", "emacs"],
            "there is no client emacs; there are claude-code, claude-desktop",
        ),
    ] {
        let arguments = [vec!["init"], further].concat();
        let text = newcomer.run(&arguments, 2).await;
        check(&text, part);
    }
    let settings = newcomer.path(".config/highlevel-mcp/config.toml");
    assert!(!std::fs::exists(settings).expect("looked at"));
}

#[tokio::test]
async fn the_sandbox_needs_no_file_of_settings() {
    let newcomer = Newcomer::new().await;
    let text = newcomer
        .run(&["init", "--sandbox", "--client", "n8n"], 0)
        .await;
    check(&text, "MCP Client Tool");
    check(
        &text,
        "Start the server with `highlevel-mcp serve --sandbox`; `highlevel-mcp doctor --sandbox` checks everything",
    );
    let settings = newcomer.path(".config/highlevel-mcp/config.toml");
    assert!(!std::fs::exists(settings).expect("looked at"));
}

/// Remedies are about the store that was asked for.
#[tokio::test]
async fn without_a_server_the_remedy_has_the_flag_of_the_sandbox() {
    let newcomer = Newcomer::new().await;
    let text = newcomer.run(&["console", "link", "--sandbox"], 0).await;
    check(&text, "Start `highlevel-mcp serve --sandbox`");
    let text = newcomer.run(&["status", "--sandbox"], 1).await;
    check(&text, "`highlevel-mcp serve --sandbox` starts one");
}

/// Where nobody chose a port, health checks find the server at its own.
#[tokio::test]
async fn a_health_check_finds_the_server_of_its_store() {
    let newcomer = Newcomer::new().await;
    let mut server = newcomer.command(&["serve", "--listen", "127.0.0.1:0"]);
    server.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = server.spawn().expect("started");
    let mut ready = newcomer.command(&["status", "--ready"]);
    for _ in 0..200 {
        if ready.output().await.expect("run").status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    newcomer.run(&["status", "--ready"], 0).await;
    // It is asked where the settings say, and nothing is there.
    let mut chosen = newcomer.command(&["status", "--ready"]);
    chosen.env("HIGHLEVEL_MCP_SERVER_LISTEN", "127.0.0.1:1");
    assert!(!chosen.output().await.expect("run").status.success());
}

/// Whoever pauses the wrong store learns that a server goes on.
#[tokio::test]
async fn other_commands_know_a_running_server() {
    let newcomer = Newcomer::new().await;
    let serve = ["serve", "--sandbox", "--listen", "127.0.0.1:0"];
    let mut server = newcomer.command(&serve);
    server.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = server.spawn().expect("started");
    let mut status = newcomer.command(&["status", "--sandbox"]);
    for _ in 0..200 {
        if status.output().await.expect("run").status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key = ["keys", "create", "--name", "a", "--all-locations"];
    newcomer.run(&key, 0).await;
    let text = newcomer.run(&["pause"], 0).await;
    check(
        &text,
        "A server for sandbox runs in the same folder, at 127.0.0.1:",
    );
    let (_, after) = text.split_once("127.0.0.1:").expect("an address");
    let port: String = after.chars().take_while(char::is_ascii_digit).collect();
    for command in [
        &["console", "link", "--sandbox"][..],
        &["connect", "claude-code", "--sandbox"],
    ] {
        let text = newcomer.run(command, 0).await;
        check(&text, &format!("http://127.0.0.1:{port}/"));
    }
    check(&text, "it is not paused (--sandbox pauses it)");
    let text = newcomer.run(&["pause", "--sandbox"], 0).await;
    check(&text, "`highlevel-mcp resume --sandbox` ends this");
    assert!(!text.contains("it is not paused"), "{text}");
    newcomer.run(&["resume", "--sandbox"], 0).await;
}
