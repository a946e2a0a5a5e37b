//! `deploy/` and its page contain only settings, variables and commands that the program knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use crate::stdio::program;

/// Fitting values for the variables that a person fills in.
const FILLED: [(&str, &str); 5] = [
    ("DOMAIN", "mcp.example.com"),
    ("KEYS_DOMAIN", "keys.example.com"),
    ("POSTGRES_PASSWORD", "5e0c"),
    ("STORE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ("PASSWORD", "5e0c"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder and its subfolders.
fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files_in(&path, found),
            false => found.push(path),
        }
    }
}

/// Every file that names settings or commands, with its text.
fn texts() -> Vec<(PathBuf, String)> {
    let mut paths = vec![
        root().join("Containerfile"),
        root().join("docs/operations.md"),
    ];
    files_in(&root().join("deploy"), &mut paths);
    let texts = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a text");
        (path, text)
    });
    texts.collect()
}

/// The output of the program, which must succeed.
async fn run(arguments: &[&str], variables: &[(&str, &str)], what: &str) -> String {
    let output = program(arguments, variables).output().await.expect("run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// Every `section.key` of the settings.
async fn settings() -> BTreeSet<String> {
    let defaults = run(&["config", "defaults"], &[], "defaults").await;
    let defaults: toml::Table = defaults.parse().expect("TOML");
    let sections = defaults.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().expect("a section").keys();
        keys.map(move |key| format!("{section}.{key}"))
    });
    sections.collect()
}

#[tokio::test]
async fn every_file_of_settings_is_valid() {
    let mut files = Vec::new();
    files_in(&root().join("deploy"), &mut files);
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    assert!(files.len() > 2, "{files:?}");
    for path in files {
        let name = path.to_str().expect("UTF-8");
        let mut variables = vec![FILLED[3], ("HIGHLEVEL_MCP_CONFIG", name)];
        let text = fs::read_to_string(&path).expect("a text");
        if text.contains("/etc/highlevel-mcp/store.key") {
            // The file is on the machine of the service.
            variables.push(("HIGHLEVEL_MCP_STATE_KEYS", r#"[{"env": "STORE_KEY"}]"#));
        }
        let said = run(&["config", "check"], &variables, name).await;
        assert!(said.contains("the settings are valid"), "{said}");
    }
}

#[tokio::test]
async fn every_variable_is_a_setting() {
    let mut known: BTreeSet<String> = settings()
        .await
        .iter()
        .map(|name| format!("HIGHLEVEL_MCP_{}", name.replace('.', "_").to_uppercase()))
        .collect();
    known.extend(["HIGHLEVEL_MCP_CONFIG", "HIGHLEVEL_MCP_LOCATIONS"].map(str::to_owned));
    let variable = Regex::new("HIGHLEVEL_MCP_[A-Z_]*[A-Z]").expect("a pattern");
    let mut seen = 0;
    for (path, text) in texts() {
        for found in variable.find_iter(&text) {
            seen += 1;
            let name = found.as_str();
            assert!(known.contains(name), "{} in {}", name, path.display());
        }
    }
    assert!(seen > 10, "{seen}");
}

/// Lines such as `HIGHLEVEL_MCP_OAUTH_URL: https://${DOMAIN:?why}`, filled in, form a valid set of settings.
#[tokio::test]
async fn the_variables_of_each_file_make_valid_settings() {
    let line = Regex::new(r"(?m)^\s*(HIGHLEVEL_MCP_[A-Z_]+): (.+)$").expect("a pattern");
    let gap = Regex::new(r"\$\{([A-Z_]+)[^}]*\}").expect("a pattern");
    let settings_file = root().join("deploy/compose/settings/settings.toml");
    let settings_file = settings_file.to_str().expect("UTF-8");
    let mut seen = 0;
    for (path, text) in texts() {
        let mut variables: Vec<(String, String)> = Vec::new();
        for found in line.captures_iter(&text) {
            let value = gap.replace_all(&found[2], |gap: &regex_lite::Captures<'_>| {
                let filled = FILLED.iter().find(|(name, _)| *name == &gap[1]);
                filled.map_or("", |(_, value)| value).to_owned()
            });
            let value = match &found[1] {
                "HIGHLEVEL_MCP_CONFIG" => settings_file,
                _ => value.trim_matches('\''),
            };
            variables.push((found[1].to_owned(), value.to_owned()));
        }
        if variables.is_empty() {
            continue;
        }
        seen += 1;
        let all = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(FILLED);
        let name = path.display().to_string();
        let said = run(&["config", "check"], &all.collect::<Vec<_>>(), &name).await;
        assert!(said.contains("the settings are valid"), "{said}");
    }
    assert_eq!(seen, 3, "two of compose, and the example of the secret");
}

/// Every command of the program in these files exists, with its flags.
#[tokio::test]
async fn every_command_is_there() {
    let call = Regex::new(r"highlevel-mcp ([a-z-][^`|#&;)\n]*)").expect("a pattern");
    let mut seen = BTreeSet::new();
    for (path, text) in texts() {
        // A command may be a list: ["highlevel-mcp", "status", "--ready"].
        let text = text.replace("\", \"", " ").replace("\"]", "\n");
        for found in call.captures_iter(&text) {
            let words: Vec<&str> = found[1].split_whitespace().collect();
            let asked: Vec<&str> = words.iter().copied().chain(["--help"]).collect();
            run(&asked, &[], &path.display().to_string()).await;
            seen.insert(words.join(" "));
        }
    }
    for expected in ["status --ready", "console link"] {
        assert!(seen.contains(expected), "{seen:?}");
    }
}
