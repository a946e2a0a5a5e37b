//! Packages of npm: the launcher, and one per platform with the program.

use serde_json::{Map, Value, json};

use super::Manifest;
use super::product::{Product, ReleasePlatform};

/// The launcher needs the features of this version of Node.js.
const OLDEST_NODE: &str = ">=18";

pub(super) fn files(product: &Product) -> Vec<Manifest> {
    let platforms = product.facts.platforms.iter();
    let packages = platforms.map(|platform| {
        let ReleasePlatform {
            system, processor, ..
        } = platform;
        let path = format!("packaging/npm/{system}-{processor}/package.json");
        (path, platform_package(product, platform))
    });
    let launcher = (
        "packaging/npm/launcher/package.json".to_owned(),
        launcher_package(product),
    );
    packages.chain([launcher]).collect()
}

fn package_name(product: &Product, platform: &ReleasePlatform) -> String {
    let ReleasePlatform {
        system, processor, ..
    } = platform;
    format!("{}-{system}-{processor}", product.package.name)
}

/// The package for `npx`: it needs the package of the platform, and no others.
fn launcher_package(product: &Product) -> Value {
    let name = &product.package.name;
    let platforms = product.facts.platforms.iter();
    let programs: Map<String, Value> = platforms
        .map(|platform| {
            let version = product.package.version.clone();
            (package_name(product, platform), Value::from(version))
        })
        .collect();
    let mut package = head(product, name, &product.package.description);
    // The registry of MCP servers looks here for the name of the entry that names this package.
    package.insert("mcpName".to_owned(), product.directory_name().into());
    package.insert("keywords".to_owned(), json!(product.facts.keywords));
    package.insert("bin".to_owned(), json!({ name: "launcher.js" }));
    package.insert("files".to_owned(), json!(["launcher.js"]));
    package.insert("engines".to_owned(), json!({ "node": OLDEST_NODE }));
    package.insert("optionalDependencies".to_owned(), programs.into());
    package.into()
}

fn platform_package(product: &Product, platform: &ReleasePlatform) -> Value {
    let ReleasePlatform {
        system, processor, ..
    } = platform;
    let name = package_name(product, platform);
    let description = format!(
        "The program of {} for {system}-{processor}",
        product.package.name
    );
    let mut package = head(product, &name, &description);
    package.insert("os".to_owned(), json!([system]));
    package.insert("cpu".to_owned(), json!([processor]));
    if system == "linux" {
        package.insert("libc".to_owned(), json!(["glibc"]));
    }
    // The launcher starts the program as a file, which a zipped package would hide.
    package.insert("preferUnplugged".to_owned(), true.into());
    package.insert("files".to_owned(), json!(["bin"]));
    package.into()
}

fn head(product: &Product, name: &str, description: &str) -> Map<String, Value> {
    let repository = format!("git+{}.git", product.repository());
    let Value::Object(head) = json!({
        "name": name,
        "version": product.package.version,
        "description": description,
        "license": product.package.license,
        "author": product.author(),
        "repository": { "type": "git", "url": repository },
        "publishConfig": { "access": "public", "provenance": true },
    }) else {
        return Map::new();
    };
    head
}
