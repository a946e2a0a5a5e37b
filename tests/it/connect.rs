//! `connect`: what a person pastes or gets written, client by client.

use std::fs;

use serde_json::{Value, json};

use crate::stdio::program;

const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-secret"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

/// Runs it with an account in the environment; exit code and everything printed.
async fn connect(arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["connect"], arguments].concat();
    let done = program(&arguments, &ACCOUNT).output().await.expect("run");
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(!text.contains("pit-secret"), "{arguments:?}: {text}");
    (done.status.code(), text.into_owned())
}

async fn check(arguments: &[&str], code: i32, parts: &[&str]) {
    let (status, text) = connect(arguments).await;
    assert_eq!(status, Some(code), "{arguments:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
    }
}

#[tokio::test]
async fn every_client_is_told_address_headers_and_name() {
    let url = "http://127.0.0.1:8100/mcp";
    let python = [
        "\"ghl\"",
        url,
        "f\"Bearer {os.environ['HIGHLEVEL_TOKEN']}\"",
        "\"locationId\": \"L0\"",
    ];
    let cases: [(&str, &[&str]); 8] = [
        (
            "claude-code",
            &[
                "claude mcp add --transport http ghl http://127.0.0.1:8100/mcp \\\n",
                "--header \"Authorization: Bearer $HIGHLEVEL_TOKEN\"",
                "--header \"locationId: L0\"",
            ],
        ),
        (
            "claude-desktop",
            &[
                "\"ghl\"",
                "\"stdio\"",
                "\"HIGHLEVEL_TOKEN\": \"pit-…\"",
                "\"HIGHLEVEL_LOCATION_ID\": \"L0\"",
            ],
        ),
        (
            "cursor",
            &[
                "\"ghl\"",
                url,
                "Bearer ${env:HIGHLEVEL_TOKEN}",
                "\"locationId\": \"L0\"",
            ],
        ),
        (
            "vscode",
            &[
                "\"ghl\"",
                url,
                "Bearer ${input:highlevel-token}",
                "\"password\": true",
            ],
        ),
        (
            "windsurf",
            &["\"serverUrl\": \"http", "Bearer ${env:HIGHLEVEL_TOKEN}"],
        ),
        (
            "n8n",
            &[
                url,
                "HTTP Streamable",
                "Authorization",
                "Bearer pit-…",
                "L0",
            ],
        ),
        ("langgraph", &python),
        ("openai-agents", &python),
    ];
    for (client, parts) in cases {
        check(&[client], 0, parts).await;
        let (_, text) = connect(&[client, "--sandbox", "--url", "http://h/mcp"]).await;
        let address = if client == "claude-desktop" {
            "--sandbox"
        } else {
            "http://h/mcp"
        };
        assert!(
            text.contains(address) && !text.contains("HIGHLEVEL_TOKEN"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_client_that_signs_in_is_told_the_address_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let settings =
        "[oauth]\nurl = \"https://mcp.example.com\"\nheader_host = \"keys.example.com\"\n";
    fs::write(&path, settings).expect("written");
    let config = format!("--config={}", path.display());
    let login = "\"stdio\",\n        \"--url\",\n        \"https://mcp.example.com/mcp\"";
    for (client, part) in [
        ("claude-code", "ghl https://mcp.example.com/mcp\n"),
        ("claude-desktop", login),
        ("cursor", "\"url\": \"https://mcp.example.com/mcp\"\n"),
        ("vscode", "\"url\": \"https://mcp.example.com/mcp\"\n"),
        (
            "windsurf",
            "\"serverUrl\": \"https://mcp.example.com/mcp\"\n",
        ),
        ("n8n", "MCP OAuth2"),
    ] {
        // By the settings, or by the flag.
        let flags = ["--sign-in", "--url", "https://mcp.example.com/mcp"];
        for flags in [&[config.as_str()][..], &flags[..]] {
            let (status, text) = connect(&[&[client], flags].concat()).await;
            assert_eq!(status, Some(0), "{client}: {text}");
            assert!(text.contains(part), "{client}: no {part:?} in {text}");
            assert!(
                !text.contains("TOKEN") && !text.contains("Bearer"),
                "{client}: {text}"
            );
        }
    }
    // What sends a header goes where it is read.
    check(
        &["langgraph", &config],
        0,
        &["https://keys.example.com/mcp", "Bearer"],
    )
    .await;
    check(
        &["langgraph", "--sign-in"],
        2,
        &["does not sign in by itself"],
    )
    .await;
}

/// What docs/connect.md shows is what is printed.
#[tokio::test]
async fn the_guide_shows_what_connect_prints() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connect.md");
    let guide = fs::read_to_string(guide).expect("a guide");
    for client in ["claude-code", "cursor", "vscode"] {
        let url = "https://mcp.example.com/mcp";
        let arguments = ["connect", client, "--sign-in", "--url", url];
        let done = program(&arguments, &[]).output().await.expect("run");
        let text = String::from_utf8(done.stdout).expect("text");
        assert!(
            !text.is_empty() && guide.contains(text.trim_end()),
            "put this into docs/connect.md:\n{text}"
        );
    }
    // A section for each client that signs in differently.
    for client in [
        "Claude (web, desktop, phone)",
        "Claude Code",
        "ChatGPT",
        "Codex",
        "VS Code",
        "Copilot CLI",
        "Cursor",
        "n8n",
        "Gemini CLI",
        "Goose",
        "opencode",
        "mcp-remote",
        "Python SDK",
        "fastmcp",
        "TypeScript SDK",
        "LibreChat and Open WebUI",
    ] {
        assert!(
            guide.contains(&format!("\n## {client}\n")),
            "no section {client}"
        );
    }
}

#[tokio::test]
async fn a_file_gets_the_entry_and_a_backup_and_no_token_where_the_client_reads_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mcp.json");
    fs::write(&path, r#"{"mcpServers": {"other": {"url": "u"}}}"#).expect("written");
    let write = format!("--write={}", path.display());
    let read = || serde_json::from_slice::<Value>(&fs::read(&path).expect("read")).expect("JSON");

    check(
        &["cursor", &write, "--dry-run"],
        0,
        &["would get", "\"ghl\""],
    )
    .await;
    assert_eq!(read(), json!({"mcpServers": {"other": {"url": "u"}}}));
    check(
        &["cursor", &write],
        0,
        &["restart the client", "mcp.json.bak"],
    )
    .await;
    let headers = json!({"Authorization": "Bearer ${env:HIGHLEVEL_TOKEN}", "locationId": "L0"});
    let ghl = json!({"url": "http://127.0.0.1:8100/mcp", "headers": headers});
    assert_eq!(
        read(),
        json!({"mcpServers": {"other": {"url": "u"}, "ghl": ghl}})
    );
    check(&["cursor", &write], 0, &["has ghl already"]).await;

    check(&["claude-desktop", &write], 0, &["restart the client"]).await;
    assert_eq!(
        read()["mcpServers"]["ghl"]["env"]["HIGHLEVEL_TOKEN"],
        "pit-secret"
    );
    check(&["n8n", &write], 2, &["n8n has no file of servers"]).await;
}
