//! The reviewed places of other people's words in documented answers; `UPDATE_SNAPSHOTS=1` rewrites them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use codegen::document::load::{Sources, load};
use codegen::pipeline::described;

fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load(&root.join("../openapi")).expect("openapi loads")
}

#[test]
fn strangers_words_are_found_where_they_were_reviewed() {
    let sources = sources();
    let found = sources.strangers.found(&described(&sources).operations);
    let found = found.join("\n") + "\n";
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strangers.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &found).expect("written");
    }
    let reviewed = fs::read_to_string(&snapshot).unwrap_or_default();
    assert!(
        found == reviewed,
        "{} differs; read what UPDATE_SNAPSHOTS=1 changes",
        snapshot.display()
    );
}

#[test]
fn a_field_that_no_answer_has_fails_the_build() {
    let check = |change: fn(&mut Sources), expected: &str| {
        let mut changed = sources();
        change(&mut changed);
        let problems = described(&changed).problems;
        let found = problems.iter().any(|one| one.to_string() == expected);
        assert!(found, "{expected}: {problems:?}");
    };
    check(
        |sources| {
            let table = sources.strangers.0.get_mut("forms").expect("a table");
            table.texts.push("submissions.answer".to_owned());
        },
        "forms: openapi/strangers.toml submissions.answer: is in no documented answer of an operation that reads; correct \
         it, or name it under `undocumented` if answers have it",
    );
    check(
        |sources| {
            let table = sources.strangers.0.get_mut("forms").expect("a table");
            table.undocumented.push("others".to_owned());
        },
        "forms: openapi/strangers.toml others: is documented now; remove it from `undocumented`",
    );
    check(
        |sources| {
            drop(
                sources
                    .strangers
                    .0
                    .insert("form".to_owned(), Default::default()),
            )
        },
        "form: openapi/strangers.toml: belongs to a document that no operation reads from; rename it after its document or \
         remove it",
    );
}
