//! A question at the terminal that is answered by yes or no.

use std::io::{IsTerminal, Write};

use super::CliError;

/// Whether a person reads the terminal and can answer.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Puts `question` on stderr and waits for a line. Anything but yes is a no, and so is the end of stdin; Ctrl-C ends
/// the program.
pub(super) fn ask(question: &str) -> Result<bool, CliError> {
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    let bytes = std::io::stdin().read_line(&mut line)?;
    // At the end of stdin the line has no line break.
    if bytes == 0 {
        eprintln!();
    }
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (line, expected) in [
            ("y\n", true),
            ("Yes\r\n", true),
            ("", false),
            ("\n", false),
            ("n\n", false),
            ("yy\n", false),
            ("why\n", false),
        ] {
            assert_eq!(is_yes(line), expected, "{line:?}");
        }
    }
}
