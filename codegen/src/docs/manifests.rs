//! Manifests of packages, plugins and directories, all made from packaging/product.toml and Cargo.toml.

mod bundle;
mod directory;
mod install;
mod npm;
mod plugins;
mod product;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Errors;
pub(super) use install::parts as install_parts;
pub use product::Product;

/// Every manifest of the repository at `root`, as paths from the root with the required texts.
pub fn manifests(root: &Path) -> Result<Vec<(PathBuf, String)>, Errors> {
    let product = Product::read(root)?;
    let files = [
        npm::files(&product),
        bundle::files(&product),
        directory::files(&product),
        plugins::files(&product),
    ];
    let files = files.into_iter().flatten();
    Ok(files
        .map(|(path, value)| (PathBuf::from(path), json_text(&value)))
        .collect())
}

/// A manifest by its path from the root of the repository.
type Manifest = (String, Value);

fn json_text(value: &Value) -> String {
    // The alternate form of a value is indented JSON.
    format!("{value:#}\n")
}
