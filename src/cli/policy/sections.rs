//! `policy sections`: sections of rules that the store keeps beside those of the file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::catalog::TOOLS;
use crate::cli::terminal::visible;
use crate::cli::{CliError, StateFlags, print};
use crate::config::{Flags, read_stdin, read_text};
use policy::StoredSection;
use state::rule_sections::{NewRuleSection, RuleSection, RuleSections};

#[derive(Subcommand)]
pub(in crate::cli) enum SectionsCommand {
    /// Those that there are.
    List(StateFlags),
    /// What one says.
    Show(WhichSection),
    /// Write one. Running servers hold calls to it within 0.2 seconds.
    Put {
        #[command(flatten)]
        which: WhichSection,
        /// File of its keys, such as `read_only = true`; - reads standard input.
        file: PathBuf,
    },
    /// Remove one. Keys, people and connections that name it are let through to nothing then.
    Remove(WhichSection),
}

#[derive(Args)]
pub(in crate::cli) struct WhichSection {
    /// As access keys name it: of a-z, 0-9, - and _.
    name: String,
    #[command(flatten)]
    of: StateFlags,
}

impl SectionsCommand {
    pub(in crate::cli) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(of) => {
                let sections = RuleSections::new(&of.open(flags)?.1).read().wait()?;
                if sections.is_empty() {
                    eprintln!("the store keeps no section");
                }
                let lines = sections.iter().map(|section| {
                    let (name, version, by) =
                        (&section.name, section.version, visible(&section.by));
                    format!("{name}\tversion {version}\t{by}\t{:.0}\n", section.at)
                });
                print(lines.collect::<String>())?;
            }
            Self::Show(which) => {
                let sections = RuleSections::new(&which.of.open(flags)?.1);
                let text = which.find(&sections)?.and_then(|section| section.text);
                let text = text.ok_or_else(|| which.missing())?;
                print(format_args!("{}\n", text.trim_end()))?;
            }
            Self::Put { which, file } => {
                let text = text(&file)?;
                check(&which.name, &text)?;
                let sections = RuleSections::new(&which.of.make(flags)?.1);
                let put = which.put(&sections, Some(text))?;
                let (name, version) = (&put.name, put.version);
                print(format_args!(
                    "{name} is written, version {version}; running servers hold calls to it within 0.2 seconds\n"
                ))?;
            }
            Self::Remove(which) => {
                let sections = RuleSections::new(&which.of.open(flags)?.1);
                let name = &which.put(&sections, None)?.name;
                print(format_args!(
                    "{name} is removed; what names it is let through to nothing\n"
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl WhichSection {
    fn find(&self, sections: &RuleSections) -> Result<Option<RuleSection>, CliError> {
        let all = sections.read().wait()?;
        Ok(all.into_iter().find(|section| section.name == self.name))
    }

    fn missing(&self) -> CliError {
        CliError(format!(
            "there is no section {}; `highlevel-mcp policy sections list` shows all",
            visible(&self.name)
        ))
    }

    fn put(&self, sections: &RuleSections, text: Option<String>) -> Result<RuleSection, CliError> {
        let before = self.find(sections)?;
        if text.is_none() && before.is_none() {
            return Err(self.missing());
        }
        let put = sections.put(NewRuleSection {
            name: self.name.clone(),
            text,
            replaces: before.map(|before| before.version),
            by: "command line".to_owned(),
            actor: None,
        });
        Ok(put.wait()?)
    }
}

fn text(file: &Path) -> Result<String, CliError> {
    let read = match file.as_os_str() == "-" {
        true => read_stdin(),
        false => read_text(file),
    };
    read.map_err(|error| CliError(format!("{} cannot be read: {error}", file.display())))
}

/// Everything that is wrong with it, by line.
fn check(name: &str, text: &str) -> Result<(), CliError> {
    let problems = match StoredSection::parse(name, text, TOOLS) {
        Ok(_) => return Ok(()),
        Err(problems) => problems,
    };
    let lines = problems
        .iter()
        .map(|one| format!("line {}: {}", one.line, one.what));
    let lines: Vec<String> = lines.collect();
    Err(CliError(format!(
        "nothing was written:\n{}",
        lines.join("\n")
    )))
}
