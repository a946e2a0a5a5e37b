//! `new`: writes the table of an operation without one into its file.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use codegen::allowlist::{Allowlist, ListingStatus};
use codegen::document::load;
use codegen::draft::draft;
use codegen::error::{Errors, Problem};
use codegen::model::operation::Operation;
use codegen::pipeline::described;

use super::operation_name::find;
use super::print_lines;

pub(super) fn run(openapi: &Path, tool: &str) -> Result<ExitCode, Errors> {
    let sources = load::load(openapi)?;
    let described = described(&sources);
    let lowered = find(&described, tool)?;
    let operation = &lowered.operation;
    let (document, id) = (&operation.document, &operation.operation_id);
    let path = openapi.join(format!("tools/{document}.toml"));
    if lowered.known || sources.is_unfinished(operation) {
        let allowlist = "put it into a toolset of openapi/allowlist.toml";
        let remedy = match sources.allowlist.standing(lowered) {
            ListingStatus::Tool => "`codegen show` prints the tool".to_owned(),
            ListingStatus::LeftOut(reason) => {
                format!("{allowlist}, and remove its line under [left_out], which says: {reason}")
            }
            ListingStatus::Unlisted => allowlist.to_owned(),
            _ => "complete it; `codegen check` names what is missing".to_owned(),
        };
        return Err(Problem::new(
            format!("{} [{id}]", path.display()),
            "is there already",
            remedy,
        )
        .into());
    }
    let file = if path.exists() {
        load::text_of(&path)?
    } else {
        format!(
            "# What we know of the operations of {document}.json: text for people and models, effect, paging, arguments.\n"
        )
    };
    let before = described.documents.get(&operation.source);
    let draft = draft(lowered, before.unwrap_or_default(), &file);
    fs::write(&path, &draft.text).map_err(|error| {
        Problem::new(
            path.display().to_string(),
            format!("cannot be written: {error}"),
            "free the disk or the permission",
        )
    })?;
    let mut lines = vec![format!(
        "{} line {}: [{id}], {} {}, with {} places that say TODO",
        path.display(),
        draft.line,
        operation.method,
        operation.path,
        draft.places
    )];
    lines.extend(next_steps(&sources.allowlist, operation));
    print_lines(&lines);
    Ok(ExitCode::SUCCESS)
}

fn next_steps(allowlist: &Allowlist, operation: &Operation) -> Vec<String> {
    let tool = &operation.tool;
    let own = allowlist.toolsets.contains_key(&operation.document);
    let example = if own {
        format!(", such as [toolsets.{}]", operation.document)
    } else {
        String::new()
    };
    let left_out = allowlist.left_out.get(tool);
    let left_out = left_out
        .map(|reason| format!(", and remove its line under [left_out], which says: {reason}"));
    [
        "fill in each TODO and review each guess; `cargo run -p codegen -- check` names those that are left".to_owned(),
        format!(
            "add \"{tool}\" to a toolset of openapi/allowlist.toml{example}{}",
            left_out.unwrap_or_default()
        ),
        format!("`cargo run -p codegen -- show {tool}` prints what clients will see"),
        "`cargo run -p codegen -- refresh` writes its snapshots; review them".to_owned(),
    ]
    .iter()
    .enumerate()
    .map(|(number, step)| format!("  {}. {step}", number + 1))
    .collect()
}
