//! `SOURCE.toml`: the origin of the documents, and a digest of every file that was read.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Origin;
use super::folder::CheckoutFolder;

/// The last known commit, if the commit of these documents is unknown.
const AFTER_COMMIT: &str = "after_commit";

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
        .or_else(|| commit_in_name(folder))
        .or_else(|| last("commit").filter(|_| unchanged));
    // For changed documents, it is only known that they are not of the last known commit.
    let known_before = || last("commit").or_else(|| last(AFTER_COMMIT));
    let after = commit.is_none().then(known_before).flatten();
    let repository = origin.repository.clone().or_else(|| last("repository"));
    let mut table = toml::Table::new();
    for (key, value) in [
        ("repository", repository),
        ("commit", commit),
        (AFTER_COMMIT, after),
    ] {
        if let Some(value) = value {
            table.insert(key.to_owned(), value.into());
        }
    }
    table.insert("sha256".to_owned(), digests);
    format!("# Where openapi/highlevel comes from. Written by `codegen import`.\n\n{table}")
}

/// The commit of a git checkout, if `folder` is one.
fn commit_of(folder: &Path) -> Option<String> {
    let git = git_folder(folder)?;
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned());
    };
    // The branches of a linked work tree are in the main one.
    let shared = fs::read_to_string(git.join("commondir")).ok();
    let shared = shared.map(|path| git.join(path.trim()));
    [Some(git), shared]
        .into_iter()
        .flatten()
        .find_map(|git| commit_of_branch(&git, reference))
}

/// The folder of git: `.git`, or the folder that it names in a linked work tree.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    match fs::read_to_string(&git) {
        Ok(text) => Some(folder.join(text.trim().strip_prefix("gitdir: ")?)),
        Err(_) => git.is_dir().then_some(git),
    }
}

fn commit_of_branch(git: &Path, reference: &str) -> Option<String> {
    if let Ok(commit) = fs::read_to_string(git.join(reference)) {
        return Some(commit.trim().to_owned());
    }
    let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
    let line = packed.lines().find(|line| line.ends_with(reference))?;
    line.split_once(' ').map(|(commit, _)| commit.to_owned())
}

/// The commit at the end of an archive folder's name, such as `highlevel-api-docs-0af86a4`.
fn commit_in_name(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let (_, end) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    // Only digits may be a date.
    let is_commit = (7..=40).contains(&end.len())
        && end.bytes().all(is_hex)
        && end.bytes().any(|digit| !digit.is_ascii_digit());
    is_commit.then(|| end.to_owned())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
