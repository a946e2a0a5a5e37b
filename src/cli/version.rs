//! The output of `--version`: the program, and the commit of HighLevel's documents that its tools come from.

use std::sync::LazyLock;

const SOURCE: &str = include_str!("../../openapi/SOURCE.toml");

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let documents = documents(SOURCE);
    format!(
        "{} (HighLevel documents {documents})",
        env!("CARGO_PKG_VERSION")
    )
});

/// The source of the documents according to `SOURCE.toml`: they may have been imported from a folder that
/// is not a checkout.
fn documents(source: &str) -> String {
    let source = source.parse::<toml::Table>().unwrap_or_default();
    let text = |key: &str| source.get(key).and_then(toml::Value::as_str);
    match (text("commit"), text("after_commit")) {
        (Some(commit), _) => commit.to_owned(),
        (None, Some(before)) => format!("of an unknown commit after {before}"),
        (None, None) => "of an unknown commit".to_owned(),
    }
}

pub(super) fn version() -> &'static str {
    &VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_named_or_the_last_that_was_known() {
        fn check(source: &str, expected: &str) {
            assert_eq!(documents(source), expected, "{source}");
        }
        check("commit = \"0af86a4\"", "0af86a4");
        check(
            "after_commit = \"0af86a4\"",
            "of an unknown commit after 0af86a4",
        );
        check("repository = \"r\"", "of an unknown commit");
        // The file is part of the sources: an archive or a copy gives the same version as a checkout.
        assert!(!documents(SOURCE).contains("unknown"));
    }
}
