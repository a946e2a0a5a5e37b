//! The commands of the generator: one function per command, with a file for each long one.

mod check;
mod docs;
mod import;
mod list;
mod new;
mod operation_name;
mod refresh;
mod search_eval;
mod show;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use codegen::error::Errors;

/// Makes tools from HighLevel's documents.
#[derive(Parser)]
#[command(name = "codegen", version)]
struct GeneratorCli {
    /// Folder of the imported documents, repairs, texts and the allowlist.
    #[arg(long, global = true, default_value = "openapi")]
    openapi: PathBuf,
    #[command(subcommand)]
    command: GeneratorCommand,
}

#[derive(Subcommand)]
enum GeneratorCommand {
    /// Read a checkout of HighLevel's documents and write openapi/highlevel.
    Import(import::ImportCommand),
    /// Print what an import of a checkout would change; write nothing.
    Diff {
        /// Folder with apps/*.json.
        folder: PathBuf,
    },
    /// Run every stage over every operation and report what became of each.
    Check,
    /// List operations by tool name: those that are not listed in the allowlist.
    List {
        /// List the tools of the allowlist too.
        #[arg(long)]
        all: bool,
        /// Only of this document, such as `contacts`.
        document: Option<String>,
    },
    /// Write what is generated in README.md, docs/ and the files beside them: counts, token figures, tables of tools.
    Docs {
        /// Write nothing; exit with 1 and name each part that is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Write the table of an operation to fill in, at its place in openapi/tools.
    New {
        /// Tool name as `list` prints it, such as contacts_get-contact.
        tool: String,
    },
    /// Write counts and snapshots anew after an import or a new tool, and print what changed.
    Refresh {
        /// Write the counts alone, and leave out the snapshots, for which the server is built.
        #[arg(long)]
        counts: bool,
    },
    /// Print how well search finds the operations of files of requests, one JSON object a line.
    SearchEval {
        /// Lines of query, agent_query and groups, which are empty where no operation does it.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the requests whose operations are not among the first five, or that are told wrongly
        /// whether any does it.
        #[arg(long)]
        misses: bool,
    },
    /// Print one operation: model, schema and what it costs in tokens.
    Show {
        /// Tool name, such as contacts_get-contact.
        tool: String,
    },
}

/// Exit code 0: done; 1: `--check` found a difference; 2: an error, explained on stderr.
pub(crate) fn run() -> ExitCode {
    let cli = GeneratorCli::parse();
    let done = match &cli.command {
        GeneratorCommand::Import(command) => command.run(&cli.openapi),
        GeneratorCommand::Diff { folder } => import::diff(folder, &cli.openapi),
        GeneratorCommand::Check => check::run(&cli.openapi),
        GeneratorCommand::List { all, document } => {
            list::run(&cli.openapi, *all, document.as_deref())
        }
        GeneratorCommand::Docs { check } => docs::run(&cli.openapi, *check),
        GeneratorCommand::New { tool } => new::run(&cli.openapi, tool),
        GeneratorCommand::Refresh { counts } => refresh::run(&cli.openapi, *counts),
        GeneratorCommand::SearchEval { files, misses } => {
            search_eval::run(&cli.openapi, files, *misses)
        }
        GeneratorCommand::Show { tool } => show::run(&cli.openapi, tool),
    };
    done.unwrap_or_else(|Errors(problems)| {
        for problem in &problems {
            eprintln!("error: {problem}");
        }
        ExitCode::from(2)
    })
}

/// Prints until nobody reads: a closed pipe, as of `head`, is not an error, and `println!` panics then.
fn print_lines(lines: &[String]) {
    for line in lines {
        print_line(line);
    }
}

fn print_line(line: impl Display) {
    print_text(format_args!("{line}\n"));
}

fn print_text(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}
