//! Output that differs between a terminal and a pipe: tables with colours there, plain lines here.

use std::fmt::Write;
use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, print};

/// What takes longer than this says on a terminal that it is still under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// A cell of a table, coloured on a terminal (not where `NO_COLOR` is set).
pub(super) struct Text {
    text: String,
    color: Option<Color>,
}

impl Text {
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self::colored(text, Color::Green)
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::colored(text, Color::Red)
    }

    pub(super) fn aside(text: impl Into<String>) -> Self {
        Self::colored(text, Color::DarkGrey)
    }

    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self::colored(text, Color::Yellow)
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn colored(text: impl Into<String>, color: Color) -> Self {
        let text = text.into();
        let color = Some(color);
        Self { text, color }
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        let text = text.into();
        Self { text, color: None }
    }
}

/// On a terminal a table as wide as that, in a pipe the rows alone, one a line, with tabs between the cells.
pub(super) fn table<const WIDTH: usize>(
    header: [&str; WIDTH],
    rows: Vec<[Text; WIDTH]>,
) -> Result<(), CliError> {
    if std::io::stdout().is_terminal() {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(header);
        for row in rows {
            table.add_row(row.map(|text| match text.color {
                Some(color) => Cell::new(text.text).fg(color),
                None => Cell::new(text.text),
            }));
        }
        // Names are copied from here: only the last column is broken.
        for index in 0..WIDTH.saturating_sub(1) {
            if let Some(column) = table.column_mut(index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        return print(format_args!("{table}\n"));
    }
    let mut lines = String::new();
    for row in rows {
        let cells = row.map(|text| text.text);
        writeln!(lines, "{}", cells.join("\t"))?;
    }
    print(lines)
}

/// A text of somebody else's on one line: what moves the cursor, or turns the order of letters round, is spelt out, so
/// that a person judges what is there.
pub(super) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_invisible(letter) {
            seen.extend(letter.escape_unicode());
        } else {
            seen.push(letter);
        }
    }
    seen
}

/// Prints lines with texts of others in them. A terminal gets what moves its cursor or turns the order of letters round as
/// JSON spells it, so that JSON stays JSON; a pipe gets everything as it came.
pub(super) fn print_relayed(text: &str) -> Result<(), CliError> {
    match std::io::stdout().is_terminal() {
        true => print(spelt_as_json(text)),
        false => print(text),
    }
}

fn spelt_as_json(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_invisible(letter) && !matches!(letter, '\n' | '\t') {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // A String takes everything.
                let _ = write!(spelt, "\\u{unit:04x}");
            }
        } else {
            spelt.push(letter);
        }
    }
    spelt
}

fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_pretend_to_be_another() {
        for (text, seen) in [
            ("Zoë 5 €", "Zoë 5 €"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}2J", "a\\u{9b}2J"),
            ("a\tb\nc", "a\\u{9}b\\u{a}c"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
        ] {
            assert_eq!(visible(text), seen);
        }
    }

    #[test]
    fn json_stays_json_on_a_terminal() {
        for (text, spelt) in [
            ("{\n\t\"a\": \"Zoë 5 €\"}\n", "{\n\t\"a\": \"Zoë 5 €\"}\n"),
            ("\"a\u{9b}2J\"", "\"a\\u009b2J\""),
            ("\"a\u{202e}b\"", "\"a\\u202eb\""),
            ("\"\u{e0041}\"", "\"\\udb40\\udc41\""),
        ] {
            assert_eq!(spelt_as_json(text), spelt);
            let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let again: serde_json::Value = serde_json::from_str(spelt).expect("JSON");
            assert_eq!(again, value);
        }
        assert_eq!(spelt_as_json("a\u{1b}[2J\r"), "a\\u001b[2J\\u000d");
    }
}
