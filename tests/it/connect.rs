//! `connect`: what it prints for a person to paste, or writes, client by client.

mod by_key;
mod every_client;

use std::fs;

use serde_json::{Value, json};

use crate::stdio::program;

const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-secret"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

const STATE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/connect");

/// Runs it with `variables` in the environment. Returns exit code, stdout and stderr.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let arguments = [&["connect"], arguments].concat();
    // Servers of other tests run on the usual folder: their addresses would be taken.
    let state = [("HIGHLEVEL_MCP_STATE_FOLDER", STATE)];
    let variables = [&state, variables].concat();
    let done = program(&arguments, &variables).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// The same with an account in the environment. Returns the exit code and all output.
async fn connect(arguments: &[&str]) -> (Option<i32>, String) {
    let (status, stdout, stderr) = run(arguments, &ACCOUNT).await;
    let text = stdout + &stderr;
    assert!(!text.contains("pit-secret"), "{arguments:?}: {text}");
    (status, text)
}

async fn check(arguments: &[&str], code: i32, parts: &[&str]) {
    let (status, text) = connect(arguments).await;
    assert_eq!(status, Some(code), "{arguments:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: no {part:?} in {text}");
    }
}

/// The value of `--url`, and the client's address, or the reason of the refusal.
#[tokio::test]
async fn an_address_is_made_whole_or_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let settings = "[locations.acme-dental]\nlocation_id = \"L1\"\ntoken = { env = \"T\" }\n";
    fs::write(&path, settings).expect("written");
    let config = format!("--config={}", path.display());
    for (url, told) in [
        ("localhost:8500", Ok("http://localhost:8500/mcp")),
        ("127.0.0.1:8500", Ok("http://127.0.0.1:8500/mcp")),
        ("[::1]:8500/mcp", Ok("http://[::1]:8500/mcp")),
        ("mcp.example.com", Ok("https://mcp.example.com/mcp")),
        (
            "host.docker.internal:8100",
            Ok("http://host.docker.internal:8100/mcp"),
        ),
        ("http://127.0.0.1:8500", Ok("http://127.0.0.1:8500/mcp")),
        ("http://127.0.0.1:8500/", Ok("http://127.0.0.1:8500/mcp")),
        (
            "https://h/mcp/official/readonly",
            Ok("https://h/mcp/official/readonly"),
        ),
        (
            "https://h/crm/mcp/contacts+calendars",
            Ok("https://h/crm/mcp/contacts+calendars"),
        ),
        (
            "http://127.0.0.1:8100/mcp/l/acme-dental",
            Ok("http://127.0.0.1:8100/mcp/l/acme-dental"),
        ),
        (
            "http://127.0.0.1:8100/mcp/l/acme-dentl",
            Err("there is no location acme-dentl; did you mean acme-dental?"),
        ),
        // The locations of another server are unknown here.
        ("https://h/mcp/l/acme", Ok("https://h/mcp/l/acme")),
        ("https://h/mcp/contcts", Err("did you mean contacts?")),
        ("https://h/sse", Err("MCP is at /mcp")),
        (
            "ftp://h/mcp",
            Err("does not begin with http:// or https://"),
        ),
        ("https://u:p@h/mcp", Err("a user name or password")),
        ("https://h/mcp?token=x", Err("a query or fragment (? or #)")),
        (
            "8100",
            Err("is a port without a host. For a server on this machine give localhost:8100"),
        ),
        ("https://", Err("is not an address")),
        ("a b", Err("is not an address")),
    ] {
        let arguments = ["cursor", "--sandbox", &config, "--url", url];
        let (status, stdout, stderr) = run(&arguments, &[("T", "pit-x")]).await;
        match told {
            Ok(told) => {
                assert_eq!(status, Some(0), "{url}: {stderr}");
                assert!(
                    stdout.contains(&format!("\"url\": \"{told}\"")),
                    "{url}: {stdout}"
                );
            }
            Err(why) => {
                assert_eq!(status, Some(2), "{url}: {stdout}");
                assert!(stderr.contains(why), "{url}: no {why:?} in {stderr}");
            }
        }
    }
}

#[tokio::test]
async fn the_settings_decide_the_address_of_the_server() {
    for (listen, url) in [
        ("127.0.0.1:8520", "http://127.0.0.1:8520/mcp"),
        ("0.0.0.0:8520", "http://127.0.0.1:8520/mcp"),
        ("[::]:8520", "http://[::1]:8520/mcp"),
        ("10.0.0.5:8520", "http://10.0.0.5:8520/mcp"),
    ] {
        let variables = [("HIGHLEVEL_MCP_SERVER_LISTEN", listen), ACCOUNT[0]];
        let (_, stdout, _) = run(&["cursor"], &variables).await;
        assert!(stdout.contains(&format!("\"{url}\"")), "{listen}: {stdout}");
    }
}

#[tokio::test]
async fn a_client_that_signs_in_gets_only_the_address() {
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
        // By the settings or by the flag.
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
    // An example with a header goes to the client that reads it.
    check(
        &["langgraph", &config],
        0,
        &["https://keys.example.com/mcp", "Bearer"],
    )
    .await;
    check(&["langgraph", "--sign-in"], 2, &["cannot sign in"]).await;
}

/// docs/connect.md shows exactly the printed text.
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
    // One section for each client that signs in differently.
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
    // Whoever could read the file cannot read the token.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&path, open).expect("set");
    check(
        &["cursor", "--key", "hlk_abc_def", &write],
        0,
        &[
            "in place of another server of that name",
            "Only you can read",
            "mcp.json.bak.",
        ],
    )
    .await;
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).expect("there"));
    assert_eq!(mode & 0o777, 0o600);
    check(&["n8n", &write], 2, &["n8n has no configuration file"]).await;
    check(
        &["cursor", "--write", "cursor.json"],
        2,
        &["give the file after an equals sign: --write=cursor.json"],
    )
    .await;
    // The file as it was before the first change stays.
    let first = fs::read_to_string(folder.path().join("mcp.json.bak")).expect("kept");
    assert_eq!(first, r#"{"mcpServers": {"other": {"url": "u"}}}"#);
}
