//! The stages in order, on one screen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::document::load::Sources;
use crate::document::{overlay, prune, repair};
use crate::emit::{client, format, handlers, registry};
use crate::error::{Errors, Problem};
use crate::model::lower::{Lowered, lower};
use crate::model::operation::{Counts, Operation};

/// What became of the documents.
pub struct Generation {
    /// Every operation of every document, sorted by tool name.
    pub operations: Vec<Lowered>,
    /// The generated file.
    pub rust: String,
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
    let rust = emitted(&chosen)?;
    Ok(Generation {
        rust,
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

/// Writes the generated file where it differs, so that an unchanged build stays fresh.
pub fn write(rust: &str, out_dir: &Path) -> Result<(), Problem> {
    let path = out_dir.join("tools.rs");
    if fs::read_to_string(&path).is_ok_and(|present| present == rust) {
        return Ok(());
    }
    fs::write(&path, rust).map_err(|error| {
        Problem::new(
            path.display().to_string(),
            format!("cannot be written: {error}"),
            "free the disk or the permission",
        )
    })
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
    for document in documents.values_mut() {
        repair::repair(document, &mut counts);
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
    let mut operations = Vec::new();
    for (stem, document) in documents {
        let knowledge = sources.knowledge.get(stem);
        let (lowered, stale) = lower(stem, document, knowledge, &toolsets);
        operations.extend(lowered);
        problems.extend(stale);
    }
    for stem in sources
        .knowledge
        .keys()
        .filter(|stem| !documents.contains_key(*stem))
    {
        problems.push(Problem::new(
            format!("openapi/tools/{stem}.toml"),
            "describes a document that is not there",
            "rename it after its document or remove it",
        ));
    }
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
    for tool in toolsets.keys() {
        if !operations
            .iter()
            .any(|lowered| lowered.operation.tool == *tool)
        {
            problems.push(Problem::new(
                "openapi/allowlist.toml",
                format!("{tool} is no operation of any document"),
                "correct the name (`codegen list` shows all) or remove the line",
            ));
        }
    }
    operations
}

fn emitted(chosen: &[&Operation]) -> Result<String, Errors> {
    let mut by_document: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in chosen {
        by_document
            .entry(&operation.document)
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
    let tools = registry::registry(chosen);
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
