//! The fields of answers with other people's words: `openapi/strangers.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Problem;
use crate::model::lower::LoweredOperation;
use tool::{Effect, is_meant};

/// The file, as problems name it.
pub(crate) const FILE: &str = "openapi/strangers.toml";

/// The fields by document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct StrangerTables(pub BTreeMap<String, StrangerTable>);

/// The fields of one document, as dotted paths.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrangerTable {
    /// Sentences.
    #[serde(default)]
    pub texts: Vec<String>,
    /// Names and the like, mostly short.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Fields of both kinds that no document has, although answers do.
    #[serde(default)]
    pub undocumented: Vec<String>,
}

pub(crate) fn parse(text: &str) -> Result<StrangerTables, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml(FILE, &error))
}

impl StrangerTables {
    /// Fields that no documented answer has, or that one has although they are listed as undocumented.
    pub(crate) fn problems(&self, operations: &[LoweredOperation]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (document, table) in &self.0 {
            let fault = |field: &str, what: &str, remedy: &str| {
                let place = format!("{FILE} {field}");
                Problem::in_document(document, place.trim_end(), what, remedy)
            };
            let reads = || read(operations, document);
            if reads().next().is_none() {
                let what = "belongs to a document that no operation reads from";
                problems.push(fault("", what, "rename it after its document or remove it"));
                continue;
            }
            for field in table.fields() {
                let is_documented = reads().any(|one| !documented(one, field).is_empty());
                match (is_documented, table.undocumented.contains(field)) {
                    (true, false) | (false, true) => {}
                    (false, false) => problems.push(fault(
                        field,
                        "is in no documented answer of an operation that reads",
                        "correct it, or name it under `undocumented` if answers have it",
                    )),
                    (true, true) => problems.push(fault(
                        field,
                        "is documented now",
                        "remove it from `undocumented`",
                    )),
                }
            }
            for field in &table.undocumented {
                if !table.fields().any(|one| one == field) {
                    let what = "is neither in `texts` nor in `labels`";
                    problems.push(fault(field, what, "name it there too, or remove it"));
                }
            }
        }
        problems
    }

    /// A line for each documented field of each operation that reads.
    pub fn found(&self, operations: &[LoweredOperation]) -> Vec<String> {
        let mut lines = Vec::new();
        for (document, table) in &self.0 {
            for lowered in read(operations, document) {
                let kinds = [("text", &table.texts), ("label", &table.labels)];
                for (kind, fields) in kinds {
                    let mut paths: Vec<&str> = fields
                        .iter()
                        .flat_map(|field| documented(lowered, field))
                        .collect();
                    paths.sort_unstable();
                    paths.dedup();
                    let tool = &lowered.operation.tool;
                    lines.extend(paths.iter().map(|path| format!("{tool} {kind} {path}")));
                }
            }
        }
        lines
    }
}

impl StrangerTable {
    fn fields(&self) -> impl Iterator<Item = &String> {
        self.texts.iter().chain(&self.labels)
    }
}

/// The described operations of `document` that read.
fn read<'a>(
    operations: &'a [LoweredOperation],
    document: &str,
) -> impl Iterator<Item = &'a LoweredOperation> {
    operations.iter().filter(move |lowered| {
        let operation = &lowered.operation;
        lowered.known && operation.effect == Effect::Read && operation.document == document
    })
}

/// The documented texts of the answer that match `field`.
fn documented<'a>(lowered: &'a LoweredOperation, field: &str) -> Vec<&'a str> {
    let field: Vec<&str> = field.split('.').collect();
    let texts = lowered.answer_texts.iter().map(String::as_str);
    texts
        .filter(|path| is_meant(&field, &path.split('.').collect::<Vec<_>>()))
        .collect()
}
