//! Characters that nobody sees: written as escapes, so that a text holds for whoever reads it what a person sees in it.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with `\u{…}` for what is not seen: control characters but tabs and ends of lines, zero-width and bidirectional
/// characters, fillers, tags and variation selectors. One joiner or selector stays where it shapes what is before it, as
/// in emoji and in scripts whose letters it joins.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_control())
    {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len());
    let mut before = None;
    let mut is_changed = false;
    for letter in text.chars() {
        if is_hidden(letter) && !shapes(letter, before) {
            // A String takes everything.
            let _ = write!(seen, "\\u{{{:x}}}", u32::from(letter));
            is_changed = true;
        } else {
            seen.push(letter);
        }
        before = Some(letter);
    }
    match is_changed {
        true => Cow::Owned(seen),
        false => Cow::Borrowed(text),
    }
}

fn is_hidden(letter: char) -> bool {
    if letter.is_control() {
        return !matches!(letter, '\t' | '\n' | '\r');
    }
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a hidden character only shapes the visible one before it: a joiner between letters or emoji, or the selector of
/// an emoji's colours.
fn shapes(letter: char, before: Option<char>) -> bool {
    const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];
    let Some(before) = before else {
        return false;
    };
    match letter {
        '\u{fe0e}' | '\u{fe0f}' => !is_hidden(before),
        '\u{200c}' | '\u{200d}' => {
            !before.is_ascii() && (!is_hidden(before) || SELECTORS.contains(&before))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_invisible_characters_are_spelt_out() {
        for (text, expected) in [
            ("plain text, 100 %", "plain text, 100 %"),
            ("two\nlines\tand\r\nmore", "two\nlines\tand\r\nmore"),
            (
                "a\u{0}b\u{1b}[31m\u{7f}\u{9b}",
                "a\\u{0}b\\u{1b}[31m\\u{7f}\\u{9b}",
            ),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("\u{202e}txt.exe\u{2066}", "\\u{202e}txt.exe\\u{2066}"),
            (
                "\u{e0001}\u{e0049}\u{e007f}",
                "\\u{e0001}\\u{e0049}\\u{e007f}",
            ),
            ("x\u{e0100}\u{fe01}", "x\\u{e0100}\\u{fe01}"),
            ("soft\u{ad}hyphen \u{3164}", "soft\\u{ad}hyphen \\u{3164}"),
            // A family, a keycap and a heart are what a person sees.
            (
                "👩\u{200d}👧 1\u{fe0f}\u{20e3} ❤\u{fe0f}\u{200d}🔥",
                "👩\u{200d}👧 1\u{fe0f}\u{20e3} ❤\u{fe0f}\u{200d}🔥",
            ),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            // More than one in a row hides something.
            (
                "👩\u{200d}\u{200d}\u{200c}👧",
                "👩\u{200d}\\u{200d}\\u{200c}👧",
            ),
            ("❤\u{fe0f}\u{fe0f}", "❤\u{fe0f}\\u{fe0f}"),
            ("de\u{200d}lete", "de\\u{200d}lete"),
            ("Zoë Ångström 漢字", "Zoë Ångström 漢字"),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
    }
}
