//! `check`: runs every stage over every operation, listed or not, and reports.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use codegen::allowlist::ListingStatus;
use codegen::document::load::{self, Sources};
use codegen::document::resolve::operations;
use codegen::error::Errors;
use codegen::generation::{Generation, generate, prove};
use codegen::model::operation::Operation;

use super::print_line;

const TOOLS: &str = "are tools";
const LEFT_OUT: &str = "are left out, for the reason in openapi/allowlist.toml";
const UNREVIEWED: &str = "are left out because nobody has reviewed them: write their tables, then put them into a toolset";
const UNLISTED: &str = "have a table and are in no toolset of openapi/allowlist.toml";
const UNSENDABLE: &str = "cannot be sent yet";

pub(super) fn run(openapi: &Path) -> Result<ExitCode, Errors> {
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
    let lost = sources.lacking.problems(&generation.operations);
    let outdated = super::docs::problems(openapi, &sources, &generation)?;
    let problems = [unproven, stale, lost, outdated].concat();
    if !problems.is_empty() {
        return Err(Errors(problems));
    }

    print_line(format_args!("Repaired by class:\n{}", generation.repairs));
    print_line(format_args!(
        "Repaired one by one: {} overlay actions",
        generation.overlay_actions
    ));
    print_standings(&sources, &generation);
    Ok(ExitCode::SUCCESS)
}

/// Every operation of the documents counts once, so the sums must agree.
fn print_standings(sources: &Sources, generation: &Generation) {
    let documents = sources.documents.values();
    let all: usize = documents.map(|one| operations(one).count()).sum();
    let standings = generation
        .operations
        .iter()
        .map(|one| (sources.allowlist.standing(one), one.operation.tool.as_str()));
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (standing, tool) in standings {
        let (kind, line) = match standing {
            ListingStatus::Tool => (TOOLS, tool.to_owned()),
            ListingStatus::LeftOut(reason) => (LEFT_OUT, format!("{tool}: {reason}")),
            ListingStatus::Unreviewed => (UNREVIEWED, tool.to_owned()),
            ListingStatus::Unlisted => (UNLISTED, tool.to_owned()),
            ListingStatus::Unsendable(reason) => (UNSENDABLE, format!("{tool}: {reason}")),
        };
        by_kind.entry(kind).or_default().push(line);
    }
    print_line(format_args!(
        "\n{all} operations in {} documents, all accepted by the client generator:",
        sources.documents.len()
    ));
    print_line(format_args!(
        "{:>6}  are v3 variants of older ones at the same path",
        generation.v3_variants
    ));
    print_line(format_args!(
        "{:>6}  are v3 successors of older ones at another path",
        generation.successors
    ));
    for kind in [TOOLS, LEFT_OUT, UNREVIEWED, UNLISTED, UNSENDABLE] {
        let lines = by_kind.remove(kind).unwrap_or_default();
        if lines.is_empty() && (kind == UNLISTED || kind == UNSENDABLE) {
            continue;
        }
        print_line(format_args!("{:>6}  {kind}", lines.len()));
        for line in lines.iter().filter(|_| kind != TOOLS) {
            print_line(format_args!("        {line}"));
        }
    }
}
