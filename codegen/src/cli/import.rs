//! `import` and `diff`: what an import changes, and writing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use codegen::allowlist;
use codegen::diff::{Change, diff as changes};
use codegen::document::load;
use codegen::error::Errors;
use codegen::import::{self, Origin};
use serde_json::Value;

#[derive(Args)]
pub struct Import {
    /// Folder with apps/*.json, what they refer to, and optionally scopes.tsv.
    folder: PathBuf,
    /// Write nothing; exit with 1 where an import would change a file.
    #[arg(long)]
    check: bool,
    /// Repository the documents come from, written into SOURCE.toml.
    #[arg(long)]
    repository: Option<String>,
    /// Commit of that repository; read from the folder where it is a git checkout.
    #[arg(long)]
    commit: Option<String>,
}

impl Import {
    pub fn run(&self, openapi: &Path) -> Result<ExitCode, Errors> {
        let origin = Origin {
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            last: import::last_source(openapi),
        };
        let import = import::read(&self.folder, &origin)?;
        print!("{}", import.report);
        print_changes(openapi, &import.documents)?;
        let different = import.differences(openapi);
        for file in &different {
            println!("differs: {file}");
        }
        if different.is_empty() {
            println!("{} documents, nothing changed", import.documents.len());
            return Ok(ExitCode::SUCCESS);
        }
        if self.check {
            return Ok(ExitCode::from(1));
        }
        import.write(openapi)?;
        println!("{} documents written", import.documents.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the changes that an import of `folder` would bring.
pub fn diff(folder: &Path, openapi: &Path) -> Result<ExitCode, Errors> {
    let import = import::read(folder, &Origin::default())?;
    print_changes(openapi, &import.documents)?;
    Ok(ExitCode::SUCCESS)
}

fn print_changes(openapi: &Path, new: &BTreeMap<String, Value>) -> Result<(), Errors> {
    let old = load::documents(openapi)?;
    let changes = changes(&old, new);
    if changes.is_empty() {
        println!("no operation changed");
        return Ok(());
    }
    // A first import has no allowlist to compare with.
    let allowlist = load::text_of(&openapi.join("allowlist.toml"))
        .and_then(|text| allowlist::parse(&text))
        .unwrap_or_default();
    let tools = allowlist.toolsets_by_tool();
    let is_tool = |change: &&Change| tools.contains_key(change.tool.as_str());
    for change in &changes {
        let tool = if is_tool(&change) { " [tool]" } else { "" };
        println!("{change}{tool}");
    }
    let breaking = changes.iter().filter(|change| change.breaks);
    let touched = changes.iter().filter(is_tool);
    println!(
        "{} changes, {} break callers, {} touch tools of the allowlist",
        changes.len(),
        breaking.count(),
        touched.count()
    );
    Ok(())
}
