//! server.json: the entry in the registry of MCP servers.

use serde_json::{Value, json};

use super::Manifest;
use super::product::Product;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

pub(super) fn files(product: &Product) -> Vec<Manifest> {
    vec![("server.json".to_owned(), entry(product))]
}

fn entry(product: &Product) -> Value {
    let package = &product.package;
    let arguments = product.facts.account.iter();
    let arguments: Vec<Value> = arguments
        .map(|one| json!({ "type": "positional", "value": one }))
        .collect();
    let variables = product.facts.variables.iter();
    let variables: Vec<Value> = variables
        .map(|one| {
            json!({
                "name": one.name,
                "description": one.text,
                "isRequired": true,
                "isSecret": one.is_secret,
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "name": product.directory_name(),
        "title": product.facts.title,
        "description": package.description,
        "repository": { "url": product.repository(), "source": "github" },
        "version": package.version,
        "packages": [
            {
                "registryType": "npm",
                "registryBaseUrl": "https://registry.npmjs.org",
                "identifier": package.name,
                "version": package.version,
                "runtimeHint": "npx",
                "transport": { "type": "stdio" },
                "packageArguments": arguments,
                "environmentVariables": variables,
            },
            {
                "registryType": "oci",
                "identifier": product.image(),
                "runtimeHint": "docker",
                "transport": { "type": "stdio" },
                "packageArguments": arguments,
                "environmentVariables": variables,
            },
        ],
    })
}
