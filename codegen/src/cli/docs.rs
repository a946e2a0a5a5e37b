//! `docs`: writes or compares the generated texts in README.md, docs/ and beside them.

use std::path::Path;
use std::process::ExitCode;

use codegen::docs::{documentation, drift, write};
use codegen::document::load;
use codegen::error::{Errors, Problem};
use codegen::generation::{Generation, generate};

use super::print_lines;

pub(super) fn run(openapi: &Path, check: bool) -> Result<ExitCode, Errors> {
    let sources = load::load(openapi)?;
    let generation = generate(&sources)?;
    if check {
        let problems = problems(openapi, &sources, &generation)?;
        print_lines(&problems.iter().map(Problem::to_string).collect::<Vec<_>>());
        return Ok(ExitCode::from(u8::from(!problems.is_empty())));
    }
    let root = root(openapi);
    let files = documentation(root, &sources, &generation)?;
    let mut lines: Vec<String> = write(root, &files)?
        .into_iter()
        .map(|path| format!("wrote {path}"))
        .collect();
    if lines.is_empty() {
        lines.push("nothing to write: every generated text is up to date".to_owned());
    }
    print_lines(&lines);
    Ok(ExitCode::SUCCESS)
}

/// The parts of the documentation that are out of date.
pub(super) fn problems(
    openapi: &Path,
    sources: &load::Sources,
    generation: &Generation,
) -> Result<Vec<Problem>, Errors> {
    Ok(drift(&documentation(root(openapi), sources, generation)?))
}

/// The repository is the folder around `openapi/`.
fn root(openapi: &Path) -> &Path {
    openapi.parent().unwrap_or(Path::new(""))
}
