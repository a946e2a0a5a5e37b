//! `SOURCE.toml`: where the documents came from, and a digest of every file that was read.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Origin;
use super::folder::CheckoutFolder;

/// The text of `SOURCE.toml`.
pub(super) fn text(folder: &Path, read: &CheckoutFolder, origin: &Origin) -> String {
    let digests: toml::Table = read
        .bytes
        .iter()
        .map(|(name, bytes)| (name.clone(), hex(&Sha256::digest(bytes)).into()))
        .collect();
    let digests = toml::Value::from(digests);
    let last = |key: &str| {
        origin
            .last
            .get(key)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    let unchanged = origin.last.get("sha256") == Some(&digests);
    let commit = origin
        .commit
        .clone()
        .or_else(|| commit_of(folder))
        .or_else(|| last("commit").filter(|_| unchanged));
    let repository = origin.repository.clone().or_else(|| last("repository"));
    let mut table = toml::Table::new();
    for (key, value) in [("repository", repository), ("commit", commit)] {
        if let Some(value) = value {
            table.insert(key.to_owned(), value.into());
        }
    }
    table.insert("sha256".to_owned(), digests);
    format!("# Where openapi/highlevel comes from. Written by `codegen import`.\n\n{table}")
}

/// The commit that a git checkout stands on, where `folder` is one.
fn commit_of(folder: &Path) -> Option<String> {
    let git = folder.join(".git");
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned());
    };
    if let Ok(commit) = fs::read_to_string(git.join(reference)) {
        return Some(commit.trim().to_owned());
    }
    let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
    let line = packed.lines().find(|line| line.ends_with(reference))?;
    line.split_once(' ').map(|(commit, _)| commit.to_owned())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
