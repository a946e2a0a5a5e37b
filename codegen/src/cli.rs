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
    /// Print what an import of a checkout would change, and write nothing.
    Diff {
        /// Folder with apps/*.json.
        folder: PathBuf,
    },
    /// Run every stage over every operation and report the results.
    Check,
    /// List the operations that are not in the allowlist, by tool name.
    List {
        /// Also list the tools of the allowlist.
        #[arg(long)]
        all: bool,
        /// Only list this document, such as `contacts`.
        document: Option<String>,
    },
    /// Write the generated parts of README.md, docs/ and the files beside them: counts, token figures, tables of tools.
    Docs {
        /// Write nothing. Name each part that is out of date, and exit with 1 if there is one.
        #[arg(long)]
        check: bool,
    },
    /// Write a table for an operation at its place in openapi/tools, to be filled in.
    New {
        /// Tool name, from `list`, such as contacts_get-contact.
        tool: String,
    },
    /// Update counts and snapshots after an import or a new tool, and print what changed.
    Refresh {
        /// Only update the counts. The snapshots are left out, because they need a build of the server.
        #[arg(long)]
        counts: bool,
    },
    /// Measure how well search finds the operations of requests in files, one JSON object per line.
    SearchEval {
        /// Files with lines of query, agent_query and groups. The groups are empty if no operation fits.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the requests whose operations are not among the first five, or for which the answer is wrong whether
        /// one exists.
        #[arg(long)]
        misses: bool,
    },
    /// Print one operation: model, schema and size in tokens.
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
