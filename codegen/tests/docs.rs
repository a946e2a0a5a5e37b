//! The generated texts of the documentation match the present registry.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use codegen::docs::{documentation, drift};
use codegen::document::load::load;
use codegen::generation::generate;

#[test]
fn generated_texts_are_up_to_date() {
    let root = root();
    let sources = load(&root.join("openapi")).expect("openapi loads");
    let generation = generate(&sources).expect("a generation");
    let files = documentation(&root, &sources, &generation);
    let problems = drift(&files.unwrap_or_else(|errors| panic!("{errors}")));
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// At most a screen of each subject; everything else is in docs/.
#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let lines = readme.lines().count();
    assert!(lines <= 180, "README.md has {lines} lines, over 180");
}

#[test]
fn links_within_the_repository_lead_to_files() {
    let folders = ["", "docs", "docs/decisions"].map(|folder| root().join(folder));
    let paths = folders.iter().flat_map(|folder| markdown(folder));
    let mut broken = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a text");
        let folder = path.parent().expect("a folder");
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains(':') && !folder.join(file).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    paths.filter(is_markdown).collect()
}

/// Targets of links and pictures.
fn links(text: &str) -> Vec<&str> {
    let ends = [("](", ')'), ("src=\"", '"')];
    let targets = ends.iter().flat_map(|(start, end)| {
        let behind = text.split(start).skip(1);
        behind.filter_map(move |rest| rest.split(*end).next())
    });
    targets.filter(|target| !target.contains(' ')).collect()
}
