//! Reads a checkout of HighLevel's documents: the only place where the importer touches its input.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::error::{Errors, Problem};

/// All input.
pub(super) struct CheckoutFolder {
    /// By stem: `<stem>` of `apps/<stem>.json`, `v3/<stem>` of `apps/v3/<stem>-v3.json`.
    pub documents: BTreeMap<String, Value>,
    /// Files that documents refer to, by path below the folder.
    pub shared: BTreeMap<String, Value>,
    /// Text of `scopes.tsv`; empty if there is none.
    pub scopes: String,
    /// Bytes of every file by path below the folder, for digests.
    pub bytes: BTreeMap<String, Vec<u8>>,
}

/// Reads the documents, every file that they refer to and the scope table. Fails with all problems at once.
pub(super) fn read(folder: &Path) -> Result<CheckoutFolder, Errors> {
    let apps = folder.join("apps");
    let mut read = CheckoutFolder {
        documents: BTreeMap::new(),
        shared: BTreeMap::new(),
        scopes: String::new(),
        bytes: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    let mut paths = json_files(&apps)?;
    if apps.join("v3").exists() {
        paths.extend(json_files(&apps.join("v3"))?);
    }
    for path in paths {
        let Some(name) = path.strip_prefix(folder).ok().and_then(Path::to_str) else {
            continue;
        };
        let name = name.to_owned();
        let stem = stem_of(&name);
        match read
            .json(folder, &name)
            .and_then(|json| openapi(&name, json))
        {
            Ok(document) => drop(read.documents.insert(stem, document)),
            Err(problem) => problems.push(problem),
        }
    }
    if read.documents.is_empty() && problems.is_empty() {
        problems.push(Problem::new(
            apps.display().to_string(),
            "holds no documents",
            "give the folder that contains apps/*.json",
        ));
    }
    let wanted: BTreeMap<String, String> = read
        .documents
        .iter()
        .flat_map(|(stem, document)| {
            foreign_files(document, home_of(stem))
                .into_iter()
                .map(move |file| (file, stem.clone()))
        })
        .collect();
    for (file, stem) in wanted {
        match read.json(folder, &file) {
            Ok(json) => drop(read.shared.insert(file, json)),
            Err(problem) => problems.push(Problem {
                document: Some(stem),
                ..problem
            }),
        }
    }
    if folder.join("scopes.tsv").exists() {
        match read.text(folder, "scopes.tsv") {
            Ok(text) => read.scopes = text,
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(Errors(problems))
    }
}

impl CheckoutFolder {
    fn text(&mut self, folder: &Path, name: &str) -> Result<String, Problem> {
        let bytes = fs::read(folder.join(name)).map_err(|error| unreadable(name, &error))?;
        let text = String::from_utf8(bytes.clone())
            .map_err(|error| unreadable(name, &std::io::Error::other(error)))?;
        self.bytes.insert(name.to_owned(), bytes);
        Ok(text)
    }

    fn json(&mut self, folder: &Path, name: &str) -> Result<Value, Problem> {
        let text = self.text(folder, name)?;
        serde_json::from_str(&text).map_err(|error| {
            Problem::new(
                name,
                format!("is not JSON: {error}"),
                "take the file again from its source",
            )
        })
    }
}

/// The document in the file `name` of this folder, if it is OpenAPI 3.0.
fn openapi(name: &str, json: Value) -> Result<Value, Problem> {
    let version = json.get("openapi").and_then(Value::as_str);
    let what = match version {
        Some(version) if version.starts_with("3.0.") => {
            if json.get("paths").is_some_and(Value::is_object) {
                return Ok(json);
            }
            "has no paths".to_owned()
        }
        Some(version) => format!("says OpenAPI {version}"),
        None => "names no OpenAPI version".to_owned(),
    };
    Err(Problem::new(
        format!("{name} at /openapi"),
        what,
        "only OpenAPI 3.0 documents are imported",
    ))
}

fn json_files(apps: &Path) -> Result<Vec<PathBuf>, Problem> {
    let place = apps.display().to_string();
    let failed = |error: std::io::Error| unreadable(&place, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(apps).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The stem of a document's file: `v3/contacts` for `apps/v3/contacts-v3.json`.
fn stem_of(file: &str) -> String {
    let stem = file.trim_start_matches("apps/").trim_end_matches(".json");
    match stem.strip_prefix("v3/") {
        Some(name) => format!("v3/{}", name.trim_end_matches("-v3")),
        None => stem.to_owned(),
    }
}

/// The file of the document `stem`, below the folder.
pub(super) fn file_of_document(stem: &str) -> String {
    match stem.strip_prefix("v3/") {
        Some(name) => format!("apps/v3/{name}-v3.json"),
        None => format!("apps/{stem}.json"),
    }
}

/// The folder that references of the document `stem` are relative to. Those of v3 are written as if the documents were
/// one folder deeper: `../common/` is `apps/v3/common/`.
pub(super) fn home_of(stem: &str) -> &'static str {
    if stem.starts_with("v3/") {
        "apps/v3/apps"
    } else {
        "apps"
    }
}

/// The files that a document in `home` refers to, as paths below the folder.
fn foreign_files(document: &Value, home: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(object) => {
                let reference = object.get("$ref").and_then(Value::as_str);
                files.extend(reference.and_then(|reference| file_of(reference, home)));
                open.extend(object.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    files.sort();
    files.dedup();
    files
}

/// The path below the folder of the target of `reference` in `home`.
pub(super) fn file_of(reference: &str, home: &str) -> Option<String> {
    let (file, _) = reference.split_once('#')?;
    if file.is_empty() {
        return None;
    }
    let mut steps: Vec<String> = home.split('/').map(str::to_owned).collect();
    for step in Path::new(file).components() {
        match step {
            Component::ParentDir => drop(steps.pop()),
            Component::Normal(name) => steps.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    Some(steps.join("/"))
}

fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    Problem::new(
        name,
        format!("cannot be read: {error}"),
        "give the folder of a checkout with apps/*.json and what they refer to",
    )
}
