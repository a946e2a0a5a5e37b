//! The program's commands on the sandbox, as a person at a terminal uses them.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{answer, text};
use crate::stdio::program;
use test_support::server::client;

/// Runs the program to its end.
async fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = program(arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut pipe = child.stdin.take().expect("stdin");
    // A command that does not read its stdin may end before this.
    let _ = pipe.write_all(stdin.as_bytes()).await;
    drop(pipe);
    child.wait_with_output().await.expect("ended")
}

async fn check(arguments: &[&str], stdin: &str, code: i32, output: &str) {
    let done = run(arguments, stdin).await;
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(
        text.contains(output),
        "{arguments:?}: no {output:?} in {text}"
    );
}

/// The address in the first line that has one.
async fn address(output: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        if let Some(address) = address {
            return address.to_owned();
        }
    }
    panic!("no address was printed");
}

#[tokio::test]
async fn serve_on_the_sandbox_needs_no_credential() {
    let mut child = program(&["serve", "--sandbox", "--listen", "127.0.0.1:0"], &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let url = address(child.stderr.take().expect("stderr")).await;
    let mut told = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut lines = Vec::new();
    while let Some(line) = told.next_line().await.expect("a line") {
        lines.push(line);
        if lines
            .last()
            .is_some_and(|line| line.contains("Harbor Dental"))
        {
            break;
        }
    }
    let told = lines.join("\n");
    for part in ["claude mcp add", "mcp.json", "curl -s", &url] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "contacts_get-contacts", "arguments": {"limit": 1}},
    });
    let request = client()
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .json(&call);
    let (_, _, reply) = answer(request).await;
    assert!(text(&reply, "/result/content/0/text").contains(r#""count":220"#));
}

/// Callers from other machines show the sandbox's token, and what is printed has it.
#[tokio::test]
async fn a_sandbox_for_other_machines_prints_its_token() {
    let serve = [
        "serve",
        "--sandbox",
        "--listen",
        "0.0.0.0:0",
        "--tls",
        "off",
        "--allowed-host",
        "host.docker.internal",
    ];
    let mut child = program(&serve, &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let url = address(child.stderr.take().expect("stderr")).await;
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let mut told = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let first = told.next_line().await.expect("a line").expect("a line");
    assert!(first.contains("Claude Code"), "{first}");
    let mut printed = String::new();
    while !printed.contains("-H 'locationId: locHarborDental00001'") {
        printed += &told.next_line().await.expect("a line").expect("a line");
    }
    assert!(
        printed.contains("--header \"Authorization: Bearer pit-sandbox-harbor\""),
        "{printed}"
    );
    // As `connect` says for a container.
    let port = url.trim_end_matches("/mcp").rsplit(':').next();
    let host = format!("host.docker.internal:{}", port.expect("a port"));
    let connect = ["connect", "n8n", "--sandbox", "--url", &host];
    let parts =
        "Authorization   Bearer pit-sandbox-harbor\n    locationId      locHarborDental00001";
    check(&connect, "", 0, parts).await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "contacts_get-contacts", "arguments": {"limit": 1}},
    });
    let request = client()
        .post(url)
        .header("host", host)
        .header("accept", "application/json, text/event-stream")
        .header("locationid", "locHarborDental00001")
        .bearer_auth("pit-sandbox-harbor")
        .json(&call);
    let (_, _, reply) = answer(request).await;
    assert!(text(&reply, "/result/content/0/text").contains(r#""count":220"#));
}

#[tokio::test]
async fn the_sandbox_answers_at_its_printed_address() {
    let mut child = program(
        &["sandbox", "--listen", "127.0.0.1:0", "--fail", "503=1"],
        &[],
    )
    .stdout(Stdio::piped())
    .spawn()
    .expect("started");
    let url = address(child.stdout.take().expect("stdout")).await;
    let request = client()
        .get(format!("{url}/locations/locHarborDental00001"))
        .header("version", "2021-07-28")
        .bearer_auth("pit-sandbox-harbor");
    assert_eq!(answer(request).await.0, 503);
}

#[tokio::test]
async fn calls_take_their_arguments_from_the_line_a_file_and_stdin() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"limit": 1}"#).expect("written");
    let at_file = format!("@{}", file.path().display());
    let list = "contacts_get-contacts";
    check(
        &["call", list, r#"{"limit": 1}"#, "--sandbox"],
        "",
        0,
        r#""count":220"#,
    )
    .await;
    check(
        &["call", list, &at_file, "--sandbox"],
        "",
        0,
        r#""count":220"#,
    )
    .await;
    check(
        &["call", list, "-", "--sandbox"],
        r#"{"limit": 1}"#,
        0,
        r#""count":220"#,
    )
    .await;
    check(
        &["call", list, "@/gone", "--sandbox"],
        "",
        2,
        "/gone cannot be read",
    )
    .await;
    check(&["call", list, "[]", "--sandbox"], "", 2, "@FILE or -").await;
    let gone = r#"{"contactId": "gone"}"#;
    check(
        &["call", "contacts_get-contact", gone, "--sandbox"],
        "",
        1,
        r#""class":"not_found""#,
    )
    .await;
}

#[tokio::test]
async fn a_dry_run_shows_the_request_and_sends_nothing() {
    let tags = r#"{"contactId": "c1", "tags": ["vip"]}"#;
    let environment = [
        ("HIGHLEVEL_TOKEN", "pit-1"),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
    ];
    // Nobody answers there, so any request would fail.
    let nobody = ["--dry-run", "--base-url", "http://127.0.0.1:1"];
    let arguments = [&["call", "contacts_add-tags", tags][..], &nobody].concat();
    let done = program(&arguments, &environment)
        .output()
        .await
        .expect("run");
    assert!(done.status.success());
    let shown: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let request = json!({
        "method": "POST", "url": "/contacts/c1/tags", "version": "2021-07-28",
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
    )
    .await;
}

#[tokio::test]
async fn stdio_says_that_it_is_a_sandbox() {
    let frames = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ];
    let frames = frames.map(|frame| format!("{frame}\n")).concat();
    let done = run(&["stdio", "--sandbox"], &frames).await;
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

#[tokio::test]
async fn settings_are_checked_and_completions_printed() {
    check(&["config", "check"], "", 0, "the settings are valid").await;
    check(
        &["config", "check", "--base-url", "ftp://x"],
        "",
        2,
        "is not an http or https URL",
    )
    .await;
    for flags in [
        ["serve", "--sandbox", "--base-url", "foo"],
        ["serve", "--sandbox", "--allowed-host", "bad value"],
        ["serve", "--sandbox", "--allowed-origin", "bad value"],
        ["sandbox", "--webhook", "foo", "--loopback-redirects"],
        ["sandbox", "--branches", "100000000", "--loopback-redirects"],
    ] {
        check(&flags, "", 2, flags[2].trim_start_matches('-')).await;
    }
    check(&["config", "defaults"], "", 0, "[upstream]").await;
    check(&["completions", "bash"], "", 0, "highlevel-mcp").await;
    let nowhere = ["sandbox", "--listen", "127.0.0.1:0", "--data", "/gone/x.db"];
    check(&nowhere, "", 2, "give another --data").await;
    check(
        &["sandbox", "--fail", "200=1"],
        "",
        2,
        "a status from 400 to 599",
    )
    .await;
}
