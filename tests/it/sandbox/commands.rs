//! The program's commands on the sandbox, as a person at a terminal uses them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs the program with nothing of the tests' environment.
fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut pipe = child.stdin.take().expect("stdin");
    pipe.write_all(stdin.as_bytes()).expect("written");
    drop(pipe);
    child.wait_with_output().expect("ended")
}

fn check(arguments: &[&str], stdin: &str, code: i32, output: &str) {
    let done = run(arguments, stdin);
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(
        text.contains(output),
        "{arguments:?}: no {output:?} in {text}"
    );
}

#[test]
fn calls_take_their_arguments_from_the_line_a_file_and_stdin() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"limit": 1}"#).expect("written");
    let at_file = format!("@{}", file.path().display());
    let list = "contacts_get-contacts";
    check(
        &["call", list, r#"{"limit": 1}"#, "--sandbox"],
        "",
        0,
        r#""count":220"#,
    );
    check(
        &["call", list, &at_file, "--sandbox"],
        "",
        0,
        r#""count":220"#,
    );
    check(
        &["call", list, "-", "--sandbox"],
        r#"{"limit": 1}"#,
        0,
        r#""count":220"#,
    );
    check(
        &["call", list, "@/gone", "--sandbox"],
        "",
        2,
        "/gone cannot be read",
    );
    check(&["call", list, "[]", "--sandbox"], "", 2, "@FILE or -");
    let gone = r#"{"contactId": "gone"}"#;
    check(
        &["call", "contacts_get-contact", gone, "--sandbox"],
        "",
        1,
        r#""class":"not_found""#,
    );
}

#[test]
fn a_dry_run_shows_the_request_and_sends_nothing() {
    let tags = r#"{"contactId": "c1", "tags": ["vip"]}"#;
    let environment = [
        ("HIGHLEVEL_TOKEN", "pit-1"),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
    ];
    let done = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"))
        // Nobody answers there: a request that left would fail.
        .args([
            "call",
            "contacts_add-tags",
            tags,
            "--dry-run",
            "--base-url",
            "http://127.0.0.1:1",
        ])
        .env_clear()
        .envs(environment)
        .output()
        .expect("run");
    assert!(done.status.success());
    let shown: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let request = json!({
        "method": "POST", "url": "http://127.0.0.1:1/contacts/c1/tags", "version": "2021-07-28",
        "body": {"tags": ["vip"]},
    });
    assert_eq!(shown, request);
    let foreign = r#"{"locationId": "L1"}"#;
    check(
        &[
            "call",
            "contacts_get-contacts",
            foreign,
            "--sandbox",
            "--dry-run",
        ],
        "",
        1,
        r#""class":"location""#,
    );
}

#[test]
fn stdio_says_that_it_is_a_sandbox() {
    let frames = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ];
    let frames = frames.map(|frame| format!("{frame}\n")).concat();
    let done = run(&["stdio", "--sandbox"], &frames);
    let first = String::from_utf8_lossy(&done.stdout);
    let reply: Value = serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    let server = &reply["result"]["serverInfo"];
    assert!(
        server["name"]
            .as_str()
            .expect("a name")
            .ends_with("-sandbox"),
        "{server}"
    );
    let instructions = reply["result"]["instructions"].as_str().expect("text");
    assert!(instructions.starts_with("This is a sandbox"));
    assert!(instructions.chars().count() <= 2048);
}

#[test]
fn settings_are_checked_and_completions_printed() {
    check(&["config", "check"], "", 0, "the settings are valid");
    check(
        &["config", "check", "--base-url", "ftp://x"],
        "",
        2,
        "is no http or https URL",
    );
    check(&["config", "show"], "", 0, "[upstream]");
    check(&["completions", "bash"], "", 0, "highlevel-mcp");
    check(
        &["sandbox", "--fail", "200=1"],
        "",
        2,
        "a status from 400 to 599",
    );
}
