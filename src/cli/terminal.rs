//! Output that differs between a terminal and a pipe: tables with colours for one, plain lines for the other.

use std::fmt::Write;
use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::table::{Column, render, terminal_width};
use super::text::spelt_as_json;
use super::{CliError, print};

pub(super) use super::text::{Text, visible};

/// Longer work prints a line on the terminal.
const PATIENCE: Duration = Duration::from_secs(1);

/// Widest text in columns: longer lines are hard to read.
const WIDEST_TEXT: u16 = 100;

/// On a terminal, a table of its width. In a pipe only the rows, one per line, with tabs between the cells.
pub(super) fn table<const WIDTH: usize>(
    header: [&'static str; WIDTH],
    rows: Vec<[Text; WIDTH]>,
) -> Result<(), CliError> {
    print(table_text(header, rows)?)
}

/// The same as a text.
pub(super) fn table_text<const WIDTH: usize>(
    header: [&'static str; WIDTH],
    rows: Vec<[Text; WIDTH]>,
) -> Result<String, CliError> {
    if std::io::stdout().is_terminal() {
        let mut columns = header.map(Column::copied);
        if let Some((last, title)) = columns.last_mut().zip(header.last()) {
            *last = Column::prose(title);
        }
        let cells: Vec<Vec<Text>> = rows.into_iter().map(Vec::from).collect();
        return Ok(render(&columns, &cells, terminal_width()).text);
    }
    let mut lines = String::new();
    for row in rows {
        let cells = row.map(|text| text.whole());
        writeln!(lines, "{}", cells.join("\t"))?;
    }
    Ok(lines)
}

/// Columns without borders after `indent`, wrapped at the width of the terminal except for the first, which has names.
/// Not wrapped in a pipe.
pub(super) fn columns<const WIDTH: usize>(
    indent: &str,
    rows: impl IntoIterator<Item = [String; WIDTH]>,
) -> String {
    let width = wide_table().width();
    columns_within(width.map(|width| width.min(WIDEST_TEXT)), indent, rows)
}

/// The same for text that people read wherever it goes: at most as wide as the terminal, and not too wide to read.
pub(super) fn narrow_columns<const WIDTH: usize>(
    indent: &str,
    rows: impl IntoIterator<Item = [String; WIDTH]>,
) -> String {
    let width = wide_table().width().unwrap_or(WIDEST_TEXT);
    columns_within(Some(width.min(WIDEST_TEXT)), indent, rows)
}

fn columns_within<const WIDTH: usize>(
    width: Option<u16>,
    indent: &str,
    rows: impl IntoIterator<Item = [String; WIDTH]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    if let Some(width) = width {
        let indent = u16::try_from(indent.len()).unwrap_or_default();
        table.set_width(width.saturating_sub(indent));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if WIDTH > 1 {
            keep_whole(&mut table, 1);
        }
        for index in 1..WIDTH.saturating_sub(1) {
            if let Some(column) = table.column_mut(index) {
                let most = Width::Percentage(40);
                column.set_constraint(ColumnConstraint::UpperBoundary(most));
            }
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        // Removes the cell's padding at both ends of a line.
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
        text += &format!("{indent}{line}\n");
    }
    text
}

/// As wide as the terminal; in a pipe no line is wrapped.
fn wide_table() -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(match std::io::stdout().is_terminal() {
        true => ContentArrangement::Dynamic,
        false => ContentArrangement::Disabled,
    });
    table
}

/// Keeps the first `columns` of a table unwrapped.
fn keep_whole(table: &mut Table, columns: usize) {
    for index in 0..columns {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// Prints lines with other people's texts in them. On a terminal, characters that move the cursor or reverse text are
/// JSON escapes, so that JSON stays JSON. In a pipe everything is unchanged.
pub(super) fn print_relayed(text: &str) -> Result<(), CliError> {
    match std::io::stdout().is_terminal() {
        true => print(spelt_as_json(text)),
        false => print(text),
    }
}

/// Waits for `work`. After a second, a line on the terminal says what it waits for.
pub(super) async fn waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    let line = ProgressBar::new_spinner()
        .with_message(what.to_owned())
        .with_elapsed(PATIENCE);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        line.set_style(style);
    }
    line.enable_steady_tick(Duration::from_millis(100));
    let done = work.await;
    line.finish_and_clear();
    done
}
