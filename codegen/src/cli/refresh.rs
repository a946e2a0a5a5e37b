//! `refresh`: rewrites the counts, snapshots and documentation that an import or a new tool changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use codegen::docs::{documentation, write};
use codegen::document::load;
use codegen::document_counts::{self, count};
use codegen::error::{Errors, Problem};
use codegen::generation::{Generation, generate};

use super::print_lines;

/// Tests that rewrite their snapshots if `UPDATE_SNAPSHOTS` is set. None names a package (`-p`): cargo would then choose other
/// features of the dependencies, and build them again.
const SNAPSHOT_TESTS: [&[&str]; 2] = [
    &["--test", "golden", "--test", "strangers", "--test", "new"],
    &["--test", "it", "listing::"],
];

/// The written folders, from the root of the repository.
const SNAPSHOTS: [&str; 2] = ["tests/snapshots", "codegen/tests"];

/// A snapshot of each tool.
const TOOLS: &str = "tests/snapshots/tools";

pub(super) fn run(openapi: &Path, counts_alone: bool) -> Result<ExitCode, Errors> {
    let root = openapi.parent().unwrap_or(Path::new(""));
    let sources = load::load(openapi)?;
    let generation = generate(&sources)?;
    let before = texts(root);
    let counts = count(&sources, &generation);
    let file = root.join(document_counts::FILE);
    fs::write(&file, document_counts::text(&counts)).map_err(|error| unwritable(&file, &error))?;
    remove_stale(&root.join(TOOLS), &generation)?;
    let mut failed = Vec::new();
    for test in SNAPSHOT_TESTS.iter().filter(|_| !counts_alone) {
        failed.extend(update(root, test).err());
    }
    let mut lines = changes(&before, &texts(root));
    // The documentation takes its token figures from the snapshots.
    if failed.is_empty() {
        let files = documentation(root, &sources, &generation)?;
        let written = write(root, &files)?.into_iter();
        lines.extend(written.map(|path| format!("changed: {path}")));
    }
    lines.push(match lines.len() {
        0 => "nothing to refresh: counts, snapshots and documentation are up to date".to_owned(),
        _ => "review the differences (git diff), and commit them with their cause".to_owned(),
    });
    print_lines(&lines);
    if failed.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Errors(failed))
    }
}

/// Deletes snapshots of removed tools.
fn remove_stale(folder: &Path, generation: &Generation) -> Result<(), Problem> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_tool = generation.operations.iter().any(|one| {
            let operation = &one.operation;
            !operation.toolsets.is_empty()
                && path
                    .file_stem()
                    .is_some_and(|stem| *stem == *operation.tool)
        });
        if !is_tool {
            fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
        }
    }
    Ok(())
}

fn update(root: &Path, test: &[&str]) -> Result<(), Problem> {
    let arguments = test.join(" ");
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    eprintln!("UPDATE_SNAPSHOTS=1 cargo test {arguments}");
    let status = Command::new(cargo)
        .args(["test", "--locked", "--quiet"])
        .args(test)
        .env("UPDATE_SNAPSHOTS", "1")
        .current_dir(if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root
        })
        .stdout(std::io::stderr())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Problem::new(
            format!("cargo test {arguments}"),
            "fails for more than a snapshot",
            "correct what it reports above, then refresh again",
        )),
        Err(error) => Err(Problem::new(
            "cargo",
            format!("cannot be started: {error}"),
            "install Rust with rustup",
        )),
    }
}

/// Every snapshot by its path.
fn texts(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut texts = BTreeMap::new();
    let mut open = SNAPSHOTS.map(PathBuf::from).to_vec();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = folder.join(entry.file_name());
            if root.join(&path).is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(root.join(&path)) {
                texts.insert(path, text);
            }
        }
    }
    texts
}

/// A line for each added, removed or changed file; for counts one line each.
fn changes(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, text) in after {
        let shown = path.display();
        match before.get(path) {
            None => lines.push(format!("new: {shown}")),
            Some(old) if old == text => {}
            Some(old) if path == Path::new(document_counts::FILE) => {
                let gone = old
                    .lines()
                    .filter(|line| !text.lines().any(|new| new == *line));
                lines.extend(gone.map(|line| {
                    let name = line.split(" = ").next().unwrap_or_default();
                    let now = text
                        .lines()
                        .find_map(|new| new.strip_prefix(name)?.strip_prefix(" = "));
                    format!("{shown}: {line}, now {}", now.unwrap_or("gone"))
                }));
                let come = text.lines().filter(|line| {
                    let name = line.split(" = ").next().unwrap_or_default();
                    !old.lines().any(|one| one.starts_with(name))
                });
                lines.extend(come.map(|line| format!("{shown}: {line}, new")));
            }
            Some(_) => lines.push(format!("changed: {shown}")),
        }
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    lines.extend(gone.map(|path| format!("removed: {}", path.display())));
    lines
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(
        path.display().to_string(),
        format!("cannot be written: {error}"),
        "free the disk or the permission",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_reported_by_file_and_count() {
        let texts = |texts: &[(&str, &str)]| -> BTreeMap<PathBuf, String> {
            let texts = texts.iter();
            texts
                .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
                .collect()
        };
        let before = texts(&[
            (document_counts::FILE, "# Head\ntools = 2\noperations = 5\n"),
            ("tests/snapshots/tools/a.json", "1"),
            ("tests/snapshots/tools/b.json", "1"),
        ]);
        let after = texts(&[
            (
                document_counts::FILE,
                "# Head\ntools = 3\noperations = 5\nanswers = 1\n",
            ),
            ("tests/snapshots/tools/a.json", "2"),
            ("tests/snapshots/tools/c.json", "1"),
        ]);
        assert_eq!(
            changes(&before, &after),
            [
                "tests/snapshots/counts.toml: tools = 2, now 3",
                "tests/snapshots/counts.toml: answers = 1, new",
                "changed: tests/snapshots/tools/a.json",
                "new: tests/snapshots/tools/c.json",
                "removed: tests/snapshots/tools/b.json",
            ]
        );
        assert_eq!(changes(&before, &before), Vec::<String>::new());
    }
}
