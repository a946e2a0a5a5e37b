//! Desktop bundles (`.mcpb`): one manifest per system.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Manifest;
use super::product::Product;

/// The version of the format. Newer ones add nothing that this server needs.
const FORMAT: &str = "0.3";

/// The path of the program in a bundle.
const PROGRAM: &str = "bin/highlevel-mcp";

pub(super) fn files(product: &Product) -> Vec<Manifest> {
    let platforms = product.facts.platforms.iter();
    let systems: BTreeSet<&str> = platforms.map(|one| one.system.as_str()).collect();
    let files = systems.into_iter().map(|system| {
        let path = format!("packaging/mcpb/{system}/manifest.json");
        (path, manifest(product, system))
    });
    files.collect()
}

fn manifest(product: &Product, system: &str) -> Value {
    let package = &product.package;
    json!({
        "manifest_version": FORMAT,
        "name": package.name,
        "display_name": product.facts.title,
        "version": package.version,
        "description": package.description,
        "author": product.author(),
        "repository": { "type": "git", "url": product.repository() },
        "license": package.license,
        "keywords": product.facts.keywords,
        "server": {
            "type": "binary",
            "entry_point": PROGRAM,
            "mcp_config": {
                "command": format!("${{__dirname}}/{PROGRAM}"),
                "args": product.facts.account,
                "env": product.environment(|one| format!("${{user_config.{}}}", one.id)),
            },
        },
        "tools_generated": true,
        "compatibility": { "platforms": [system] },
        "user_config": product.user_config(),
    })
}
