//! The stages in order, on one screen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::allowlist::Allowlist;
use crate::document::load::Sources;
use crate::document::{overlay, prune, repair};
use crate::editions::{V3, V3_VERSION};
use crate::emit::{client, format, handlers, registry};
use crate::error::{Errors, Problem};
use crate::model::lower::{Lowered, Place, lower};
use crate::model::operation::{Counts, Newer, Operation, key};
use crate::search::index::{Written, index};

/// What became of the documents.
pub struct Generation {
    /// Every operation of every document, sorted by tool name.
    pub operations: Vec<Lowered>,
    /// The generated file.
    pub rust: String,
    /// The search index over the tools.
    pub index: Written,
    /// What the repairs by class mended, and how often.
    pub repairs: Counts,
    /// Actions of the overlays, each of which told.
    pub overlay_actions: usize,
}

/// Runs every stage over `sources`; everything that is wrong in `openapi/` at once.
pub fn generate(sources: &Sources) -> Result<Generation, Errors> {
    let mut problems = Vec::new();
    let (documents, overlay_actions, repairs) = repaired(sources, &mut problems);
    let operations = described(sources, &documents, &mut problems);
    if !problems.is_empty() {
        return Err(Errors(problems));
    }
    let chosen: Vec<&Operation> = operations
        .iter()
        .map(|lowered| &lowered.operation)
        .filter(|operation| !operation.toolsets.is_empty())
        .collect();
    let rust = emitted(&chosen, &sources.allowlist)?;
    let index = index(&chosen, &sources.glossary);
    Ok(Generation {
        rust,
        index,
        operations,
        repairs,
        overlay_actions,
    })
}

/// Generates client and handlers of operations of one document, chosen or not, to prove that it can
/// be done.
pub fn prove(stem: &str, operations: &[&Operation]) -> Result<(), Problem> {
    client_and_handlers(stem, operations).map(drop)
}

/// Writes the generated files where they differ, so that an unchanged build stays fresh.
pub fn write(generation: &Generation, out_dir: &Path) -> Result<(), Problem> {
    let index = generation.index.text();
    for (name, text) in [("tools.rs", &generation.rust), ("search.json", &index)] {
        let path = out_dir.join(name);
        if fs::read_to_string(&path).is_ok_and(|present| present == *text) {
            continue;
        }
        fs::write(&path, text).map_err(|error| {
            Problem::new(
                path.display().to_string(),
                format!("cannot be written: {error}"),
                "free the disk or the permission",
            )
        })?;
    }
    Ok(())
}

type Documents = BTreeMap<String, serde_json::Value>;

fn repaired(sources: &Sources, problems: &mut Vec<Problem>) -> (Documents, usize, Counts) {
    let mut documents = sources.documents.clone();
    let mut actions = 0;
    for (stem, overlay) in &sources.overlays {
        let Some(document) = documents.get_mut(stem) else {
            problems.push(Problem::new(
                format!("openapi/repairs/{stem}.yaml"),
                "repairs a document that is not there",
                "rename it after its document or remove it",
            ));
            continue;
        };
        match overlay::apply(stem, overlay, document) {
            Ok(applied) => actions += applied,
            Err(wrong) => problems.extend(wrong),
        }
    }
    let mut counts = Counts::default();
    for (source, document) in documents
        .iter_mut()
        .filter(|(source, _)| source.starts_with(V3))
    {
        if let Some(overlay) = sources.overlays.get(sources.editions.document_of(source)) {
            overlay::apply_where_it_fits(overlay, document);
        }
    }
    for (source, document) in &mut documents {
        let usual = source.starts_with(V3).then_some(V3_VERSION);
        repair::repair(document, usual, &mut counts);
    }
    (documents, actions, counts)
}

fn described(
    sources: &Sources,
    documents: &Documents,
    problems: &mut Vec<Problem>,
) -> Vec<Lowered> {
    problems.extend(sources.allowlist.problems());
    let toolsets = sources.allowlist.toolsets_by_tool();
    let catalogue = sources.editions.catalogue(documents, problems);
    let editions = catalogue.editions(documents);
    let mut operations = Vec::new();
    for (source, document) in documents {
        let place = Place {
            document: sources.editions.document_of(source),
            source,
        };
        let is_own = |method: &str, path: &str| catalogue.is_own(source, method, path);
        let edition = |method: &str, path: &str| {
            let older = !source.starts_with(V3);
            older.then(|| editions.get(&key(method, path)).copied())?
        };
        let knowledge = sources.knowledge.get(place.document);
        operations.extend(lower(
            place, document, is_own, edition, knowledge, &toolsets,
        ));
    }
    problems.extend(stale(sources, &operations));
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
        if chosen || lowered.known {
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

/// Tables of `openapi/tools/` and lines of the allowlist that fit no operation.
fn stale(sources: &Sources, operations: &[Lowered]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (document, tables) in &sources.knowledge {
        let mut of_document = operations
            .iter()
            .map(|lowered| &lowered.operation)
            .filter(|operation| operation.document == *document)
            .peekable();
        if of_document.peek().is_none() {
            problems.push(Problem::new(
                format!("openapi/tools/{document}.toml"),
                "describes a document that is not there",
                "rename it after its document or remove it",
            ));
            continue;
        }
        let met: BTreeSet<&str> = of_document.map(|one| one.operation_id.as_str()).collect();
        for operation_id in tables.keys().filter(|id| !met.contains(id.as_str())) {
            problems.push(Problem::in_document(
                document,
                format!("openapi/tools/{document}.toml [{operation_id}]"),
                "names an operation that the document does not have",
                "rename the table to the operation's new id, or remove it",
            ));
        }
    }
    let names: BTreeSet<&str> = operations
        .iter()
        .map(|lowered| lowered.operation.tool.as_str())
        .collect();
    let listed = sources.allowlist.toolsets_by_tool();
    let left_out = sources.allowlist.left_out.keys().map(String::as_str);
    for tool in listed.into_keys().chain(left_out) {
        if !names.contains(tool) {
            problems.push(Problem::new(
                "openapi/allowlist.toml",
                format!("{tool} is no operation of any document"),
                "correct the name (`codegen list` shows all) or remove the line",
            ));
        }
    }
    problems
}

fn emitted(chosen: &[&Operation], allowlist: &Allowlist) -> Result<String, Errors> {
    let mut by_document: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    let newer = chosen
        .iter()
        .filter_map(|operation| match &operation.newer {
            Newer::Other(newer) => Some(&**newer),
            _ => None,
        });
    let every: Vec<&Operation> = chosen.iter().copied().chain(newer).collect();
    for operation in every {
        by_document
            .entry(&operation.source)
            .or_default()
            .push(operation);
    }
    let mut problems = Vec::new();
    let mut modules = Vec::new();
    let mut all_handlers = Vec::new();
    for (stem, operations) in by_document {
        match client_and_handlers(stem, &operations) {
            Ok((client, handlers)) => {
                let module = handlers::client_module(stem);
                modules.push(quote! {
                    // progenitor's own code; what it offers beyond the handlers stays unused.
                    #[allow(clippy::all, clippy::unwrap_used, dead_code, unused_imports)]
                    mod #module { #client }
                });
                all_handlers.extend(handlers);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(Errors(problems));
    }
    let tools = registry::registry(chosen, allowlist);
    Ok(format::rust(quote! {
        #tools
        #(#all_handlers)*
        #(#modules)*
    })?)
}

fn client_and_handlers(
    stem: &str,
    operations: &[&Operation],
) -> Result<(TokenStream, Vec<TokenStream>), Problem> {
    let document = prune::client_document(stem, operations)?;
    let client = client::client(stem, &document)?;
    let file = format::parsed(client.clone())?;
    let handlers = operations
        .iter()
        .map(|operation| handlers::handler(operation, &file))
        .collect::<Result<_, _>>()?;
    Ok((client, handlers))
}
