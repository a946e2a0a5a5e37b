//! Texts that commands print: the cells of lists, and other people's texts made safe for a terminal.

use comfy_table::Color;
use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Replaces the omitted part.
const LEFT_OUT: &str = "…";

/// A cell of a list, coloured on a terminal (unless `NO_COLOR` is set).
pub(super) struct Text {
    content: TextContent,
    color: Option<Color>,
}

enum TextContent {
    Words(String),
    /// Several names. A terminal with too little room shows the first and the number of the others.
    Names(Vec<String>),
    /// A word for a terminal, and the whole text for a pipe.
    Brief {
        word: String,
        whole: String,
    },
    /// ISO in a pipe. A terminal has little room, and shows the time for today, else day and minute.
    Time(Timestamp),
}

impl Text {
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self::from(text).colored(Color::Green)
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::from(text).colored(Color::Red)
    }

    pub(super) fn aside(text: impl Into<String>) -> Self {
        Self::from(text).colored(Color::DarkGrey)
    }

    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self::from(text).colored(Color::Yellow)
    }

    /// Names of things, such as the locations of a key.
    pub(super) fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let content = match names.is_empty() {
            true => TextContent::Words("-".to_owned()),
            false => TextContent::Names(names),
        };
        Self {
            content,
            color: None,
        }
    }

    /// If the rest is shown elsewhere: `word` on a terminal, `whole` in a pipe.
    pub(super) fn brief(word: impl Into<String>, whole: impl Into<String>) -> Self {
        Self {
            content: TextContent::Brief {
                word: word.into(),
                whole: whole.into(),
            },
            color: None,
        }
    }

    pub(super) fn time(time: Timestamp) -> Self {
        Self {
            content: TextContent::Time(time),
            color: None,
        }
        .colored(Color::DarkGrey)
    }

    /// A time, or the word for none.
    pub(super) fn time_or(time: Option<Timestamp>, none: &str) -> Self {
        time.map_or_else(|| Self::aside(none), Self::time)
    }

    /// A dash if there is no text.
    pub(super) fn or_dash(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::from("-"), Self::from)
    }

    pub(super) fn color(&self) -> Option<Color> {
        self.color
    }

    /// The whole text, on one line.
    pub(super) fn whole(&self) -> String {
        match &self.content {
            TextContent::Words(words) => visible(words),
            TextContent::Brief { whole, .. } => visible(whole),
            TextContent::Names(names) => visible(&names.join(", ")),
            TextContent::Time(time) => format!("{time:.0}"),
        }
    }

    /// The text in a cell that is wide enough.
    pub(super) fn shown(&self) -> String {
        let time = match &self.content {
            TextContent::Time(time) => time,
            TextContent::Brief { word, .. } => return visible(word),
            _ => return self.whole(),
        };
        let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
        let form = match day(*time) == day(Timestamp::now()) {
            true => "%H:%M:%SZ",
            false => "%Y-%m-%d %H:%MZ",
        };
        time.strftime(form).to_string()
    }

    /// As much of it as fits into `lines` lines of `width`.
    pub(super) fn wrapped(&self, width: usize, lines: usize) -> String {
        let whole = self.shown();
        let names = match &self.content {
            TextContent::Names(names) if lines_of(&whole, width) > lines => names,
            _ => return cut(&whole, width, lines),
        };
        let shown = (1..names.len()).rev().find_map(|count| {
            let first = names.get(..count)?.join(", ");
            let cut = visible(&format!("{first} and {} more", names.len() - count));
            (lines_of(&cut, width) <= lines).then_some(cut)
        });
        shown.unwrap_or_else(|| cut(&format!("{} of them", names.len()), width, lines))
    }

    pub(super) fn colored(self, color: Color) -> Self {
        let color = Some(color);
        Self { color, ..self }
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self {
            content: TextContent::Words(text.into()),
            color: None,
        }
    }
}

/// The number of lines of a text that is wrapped between words.
fn lines_of(text: &str, width: usize) -> usize {
    let (mut lines, mut used) = (1, 0);
    for word in text.split(' ') {
        let word = word.width();
        match used {
            0 => used = word,
            _ if used + 1 + word <= width => used += 1 + word,
            _ => (lines, used) = (lines + 1, word),
        }
        // A word that is too long is split.
        while used > width {
            (lines, used) = (lines + 1, used - width);
        }
    }
    lines
}

/// Wraps each line of a text between words to this width, with its indent. A word that is too long stays whole.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| wrap_line(line, width))
        .collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let mut wrapped = indent.to_owned();
    let mut used = indent.len();
    for word in words.split(' ') {
        if used > indent.len() && used + 1 + word.width() > width {
            wrapped.push('\n');
            wrapped.push_str(indent);
            used = indent.len();
        } else if used > indent.len() {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += word.width();
    }
    wrapped
}

/// A text, or the beginning that fits into this many lines.
fn cut(text: &str, width: usize, lines: usize) -> String {
    if lines_of(text, width) <= lines {
        return text.to_owned();
    }
    let mut kept = start(text, width * lines);
    while lines_of(&format!("{kept}{LEFT_OUT}"), width) > lines && kept.pop().is_some() {}
    format!("{}{LEFT_OUT}", kept.trim_end())
}

/// The beginning that fits into `width`.
pub(super) fn start(text: &str, width: usize) -> String {
    take(text.chars(), width)
}

/// Both ends of a text within `width`: ids and names differ there.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(LEFT_OUT.width());
    let tail = room / 2;
    let head = take(text.chars(), room - tail);
    let end = take(text.chars().rev(), tail);
    let end: String = end.chars().rev().collect();
    format!("{head}{LEFT_OUT}{end}")
}

fn take(letters: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    let fits = |letter: &char| {
        let width = letter.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    letters.take_while(fits).collect()
}

/// One text of several sentences, of which some may lack their full stop.
pub(super) fn sentences<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for part in parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if !text.is_empty() {
            if !text.ends_with(['.', '!', '?', ':', ';', ',', '…']) {
                text.push('.');
            }
            text.push(' ');
        }
        text.push_str(part);
    }
    text
}

/// A number with what it counts.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// Parses the name of a person or program for lists and records.
pub(super) fn given_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("give a name that people recognise in lists and records".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// Somebody else's text on one line. Characters that move the cursor or reverse text are written as escapes, so that a
/// person judges the real text.
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

/// The same in JSON, which stays JSON.
pub(super) fn spelt_as_json(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_invisible(letter) && !matches!(letter, '\n' | '\t') {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                spelt.push_str(&format!("\\u{unit:04x}"));
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

    #[test]
    fn a_text_that_is_too_long_keeps_both_ends() {
        for (text, width, cut) in [
            ("contacts_get-contact", 20, "contacts_get-contact"),
            ("contacts_get-contact", 19, "contacts_…t-contact"),
            ("contacts_get-contact", 8, "cont…act"),
            // Characters that are two columns wide.
            ("東京都千代田区", 8, "東京…区"),
        ] {
            let shortened = shorten(text, width);
            assert_eq!(shortened, cut);
            assert!(shortened.width() <= width);
        }
    }

    #[test]
    fn one_is_one_and_several_are_several() {
        for (number, counted) in [(0, "0 calls"), (1, "1 call"), (2, "2 calls")] {
            assert_eq!(count(number, "call"), counted);
        }
    }

    #[test]
    fn sentences_are_never_glued_together() {
        for (parts, text) in [
            (
                &[
                    "HighLevel does not accept the token.",
                    "Invalid JWT",
                    "Check it.",
                ][..],
                "HighLevel does not accept the token. Invalid JWT. Check it.",
            ),
            (&["What?", "", "This: ", "that"], "What? This: that"),
            (&["  One alone "], "One alone"),
            (&["They said:", "no…", "yes!"], "They said: no… yes!"),
            (&[], ""),
        ] {
            assert_eq!(sentences(parts.iter().copied()), text);
        }
    }

    #[test]
    fn names_say_how_many_more_there_are() {
        let forty = || Text::names((1..=40).map(|number| format!("branch-{number:02}")));
        assert_eq!(
            forty().wrapped(24, 3),
            "branch-01, branch-02, branch-03, branch-04, branch-05 and 35 more"
        );
        assert!(forty().whole().ends_with("branch-39, branch-40"));
        let two = Text::names(["acme", "globex"]);
        assert_eq!(two.wrapped(8, 3), "acme, globex");
        let prose = Text::from("It waits for a person until it is too late for that");
        assert_eq!(prose.wrapped(12, 2), "It waits for a person un…");
        assert_eq!(wrap("It waits for a person", 9), "It waits\nfor a\nperson");
        assert_eq!(
            wrap("It waits\n  for a  person\n", 9),
            "It waits\n  for a \n  person\n"
        );
        let long = Text::names(["x".repeat(90), "y".repeat(90)]);
        assert_eq!(long.wrapped(10, 3), "2 of them");
        assert_eq!(Text::names([""; 0]).whole(), "-");
    }

    #[test]
    fn a_time_is_whole_in_a_pipe_and_short_on_a_terminal() {
        let time: Timestamp = "2001-02-03T04:05:06Z".parse().expect("a time");
        let text = Text::time(time);
        assert_eq!(text.whole(), "2001-02-03T04:05:06Z");
        assert_eq!(text.shown(), "2001-02-03 04:05Z");
        assert_eq!(
            Text::time(Timestamp::now()).shown().len(),
            "04:05:06Z".len()
        );
    }
}
