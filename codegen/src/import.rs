//! Makes `openapi/highlevel/` from HighLevel's published documents. It keeps the facts of the interface and drops prose
//! and examples.

mod bundle;
mod copying;
mod examples;
mod facts;
mod folder;
mod schema;
mod scopes;
mod source;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::counts::Counts;
use crate::error::{Errors, Problem};

/// The output of an import before it is written.
pub struct Import {
    /// The documents by stem.
    pub documents: BTreeMap<String, Value>,
    /// Text of `SOURCE.toml`.
    pub source: String,
    pub report: Report,
}

/// The importer's findings and decisions.
#[derive(Default)]
pub struct Report {
    pub counts: Counts,
    /// References without a target inside a document, which are now unknown schemas.
    pub dangling: Vec<String>,
}

/// The origin of the documents, as far as the caller knows.
#[derive(Default)]
pub struct Origin {
    pub repository: Option<String>,
    pub commit: Option<String>,
    /// `SOURCE.toml` of the last import. Its facts about the same files are still valid.
    pub last: toml::Table,
}

/// `SOURCE.toml` of the last import; empty if there is none.
pub fn last_source(openapi: &Path) -> toml::Table {
    let text = fs::read_to_string(openapi.join("SOURCE.toml")).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// Reads `folder` (`apps/*.json`, `apps/v3/*.json`, files that they refer to, optionally `scopes.tsv`) and writes
/// nothing.
pub fn read(folder: &Path, origin: &Origin) -> Result<Import, Errors> {
    let read = folder::read(folder)?;
    let scopes = scopes::parse(&read.scopes)?;
    let mut documents = BTreeMap::new();
    let mut problems = Vec::new();
    let mut report = Report::default();
    for (stem, original) in &read.documents {
        let mut bundled = match bundle::bundle(stem, original, &read, &mut report) {
            Ok(bundled) => bundled,
            Err(wrong) => {
                problems.extend(wrong);
                continue;
            }
        };
        examples::record(&mut bundled, &mut report.counts);
        let mut document = facts::document(stem, &bundled, &mut report.counts);
        scopes.record(&mut document, &mut report.counts);
        documents.insert(stem.clone(), document);
    }
    if problems.is_empty() {
        Ok(Import {
            documents,
            source: source::text(folder, &read, origin),
            report,
        })
    } else {
        Err(Errors(problems))
    }
}

impl Import {
    /// Whether the commit of the documents is known.
    pub fn names_commit(&self) -> bool {
        let source: Result<toml::Table, _> = self.source.parse();
        source.is_ok_and(|source| source.contains_key("commit"))
    }

    /// Every file below `openapi/` and its text.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files: BTreeMap<String, String> = self
            .documents
            .iter()
            .map(|(stem, document)| (format!("highlevel/{stem}.json"), format!("{document:#}\n")))
            .collect();
        files.insert("SOURCE.toml".to_owned(), self.source.clone());
        files
    }

    /// The files that differ from those in `openapi`, including files to remove.
    pub fn differences(&self, openapi: &Path) -> BTreeSet<String> {
        let files = self.files();
        let present = ["highlevel", "highlevel/v3"]
            .into_iter()
            .flat_map(|folder| {
                fs::read_dir(openapi.join(folder))
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                    .filter(|name| name.ends_with(".json"))
                    .map(move |name| format!("{folder}/{name}"))
            });
        let mut different: BTreeSet<String> =
            present.filter(|name| !files.contains_key(name)).collect();
        for (name, text) in &files {
            if !fs::read_to_string(openapi.join(name)).is_ok_and(|present| present == *text) {
                different.insert(name.clone());
            }
        }
        different
    }

    /// Writes beside the present documents first, so that a failure leaves these unchanged.
    pub fn write(&self, openapi: &Path) -> Result<(), Problem> {
        let failed = |error: std::io::Error| {
            Problem::new(
                openapi.display().to_string(),
                format!("cannot be written: {error}"),
                "free the disk or the permission, then import again",
            )
        };
        let (new, present) = (openapi.join("highlevel.new"), openapi.join("highlevel"));
        if new.exists() {
            fs::remove_dir_all(&new).map_err(failed)?;
        }
        fs::create_dir_all(new.join("v3")).map_err(failed)?;
        for (name, text) in self.files() {
            let path = match name.strip_prefix("highlevel/") {
                Some(file) => new.join(file),
                None => openapi.join(format!("{name}.new")),
            };
            fs::write(path, text).map_err(failed)?;
        }
        if present.exists() {
            fs::remove_dir_all(&present).map_err(failed)?;
        }
        fs::rename(&new, &present).map_err(failed)?;
        fs::rename(openapi.join("SOURCE.toml.new"), openapi.join("SOURCE.toml")).map_err(failed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.counts)?;
        for dangling in &self.dangling {
            writeln!(f, "refers to nothing, now an unknown schema: {dangling}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
