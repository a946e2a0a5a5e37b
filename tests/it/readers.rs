//! Text that people give by a file, stdin or the environment is read without byte order marks and surrounding line
//! ends.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::sandbox::Sandbox;
use crate::stdio::program;

const READ: &str = "locations_get-location";

/// As a Windows editor or shell writes it.
fn marked(text: &str) -> String {
    format!("\u{feff}{text}\r\n")
}

/// The encoding of `>` in Windows PowerShell.
fn utf16(text: &str) -> Vec<u8> {
    marked(text)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// One command, which must end with this code and print this.
async fn check(arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8], part: &str) {
    let mut child = program(arguments, variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut pipe = child.stdin.take().expect("stdin");
    // A command that does not read its stdin may end before this.
    let _ = pipe.write_all(stdin).await;
    drop(pipe);
    let done = child.wait_with_output().await.expect("ended");
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{arguments:?}: {text}");
    assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
}

#[tokio::test]
async fn the_environment_may_end_in_a_line() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let (token, location) = (marked(TOKEN), marked(LOCATION));
    let url = marked(&sandbox.url);
    let account = [
        ("HIGHLEVEL_TOKEN", token.as_str()),
        ("HIGHLEVEL_LOCATION_ID", location.as_str()),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", url.as_str()),
    ];
    check(&["call", READ], &account, b"", "Harbor Dental").await;
}

#[tokio::test]
async fn every_file_and_stdin_may_have_a_mark() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let account = [
        ("HIGHLEVEL_TOKEN", TOKEN),
        ("HIGHLEVEL_LOCATION_ID", LOCATION),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", sandbox.url.as_str()),
    ];
    // Arguments of a call.
    let limit = r#"{"limit": 1}"#;
    let list = "contacts_get-contacts";
    for (name, bytes) in [
        ("a.json", marked(limit).into_bytes()),
        ("b.json", utf16(limit)),
    ] {
        let file = format!("@{}", write(name, &bytes));
        check(&["call", list, &file], &account, b"", "contacts").await;
        check(&["call", list, "-"], &account, &bytes, "contacts").await;
    }
    // Settings, rules, and the token of a location.
    for (name, token) in [("t1", marked(TOKEN).into_bytes()), ("t2", utf16(TOKEN))] {
        let token = write(name, &token);
        let settings = format!(
            "[upstream]\nbase_url = {:?}\n[locations.harbor]\nlocation_id = {LOCATION:?}\ntoken = {{ file = {token:?} }}\n",
            sandbox.url
        );
        let settings = write("settings.toml", marked(&settings).as_bytes());
        let rules = write(
            "rules.toml",
            marked("[server]\ncaps = { send = { hour = 5 } }").as_bytes(),
        );
        let named = [
            ("HIGHLEVEL_MCP_CONFIG", settings.as_str()),
            ("HIGHLEVEL_MCP_POLICY_FILE", rules.as_str()),
        ];
        let call = ["call", READ, "--location", "harbor"];
        check(&call, &named, b"", "Harbor Dental").await;
    }
    // A client's file.
    let client = write(
        "mcp.json",
        marked(r#"{"mcpServers": {"other": {}}}"#).as_bytes(),
    );
    check(
        &["connect", "cursor", &format!("--write={client}")],
        &account,
        b"",
        "mcp.json",
    )
    .await;
    let written: Value = serde_json::from_slice(&fs::read(client).expect("read")).expect("JSON");
    assert!(
        written["mcpServers"]["other"] == json!({}) && written["mcpServers"]["ghl"].is_object()
    );
}

/// Every reader uses `config::text`, so that one rule holds for all.
#[test]
fn nothing_else_reads_text_that_people_write() {
    // The exceptions: a yes or no, or an address, at the terminal; the check for a terminal; frames, which have their
    // own rules; a picture; a file to upload; text that the system and our servers write.
    let others = [
        "src/config/text.rs",
        "src/cli/call/arguments.rs",
        "src/cli/doctor.rs",
        "src/cli/init.rs",
        "src/cli/login.rs",
        "src/cli/ports.rs",
        "src/cli/question.rs",
        "src/cli/running_server.rs",
        "src/cli/stdio.rs",
        "src/cli/stdio/relay.rs",
        "src/http/pages/assets.rs",
        "src/mcp/stdio.rs",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("src")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let name = path
                .strip_prefix(root)
                .expect("inside")
                .display()
                .to_string();
            let reads = ["read_to_string(", "io::stdin()", "fs::read("]
                .iter()
                .any(|word| code.contains(word));
            let is_test = name.contains("/tests");
            if reads && !is_test && !others.iter().any(|other| name.starts_with(other)) {
                found.push(name);
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
