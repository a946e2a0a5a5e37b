//! `list`: the operations by tool name.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use codegen::allowlist::ListingStatus;
use codegen::document::load;
use codegen::error::{Errors, Problem};
use codegen::generation::generate;

use super::print_lines;
use tool::{first_names, nearest};

pub(super) fn run(openapi: &Path, all: bool, document: Option<&str>) -> Result<ExitCode, Errors> {
    let sources = load::load(openapi)?;
    let generation = generate(&sources)?;
    if let Some(document) = document {
        let known = generation.operations.iter();
        check_document(
            document,
            known.map(|one| one.operation.document.as_str()).collect(),
        )?;
    }
    let mut lines = Vec::new();
    for lowered in &generation.operations {
        let operation = &lowered.operation;
        let standing = sources.allowlist.standing(lowered);
        let is_tool = standing == ListingStatus::Tool;
        if (is_tool && !all) || document.is_some_and(|document| document != operation.document) {
            continue;
        }
        let mark = match standing {
            ListingStatus::Tool => " (tool)".to_owned(),
            ListingStatus::LeftOut(reason) => format!(" (left out: {reason})"),
            ListingStatus::Unreviewed => " (left out: nobody has reviewed it)".to_owned(),
            ListingStatus::Unlisted => " (described, in no toolset)".to_owned(),
            ListingStatus::Unsendable(reason) => format!(" (cannot be a tool: {reason})"),
        };
        lines.push(format!(
            "{}  {} {}{mark}",
            operation.tool, operation.method, operation.path
        ));
    }
    lines.push(match (lines.len(), all) {
        (0, false) => "no operations: each is a tool, which --all lists too".to_owned(),
        (1, _) => "1 operation".to_owned(),
        (several, _) => format!("{several} operations"),
    });
    print_lines(&lines);
    Ok(ExitCode::SUCCESS)
}

fn check_document(name: &str, known: BTreeSet<&str>) -> Result<(), Problem> {
    if known.contains(name) {
        return Ok(());
    }
    let remedy = match nearest(name, known.iter().map(|one| (*one, *one))) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", first_names(known)),
    };
    Err(Problem::new(name, "is no document", remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_there_is_not_is_answered_with_the_nearest() {
        let known = || BTreeSet::from(["contacts", "links"]);
        assert!(check_document("links", known()).is_ok());
        for (name, part) in [
            ("contcts", "did you mean contacts?"),
            ("x", "there are contacts, links"),
        ] {
            let problem = check_document(name, known())
                .err()
                .map(|one| one.to_string());
            let problem = problem.unwrap_or_default();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
