//! `show`: one operation as the pipeline sees it.

use std::path::Path;
use std::process::ExitCode;

use codegen::document::load;
use codegen::error::{Errors, Problem};
use codegen::pipeline::described;
use serde_json::json;

use super::operation_name::find;
use super::print_lines;

pub(super) fn run(openapi: &Path, tool: &str) -> Result<ExitCode, Errors> {
    let described = described(&load::load(openapi)?);
    let lowered = find(&described, tool)?;
    let operation = &lowered.operation;
    let model = serde_json::to_value(operation).map_err(|error| {
        Problem::new(
            tool,
            format!("cannot be printed: {error}"),
            "this is a fault of the generator",
        )
    })?;
    let mut lines = vec![
        format!("{model:#}"),
        format!("check schema: {:#}", operation.check_schema),
    ];
    let shown = json!({
        "name": operation.tool,
        "title": operation.title,
        "description": operation.description,
        "inputSchema": operation.advertised_schema,
    });
    let tokens = tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(&shown.to_string())
        .len();
    lines.push(format!(
        "{tokens} tokens (o200k_base) of name, title, description and schema"
    ));
    let faults = lowered.faults.iter();
    lines.extend(faults.map(|fault| format!("before it can be a tool: {fault}")));
    let reason = lowered.unsendable;
    lines.extend(reason.map(|reason| format!("it cannot be a tool yet: {reason}")));
    print_lines(&lines);
    Ok(ExitCode::SUCCESS)
}
