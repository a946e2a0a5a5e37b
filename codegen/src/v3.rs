//! The relation of the v3 documents to the older ones: `openapi/v3.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::document::resolve::operations;
use crate::error::Problem;
use crate::model::operation::key;

/// The folder of v3 documents below `openapi/highlevel`, which is the prefix of their stems.
pub(crate) const V3: &str = "v3/";

/// The value of v3's `Version` header.
pub(crate) const V3_VERSION: &str = "v3";

/// The file `openapi/v3.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V3Documents {
    /// Older name of a v3 document that HighLevel renamed.
    #[serde(default)]
    pub documents: BTreeMap<String, String>,
    /// The older method and path of an operation that v3 has moved, by v3's own.
    #[serde(default)]
    pub successors: BTreeMap<String, String>,
}

/// The operations of all documents by key, and which of them are tools of their own.
pub struct Catalogue {
    older: BTreeSet<String>,
    /// The older key by the key of its successor.
    successors: BTreeMap<String, String>,
}

/// An operation with its place in its document.
#[derive(Clone, Copy)]
pub struct SourceOperation<'a> {
    pub source: &'a str,
    pub document: &'a Value,
    pub method: &'a str,
    pub path: &'a str,
    pub operation: &'a Value,
}

impl V3Documents {
    /// The document in the names of the tools of `source`: `contacts` for `contacts` and `v3/contacts`.
    pub fn document_of<'a>(&'a self, source: &'a str) -> &'a str {
        match source.strip_prefix(V3) {
            Some(name) => self.documents.get(name).map_or(name, String::as_str),
            None => source,
        }
    }

    /// Reads the keys of all documents. A line of the file that matches none is a problem.
    pub fn catalogue(
        &self,
        documents: &BTreeMap<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Catalogue {
        let keys = |v3: bool| -> BTreeSet<String> {
            let all = every_operation(documents);
            all.filter(|one| one.is_v3() == v3)
                .map(|one| one.key())
                .collect()
        };
        let (older, v3) = (keys(false), keys(true));
        let mut stale = |what: String| {
            problems.push(Problem::new(
                "openapi/v3.toml",
                what,
                "correct or remove the line",
            ));
        };
        for (name, document) in &self.documents {
            if !documents.contains_key(&format!("{V3}{name}")) || !documents.contains_key(document)
            {
                stale(format!(
                    "{name} = {document:?} names a document that does not exist"
                ));
            }
        }
        for (successor, before) in &self.successors {
            for (one, known) in [(successor, &v3), (before, &older)] {
                if !known.contains(&erased(one)) {
                    stale(format!("{one} is not an operation of its documents"));
                }
            }
            if v3.contains(&erased(before)) {
                stale(format!("{before} did not move: v3 has it too"));
            }
        }
        Catalogue {
            older,
            successors: self
                .successors
                .iter()
                .map(|(one, before)| (erased(one), erased(before)))
                .collect(),
        }
    }
}

impl Catalogue {
    /// Whether the operation at `method` and `path` of `source` is a tool of its own: older, or only in v3.
    pub fn is_own(&self, source: &str, method: &str, path: &str) -> bool {
        let key = key(method, path);
        !source.starts_with(V3)
            || !(self.older.contains(&key) || self.successors.contains_key(&key))
    }

    /// Whether the older documents have an operation at this exact key.
    pub(crate) fn has_older(&self, key: &str) -> bool {
        self.older.contains(key)
    }

    /// The key of the older operation whose v3 variant has the key `own`; the same if it did not move.
    pub fn older_of(&self, own: &str) -> Option<&str> {
        let older = self.successors.get(own).map_or(own, String::as_str);
        self.older.get(older).map(String::as_str)
    }

    /// The numbers of v3 variants in `documents` at the older method and path, and at another.
    pub fn count(&self, documents: &BTreeMap<String, Value>) -> (usize, usize) {
        let variants = every_operation(documents)
            .filter(SourceOperation::is_v3)
            .map(|one| one.key())
            .filter(|own| self.older_of(own).is_some());
        let (moved, same): (Vec<_>, Vec<_>) =
            variants.partition(|own| self.successors.contains_key(own));
        (same.len(), moved.len())
    }

    /// The v3 variants of older operations, by the key of the older one.
    pub fn v3_variants<'a>(
        &self,
        documents: &'a BTreeMap<String, Value>,
    ) -> BTreeMap<String, SourceOperation<'a>> {
        every_operation(documents)
            .filter(SourceOperation::is_v3)
            .filter_map(|one| Some((self.older_of(&one.key())?.to_owned(), one)))
            .collect()
    }
}

impl SourceOperation<'_> {
    pub(crate) fn key(&self) -> String {
        key(self.method, self.path)
    }

    pub(crate) fn is_v3(&self) -> bool {
        self.source.starts_with(V3)
    }
}

/// Every operation of `documents`, older and v3.
pub(crate) fn every_operation(
    documents: &BTreeMap<String, Value>,
) -> impl Iterator<Item = SourceOperation<'_>> {
    documents.iter().flat_map(|(source, document)| {
        operations(document).map(move |(method, path, _, operation)| SourceOperation {
            source,
            document,
            method,
            path,
            operation,
        })
    })
}

/// `METHOD /path` without parameter names.
fn erased(method_and_path: &str) -> String {
    let (method, path) = method_and_path.split_once(' ').unwrap_or_default();
    key(method, path)
}

/// Parses the file's text.
pub(crate) fn parse(text: &str) -> Result<V3Documents, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml("openapi/v3.toml", &error))
}
