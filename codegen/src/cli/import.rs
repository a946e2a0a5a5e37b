//! `import` and `diff`: show the changes of an import, and write it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use codegen::diff::report;
use codegen::document::load;
use codegen::document::resolve::operations;
use codegen::error::Errors;
use codegen::import::{self, Origin};

use super::{print_line, print_text};

#[derive(Args)]
pub(super) struct ImportCommand {
    /// Folder with apps/*.json, what they refer to, and optionally scopes.tsv.
    folder: PathBuf,
    /// Write nothing, and exit with 1 if an import would change a file.
    #[arg(long)]
    check: bool,
    /// Repository of the documents, for SOURCE.toml.
    #[arg(long)]
    repository: Option<String>,
    /// Commit of that repository. By default it is read from the folder, if that is a git checkout.
    #[arg(long)]
    commit: Option<String>,
}

impl ImportCommand {
    pub(super) fn run(&self, openapi: &Path) -> Result<ExitCode, Errors> {
        let origin = Origin {
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            last: import::last_source(openapi),
        };
        let import = import::read(&self.folder, &origin)?;
        print_text(&import.report);
        print_changes(openapi, &import);
        let different = import.differences(openapi);
        for file in &different {
            print_line(format_args!("differs: {file}"));
        }
        if different.is_empty() {
            print_line(format_args!(
                "{} documents, nothing changed",
                import.documents.len()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        if self.check {
            return Ok(ExitCode::from(1));
        }
        import.write(openapi)?;
        print_line(format_args!("{} documents written", import.documents.len()));
        if !import.names_commit() {
            eprintln!(
                "note: the commit of the documents is not known, because {} is not a git checkout. Give --commit, or \
                 the program's --version names the last known commit and says \"after\"",
                self.folder.display()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what an import of `folder` would change.
pub(super) fn diff(folder: &Path, openapi: &Path) -> Result<ExitCode, Errors> {
    let import = import::read(folder, &Origin::default())?;
    if is_first(openapi) {
        print_first(&import);
    } else {
        print_text(report(&load::load(openapi)?, &import.documents));
    }
    Ok(ExitCode::SUCCESS)
}

/// An import may be what repairs `openapi`. If nothing can be compared, this prints so and goes on.
fn print_changes(openapi: &Path, import: &import::Import) {
    if is_first(openapi) {
        print_first(import);
        return;
    }
    match load::load(openapi) {
        Ok(sources) => print_text(report(&sources, &import.documents)),
        Err(Errors(problems)) => {
            eprintln!("the changes are not known:");
            for problem in problems {
                eprintln!("  {problem}");
            }
        }
    }
}

fn is_first(openapi: &Path) -> bool {
    !openapi.join("highlevel").exists()
}

fn print_first(import: &import::Import) {
    let documents = import.documents.values();
    let count: usize = documents.map(|document| operations(document).count()).sum();
    print_line(format_args!(
        "first import: {count} operations, nothing to compare them with"
    ));
}
