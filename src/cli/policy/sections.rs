//! `policy sections`: stored sections of rules, beside those of the file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::TOOLS;
use crate::cli::output::{Column, ListFlags, OutputFlags, TableRow, Text};
use crate::cli::text::visible;
use crate::cli::{CliError, StateFlags};
use crate::config::{Flags, read_stdin, read_text};
use policy::StoredSection;
use state::rule_sections::{NewRuleSection, RuleSection, RuleSections};

#[derive(Subcommand)]
pub(in crate::cli) enum SectionsCommand {
    /// List the stored sections.
    List(ListFlags),
    /// Show one section.
    Show(WhichSection),
    /// Write a section. Running servers apply it within 0.2 seconds.
    Put {
        #[command(flatten)]
        which: WhichSection,
        /// File with the section's keys, such as `read_only = true`, or - for stdin.
        file: PathBuf,
    },
    /// Remove a section. Everything is then denied to the keys, people and connections that use it.
    Remove(WhichSection),
}

#[derive(Args)]
pub(in crate::cli) struct WhichSection {
    /// Name of the section: a-z, 0-9, - and _.
    name: String,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    of: StateFlags,
}

/// One section, as a list shows it or after writing it.
#[derive(Serialize)]
struct SectionEntry {
    name: String,
    version: i64,
    /// The author.
    by: String,
    at: Timestamp,
    text: Option<String>,
}

impl From<RuleSection> for SectionEntry {
    fn from(section: RuleSection) -> Self {
        Self {
            name: section.name,
            version: section.version,
            by: section.by,
            at: section.at,
            text: section.text,
        }
    }
}

impl TableRow<4> for SectionEntry {
    const COLUMNS: [Column; 4] = [
        Column::copied("Name"),
        Column::copied("Version"),
        Column::shortened("Written by").rank(1),
        Column::copied("When").rank(2),
    ];

    fn cells(&self) -> [Text; 4] {
        [
            self.name.as_str().into(),
            self.version.to_string().into(),
            self.by.as_str().into(),
            Text::time(self.at),
        ]
    }
}

impl SectionsCommand {
    pub(in crate::cli) fn run(self, flags: &Flags) -> Result<ExitCode, CliError> {
        match self {
            Self::List(ListFlags { output, of }) => {
                let sections = RuleSections::new(&of.open(flags)?.1).read().wait()?;
                let rows: Vec<SectionEntry> = sections.into_iter().map(Into::into).collect();
                let none = "The store has no sections. `highlevel-mcp policy sections put NAME FILE` writes one.";
                output.rows(&rows, none)?;
            }
            Self::Show(which) => {
                let sections = RuleSections::new(&which.of.open(flags)?.1);
                let found = which.find(&sections)?.ok_or_else(|| which.missing())?;
                let text = found.text.clone().unwrap_or_default();
                let entry = SectionEntry::from(found);
                which
                    .output
                    .record(&entry, format_args!("{}\n", text.trim_end()))?;
            }
            Self::Put { which, file } => {
                let text = text(&file)?;
                check(&which.name, &text)?;
                let (_, put) = which.of.change(flags, |_, store| {
                    which.put(&RuleSections::new(store), Some(text.clone()))
                })?;
                let entry = SectionEntry::from(put);
                let (name, version) = (&entry.name, entry.version);
                let what = format_args!(
                    "{name} is written, version {version}. Running servers apply it within 0.2 seconds\n"
                );
                which.output.record(&entry, what)?;
            }
            Self::Remove(which) => {
                let sections = RuleSections::new(&which.of.open(flags)?.1);
                let entry = SectionEntry::from(which.put(&sections, None)?);
                let name = &entry.name;
                let what = format_args!(
                    "{name} is removed. All calls of keys, people and connections that name it are \
                                  refused\n"
                );
                which.output.record(&entry, what)?;
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

/// Every fault of it, by line.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::tests::check_fits;

    #[test]
    fn sections_of_any_length_fit_a_terminal() {
        let entry = SectionEntry {
            name: "n".repeat(40),
            version: 1_000,
            by: "somebody ".repeat(20),
            at: Timestamp::UNIX_EPOCH,
            text: None,
        };
        check_fits(&SectionEntry::COLUMNS, &[entry.cells().into()]);
    }
}
