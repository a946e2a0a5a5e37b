//! A line of the log for people: the time, the event, and only as much as a terminal has room for.

use std::fmt::{self, Debug, Write};

use jiff::ZonedDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

const RED: &str = "31";
const YELLOW: &str = "33";
const GREEN: &str = "32";

/// Width of a call's line in characters, so that a terminal of 80 columns does not wrap it.
const WIDTH: usize = 79;

/// Least number of characters shown of a location's id.
const SHORTEST_ID: usize = 8;

pub(super) struct HumanLine {
    /// Without the date, and in colours.
    pub is_terminal: bool,
}

/// The fields of an event as texts.
#[derive(Default)]
struct EventTexts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl<S, N> FormatEvent<S, N> for HumanLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut texts = EventTexts::default();
        event.record(&mut texts);
        let now = ZonedDateTime::now();
        let time = match self.is_terminal {
            true => now.strftime("%H:%M:%S").to_string(),
            false => now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        };
        let level = *event.metadata().level();
        let color = match level {
            Level::ERROR => Some(RED),
            Level::WARN => Some(YELLOW),
            _ => None,
        };
        write!(writer, "{time} ")?;
        if level != Level::INFO {
            let name = level.as_str().to_lowercase();
            write!(writer, "{} ", self.colored(&name, color))?;
        }
        match texts.call(WIDTH - time.len() - 1) {
            Some((before, outcome, after)) => {
                let color = match outcome.as_str() {
                    "ok" => GREEN,
                    "needs_confirmation" | "cancelled" => YELLOW,
                    _ => RED,
                };
                let outcome = self.colored(&outcome, Some(color));
                writeln!(writer, "{before} {outcome} {after}")
            }
            None => writeln!(writer, "{}", texts.sentence()),
        }
    }
}

impl HumanLine {
    fn colored(&self, text: &str, color: Option<&str>) -> String {
        match color.filter(|_| self.is_terminal) {
            Some(color) => format!("\u{1b}[{color}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

impl EventTexts {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, text)| text.as_str())
    }

    /// For the end of a call: the text before its outcome, the outcome, and the text after it.
    fn call(&self, width: usize) -> Option<(String, String, String)> {
        let tool = self.field("tool")?;
        let outcome = self.field("outcome")?;
        let took: f64 = self.field("duration_ms")?.parse().ok()?;
        let status = self.field("status").filter(|_| outcome != "ok");
        let status = status.map(|status| format!("{status} "));
        let after = format!("{}{}", status.unwrap_or_default(), duration(took));
        let Some(location) = self.field("location") else {
            return Some((tool.to_owned(), outcome.to_owned(), after));
        };
        let others = tool.len() + outcome.len() + after.len() + 3;
        let location = shortened(location, width.saturating_sub(others).max(SHORTEST_ID));
        Some((format!("{tool} {location}"), outcome.to_owned(), after))
    }

    /// The message, the reason, and the remaining fields.
    fn sentence(&self) -> String {
        let why = self.field("reason").or_else(|| self.field("error"));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let others = self
            .fields
            .iter()
            .filter(|(name, _)| !matches!(*name, "reason" | "error"))
            .map(|(name, text)| format!("{name} {text}"))
            .collect::<Vec<_>>();
        let others = match others.as_slice() {
            [] => String::new(),
            others => format!(" ({})", others.join(", ")),
        };
        format!("{}{why}{others}", self.message)
    }

    fn add(&mut self, field: &Field, text: &str) {
        let text = visible(text);
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text)),
        }
    }
}

impl Visit for EventTexts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

/// `id` in at most `most` characters.
fn shortened(id: &str, most: usize) -> String {
    if id.chars().count() <= most {
        return id.to_owned();
    }
    let begin: String = id.chars().take(most - 1).collect();
    begin + "…"
}

/// Callers' texts on one line. Characters that move the cursor or reverse text are written as escapes.
fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => seen.push(letter),
            // Writing to a String never fails.
            letter => drop(write!(seen, "{}", letter.escape_debug())),
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the screen").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Screen {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// The output of `log` on a screen, without the time.
    #[track_caller]
    fn check(log: impl FnOnce(), expected: &str) {
        let screen = Screen::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(screen.clone())
            .event_format(HumanLine { is_terminal: true })
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(screen.0.lock().expect("the screen").clone()).expect("text");
        let (time, line) = text.split_once(' ').expect("a time");
        assert_eq!(time.len(), "12:34:56".len(), "{text}");
        assert_eq!(line, format!("{expected}\n"));
        let bare = line.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "");
        let bare = bare.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert!(bare.trim_end().chars().count() + time.len() < 80, "{text}");
    }

    #[test]
    fn a_call_is_one_short_line() {
        let call = |tool: &str, location: Option<&str>, outcome: &str, status: Option<u16>| {
            tracing::info!(
                tool,
                effect = "read",
                location,
                outcome,
                status,
                duration_ms = 3.533_039_999_999_999_7,
                retries = 0,
                "call"
            );
        };
        check(
            || call("contacts_get-contact", Some("L0"), "ok", Some(200)),
            "contacts_get-contact L0 \u{1b}[32mok\u{1b}[0m 4 ms",
        );
        check(
            || call("contacts_get-contact", None, "not_found", Some(404)),
            "contacts_get-contact \u{1b}[31mnot_found\u{1b}[0m 404 4 ms",
        );
        check(
            || {
                let (tool, location) = ("conversations_send-a-new-message", "locHarborDental00001");
                call(tool, Some(location), "needs_confirmation", None);
            },
            "conversations_send-a-new-message locHarborDen… \u{1b}[33mneeds_confirmation\u{1b}[0m 4 ms",
        );
    }

    #[test]
    fn everything_else_is_a_sentence_and_moves_no_cursor() {
        check(
            || {
                tracing::info!(
                    status = 404,
                    error = "not_found",
                    reason = "There is no /\u{1b}[2J.",
                    "refused"
                )
            },
            "refused: There is no /\\u{1b}[2J. (status 404)",
        );
        check(
            || tracing::error!(error = %"no [locations.b]", "locations and rules stay as they were"),
            "\u{1b}[31merror\u{1b}[0m locations and rules stay as they were: no [locations.b]",
        );
        check(|| tracing::info!("stopping"), "stopping");
    }
}
