//! Unfinished tables of `openapi/tools/`: every `TODO` in one is a problem of the build.

use std::collections::BTreeMap;

use crate::error::Problem;

/// Marks a place to fill in, and a guess to review.
pub const TODO: &str = "TODO";

/// The remaining work in the tables of one file, by operationId.
pub type UnfinishedTables = BTreeMap<String, Vec<Problem>>;

/// The remaining work in the file of `document`.
pub fn unfinished(document: &str, text: &str) -> UnfinishedTables {
    let mut tables = UnfinishedTables::new();
    let mut header = String::new();
    for (number, line) in text.lines().enumerate() {
        if operation_of(line).is_some() {
            header = line.split(" #").next().unwrap_or_default().to_owned();
        }
        if !is_marked(line) {
            continue;
        }
        let key = line.split_once('=').map_or("", |(key, _)| key.trim());
        let place = format!(
            "openapi/tools/{document}.toml line {} {header} {key}",
            number + 1
        );
        let (value, comment) = line.split_once(" #").unwrap_or((line, ""));
        let (what, remedy) = match is_marked(value) || !is_marked(comment) {
            true => (
                "is not filled in",
                "replace TODO by its text, or remove the line if it needs none",
            ),
            false => (
                "is a guess that nobody has reviewed",
                "correct it if it is wrong, and remove the TODO after it",
            ),
        };
        let operation = operation_of(&header).unwrap_or_default();
        tables
            .entry(operation)
            .or_default()
            .push(Problem::in_document(
                document,
                place.trim_end(),
                what,
                remedy,
            ));
    }
    tables
}

/// The text without the tables of `unfinished`: such a table is not valid yet. Lines keep their numbers.
pub(crate) fn without(text: &str, unfinished: &UnfinishedTables) -> String {
    let mut is_left_out = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(operation) = operation_of(line) {
            is_left_out = unfinished.contains_key(&operation);
        }
        if !is_left_out {
            kept += line;
        }
        kept.push('\n');
    }
    kept
}

/// The operation whose table, or a table inside it, has `line` as its header.
pub(crate) fn operation_of(line: &str) -> Option<String> {
    if !line.starts_with('[') {
        return None;
    }
    let header: toml::Table = line.parse().ok()?;
    header.keys().next().cloned()
}

/// Whether `TODO` is there as a separate word.
fn is_marked(text: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric());
    words.any(|word| word == TODO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISHED: &str =
        "# Head\n\n[get-link]\ntitle = \"Link\"\nphrases = [\n    \"todo list\",\n]\n";

    #[test]
    fn open_todos_are_named_by_line_table_and_key() {
        fn check(line: &str, expected: Option<&str>) {
            let text = format!("{FINISHED}\n[\"a b\".arguments.limit] # query\n{line}\n");
            let tables = unfinished("links", &text);
            let problems: Vec<String> = tables.values().flatten().map(Problem::to_string).collect();
            let expected: Vec<&str> = expected.into_iter().collect();
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, expected) in problems.iter().zip(expected) {
                assert!(problem.starts_with(expected), "{problem}");
                assert!(tables.contains_key("a b"), "{tables:?}");
            }
        }
        let place = "links: openapi/tools/links.toml line 10 [\"a b\".arguments.limit]";
        check("text = \"rows\"", None);
        check("text = \"TODOS\"", None);
        check(
            "text = \"TODO\" # a few words",
            Some(&format!("{place} text: is not filled in; replace TODO")),
        );
        check(
            "phrases = [\"TODO\"]",
            Some(&format!("{place} phrases: is not filled in")),
        );
        check(
            "role = \"none\" # TODO: guessed",
            Some(&format!(
                "{place} role: is a guess that nobody has reviewed"
            )),
        );
        check(
            "# TODO: paging",
            Some(&format!("{place}: is not filled in")),
        );
    }

    #[test]
    fn an_unfinished_table_is_left_out_and_lines_keep_their_numbers() {
        let text = format!(
            "{FINISHED}[draft]\neffect = \"TODO\"\n[draft.arguments.a]\ntext = \"a\"\n[last]\ntitle = \"Last\"\n"
        );
        let kept = without(&text, &unfinished("links", &text));
        let expected = format!("{FINISHED}\n\n\n\n[last]\ntitle = \"Last\"\n");
        assert_eq!(kept, expected);
        assert_eq!(without(FINISHED, &unfinished("links", FINISHED)), FINISHED);
    }
}
