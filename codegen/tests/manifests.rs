//! Manifests match packaging/product.toml and have the version of Cargo.toml.

use std::fs;
use std::path::Path;

use codegen::docs::manifests::manifests;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every version in a manifest is that of Cargo.toml, wherever it occurs.
#[test]
fn every_version_is_that_of_cargo() {
    let cargo = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("TOML");
    let version = cargo["package"]["version"].as_str().expect("a version");
    for (path, text) in manifests(root()).expect("manifests") {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let names_none = path.ends_with("marketplace.json") || path.ends_with("codex.mcp.json");
        assert_eq!(
            value.get("version").and_then(Value::as_str),
            (!names_none).then_some(version),
            "{}",
            path.display()
        );
        // `npx` without a version would start the newest.
        assert!(
            !text.contains("\"highlevel-mcp@")
                || text.contains(&format!("\"highlevel-mcp@{version}\""))
        );
    }
}

/// The requirements of the registry of MCP servers on an entry, by its schema of 2025-12-11.
#[test]
fn the_entry_is_one_that_the_registry_takes() {
    let text = fs::read_to_string(root().join("server.json")).expect("server.json");
    let entry: Value = serde_json::from_str(&text).expect("JSON");
    let length = |key: &str| entry[key].as_str().expect(key).chars().count();
    assert!((1..=100).contains(&length("description")));
    assert!((1..=100).contains(&length("title")));
    let (space, name) = entry["name"]
        .as_str()
        .expect("a name")
        .split_once('/')
        .expect("one slash");
    let fits = |text: &str, more: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    assert!(fits(space, ".-") && fits(name, "._-"));
    let launcher =
        fs::read_to_string(root().join("packaging/npm/launcher/package.json")).expect("a package");
    let launcher: Value = serde_json::from_str(&launcher).expect("JSON");
    assert_eq!(launcher["mcpName"], entry["name"]);
    assert_eq!(launcher["name"], entry["packages"][0]["identifier"]);
}
