//! The one form of what commands print: a table on a terminal, lines with tabs in a pipe, JSON on request.
//!
//! A list in a pipe has one line per row, with every column of the table, uncut and without a header; with `--json` one
//! object per line. A single thing in a pipe has one line per field; with `--json` it is one object on one line.

use std::fmt::{Display, Write as _};
use std::io::{ErrorKind, IsTerminal, Write as _};

use clap::Args;
use serde::Serialize;

use super::pager::PagerFlags;
use super::table::{TableText, card, render, terminal_width};
use super::terminal::print_relayed;
use super::text::spelt_as_json;
use super::{CliError, StateFlags, print};

pub(super) use super::table::{CardField, Column, GrowingTable, fitted_sentences, note};
pub(super) use super::text::Text;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct OutputFlags {
    /// Print JSON, one object per line, with every field in full.
    #[arg(long)]
    json: bool,
}

/// What a list takes that takes nothing else.
#[derive(Args)]
pub(super) struct ListFlags {
    #[command(flatten)]
    pub(super) output: OutputFlags,
    #[command(flatten)]
    pub(super) of: StateFlags,
}

/// One row of a list. Its JSON has every field, under the name that all commands use.
pub(super) trait TableRow<const WIDTH: usize>: Serialize {
    const COLUMNS: [Column; WIDTH];

    fn cells(&self) -> [Text; WIDTH];

    /// All fields of this row, if a terminal shows these instead of a line of a table.
    fn card(&self) -> Option<Vec<CardField>> {
        None
    }
}

impl OutputFlags {
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a list. On a terminal, an empty list prints `none`, with the next step; in a pipe nothing.
    pub(super) fn rows<const WIDTH: usize, R: TableRow<WIDTH>>(
        self,
        rows: &[R],
        none: impl Display,
    ) -> Result<(), CliError> {
        self.paged_rows(rows, none, &PagerFlags::none())
    }

    /// The same for a long list, through the person's own pager.
    pub(super) fn paged_rows<const WIDTH: usize, R: TableRow<WIDTH>>(
        self,
        rows: &[R],
        none: impl Display,
        pager: &PagerFlags,
    ) -> Result<(), CliError> {
        if rows.is_empty() {
            note(none);
            return Ok(());
        }
        if self.json || !std::io::stdout().is_terminal() {
            let mut lines = String::new();
            for row in rows {
                lines += &self.line(row)?;
            }
            return print_relayed(&lines);
        }
        let cards: Option<Vec<_>> = rows.iter().map(TableRow::card).collect();
        if let Some(cards) = cards {
            let cards = cards.iter().map(|fields| card(fields, terminal_width()));
            return pager.print(cards.collect::<Vec<_>>().join("\n"));
        }
        let cells: Vec<Vec<Text>> = rows.iter().map(|row| row.cells().into()).collect();
        let TableText { text, left_out } = render(&R::COLUMNS, &cells, terminal_width());
        pager.print(text)?;
        note_left_out(&left_out);
        Ok(())
    }

    /// Prints rows of a growing list, through `table` on a terminal. Returns whether somebody still reads them.
    pub(super) fn still_read<const WIDTH: usize, R: TableRow<WIDTH>>(
        self,
        rows: &[R],
        table: &mut GrowingTable,
    ) -> Result<bool, CliError> {
        if rows.is_empty() {
            return Ok(true);
        }
        let mut stdout = std::io::stdout();
        let lines = match (self.json, stdout.is_terminal()) {
            (false, true) => {
                let cells: Vec<Vec<Text>> = rows.iter().map(|row| row.cells().into()).collect();
                let TableText { text, left_out } = table.add(&R::COLUMNS, &cells, terminal_width());
                note_left_out(&left_out);
                text
            }
            (_, is_terminal) => {
                let lines: Result<String, CliError> =
                    rows.iter().map(|row| self.line(row)).collect();
                match is_terminal {
                    true => spelt_as_json(&lines?),
                    false => lines?,
                }
            }
        };
        match stdout
            .write_all(lines.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            written => Ok(written.map(|()| true)?),
        }
    }

    /// One row for a pipe.
    fn line<const WIDTH: usize, R: TableRow<WIDTH>>(self, row: &R) -> Result<String, CliError> {
        if self.json {
            return Ok(serde_json::to_string(row)? + "\n");
        }
        Ok(row.cells().map(|text| text.whole()).join("\t") + "\n")
    }

    /// Prints a single thing.
    pub(super) fn fields(
        self,
        record: &impl Serialize,
        fields: Vec<CardField>,
    ) -> Result<(), CliError> {
        if self.json {
            return self.record(record, "");
        }
        if std::io::stdout().is_terminal() {
            return print(card(&fields, terminal_width()));
        }
        let mut lines = String::new();
        for (name, text) in fields {
            writeln!(lines, "{name}\t{}", text.whole())?;
        }
        print(lines)
    }

    /// Prints `record` as JSON with `--json`, else `text` as it is.
    pub(super) fn record(
        self,
        record: &impl Serialize,
        text: impl Display,
    ) -> Result<(), CliError> {
        match self.json {
            true => print_relayed(&(serde_json::to_string(record)? + "\n")),
            false => print(text),
        }
    }
}

fn note_left_out(titles: &[&str]) {
    if !titles.is_empty() {
        note(format_args!(
            "Columns that are not shown: {}. A wider window or --json shows them.",
            titles.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::{Command, CommandFactory};

    use crate::cli::Cli;

    /// Commands that take no `--json`, with the reason.
    const WITHOUT_DATA: [(&str, &str); 5] = [
        ("completions", "a shell reads its script"),
        ("man", "it writes pages into a folder"),
        ("sandbox", "it serves until it is ended"),
        (
            "serve",
            "it serves until it is ended; log.format says how it logs",
        ),
        ("stdio", "stdin and stdout are a client's"),
    ];

    /// The commands that run, by their full names.
    fn leaves(command: &Command, name: &str, found: &mut Vec<(String, bool)>) {
        let takes_json = |argument: &clap::Arg| argument.get_long() == Some("json");
        if !command.has_subcommands() {
            let has_json = command.get_arguments().any(takes_json);
            found.push((name.to_owned(), has_json));
        }
        for next in command.get_subcommands() {
            let name = format!("{name} {}", next.get_name());
            leaves(next, name.trim_start(), found);
        }
    }

    #[test]
    fn every_command_that_prints_data_takes_json() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "", &mut found);
        let mut without: Vec<&str> = found
            .iter()
            .filter(|(_, has_json)| !has_json)
            .map(|(name, _)| name.as_str())
            .collect();
        without.sort_unstable();
        assert_eq!(without, WITHOUT_DATA.map(|(name, _)| name));
        assert!(found.len() > 40, "{found:?}");
    }

    fn files(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path, found);
            } else {
                let text = fs::read_to_string(&path).expect("a text");
                found.push((path.display().to_string(), text));
            }
        }
    }

    /// A test beside each list draws it at 60, 80 and 100 columns.
    #[test]
    fn every_list_is_held_to_narrow_terminals() {
        let mut found = Vec::new();
        files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"),
            &mut found,
        );
        let lists = |text: &str| text.matches("impl TableRow<").count();
        let checks = |text: &str| text.matches("check_fits(&").count();
        // This file names both.
        found.retain(|(path, text)| lists(text) > 0 && !path.ends_with("output.rs"));
        assert!(found.len() > 5);
        for (path, text) in found {
            assert!(checks(&text) >= lists(&text), "{path}");
        }
    }
}
