//! Tables that `codegen new` writes: their place, their content, and their completeness once they are filled in.
//! `UPDATE_SNAPSHOTS=1` rewrites those in `new/`.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use codegen::annotations;
use codegen::document::load::{Sources, load};
use codegen::draft::draft;
use codegen::error::Problem;
use codegen::pipeline::{DescribedDocuments, described};
use codegen::unfinished::{UnfinishedTables, unfinished};

const HEAD: &str = "# What we know.\n";

fn sources() -> Sources {
    let openapi = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi");
    load(Path::new(openapi)).expect("openapi loads")
}

/// `openapi/` before anybody has written a table.
fn without_tables() -> (Sources, DescribedDocuments) {
    let mut sources = sources();
    sources.annotations.clear();
    let described = described(&sources);
    (sources, described)
}

/// `file` with the drafts of the operations `ids` of `document`, one after another.
fn drafts(described: &DescribedDocuments, document: &str, ids: &[&str], file: &str) -> String {
    let mut file = file.to_owned();
    for id in ids {
        let mut operations = described.operations.iter();
        let is_it = |one: &codegen::pipeline::LoweredOperation| {
            one.operation.document == document && one.operation.operation_id == *id
        };
        let lowered = operations.find(|one| is_it(one)).expect(id);
        let source = &described.documents[&lowered.operation.source];
        file = draft(lowered, source, &file).text;
    }
    file
}

#[test]
fn a_table_has_the_facts_of_the_document_and_open_todos() {
    let (_, described) = without_tables();
    let check = |document: &str, id: &str| {
        let text = drafts(&described, document, &[id], HEAD);
        let snapshot = format!("{}/tests/new/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&snapshot, &text).expect("written");
        }
        let reviewed = fs::read_to_string(&snapshot).unwrap_or_default();
        assert_eq!(text, reviewed, "read what UPDATE_SNAPSHOTS=1 changes");
    };
    check("links", "search-trigger-links");
    check("links", "update-link");
    check("calendars", "create-block-slot");
}

#[test]
fn a_table_follows_the_table_of_the_previous_operation() {
    let (_, described) = without_tables();
    let table = |id: &str| format!("[{id}]\ntitle = \"T\"\n\n[{id}.arguments.a]\ntext = \"a\"\n");
    let check = |present: &[&str], new: &str, expected: &[&str]| {
        let present: Vec<String> = present.iter().map(|id| table(id)).collect();
        let file = format!("{HEAD}\n{}", present.join("\n# Below.\n"));
        let text = drafts(&described, "links", &[new], &file);
        let headers = text.lines().filter(|line| line.starts_with('['));
        let headers: Vec<&str> = headers
            .filter(|line| !line.contains(".arguments"))
            .collect();
        let expected: Vec<String> = expected.iter().map(|id| format!("[{id}]")).collect();
        assert_eq!(headers, expected);
        // A comment stays above its table.
        for id in present
            .iter()
            .skip(1)
            .filter_map(|table| table.lines().next())
        {
            assert!(text.contains(&format!("# Below.\n{id}\n")), "{text}");
        }
    };
    // The document has get-link-by-id, update-link, delete-link, search-trigger-links, get-links, create-link.
    check(&[], "update-link", &["update-link"]);
    check(
        &["get-link-by-id", "get-links"],
        "update-link",
        &["get-link-by-id", "update-link", "get-links"],
    );
    check(
        &["get-links", "get-link-by-id"],
        "delete-link",
        &["get-links", "get-link-by-id", "delete-link"],
    );
    check(
        &["get-links"],
        "get-link-by-id",
        &["get-links", "get-link-by-id"],
    );
}

#[test]
fn an_operation_with_a_table_gets_a_list_of_what_is_missing() {
    let check = |tool: &str, told: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_codegen"));
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let done = program.args(["new", tool]).current_dir(root).output();
        let said = done.expect("run").stderr;
        let said = String::from_utf8(said).expect("text");
        assert!(
            said.contains(&format!("is there already; {told}")),
            "{said}"
        );
    };
    check("contacts_get-contact", "`codegen show` prints the tool");
    check(
        "social-media-posting_start-oauth",
        "put it into a toolset of openapi/allowlist.toml, and remove its line under [left_out], which says: a page",
    );
}

#[test]
fn an_unfinished_table_fails_the_build_by_name() {
    let (mut sources, described) = without_tables();
    let text = drafts(&described, "links", &["update-link"], HEAD);
    let tables = unfinished("links", &text);
    let places = tables.values().map(Vec::len).sum::<usize>();
    sources.unfinished = [("links".to_owned(), tables)].into();
    let toolsets = &mut sources.allowlist.toolsets;
    toolsets.clear();
    sources.allowlist.left_out.clear();
    let problems = codegen::pipeline::described(&sources).problems;
    let ours: Vec<&Problem> = problems
        .iter()
        .filter(|one| one.document.as_deref() == Some("links"))
        .filter(|one| one.place.contains("[update-link"))
        .collect();
    assert_eq!(ours.len(), places, "{ours:?}");
    assert!(places >= 6, "{places}");
    let first = ours.first().map(ToString::to_string).unwrap_or_default();
    assert!(
        first.starts_with(
            "links: openapi/tools/links.toml line 4 [update-link] title: is not filled in;"
        ),
        "{first}"
    );
}

/// The draft of every operation of every document has everything that the build requires, except for people's words.
#[test]
fn nothing_is_missing_in_a_table_that_is_filled_in() {
    let (mut sources, before) = without_tables();
    let names: BTreeSet<(&str, &str)> = before
        .operations
        .iter()
        .map(|one| {
            let operation = &one.operation;
            (operation.document.as_str(), operation.operation_id.as_str())
        })
        .collect();
    let documents: BTreeSet<&str> = names.iter().map(|(document, _)| *document).collect();
    for document in documents {
        let of_document = names.iter().filter(|(one, _)| *one == document);
        let ids: Vec<&str> = of_document.map(|(_, id)| *id).collect();
        let text = filled_in(&drafts(&before, document, &ids, HEAD));
        let left = unfinished(document, &text);
        assert_eq!(left, UnfinishedTables::new(), "{document}");
        let tables = annotations::parse(document, &text)
            .unwrap_or_else(|problem| panic!("{problem}\n{text}"));
        assert_eq!(tables.len(), ids.len(), "{document}");
        sources.annotations.insert(document.to_owned(), tables);
    }
    let after = described(&sources);
    let faults = after.operations.iter().flat_map(|one| &one.faults);
    let faults: Vec<String> = faults.map(Problem::to_string).collect();
    assert!(faults.is_empty(), "{}: {faults:#?}", faults.len());
}

/// A table filled in by somebody who accepts every guess.
fn filled_in(text: &str) -> String {
    let mut named = 0;
    let lines = text.lines().map(|line| {
        let line = line.split(" # ").next().unwrap_or_default();
        let value = match line.split(" = ").next().unwrap_or_default() {
            "phrases" => "[\"a\", \"b\", \"c\", \"d\", \"e\"]".to_owned(),
            "effect" if line.contains("TODO") => "\"write\"".to_owned(),
            "token" => "\"location\"".to_owned(),
            // The whole answer, which every answer has.
            "paging" => return line.replace("TODO", ""),
            "name" => {
                named += 1;
                format!("\"name-{named}\"")
            }
            _ => return line.replace("TODO", "some"),
        };
        let key = line.split(" = ").next().unwrap_or_default();
        format!("{key} = {value}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
