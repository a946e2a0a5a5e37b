//! Generated documentation: whole files, and parts between markers in files that people write.
//!
//! A marker is the comment `<!-- codegen: NAME -->`; its content ends at `<!-- end -->`.

mod costs;
pub mod manifests;
mod markers;
mod parts;
mod tools_page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::document::load::Sources;
use crate::error::{Errors, Problem};
use crate::generation::Generation;
use markers::FilledDocument;
use parts::GeneratedPart;

/// The command that updates every generated text.
const COMMAND: &str = "cargo run -p codegen -- docs";

/// Documents at the top of the repository that may contain markers. Those below `docs/` are found automatically.
const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];

/// A file of the repository with its required content.
pub struct DocumentationFile {
    /// From the root of the repository.
    pub path: PathBuf,
    pub text: String,
    /// The differences from the present file: names of markers, or the whole file.
    pub differences: Vec<String>,
}

/// Files that are generated completely.
fn whole_files(
    root: &Path,
    sources: &Sources,
    generation: &Generation,
) -> Result<Vec<(PathBuf, String)>, Errors> {
    let mut files = manifests::manifests(root)?;
    files.push((
        PathBuf::from("docs/tools.md"),
        tools_page::text(sources, generation),
    ));
    Ok(files)
}

/// Every generated text of the repository at `root`, with its required content.
pub fn documentation(
    root: &Path,
    sources: &Sources,
    generation: &Generation,
) -> Result<Vec<DocumentationFile>, Errors> {
    let mut files = Vec::new();
    for (path, text) in whole_files(root, sources, generation)? {
        let present = fs::read_to_string(root.join(&path)).unwrap_or_default();
        let differences = match present == text {
            true => Vec::new(),
            false => vec!["the whole file".to_owned()],
        };
        files.push(DocumentationFile {
            path,
            text,
            differences,
        });
    }
    let whole: BTreeSet<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let mut parts = parts::parts(generation, &costs::read(root)?);
    parts.extend(manifests::install_parts(root)?);
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for path in documents(root)? {
        if whole.contains(&path) {
            continue;
        }
        let text = read(root, &path)?;
        match markers::fill(&path.display().to_string(), &text, &parts) {
            Ok(FilledDocument {
                text,
                names,
                differences,
            }) => {
                used.extend(names);
                files.push(DocumentationFile {
                    path,
                    text,
                    differences,
                });
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    problems.extend(unused(&parts, &used));
    match problems.is_empty() {
        true => Ok(files),
        false => Err(Errors(problems)),
    }
}

/// One problem for each marker or file that differs from [`documentation`].
pub fn drift(files: &[DocumentationFile]) -> Vec<Problem> {
    let differences = files.iter().flat_map(|file| {
        let place = file.path.display().to_string();
        let named = file.differences.iter();
        named.map(move |name| (place.clone(), name.clone()))
    });
    let problems = differences.map(|(place, name)| {
        Problem::new(
            place,
            format!("{name} is out of date"),
            format!("run `{COMMAND}`"),
        )
    });
    problems.collect()
}

/// Writes the files that differ, and returns their paths.
pub fn write(root: &Path, files: &[DocumentationFile]) -> Result<Vec<String>, Problem> {
    let mut paths = Vec::new();
    for file in files.iter().filter(|file| !file.differences.is_empty()) {
        let path = root.join(&file.path);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder
            .and_then(|()| fs::write(&path, &file.text))
            .map_err(|error| {
                Problem::new(
                    path.display().to_string(),
                    format!("cannot be written: {error}"),
                    "free the disk or the permission",
                )
            })?;
        paths.push(file.path.display().to_string());
    }
    Ok(paths)
}

/// Parts without a marker.
fn unused(parts: &[GeneratedPart], used: &BTreeSet<String>) -> Vec<Problem> {
    let unused = parts.iter().filter(|part| !used.contains(part.name));
    let problems = unused.map(|part| {
        Problem::new(
            "codegen/src/docs/parts.rs",
            format!("no document has a marker for the part {:?}", part.name),
            "add the marker, or remove the part",
        )
    });
    problems.collect()
}

/// The documents that may contain markers, in order.
fn documents(root: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut found: Vec<PathBuf> = DOCUMENTS.iter().map(PathBuf::from).collect();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        let unreadable = |error: std::io::Error| {
            Problem::new(
                folder.display().to_string(),
                format!("cannot be read: {error}"),
                "run the command at the root of the repository",
            )
        };
        for entry in fs::read_dir(root.join(&folder)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(root: &Path, path: &Path) -> Result<String, Problem> {
    fs::read_to_string(root.join(path)).map_err(|error| {
        Problem::new(
            path.display().to_string(),
            format!("cannot be read: {error}"),
            "run the command at the root of the repository",
        )
    })
}
