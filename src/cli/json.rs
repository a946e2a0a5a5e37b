//! JSON for people: indented and in colours on a terminal, one line in a pipe.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::text::spelt_as_json;
use super::{CliError, print};

const NAME: &str = "\u{1b}[36m";
const TEXT: &str = "\u{1b}[32m";
const OTHER: &str = "\u{1b}[33m";
const NONE: &str = "\u{1b}[0m";

/// Prints a value and a newline.
pub(super) fn print_json(value: &Value) -> Result<(), CliError> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return print(format_args!("{value}\n"));
    }
    // Without colours if NO_COLOR is set or the terminal has none.
    let is_colored = AutoStream::choice(&stdout) != ColorChoice::Never;
    print(format_args!("{}\n", indented(value, is_colored)?))
}

fn indented(value: &Value, is_colored: bool) -> Result<String, CliError> {
    let mut text = Vec::new();
    let formatter = TerminalFormatter {
        indented: PrettyFormatter::new(),
        is_colored,
        is_name: false,
    };
    value.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    Ok(String::from_utf8(text)?)
}

/// Indents and colours. Characters that move the cursor or reverse text are written as JSON escapes.
struct TerminalFormatter {
    indented: PrettyFormatter<'static>,
    is_colored: bool,
    /// The current string is a member's name.
    is_name: bool,
}

impl TerminalFormatter {
    fn color<W: ?Sized + Write>(&self, writer: &mut W, color: &str) -> io::Result<()> {
        match self.is_colored {
            true => writer.write_all(color.as_bytes()),
            false => Ok(()),
        }
    }

    fn write_other<W: ?Sized + Write>(&self, writer: &mut W, text: &str) -> io::Result<()> {
        self.color(writer, OTHER)?;
        writer.write_all(text.as_bytes())?;
        self.color(writer, NONE)
    }
}

impl Formatter for TerminalFormatter {
    fn write_null<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write_other(writer, "null")
    }

    fn write_bool<W: ?Sized + Write>(&mut self, writer: &mut W, value: bool) -> io::Result<()> {
        self.write_other(writer, if value { "true" } else { "false" })
    }

    fn write_number_str<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        self.write_other(writer, value)
    }

    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.color(writer, if self.is_name { NAME } else { TEXT })?;
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        text: &str,
    ) -> io::Result<()> {
        writer.write_all(spelt_as_json(text).as_bytes())
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\"")?;
        self.color(writer, NONE)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.indented.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.is_name = true;
        self.indented.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.is_name = false;
        self.indented.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.indented.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_itself_under_its_colours() {
        let text = r#"{"a":[1.50,-2,true,null,"x \"y\" \u001b[2J \u202e é"],"b":{},"c":[],"12345678901234567890123":12345678901234567890123}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        let shown = |is_colored| {
            let shown = indented(&value, is_colored);
            shown.map_err(|CliError(what)| what).expect("shown")
        };
        let bare = shown(false);
        assert!(!bare.contains(['\u{1b}', '\u{202e}']), "{bare:?}");
        assert!(bare.contains("\n  \"a\": [\n    1.50,"), "{bare}");
        let again: Value = serde_json::from_str(&bare).expect("JSON");
        assert_eq!(again, value);
        let mut colored = shown(true);
        for part in [
            format!("{NAME}\"a\"{NONE}: ["),
            format!("{OTHER}1.50{NONE}"),
            format!("{OTHER}null{NONE}"),
            format!("{TEXT}\"x "),
        ] {
            assert!(colored.contains(&part), "no {part:?} in {colored:?}");
        }
        for color in [NAME, TEXT, OTHER, NONE] {
            colored = colored.replace(color, "");
        }
        assert_eq!(colored, bare);
    }
}
