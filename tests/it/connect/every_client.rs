//! Every client with every credential: the printed text, the written file, and what neither contains.

use std::fs;

use serde_json::Value;

use super::{ACCOUNT, check, run};
use crate::stdio::program;

const KEY: &str = "hlk_abc_canary";
const URL: &str = "http://127.0.0.1:8100/mcp";

/// Parts of a client's text, by its credential. No parts means that it is refused.
struct ClientRow {
    client: &'static str,
    /// With a HighLevel token in the environment, and a location.
    token: &'static [&'static str],
    /// With an access key in the environment.
    key: &'static [&'static str],
    sign_in: &'static [&'static str],
    sandbox: &'static [&'static str],
}

const JSON_CLIENTS: [&str; 8] = [
    "claude-desktop",
    "cursor",
    "gemini-cli",
    "opencode",
    "vscode",
    "windsurf",
    "zed",
    // Its file, which --dry-run shows.
    "claude-code",
];

const CLIENTS: [ClientRow; 17] = [
    ClientRow {
        client: "claude-ai",
        token: &[],
        key: &[],
        sign_in: &[
            "Add custom connector",
            "\n     http://127.0.0.1:8100/mcp\n",
            "oauth.url",
        ],
        sandbox: &[],
    },
    ClientRow {
        client: "claude-code",
        token: &[
            "claude mcp add --transport http ghl http://127.0.0.1:8100/mcp \\\n",
            "--header \"Authorization: Bearer $HIGHLEVEL_TOKEN\"",
            "--header \"locationId: L0\"",
            "claude mcp remove ghl",
        ],
        key: &["--header \"Authorization: Bearer $HIGHLEVEL_TOKEN\""],
        sign_in: &[
            "claude mcp add --transport http ghl http://127.0.0.1:8100/mcp\n",
            "claude mcp login ghl",
        ],
        sandbox: &["claude mcp add --transport http ghl http://127.0.0.1:8100/mcp\n"],
    },
    ClientRow {
        client: "claude-desktop",
        token: &[
            "\"stdio\"\n",
            "\"HIGHLEVEL_TOKEN\": \"pit-…\"",
            "\"HIGHLEVEL_LOCATION_ID\": \"L0\"",
        ],
        key: &[
            "\"--url\",\n        \"http://127.0.0.1:8100/mcp\"",
            "\"HIGHLEVEL_TOKEN\": \"hlk_…\"",
        ],
        sign_in: &[
            "\"--url\",\n        \"http://127.0.0.1:8100/mcp\"",
            "login --url",
        ],
        sandbox: &["\"--sandbox\""],
    },
    ClientRow {
        client: "chatgpt",
        token: &[],
        key: &[],
        sign_in: &[
            "Developer mode",
            "\n     http://127.0.0.1:8100/mcp\n",
            "oauth.url",
        ],
        sandbox: &[],
    },
    ClientRow {
        client: "codex",
        token: &[
            "[mcp_servers.ghl]\nurl = \"http://127.0.0.1:8100/mcp\"\n",
            "bearer_token_env_var = \"HIGHLEVEL_TOKEN\"\n",
            "http_headers = { locationId = \"L0\" }\n",
        ],
        key: &["bearer_token_env_var = \"HIGHLEVEL_TOKEN\"\n"],
        sign_in: &[
            "url = \"http://127.0.0.1:8100/mcp\"\n",
            "codex mcp login ghl",
        ],
        sandbox: &["url = \"http://127.0.0.1:8100/mcp\"\n"],
    },
    ClientRow {
        client: "cursor",
        token: &[
            "\"url\": \"http",
            "Bearer ${env:HIGHLEVEL_TOKEN}",
            "\"locationId\": \"L0\"",
        ],
        key: &["Bearer ${env:HIGHLEVEL_TOKEN}"],
        sign_in: &["\"url\": \"http"],
        sandbox: &[
            "\"url\": \"http",
            "cursor/mcp.json, beside the other entries",
        ],
    },
    ClientRow {
        client: "gemini-cli",
        token: &[
            "\"httpUrl\": \"http",
            "Bearer $HIGHLEVEL_TOKEN",
            "\"locationId\": \"L0\"",
        ],
        key: &["Bearer $HIGHLEVEL_TOKEN"],
        sign_in: &["\"httpUrl\": \"http", "/mcp auth ghl"],
        sandbox: &["\"httpUrl\": \"http"],
    },
    ClientRow {
        client: "goose",
        token: &[
            "type: streamable_http\n",
            "    uri: http://127.0.0.1:8100/mcp\n",
            "      Authorization: \"Bearer pit-…\"\n      locationId: \"L0\"\n",
        ],
        key: &[
            "      Authorization: \"Bearer hlk_…\"\n    timeout",
            "by your own",
        ],
        sign_in: &["    uri: http://127.0.0.1:8100/mcp\n    timeout"],
        sandbox: &["    uri: http://127.0.0.1:8100/mcp\n    timeout"],
    },
    ClientRow {
        client: "langgraph",
        token: &[
            "\"ghl\"",
            "f\"Bearer {TOKEN}\"",
            "\"locationId\": \"L0\"",
            "asyncio.run(main())\n",
        ],
        key: &["f\"Bearer {TOKEN}\"}"],
        sign_in: &[],
        sandbox: &["HEADERS = {}\n", "pip install langchain-mcp-adapters"],
    },
    ClientRow {
        client: "librechat",
        token: &[
            "type: streamable-http\n",
            "      Authorization: \"Bearer ${HIGHLEVEL_TOKEN}\"\n      locationId: \"L0\"\n",
            "mcpSettings:\n  allowedAddresses:\n    - \"127.0.0.1:8100\"\n",
            "host.docker.internal:8100",
        ],
        key: &["      Authorization: \"Bearer ${HIGHLEVEL_TOKEN}\"\nmcpSettings"],
        sign_in: &["    url: http://127.0.0.1:8100/mcp\nmcpSettings"],
        sandbox: &["    url: http://127.0.0.1:8100/mcp\nmcpSettings"],
    },
    ClientRow {
        client: "n8n",
        token: &[
            "HTTP Streamable",
            "Multiple Headers",
            "Bearer pit-…",
            "L0",
            "host.docker.internal:8100",
        ],
        key: &["Multiple Headers", "Bearer hlk_…"],
        sign_in: &["MCP OAuth2"],
        sandbox: &["Authentication    None"],
    },
    ClientRow {
        client: "open-webui",
        token: &[
            "MCP (Streamable HTTP)",
            "Bearer, with pit-…",
            "{\"locationId\": \"L0\"}",
        ],
        key: &["Bearer, with hlk_…"],
        sign_in: &["OAuth 2.1"],
        sandbox: &["Auth  None"],
    },
    ClientRow {
        client: "openai-agents",
        token: &[
            "\"ghl\"",
            "f\"Bearer {TOKEN}\"",
            "\"locationId\": \"L0\"",
            "asyncio.run(main())\n",
        ],
        key: &["f\"Bearer {TOKEN}\"}"],
        sign_in: &[],
        sandbox: &["HEADERS = {}\n", "pip install openai-agents"],
    },
    ClientRow {
        client: "opencode",
        token: &[
            "\"type\": \"remote\"",
            "Bearer {env:HIGHLEVEL_TOKEN}",
            "\"oauth\": false",
        ],
        key: &["Bearer {env:HIGHLEVEL_TOKEN}"],
        sign_in: &["\"type\": \"remote\"", "opencode mcp auth ghl"],
        sandbox: &["\"type\": \"remote\""],
    },
    ClientRow {
        client: "vscode",
        token: &[
            "Bearer ${input:highlevel-token}",
            "\"password\": true",
            "\"locationId\": \"L0\"",
        ],
        key: &["Bearer ${input:highlevel-token}"],
        sign_in: &["\"type\": \"http\""],
        sandbox: &["\"type\": \"http\""],
    },
    ClientRow {
        client: "windsurf",
        token: &["\"serverUrl\": \"http", "Bearer ${env:HIGHLEVEL_TOKEN}"],
        key: &["Bearer ${env:HIGHLEVEL_TOKEN}"],
        sign_in: &["\"serverUrl\": \"http"],
        sandbox: &["\"serverUrl\": \"http"],
    },
    ClientRow {
        client: "zed",
        token: &[
            "\"context_servers\"",
            "Bearer pit-…",
            "\"locationId\": \"L0\"",
        ],
        key: &["Bearer hlk_…"],
        sign_in: &["\"context_servers\""],
        sandbox: &["\"context_servers\""],
    },
];

/// The output for every client and every credential has what the client needs, and no secret from the environment.
#[tokio::test]
async fn every_client_gets_its_configuration_for_every_credential() {
    let key = [("HIGHLEVEL_TOKEN", KEY), ACCOUNT[1]];
    for row in CLIENTS {
        let ways: [(&str, &[&str], &[(&str, &str)], &[&str]); 4] = [
            ("token", &[], &ACCOUNT, row.token),
            ("key", &[], &key, row.key),
            ("sign-in", &["--sign-in"], &[], row.sign_in),
            ("sandbox", &["--sandbox"], &ACCOUNT, row.sandbox),
        ];
        for (way, flags, variables, parts) in ways {
            let name = format!("{} by {way}", row.client);
            let arguments = [&[row.client], flags].concat();
            let (status, stdout, stderr) = run(&arguments, variables).await;
            let text = format!("{stdout}{stderr}");
            let code = if parts.is_empty() { 2 } else { 0 };
            assert_eq!(status, Some(code), "{name}: {text}");
            for part in parts {
                assert!(text.contains(part), "{name}: no {part:?} in {text}");
            }
            assert!(
                !text.contains("secret") && !text.contains("canary"),
                "{name}: {text}"
            );
            if parts.is_empty() {
                continue;
            }
            let starts_itself =
                row.client == "claude-desktop" && ["token", "sandbox"].contains(&way);
            assert!(starts_itself || stdout.contains(URL), "{name}: {text}");
            if matches!(way, "sign-in" | "sandbox") {
                assert!(
                    !stdout.contains("TOKEN") && !stdout.contains("Bearer"),
                    "{name}: {text}"
                );
            }
            if way == "key" {
                assert!(
                    !stdout.contains("L0"),
                    "{name}: a key names its locations itself: {text}"
                );
            }
            let has_json = JSON_CLIENTS.contains(&row.client) && row.client != "claude-code";
            if has_json {
                serde_json::from_str::<Value>(&stdout).expect("JSON");
            }
            if row.client == "codex" {
                stdout.parse::<toml::Table>().expect("TOML");
            }
        }
    }
}

/// A given key is placed where the client reads it, so that the output works as it is.
#[tokio::test]
async fn a_key_that_is_given_is_in_what_is_printed_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    for row in CLIENTS {
        if row.key.is_empty() {
            check(&[row.client, "--key", KEY], 2, &["signs in"]).await;
            continue;
        }
        let (status, stdout, stderr) = run(&[row.client, "--key", KEY], &[]).await;
        assert_eq!(status, Some(0), "{}: {stderr}", row.client);
        assert!(stdout.contains(KEY), "{}: {stdout}", row.client);
        assert!(
            !stdout.contains("HIGHLEVEL_TOKEN}") && !stdout.contains('…'),
            "{stdout}"
        );
        if !JSON_CLIENTS.contains(&row.client) && row.client != "codex" {
            continue;
        }
        let path = folder.path().join(row.client);
        let write = format!("--write={}", path.display());
        let (status, stdout, stderr) = run(&[row.client, "--key", KEY, &write], &[]).await;
        assert_eq!(status, Some(0), "{}: {stderr}", row.client);
        assert!(!stdout.contains(KEY), "{stdout}");
        let text = fs::read_to_string(&path).expect("written");
        assert!(text.contains(KEY) && text.contains(URL), "{text}");
        match row.client {
            "codex" => drop(text.parse::<toml::Table>().expect("TOML")),
            _ => drop(serde_json::from_str::<Value>(&text).expect("JSON")),
        }
    }
    check(
        &["cursor", "--key", "pit-x"],
        2,
        &["begins with hlk_", "keys create"],
    )
    .await;
    check(
        &["cursor", "--key", KEY, "--sandbox"],
        2,
        &["cannot be used with"],
    )
    .await;
}

#[tokio::test]
async fn without_a_token_no_client_sends_an_empty_one() {
    for row in CLIENTS {
        if row.token.is_empty() {
            continue;
        }
        let (status, stdout, stderr) = run(&[row.client], &[]).await;
        assert_eq!(status, Some(0), "{}: {stderr}", row.client);
        let part = "HIGHLEVEL_TOKEN is not set, but the client needs it";
        assert!(stderr.contains(part), "{}: {stderr}", row.client);
        if row.client == "claude-code" {
            // The shell refuses to run the line.
            let line = stdout.replace("claude mcp add", "echo");
            let mut shell = tokio::process::Command::new("sh");
            let done = shell.arg("-c").arg(line).env_clear().output().await;
            let done = done.expect("a shell");
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(
                !done.status.success() && said.contains("HIGHLEVEL_TOKEN"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_with_a_location_of_its_own_needs_no_token_until_there_is_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = "[locations.acme]\nlocation_id = \"L1\"\ntoken = { env = \"T\" }\n";
    fs::write(path("settings.toml"), settings).expect("written");
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", path("settings.toml")),
        ("HIGHLEVEL_MCP_STATE_FOLDER", path("state")),
        ("T", "pit-acme".to_owned()),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    for has_key in [false, true] {
        if has_key {
            let create = ["keys", "create", "--name", "a", "--location", "acme"];
            let created = program(&create, &variables).output().await.expect("run");
            assert!(created.status.success(), "{created:?}");
        }
        for row in CLIENTS {
            if row.token.is_empty() {
                continue;
            }
            let (status, stdout, stderr) = run(&[row.client], &variables).await;
            let text = stdout + &stderr;
            assert_eq!(status, Some(0), "{}: {text}", row.client);
            let part = if row.client == "claude-desktop" {
                "stdio"
            } else {
                "127.0.0.1:8100/mcp"
            };
            assert!(text.contains(part), "{}: {text}", row.client);
            assert_eq!(
                text.contains("HIGHLEVEL_TOKEN"),
                has_key,
                "{}: {text}",
                row.client
            );
        }
    }
    let named = [("HIGHLEVEL_MCP_STATE_FOLDER", "none"), ("T", "pit-acme")];
    let config = path("settings.toml");
    let desktop = ["claude-desktop", "--config", &config];
    let (_, stdout, _) = run(&desktop, &named).await;
    let arguments: Vec<&str> = stdout
        .split('"')
        .filter(|part| part.contains("settings.toml"))
        .collect();
    assert_eq!(arguments, [config.as_str()], "{stdout}");
}

#[tokio::test]
async fn python_programs_are_whole() {
    for client in ["langgraph", "openai-agents"] {
        for variables in [&ACCOUNT[..], &[]] {
            let (_, program, _) = run(&[client], variables).await;
            let mut python = tokio::process::Command::new("python3");
            let compile = "import sys; compile(sys.argv[1], 'printed', 'exec')";
            match python.args(["-c", compile, &program]).output().await {
                Ok(done) => {
                    let said = String::from_utf8_lossy(&done.stderr);
                    assert!(done.status.success(), "{client}: {said}\n{program}");
                }
                Err(error) => eprintln!("SKIPPED: python3 cannot be run: {error}"),
            }
        }
    }
}
