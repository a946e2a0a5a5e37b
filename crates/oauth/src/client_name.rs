//! Cleans a client's own name, to show it to a person.

/// Longest shown name, in characters.
const LONGEST: usize = 60;

/// Replaces a missing name.
const NAMELESS: &str = "A client without a name";

/// `given` on one line, cut, and without characters that are invisible or reverse text. It is still only the client's
/// own claim: pages show beside it where the answer goes.
pub(crate) fn client_name(given: Option<&str>) -> String {
    let visible = |letter: &char| !is_invisible(*letter);
    // Nobody reads ten kilobytes of a name.
    let letters = given.unwrap_or_default().chars().take(LONGEST * 8);
    let text: String = letters.filter(visible).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(LONGEST).collect();
    match name.trim_end() {
        "" => NAMELESS.to_owned(),
        name => name.to_owned(),
    }
}

/// Characters that are invisible or change how others are shown: controls except white space, directions, joiners,
/// fillers, tags.
fn is_invisible(letter: char) -> bool {
    letter.is_control() && !letter.is_whitespace()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_short_line_of_letters_that_are_seen() {
        let long = "ab ".repeat(4_000);
        for (given, shown) in [
            (Some("Claude Code"), "Claude Code"),
            (Some("  Claude\r\n\tCode\u{0} "), "Claude Code"),
            (Some("\u{202e}edoC\u{202c} \u{200b}edualC"), "edoC edualC"),
            // The page escapes it.
            (Some("<b>Claude</b>"), "<b>Claude</b>"),
            (Some("Überblick 概要"), "Überblick 概要"),
            (Some(&long), "ab ".repeat(20).trim_end()),
            (Some("\u{3164}\u{2060}"), NAMELESS),
            (Some(""), NAMELESS),
            (None, NAMELESS),
        ] {
            assert_eq!(client_name(given), shown, "{given:?}");
        }
    }
}
