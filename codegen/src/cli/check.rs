//! `check`: every stage over every operation, chosen or not, and a report.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use codegen::document::load;
use codegen::error::Errors;
use codegen::generation::{generate, prove};
use codegen::model::operation::Operation;

pub fn run(openapi: &Path) -> Result<ExitCode, Errors> {
    let sources = load::load(openapi)?;
    let generation = generate(&sources)?;
    let mut by_document: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for lowered in &generation.operations {
        let operation = &lowered.operation;
        by_document
            .entry(&operation.source)
            .or_default()
            .push(operation);
    }
    let unproven: Vec<_> = by_document
        .iter()
        .filter_map(|(stem, operations)| prove(stem, operations).err())
        .collect();
    let stale = sources.glossary.problems(&generation.index.known());
    let problems = [unproven, stale].concat();
    if !problems.is_empty() {
        return Err(Errors(problems));
    }

    let operations = &generation.operations;
    let tools = operations
        .iter()
        .filter(|one| !one.operation.toolsets.is_empty());
    let left_out = operations.iter().filter(|one| one.unsendable.is_some());
    let (tools, left_out): (Vec<_>, Vec<_>) = (tools.collect(), left_out.collect());
    println!("Mended by class:\n{}", generation.repairs);
    println!(
        "Mended one by one: {} overlay actions",
        generation.overlay_actions
    );
    println!(
        "\n{} operations in {} documents, all taken by the client generator:\n\
         {:>6}  are tools\n\
         {:>6}  could be, but are not in openapi/allowlist.toml (pruned)\n\
         {:>6}  cannot be yet:",
        operations.len(),
        by_document.len(),
        tools.len(),
        operations.len() - tools.len() - left_out.len(),
        left_out.len(),
    );
    for lowered in left_out {
        let reason = lowered.unsendable.unwrap_or_default();
        println!("        {}: {reason}", lowered.operation.tool);
    }
    Ok(ExitCode::SUCCESS)
}
