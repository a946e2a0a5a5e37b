//! `list`: the operations by tool name.

use std::path::Path;
use std::process::ExitCode;

use codegen::allowlist::ListingStatus;
use codegen::document::load;
use codegen::error::Errors;
use codegen::pipeline::described;

use super::operation_name::check_document;
use super::print_lines;

pub(super) fn run(openapi: &Path, all: bool, document: Option<&str>) -> Result<ExitCode, Errors> {
    let sources = load::load(openapi)?;
    let described = described(&sources);
    if let Some(document) = document {
        let known = described.operations.iter();
        check_document(
            document,
            known.map(|one| one.operation.document.as_str()).collect(),
        )?;
    }
    let mut lines = Vec::new();
    for lowered in &described.operations {
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
        (0, false) => "no operations: each is a tool. --all lists those too".to_owned(),
        (1, _) => "1 operation".to_owned(),
        (several, _) => format!("{several} operations"),
    });
    print_lines(&lines);
    Ok(ExitCode::SUCCESS)
}
