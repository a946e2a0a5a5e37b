//! The size of each surface's list, as the server's own tests recorded it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Problem;

const FILE: &str = "tests/snapshots/lists.txt";

/// Tokens (o200k_base) by address, such as `/mcp/official`.
pub(super) type ListCosts = BTreeMap<String, usize>;

/// Reads the snapshot, whose lines begin with an address and its tokens.
pub(super) fn read(root: &Path) -> Result<ListCosts, Problem> {
    let text = super::read(root, Path::new(FILE))?;
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Result<(String, usize), Problem> {
    let mut words = line.split_whitespace();
    let address = words.next();
    let tokens = words.next().and_then(|word| word.parse().ok());
    match (address, tokens, words.next()) {
        (Some(address), Some(tokens), Some("tokens")) => Ok((address.to_owned(), tokens)),
        _ => Err(Problem::new(
            FILE,
            format!("{line:?} is not an address with its tokens"),
            "run `UPDATE_SNAPSHOTS=1 cargo test --test it listing`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_its_tokens() {
        let line = "/mcp/official 4262 tokens 17641 bytes SHA256:b74a";
        assert_eq!(parse(line), Ok(("/mcp/official".to_owned(), 4262)));
        for wrong in ["", "/mcp/official", "/mcp/official 17641 bytes SHA256:b74a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
