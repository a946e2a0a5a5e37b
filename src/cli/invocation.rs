//! The start of this program's own command line, for printed commands that a person runs.

use std::path::PathBuf;

/// Characters without a meaning for a shell.
const PLAIN: &str = "/._-+:=@%,\\";

/// `highlevel-mcp` if the shell found it by its name, else the given path, such as `target/release/highlevel-mcp` under
/// `cargo run`.
pub(super) fn program() -> String {
    let first = std::env::args_os().next().map(PathBuf::from);
    let first = first.filter(|first| !first.as_os_str().is_empty());
    let first = first.unwrap_or_else(|| PathBuf::from("highlevel-mcp"));
    let folder = std::env::current_dir().unwrap_or_default();
    // A shell would look for a bare name in other folders.
    let near = first.strip_prefix(folder).ok();
    let near = near.filter(|near| near.components().count() > 1);
    quote(&near.unwrap_or(&first).to_string_lossy())
}

/// `word` quoted for a shell if it needs that.
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
