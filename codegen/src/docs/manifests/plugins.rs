//! Plugins and extensions of terminal clients: Claude Code, Codex and Gemini CLI.

use serde_json::{Map, Value, json};

use super::Manifest;
use super::product::Product;

/// The folder of the plugin of Claude Code and Codex.
const PLUGIN: &str = "packaging/plugin";

pub(super) fn files(product: &Product) -> Vec<Manifest> {
    let file = |path: &str, value: Value| (path.to_owned(), value);
    let in_plugin = |path: &str, value: Value| (format!("{PLUGIN}/{path}"), value);
    vec![
        file(
            ".claude-plugin/marketplace.json",
            claude_marketplace(product),
        ),
        in_plugin(".claude-plugin/plugin.json", claude_plugin(product)),
        file(
            ".agents/plugins/marketplace.json",
            codex_marketplace(product),
        ),
        in_plugin(".codex-plugin/plugin.json", codex_plugin(product)),
        in_plugin("codex.mcp.json", codex_servers(product)),
        file("gemini-extension.json", gemini_extension(product)),
    ]
}

fn claude_marketplace(product: &Product) -> Value {
    json!({
        "name": product.package.name,
        "owner": product.author(),
        "metadata": { "description": product.package.description },
        "plugins": [{
            "name": product.package.name,
            "source": format!("./{PLUGIN}"),
            "description": product.package.description,
        }],
    })
}

fn claude_plugin(product: &Product) -> Value {
    let servers = servers(
        product,
        &[(
            "env",
            product
                .environment(|one| format!("${{user_config.{}}}", one.id))
                .into(),
        )],
    );
    let mut plugin = head(product);
    plugin.insert("mcpServers".to_owned(), servers);
    plugin.insert("userConfig".to_owned(), product.user_config().into());
    plugin.into()
}

fn codex_marketplace(product: &Product) -> Value {
    json!({
        "name": product.package.name,
        "interface": { "displayName": product.facts.title },
        "plugins": [{
            "name": product.package.name,
            "source": { "source": "local", "path": format!("./{PLUGIN}") },
            "policy": { "installation": "AVAILABLE", "authentication": "ON_USE" },
            "category": "Productivity",
        }],
    })
}

fn codex_plugin(product: &Product) -> Value {
    let mut plugin = head(product);
    plugin.insert("mcpServers".to_owned(), "./codex.mcp.json".into());
    plugin.insert(
        "interface".to_owned(),
        json!({
            "displayName": product.facts.title,
            "shortDescription": product.package.description,
        }),
    );
    plugin.into()
}

/// Codex does not ask: it passes on the variables of its own environment.
fn codex_servers(product: &Product) -> Value {
    let variables = product.facts.variables.iter();
    let names: Vec<&str> = variables.map(|one| one.name.as_str()).collect();
    json!({ "mcpServers": servers(product, &[("env_vars", json!(names))]) })
}

fn gemini_extension(product: &Product) -> Value {
    let variables = product.facts.variables.iter();
    let settings: Vec<Value> = variables
        .map(|one| {
            json!({
                "name": one.title,
                "description": one.text,
                "envVar": one.name,
                "sensitive": one.is_secret,
            })
        })
        .collect();
    let env = product
        .environment(|one| format!("${{{}}}", one.name))
        .into();
    json!({
        "name": product.package.name,
        "version": product.package.version,
        "description": product.package.description,
        "mcpServers": servers(product, &[("env", env)]),
        "settings": settings,
    })
}

/// The server under its name, started by `npx`; `more` has the settings for its values.
fn servers(product: &Product, more: &[(&str, Value)]) -> Value {
    let mut server = Map::new();
    server.insert("command".to_owned(), "npx".into());
    server.insert("args".to_owned(), json!(product.npx_arguments()));
    for (key, value) in more {
        server.insert((*key).to_owned(), value.clone());
    }
    json!({ product.facts.server.as_str(): server })
}

fn head(product: &Product) -> Map<String, Value> {
    let Value::Object(head) = json!({
        "name": product.package.name,
        "version": product.package.version,
        "description": product.package.description,
        "author": product.author(),
        "homepage": product.repository(),
        "repository": product.repository(),
        "license": product.package.license,
        "keywords": product.facts.keywords,
    }) else {
        return Map::new();
    };
    head
}
