//! `list`: the operations by tool name.

use std::path::Path;
use std::process::ExitCode;

use codegen::document::load;
use codegen::error::Errors;
use codegen::generation::generate;

pub fn run(openapi: &Path, all: bool, document: Option<&str>) -> Result<ExitCode, Errors> {
    let generation = generate(&load::load(openapi)?)?;
    let mut listed = 0;
    for lowered in &generation.operations {
        let operation = &lowered.operation;
        let is_tool = !operation.toolsets.is_empty();
        if (is_tool && !all) || document.is_some_and(|document| document != operation.document) {
            continue;
        }
        listed += 1;
        let mark = match lowered.unsendable {
            _ if is_tool => " (tool)".to_owned(),
            Some(reason) => format!(" (cannot be a tool: {reason})"),
            None => String::new(),
        };
        println!(
            "{}  {} {}{mark}",
            operation.tool, operation.method, operation.path
        );
    }
    println!("{listed} operations");
    Ok(ExitCode::SUCCESS)
}
