//! Output that differs between a terminal and a pipe: tables with colours there, plain lines here.

use std::fmt::Write;
use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::table::{Column, render, terminal_width};
use super::text::spelt_as_json;
use super::{CliError, print};

pub(super) use super::text::{Text, visible};

/// What takes longer than this says on a terminal that it is still under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// On a terminal a table as wide as that, in a pipe the rows alone, one a line, with tabs between the cells.
pub(super) fn table<const WIDTH: usize>(
    header: [&'static str; WIDTH],
    rows: Vec<[Text; WIDTH]>,
) -> Result<(), CliError> {
    if std::io::stdout().is_terminal() {
        let mut columns = header.map(Column::copied);
        if let Some((last, title)) = columns.last_mut().zip(header.last()) {
            *last = Column::prose(title);
        }
        let cells: Vec<Vec<Text>> = rows.into_iter().map(Vec::from).collect();
        return print(render(&columns, &cells, terminal_width()).text);
    }
    let mut lines = String::new();
    for row in rows {
        let cells = row.map(|text| text.whole());
        writeln!(lines, "{}", cells.join("\t"))?;
    }
    print(lines)
}

/// Prints lines with texts of others in them. A terminal gets what moves its cursor or turns the order of letters round as
/// JSON spells it, so that JSON stays JSON; a pipe gets everything as it came.
pub(super) fn print_relayed(text: &str) -> Result<(), CliError> {
    match std::io::stdout().is_terminal() {
        true => print(spelt_as_json(text)),
        false => print(text),
    }
}

/// Waits for `work`; after a second a line on the terminal says for what.
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
