//! Every operation with all facts about it: documents repaired, joined with annotations and allowlist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::counts::Counts;
use crate::document::load::Sources;
use crate::document::{overlay, repair};
use crate::error::Problem;
pub use crate::model::lower::LoweredOperation;
use crate::model::lower::{OperationOrigin, lower};
use crate::model::operation::key;
use crate::model::{replacement, twins};
use crate::v3::{V3, V3_VERSION};
use tool::nearest;

/// The result of the sources, including their faults.
pub struct DescribedDocuments {
    /// The documents after their repairs.
    pub documents: Documents,
    /// Every operation of its own, sorted by tool name.
    pub operations: Vec<LoweredOperation>,
    pub repairs: Counts,
    pub overlay_actions: usize,
    /// Everything that is wrong in `openapi/`; a generation has none.
    pub problems: Vec<Problem>,
}

/// Documents by stem.
pub type Documents = BTreeMap<String, Value>;

/// Repairs the documents of `sources` and describes their operations.
pub fn described(sources: &Sources) -> DescribedDocuments {
    let mut problems = Vec::new();
    let (documents, overlay_actions, repairs) = repaired(sources, &mut problems);
    let operations = lowered(sources, &documents, &mut problems);
    DescribedDocuments {
        documents,
        operations,
        repairs,
        overlay_actions,
        problems,
    }
}

fn repaired(sources: &Sources, problems: &mut Vec<Problem>) -> (Documents, usize, Counts) {
    let mut documents = sources.documents.clone();
    let mut actions = 0;
    for (stem, overlay) in &sources.overlays {
        let Some(document) = documents.get_mut(stem) else {
            problems.push(Problem::new(
                format!("openapi/repairs/{stem}.yaml"),
                "repairs a document that does not exist",
                remedy_for_file(stem, documents.keys()),
            ));
            continue;
        };
        match overlay::apply(stem, overlay, document) {
            Ok(applied) => actions += applied,
            Err(wrong) => problems.extend(wrong),
        }
    }
    let mut counts = Counts::default();
    for (stem, overlay) in &sources.overlays {
        let v3 = documents
            .iter_mut()
            .filter(|(source, _)| source.starts_with(V3) && sources.v3.document_of(source) == stem);
        let mut v3: Vec<&mut Value> = v3.map(|(_, document)| document).collect();
        // A document without a v3 variant has no actions to apply there.
        if !v3.is_empty() {
            problems.extend(overlay::apply_to_v3(stem, overlay, &mut v3));
        }
    }
    for (source, document) in &mut documents {
        let usual = source.starts_with(V3).then_some(V3_VERSION);
        repair::repair(document, usual, &mut counts);
    }
    (documents, actions, counts)
}

fn lowered(
    sources: &Sources,
    documents: &Documents,
    problems: &mut Vec<Problem>,
) -> Vec<LoweredOperation> {
    problems.extend(sources.allowlist.problems());
    let toolsets = sources.allowlist.toolsets_by_tool();
    let catalogue = sources.v3.catalogue(documents, problems);
    let variants = catalogue.v3_variants(documents);
    let mut operations = Vec::new();
    for (source, document) in documents {
        let place = OperationOrigin {
            document: sources.v3.document_of(source),
            source,
        };
        let is_own = |method: &str, path: &str| catalogue.is_own(source, method, path);
        let variant = |method: &str, path: &str| {
            let older = !source.starts_with(V3);
            older.then(|| variants.get(&key(method, path)).copied())?
        };
        let annotations = sources.annotations.get(place.document);
        operations.extend(lower(
            place,
            document,
            is_own,
            variant,
            annotations,
            &toolsets,
        ));
    }
    let unfinished = sources
        .unfinished
        .values()
        .flat_map(|tables| tables.values());
    problems.extend(unfinished.flatten().cloned());
    problems.extend(stale(sources, &operations));
    problems.extend(sources.strangers.problems(&operations));
    problems.extend(twins::join(&mut operations));
    problems.extend(replacement::join(&mut operations));
    operations.sort_by(|a, b| a.operation.tool.cmp(&b.operation.tool));

    let mut names = BTreeSet::new();
    for lowered in &operations {
        let operation = &lowered.operation;
        let chosen = !operation.toolsets.is_empty();
        for name in std::iter::once(&operation.tool).chain(&operation.aliases) {
            if !names.insert(name) && (chosen || lowered.known) {
                problems.push(Problem::in_document(
                    &operation.document,
                    name,
                    "names two tools",
                    "give one of them another `name` in openapi/tools",
                ));
            }
        }
        // The remaining work on an unfinished table is reported already.
        if (chosen || lowered.known) && !sources.is_unfinished(operation) {
            problems.extend(lowered.faults.iter().cloned());
        }
        if let (true, Some(reason)) = (chosen, lowered.unsendable) {
            problems.push(Problem::in_document(
                &operation.document,
                &operation.tool,
                format!("cannot be a tool: {reason}"),
                "remove it from openapi/allowlist.toml",
            ));
        }
    }
    operations
}

/// Tables of `openapi/tools/` and lines of the allowlist that match no operation.
fn stale(sources: &Sources, operations: &[LoweredOperation]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (document, tables) in &sources.annotations {
        let mut of_document = operations
            .iter()
            .map(|lowered| &lowered.operation)
            .filter(|operation| operation.document == *document)
            .peekable();
        if of_document.peek().is_none() {
            problems.push(Problem::new(
                format!("openapi/tools/{document}.toml"),
                "describes a document that does not exist",
                remedy_for_file(
                    document,
                    operations.iter().map(|one| &one.operation.document),
                ),
            ));
            continue;
        }
        let met: BTreeSet<&str> = of_document.map(|one| one.operation_id.as_str()).collect();
        let without_table = met.iter().filter(|id| !tables.contains_key(**id));
        let without_table = without_table.map(|id| (*id, *id));
        for operation_id in tables.keys().filter(|id| !met.contains(id.as_str())) {
            problems.push(Problem::in_document(
                document,
                format!("openapi/tools/{document}.toml [{operation_id}]"),
                "names an operation that the document does not have",
                match nearest(operation_id, without_table.clone()) {
                    Some(near) => format!(
                        "rename the table to the operation's new id, such as [{near}], or remove it"
                    ),
                    None => "rename the table to the operation's new id, or remove it".to_owned(),
                },
            ));
        }
    }
    let names: BTreeSet<&str> = operations
        .iter()
        .map(|lowered| lowered.operation.tool.as_str())
        .collect();
    let listed = sources.allowlist.toolsets_by_tool();
    let left_out = sources.allowlist.left_out.keys().map(String::as_str);
    let is_listed =
        |name: &str| listed.contains_key(name) || sources.allowlist.left_out.contains_key(name);
    let unlisted: Vec<(&str, &str)> = names
        .iter()
        .filter(|name| !is_listed(name))
        .map(|name| (*name, *name))
        .collect();
    for tool in listed.keys().copied().chain(left_out) {
        if !names.contains(tool) {
            problems.push(Problem::new(
                "openapi/allowlist.toml",
                format!("{tool} is not an operation of any document"),
                match nearest(tool, unlisted.clone()) {
                    Some(near) => format!("did you mean {near}? Else remove the line"),
                    None => {
                        "correct the name (`codegen list` shows all) or remove the line".to_owned()
                    }
                },
            ));
        }
    }
    problems
}

/// The remedy for a file that has no document's name.
fn remedy_for_file<'a>(stem: &str, documents: impl IntoIterator<Item = &'a String>) -> String {
    let known = documents.into_iter().map(|one| (one.as_str(), one));
    match nearest(stem, known) {
        Some(near) => format!("did you mean {near}? Else remove it"),
        None => "rename it after its document or remove it".to_owned(),
    }
}
