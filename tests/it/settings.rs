//! `config`: the file that is found and used, the effective settings and their sources, and the messages about
//! mistakes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::stdio::program;

/// A home, and a folder in which commands are started.
struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["here", "home/.config/highlevel-mcp"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("made");
        }
        Self { root }
    }

    fn path(&self, name: &str) -> String {
        let path = self.root.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file that nobody else may write.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        set_mode(Path::new(&path), 0o644);
        path
    }

    /// The output of a command that is started in the folder `here`.
    async fn run(&self, arguments: &[&str], further: &[(&str, &str)], code: i32) -> String {
        let home = self.path("home");
        let mut variables = vec![("HOME", home.as_str())];
        variables.extend(further);
        let mut command = program(arguments, &variables);
        let done = command.current_dir(self.path("here")).output().await;
        let done = done.expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {text}");
        text.into_owned()
    }
}

fn set_mode(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("set");
}

#[track_caller]
fn check(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in {text}");
}

#[tokio::test]
async fn settings_are_found_in_the_folder_then_at_home_and_named_ones_win() {
    let home = Home::new();
    let text = home.run(&["config", "check"], &[], 0).await;
    let (here, own) = (
        home.path("here/highlevel-mcp.toml"),
        home.path("home/.config/highlevel-mcp/config.toml"),
    );
    check(
        &text,
        &format!("no settings file: there is no {here} and no {own}"),
    );
    home.write(
        "home/.config/highlevel-mcp/config.toml",
        "[log]\nlevel = \"warn\"\n",
    );
    let text = home.run(&["config", "check"], &[], 0).await;
    check(&text, &format!("the settings are valid; read from {own}"));
    home.write("here/highlevel-mcp.toml", "[log]\nlevel = \"error\"\n");
    let text = home.run(&["config", "show"], &[], 0).await;
    check(&text, &format!("log.level\t\"error\"\t{here}\n"));
    let named = home.write("named.toml", "[log]\nlevel = \"debug\"\n");
    for (arguments, variables) in [
        (vec!["config", "show", "--config", &named], vec![]),
        (
            vec!["config", "show"],
            vec![("HIGHLEVEL_MCP_CONFIG", named.as_str())],
        ),
    ] {
        let text = home.run(&arguments, &variables, 0).await;
        check(&text, &format!("log.level\t\"debug\"\t{named}\n"));
    }
    // A client starts `stdio` in whatever folder is open.
    home.write("here/highlevel-mcp.toml", "[lg]\n");
    let text = home.run(&["stdio"], &[], 2).await;
    check(&text, "no HighLevel token");
    home.run(&["tools", "list", "contacts"], &[], 0).await;
}

#[tokio::test]
async fn a_file_that_others_may_write_is_not_taken() {
    let home = Home::new();
    let here = home.write("here/highlevel-mcp.toml", "");
    set_mode(Path::new(&here), 0o666);
    let text = home.run(&["config", "check"], &[], 2).await;
    check(
        &text,
        &format!("{here} can be written by others (mode 666); `chmod go-w` it"),
    );
    home.run(&["config", "check", "--config", &here], &[], 0)
        .await;
    set_mode(Path::new(&here), 0o644);
    home.run(&["config", "check"], &[], 0).await;
    // A file that sends the user's token to another address is not used either.
    let text = "[log]\nlevel = \"warn\"\n[upstream]\nbase_url = \"https://evil.example\"\n";
    home.write("here/highlevel-mcp.toml", text);
    let call = ["call", "locations_get-location"];
    let token = [
        ("HIGHLEVEL_TOKEN", "pit-mine"),
        ("HIGHLEVEL_LOCATION_ID", "L1"),
    ];
    let text = home.run(&call, &token, 2).await;
    check(
        &text,
        "line 4: upstream.base_url decides where tokens are sent",
    );
}

#[tokio::test]
async fn settings_are_shown_with_their_source_and_without_secrets() {
    let home = Home::new();
    let file = home.write(
        "named.toml",
        "[server]\naccess_key = \"a-key-of-thirty-characters-123\"\n[[approvals.webhooks]]\nurl = \"https://hooks.example/T0/secret\"\n\
         [locations.acme]\nlocation_id = \"L1\"\ntoken = { env = \"ACME\" }\n",
    );
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", file.as_str()),
        ("HIGHLEVEL_MCP_SERVER_LISTEN", "127.0.0.1:8500"),
        ("HIGHLEVEL_TOKEN", "pit-mine"),
        ("ACME", "pit-acme"),
    ];
    let show = ["config", "show", "--base-url", "http://127.0.0.1:1"];
    let text = home.run(&show, &variables, 0).await;
    for line in [
        format!("server.access_key\tset\t{file}\n"),
        format!("approvals.webhooks\tset\t{file}\n"),
        "account.token\tset\tHIGHLEVEL_TOKEN\n".to_owned(),
        "server.listen\t\"127.0.0.1:8500\"\tHIGHLEVEL_MCP_SERVER_LISTEN\n".to_owned(),
        "upstream.base_url\t\"http://127.0.0.1:1\"\t--base-url\n".to_owned(),
        "limits.percent\t95\tdefault\n".to_owned(),
    ] {
        check(&text, &line);
    }
    check(&text, "locations.acme\t{");
    for secret in ["pit-", "a-key-of", "hooks.example"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let json = home.run(&["config", "show", "--json"], &variables, 0).await;
    let all: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let listen = all.as_array().expect("a list").iter();
    let mut listen = listen.filter(|one| one["setting"] == "server.listen");
    let listen = listen.next().expect("server.listen");
    assert_eq!(listen["from"], "HIGHLEVEL_MCP_SERVER_LISTEN");
    let defaults = include_str!("../../config.default.toml");
    // `show --defaults` is an older name for it, which no help text mentions.
    for command in [
        vec!["config", "defaults"],
        vec!["config", "show", "--defaults"],
    ] {
        assert_eq!(home.run(&command, &variables, 0).await, defaults);
    }
    let help = home.run(&["config", "show", "--help"], &[], 0).await;
    assert!(!help.contains("--defaults"), "{help}");
    let json = home
        .run(&["config", "defaults", "--json"], &variables, 0)
        .await;
    let all: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let all = all.as_array().expect("a list");
    let listen = all.iter().find(|one| one["setting"] == "server.listen");
    let listen = listen.expect("server.listen");
    assert_eq!(listen["value"], "\"127.0.0.1:8100\"");
    assert!(
        listen["comment"]
            .as_str()
            .is_some_and(|text| !text.contains('#'))
    );
}

#[tokio::test]
async fn mistakes_are_named_with_their_place_and_remedy() {
    let home = Home::new();
    let file = home.write(
        "named.toml",
        "[server]\nlisen = 1\n\n[limits]\npercent = 0\n",
    );
    let variables = [
        ("HIGHLEVEL_MCP_CONFIG", file.as_str()),
        ("HIGHLEVEL_MCP_LOG_LEVLE", "warn"),
    ];
    let text = home.run(&["config", "check"], &variables, 2).await;
    check(&text, "the settings have 3 mistakes");
    check(
        &text,
        &format!("{file}, line 2: [server] lisen is not a setting; did you mean listen?"),
    );
    check(
        &text,
        &format!("{file}, line 5: limits.percent is 0; it goes from 1 to 100"),
    );
    check(
        &text,
        "HIGHLEVEL_MCP_LOG_LEVLE is not a setting; did you mean HIGHLEVEL_MCP_LOG_LEVEL?",
    );
    // A value that no server could start with is found without starting one.
    for (line, part) in [
        (
            "[state]\nurl = \"nope nope\"",
            "line 2: state.url is not an address of a PostgreSQL database",
        ),
        (
            "[state]\nkeys = [{ file = \"/nope\" }]",
            "state.keys: /nope cannot be read",
        ),
        (
            "[policy]\nfile = \"/nope/rules.toml\"",
            "policy.file: /nope/rules.toml",
        ),
        (
            "[oauth]\nurl = \"http://localhost:1\"\npinned_documents = \"/nope\"",
            "pinned_documents",
        ),
        ("[brand]\nlogo = \"/nope.png\"", "brand.logo /nope.png"),
        ("[brand]\napp_url = \"nope\"", "brand.app_url \"nope\""),
        ("[brand]\nsupport = \"nope\"", "brand.support \"nope\""),
        ("[audit]\nfile = \"/nope/dir/x\"", "audit.file /nope/dir/x"),
        ("[traces]\nendpoint = \"nope nope\"", "traces.endpoint"),
        (
            "[account]\ntoken = \"pit abc\"",
            "account.token of the settings file is not a HighLevel token",
        ),
    ] {
        let file = home.write("wrong.toml", &format!("{line}\n"));
        let variables = [("HIGHLEVEL_MCP_CONFIG", file.as_str())];
        let text = home.run(&["config", "check"], &variables, 2).await;
        check(&text, part);
    }
    let serve = ["serve", "--sandbox", "--listen", "mcp.example.com"];
    let text = home.run(&serve, &[], 2).await;
    check(
        &text,
        "--listen: server.listen \"mcp.example.com\" is not an address and port",
    );
}
