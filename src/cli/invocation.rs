//! The start of this program's own command line, for commands that are printed to be run.

use std::path::PathBuf;

/// Characters that mean nothing to a shell.
const PLAIN: &str = "/._-+:=@%,\\";

/// `highlevel-mcp` where the shell found it by its name, else the path that was given, such as
/// `target/release/highlevel-mcp` of `cargo run`.
pub(super) fn program() -> String {
    let first = std::env::args_os().next().map(PathBuf::from);
    let first = first.filter(|first| !first.as_os_str().is_empty());
    let first = first.unwrap_or_else(|| PathBuf::from("highlevel-mcp"));
    let folder = std::env::current_dir().unwrap_or_default();
    // A bare name would be looked for in other folders.
    let near = first.strip_prefix(folder).ok();
    let near = near.filter(|near| near.components().count() > 1);
    quote(&near.unwrap_or(&first).to_string_lossy())
}

/// `word` as a shell takes it for one.
pub(super) fn quote(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || PLAIN.contains(letter);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        for (word, quoted) in [
            ("target/debug/highlevel-mcp", "target/debug/highlevel-mcp"),
            ("/my programs/h", "'/my programs/h'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
