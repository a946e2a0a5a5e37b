//! Reads everything under `openapi/`: the only place where the pipeline reads files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::allowlist::{self, Allowlist};
use crate::annotations::{self, DocumentAnnotations};
use crate::error::{Errors, Problem};
use crate::model::operation::Operation;
use crate::search::glossary::{self, Glossary};
use crate::search::lacking::{self, LackingTables};
use crate::strangers::{self, StrangerTables};
use crate::unfinished::{self, UnfinishedTables};
use crate::v3::{self, V3, V3Documents};

/// The inputs of a generation, each by the stem of its file, in order of the stems.
#[derive(Clone)]
pub struct Sources {
    /// Documents of v3 are `v3/<stem>`.
    pub documents: BTreeMap<String, Value>,
    pub overlays: BTreeMap<String, Value>,
    pub annotations: BTreeMap<String, DocumentAnnotations>,
    /// Tables that are left out of `annotations` until they are finished.
    pub unfinished: BTreeMap<String, UnfinishedTables>,
    pub allowlist: Allowlist,
    pub v3: V3Documents,
    pub glossary: Glossary,
    pub strangers: StrangerTables,
    pub lacking: LackingTables,
}

impl Sources {
    /// Whether the table of `operation` was begun and not finished.
    pub fn is_unfinished(&self, operation: &Operation) -> bool {
        let tables = self.unfinished.get(&operation.document);
        tables.is_some_and(|tables| tables.contains_key(&operation.operation_id))
    }
}

/// Reads the folder `openapi`, collecting every problem.
pub fn load(openapi: &Path) -> Result<Sources, Errors> {
    let mut problems = Vec::new();
    let files = |folder: &str, ending: &str, problems: &mut Vec<Problem>| {
        files_in(&openapi.join(folder), ending).unwrap_or_else(|problem| {
            problems.push(problem);
            BTreeMap::new()
        })
    };

    let mut json = files("highlevel", "json", &mut problems);
    json.extend(v3_texts(openapi, &mut problems));
    let yaml = files("repairs", "yaml", &mut problems);
    let toml = files("tools", "toml", &mut problems);

    let documents = parsed(json, &mut problems);
    let mut overlays = BTreeMap::new();
    for (stem, (path, text)) in yaml {
        match serde_saphyr::from_str(&text) {
            Ok(overlay) => drop(overlays.insert(stem, overlay)),
            Err(error) => problems.push(Problem::in_document(
                stem,
                path.display().to_string(),
                format!("is not YAML: {error}"),
                "correct the line named",
            )),
        }
    }
    let mut annotations = BTreeMap::new();
    let mut unfinished = BTreeMap::new();
    for (stem, (_, text)) in toml {
        let tables = unfinished::unfinished(&stem, &text);
        let text = unfinished::without(&text, &tables);
        unfinished.insert(stem.clone(), tables);
        match annotations::parse(&stem, &text) {
            Ok(tables) => drop(annotations.insert(stem, tables)),
            Err(problem) => problems.push(problem),
        }
    }
    let path = |name: &str| openapi.join(name);
    let allowlist = one(&path("allowlist.toml"), allowlist::parse, &mut problems);
    let v3_documents = one(&path("v3.toml"), v3::parse, &mut problems);
    let glossary = one(&path("glossary.toml"), glossary::parse, &mut problems);
    let strangers = one(&path("strangers.toml"), strangers::parse, &mut problems);
    let lacking = one(&path("lacking.toml"), lacking::parse, &mut problems);

    if problems.is_empty() {
        Ok(Sources {
            documents,
            overlays,
            annotations,
            unfinished,
            allowlist,
            v3: v3_documents,
            glossary,
            strangers,
            lacking,
        })
    } else {
        Err(Errors(problems))
    }
}

/// The result of `parse` on the file at `path`.
fn one<T: Default>(
    path: &Path,
    parse: fn(&str) -> Result<T, Problem>,
    problems: &mut Vec<Problem>,
) -> T {
    let parsed = text_of(path).and_then(|text| parse(&text));
    parsed.unwrap_or_else(|problem| {
        problems.push(problem);
        T::default()
    })
}

/// The v3 documents; none if they were not imported.
fn v3_texts(openapi: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, (PathBuf, String)> {
    let folder = openapi.join("highlevel").join(V3);
    if !folder.exists() {
        return BTreeMap::new();
    }
    match files_in(&folder, "json") {
        Ok(files) => files
            .into_iter()
            .map(|(stem, file)| (format!("{V3}{stem}"), file))
            .collect(),
        Err(problem) => {
            problems.push(problem);
            BTreeMap::new()
        }
    }
}

fn parsed(
    files: BTreeMap<String, (PathBuf, String)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    for (stem, (path, text)) in files {
        match serde_json::from_str(&text) {
            Ok(document) => drop(documents.insert(stem, document)),
            Err(error) => problems.push(Problem::in_document(
                stem,
                path.display().to_string(),
                format!("is not JSON: {error}"),
                "import the documents again",
            )),
        }
    }
    documents
}

/// The files of a folder with this ending, by stem. A missing folder is an error.
fn files_in(folder: &Path, ending: &str) -> Result<BTreeMap<String, (PathBuf, String)>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(
            folder.display().to_string(),
            format!("cannot be read: {error}"),
            "run from a checkout of the project",
        )
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let (Some(stem), true) = (stem, path.extension().is_some_and(|e| e == ending)) {
            let text = text_of(&path)?;
            files.insert(stem.to_owned(), (path.clone(), text));
        }
    }
    Ok(files)
}

/// The text of a file.
pub fn text_of(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        Problem::new(
            path.display().to_string(),
            format!("cannot be read: {error}"),
            "restore the file or run from a checkout of the project",
        )
    })
}
