//! Cleans names that other people chose, for pages where somebody decides by them.

/// `text` on one line, without invisible characters or those that reverse text, and at most `most` characters long.
pub(in crate::http) fn one_line(text: &str, most: usize) -> String {
    // Only this much of it is read, however long it is.
    let seen = text.chars().take(most * 4).filter(|letter| !hides(*letter));
    let seen: String = seen.collect();
    let line = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Whether `name` has letters of scripts that look like Latin: `Сlaude` with a Cyrillic С.
pub(in crate::http) fn may_imitate(name: &str) -> bool {
    name.chars().any(|letter| {
        matches!(letter,
            // Greek, Cyrillic, Armenian, Cherokee, Lisu, and Latin letters as signs and in full width.
            '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{2100}'..='\u{2115}' | '\u{2124}'..='\u{214f}'
            | '\u{2c80}'..='\u{2cff}' | '\u{2de0}'..='\u{2dff}' | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a69f}'
            | '\u{ab30}'..='\u{abbf}' | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}' | '\u{250}'..='\u{2af}'
            | '\u{1d00}'..='\u{1dbf}')
    })
}

/// Control, format, filler and private-use characters, and combining marks that stack without limit.
pub(super) fn hides(letter: char) -> bool {
    if letter.is_control() {
        return !letter.is_whitespace();
    }
    matches!(letter,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line_of_visible_characters() {
        for (given, expected) in [
            ("Claude Code", "Claude Code"),
            ("  two\n\n lines\t", "two lines"),
            ("\u{202e}edualC\u{2066}", "edualC"),
            ("a\u{200b}b\u{0}c\u{7f}", "abc"),
            ("z\u{300}\u{301}\u{302}algo", "zalgo"),
            ("漢字 Ångström", "漢字 Ångström"),
            ("0123456789abcdef", "0123456789a…"),
            ("\u{200b}\u{feff}", ""),
        ] {
            assert_eq!(one_line(given, 12), expected, "{given:?}");
        }
        assert_eq!(one_line(&"x".repeat(10_000), 60).chars().count(), 60);
    }

    #[test]
    fn letters_that_look_like_others_are_noticed() {
        for (name, expected) in [
            ("Claude", false),
            ("Zoë 漢字 עברית", false),
            ("Сlaude", true),
            ("Ϲlaude", true),
            ("Ｃlaude", true),
            ("𝐂laude", true),
            ("ᏟLAUDE", true),
        ] {
            assert_eq!(may_imitate(name), expected, "{name}");
        }
    }
}
