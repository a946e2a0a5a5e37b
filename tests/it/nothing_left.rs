//! A command that fails in an empty home leaves nothing there: no folder, no key, no database.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tokio::process::Command;

const NO_ACCOUNT: &[(&str, &str)] = &[];
const ACCOUNT: &[(&str, &str)] = &[
    ("HIGHLEVEL_TOKEN", "pit-1"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];
const SIGN_IN: &[(&str, &str)] = &[("HIGHLEVEL_MCP_OAUTH_URL", "https://mcp.example.com")];

/// Variables, a line, and a part of what is said of it. 192.0.2.1 is nobody's address.
const ROWS: [(&[(&str, &str)], &str, &str); 52] = [
    (NO_ACCOUNT, "approvals list", "no store"),
    (NO_ACCOUNT, "approvals approve apr_x --by Ada", "no store"),
    (NO_ACCOUNT, "audit tail", "no store"),
    (
        NO_ACCOUNT,
        "call contacts_get-contact contactId=x",
        "no HighLevel token",
    ),
    (ACCOUNT, "call contacts_get-contact", "contactId"),
    (
        ACCOUNT,
        "call contacts_get-contact contactId=x --location x",
        "no location x",
    ),
    (ACCOUNT, "call contacts_get-contacts limt=1", "limit"),
    (
        ACCOUNT,
        "call conversations_send-a-new-message type=Pigeon contactId=x",
        "type",
    ),
    (ACCOUNT, "call call_write operation=x", "no operation x"),
    (
        NO_ACCOUNT,
        "call contacts_get-contact --sandbox",
        "contactId",
    ),
    (
        NO_ACCOUNT,
        "call contacts_get-contact contactId=x --sandbox --location x",
        "no location x",
    ),
    (NO_ACCOUNT, "clients list", "no store"),
    (
        NO_ACCOUNT,
        "clients add Reports --redirect https://a.example/b",
        "oauth.url",
    ),
    (SIGN_IN, "clients add Reports --redirect nowhere", "nowhere"),
    (NO_ACCOUNT, "config check --config x", "x"),
    (NO_ACCOUNT, "connect x", "x"),
    (NO_ACCOUNT, "connections end --all", "no store"),
    (NO_ACCOUNT, "console link --person Ada", "no person Ada"),
    (
        NO_ACCOUNT,
        "console --no-browser --listen 0.0.0.0:1",
        "oauth.url",
    ),
    (
        ACCOUNT,
        "doctor --live-report report.json --location x",
        "--location",
    ),
    (
        NO_ACCOUNT,
        "doctor --live-report report.json",
        "no HighLevel token",
    ),
    (NO_ACCOUNT, "init --yes", "nobody can be asked"),
    (NO_ACCOUNT, "invite Ada --operator", "oauth.url"),
    (SIGN_IN, "invite Ada --locations x", "no location x"),
    (SIGN_IN, "invite Ada --operator --policy x", "[policies.x]"),
    (NO_ACCOUNT, "keys list", "no store"),
    (NO_ACCOUNT, "keys revoke x", "no store"),
    (
        NO_ACCOUNT,
        "keys create --name n8n",
        "<--location <ALIAS>...|--all-locations|--connect-links <RETURN_URL>>",
    ),
    (
        NO_ACCOUNT,
        "keys create --name n8n --location x",
        "no location x",
    ),
    (
        NO_ACCOUNT,
        "keys create --name n8n --all-locations --policy x",
        "[policies.x]",
    ),
    (
        NO_ACCOUNT,
        "keys create --name= --all-locations",
        "give a name that people",
    ),
    (NO_ACCOUNT, "locations test x", "no location x"),
    (
        NO_ACCOUNT,
        "locations import --from-agency main",
        "there is none",
    ),
    (NO_ACCOUNT, "locations remove x", "no location x"),
    (
        NO_ACCOUNT,
        "login --url https://127.0.0.1:9",
        "not possible to sign in",
    ),
    (NO_ACCOUNT, "logout --url https://127.0.0.1:9", "no store"),
    (NO_ACCOUNT, "logs", "no store"),
    (NO_ACCOUNT, "pause", "no store"),
    (NO_ACCOUNT, "people list", "no store"),
    (NO_ACCOUNT, "policy explain x", "no tool x"),
    (
        NO_ACCOUNT,
        "policy sections put x missing.toml",
        "missing.toml",
    ),
    (NO_ACCOUNT, "resume", "no store"),
    (NO_ACCOUNT, "sandbox --listen 192.0.2.1:80", "cannot listen"),
    (
        NO_ACCOUNT,
        "serve --listen 192.0.2.1:80 --tls off",
        "cannot listen",
    ),
    (NO_ACCOUNT, "serve --listen 0.0.0.0:0", "has no TLS"),
    (NO_ACCOUNT, "state restore copy.db", "copy.db"),
    (
        NO_ACCOUNT,
        "state copy --to postgres://127.0.0.1:9/x",
        "no store",
    ),
    (NO_ACCOUNT, "status", "No server runs"),
    (NO_ACCOUNT, "stdio", "no HighLevel token"),
    (
        NO_ACCOUNT,
        "stdio --url https://127.0.0.1:9/mcp",
        "not signed in",
    ),
    (NO_ACCOUNT, "tools show x", "no tool x"),
    (NO_ACCOUNT, "usage", "no store"),
];

/// Commands without a row: they print, or write where they are told.
const WITHOUT_ROW: [&str; 2] = ["completions", "man"];

fn program(home: &Path, line: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"));
    command
        .args(line)
        .env_clear()
        .env("HOME", home)
        .envs(variables.iter().copied())
        .current_dir(home)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    command
}

/// Names of all that is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names.map(|name| name.display().to_string()).collect()
}

async fn check(variables: &[(&str, &str)], line: &str, told: &str) {
    let home = tempfile::tempdir().expect("a folder");
    let words: Vec<&str> = line.split(' ').collect();
    let done = program(home.path(), &words, variables).output().await;
    let done = done.expect("run");
    let said = [&done.stdout[..], &done.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!done.status.success(), "{line}: {said}");
    assert!(said.contains(told), "{line}: {said}");
    assert_eq!(names(home.path()), Vec::<String>::new(), "{line}: {said}");
}

#[tokio::test]
async fn a_command_that_fails_leaves_nothing_behind() {
    for (variables, line, told) in ROWS {
        check(variables, line, told).await;
    }
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a folder");
    let line = [
        "call",
        "contacts_delete-contact",
        "contactId=x",
        "--dry-run",
    ];
    let done = program(home.path(), &line, ACCOUNT)
        .output()
        .await
        .expect("run");
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("\"method\":\"DELETE\""), "{said}");
    assert_eq!(names(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn every_command_is_tried() {
    let home = tempfile::tempdir().expect("a folder");
    let help = program(home.path(), &["--help"], NO_ACCOUNT).output().await;
    let help = String::from_utf8(help.expect("run").stdout).expect("text");
    let is_command = |line: &&str| {
        let name = line.strip_prefix("  ").unwrap_or_default();
        name.starts_with(|first: char| first.is_ascii_lowercase())
    };
    let names = help.lines().filter(is_command);
    let names = names.filter_map(|line| line.split_whitespace().next());
    let known: BTreeSet<&str> = names.collect();
    assert!(known.len() > 20, "{help}");
    let tried = ROWS
        .iter()
        .filter_map(|(_, line, _)| line.split(' ').next());
    let tried: BTreeSet<&str> = tried.chain(WITHOUT_ROW).collect();
    assert_eq!(tried, known);
}
