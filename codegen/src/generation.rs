//! The stages in order, on one screen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::client_generator::client_tokens;
use crate::counts::Counts;
use crate::document::load::Sources;
use crate::emit::{client, format, handlers, prune, registry};
use crate::error::{Errors, Problem};
use crate::model::lower::LoweredOperation;
use crate::model::operation::{Operation, V3Operation};
use crate::pipeline::{DescribedDocuments, described};
use crate::search::index::{IndexText, index};

/// The results of a generation.
pub struct Generation {
    /// Every operation of every document, sorted by tool name.
    pub operations: Vec<LoweredOperation>,
    /// The generated file.
    pub rust: String,
    /// The search index over the tools.
    pub index: IndexText,
    /// v3 variants of the operations, at their own method and path.
    pub v3_variants: usize,
    /// v3 variants of the operations that v3 has moved.
    pub successors: usize,
    /// The number of repairs of each class.
    pub repairs: Counts,
    /// The number of actions of the overlays.
    pub overlay_actions: usize,
}

/// Runs every stage over `sources`. Fails with everything that is wrong in `openapi/`.
pub fn generate(sources: &Sources) -> Result<Generation, Errors> {
    let DescribedDocuments {
        documents,
        operations,
        repairs,
        overlay_actions,
        problems,
    } = described(sources);
    if !problems.is_empty() {
        return Err(Errors(problems));
    }
    let catalogue = sources.v3.catalogue(&documents, &mut Vec::new());
    let (variants, successors) = catalogue.count(&documents);
    let chosen: Vec<&Operation> = operations
        .iter()
        .map(|lowered| &lowered.operation)
        .filter(|operation| !operation.toolsets.is_empty())
        .collect();
    let rust = emitted(&chosen, sources)?;
    let index = index(&chosen, &sources.glossary, &sources.lacking);
    Ok(Generation {
        rust,
        index,
        operations,
        v3_variants: variants,
        successors,
        repairs,
        overlay_actions,
    })
}

/// Generates client and handlers of operations of one document, listed or not, to prove that it is possible.
pub fn prove(stem: &str, operations: &[&Operation]) -> Result<(), Problem> {
    client_and_handlers(stem, operations).map(drop)
}

/// Writes the generated files that differ, so that an unchanged build stays fresh.
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

fn emitted(chosen: &[&Operation], sources: &Sources) -> Result<String, Errors> {
    let mut by_document: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    let v3 = chosen.iter().filter_map(|operation| match &operation.v3 {
        V3Operation::Other(v3) => Some(&**v3),
        _ => None,
    });
    let every: Vec<&Operation> = chosen.iter().copied().chain(v3).collect();
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
                    // progenitor's own code. Functions that no handler uses stay unused.
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
    let tools = registry::registry(chosen, &sources.allowlist, &sources.strangers);
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
    let written = client_tokens(stem, prune::client_document(stem, operations))?;
    let client = client::client(stem, written)?;
    let handlers = operations
        .iter()
        .map(|operation| handlers::handler(operation, &client))
        .collect::<Result<_, _>>()?;
    Ok((client.into_token_stream(), handlers))
}
