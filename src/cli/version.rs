//! The output of `--version`: the program, and the commit of HighLevel's documents that its tools come from.

use std::sync::LazyLock;

const SOURCE: &str = include_str!("../../openapi/SOURCE.toml");

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let source = SOURCE.parse::<toml::Table>().unwrap_or_default();
    let commit = source.get("commit").and_then(toml::Value::as_str);
    // Documents can be imported from a folder that is no checkout.
    let commit = commit.unwrap_or("of an unknown commit");
    format!(
        "{} (HighLevel documents {commit})",
        env!("CARGO_PKG_VERSION")
    )
});

pub(super) fn version() -> &'static str {
    &VERSION
}
