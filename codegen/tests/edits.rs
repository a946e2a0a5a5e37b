//! Edits that HighLevel could make to its documents: the report of `diff` for each, and the problems of the build.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::Path;

use codegen::allowlist::ListingStatus;
use codegen::diff::report;
use codegen::document::load::{Sources, load};
use codegen::generation::generate;
use codegen::pipeline::{Documents, described};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One row of `edits.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    edits: Vec<Edit>,
    /// Documents that the report shows as added or removed.
    #[serde(default)]
    documents: Vec<String>,
    /// Every line of the report, after the name of its tool.
    tells: Vec<String>,
    /// A part of each problem with which the build fails; empty if it passes.
    #[serde(default)]
    mend: Vec<String>,
    /// Operations that the build leaves out because nobody has reviewed them.
    #[serde(default)]
    unreviewed: Vec<String>,
}

/// One change of one place. A step into a list is a parameter's name or a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// Document, then keys.
    at: Vec<String>,
    set: Option<Value>,
    /// Added to the list there.
    add: Option<Value>,
    /// The new name of the last key.
    key: Option<String>,
    #[serde(default)]
    remove: bool,
}

#[test]
fn every_edit_is_told() {
    let (sources, rows) = (load_all(), rows());
    assert!(rows.len() >= 20, "{} rows", rows.len());
    let rows = rows.iter();
    let wrong: Vec<String> = rows
        .flat_map(|row| check(&only(&sources, &row.edits), row))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn load_all() -> Sources {
    let openapi = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi");
    load(Path::new(openapi)).expect("openapi loads")
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("edits.json")).expect("rows")
}

#[test]
fn a_report_is_grouped_and_counted() {
    let sources = load_all();
    let rows = rows();
    let edits = |name: &str| {
        let row = rows.iter().find(|row| row.name == name);
        &row.unwrap_or_else(|| panic!("no row {name}")).edits
    };
    let few = only(&sources, edits("document removed"));
    let documents = edited(&few.documents, edits("document removed"));
    assert_eq!(
        report(&few, &documents).to_string(),
        "documents
         campaigns is gone
         v3/campaigns is gone
campaigns_get-campaigns (GET /campaigns/)
  BREAKS gone
the build will fail until these are corrected:
  openapi/tools/campaigns.toml: describes a document that does not exist; rename it after its document or remove it
  openapi/allowlist.toml: campaigns_get-campaigns is not an operation of any document; correct the name (`codegen list` shows all) or remove the line
1 changes to 1 operations: 1 break callers of 1, 0 effects unreviewed, 2 to correct
"
    );
    let few = only(&sources, edits("path moved"));
    let documents = edited(&few.documents, edits("path moved"));
    let documents = edited(&documents, edits("new operation"));
    assert_eq!(
        report(&few, &documents).to_string(),
        "links_get-link-by-id (GET /links/id/{linkId})
         path moved from /links/id/{linkId} to /links/by-id/{linkId}
  REVIEW effect unreviewed: its table in openapi/tools/links.toml was reviewed for GET /links/id/{linkId}
         under v3: path moved from /links/id/{linkId} to /links/by-id/{linkId}
links_get-link-clicks (GET /links/{linkId}/clicks, no tool)
         new: GET /links/{linkId}/clicks
  REVIEW effect unreviewed: openapi/tools/links.toml has no table [get-link-clicks]; left out until there is one
5 changes to 2 operations: 0 break callers of 0, 2 effects unreviewed, 0 to correct
"
    );
    let nothing = report(&few, &few.documents).to_string();
    assert_eq!(
        nothing,
        "0 changes to 0 operations: 0 break callers of 0, 0 effects unreviewed, 0 to correct\n"
    );
}

/// The sources of the documents that `edits` change, older and v3: all of them would take seconds per row.
fn only(sources: &Sources, edits: &[Edit]) -> Sources {
    let variants = &sources.v3;
    let stems = edits.iter().filter_map(|edit| edit.at.first());
    let names: BTreeSet<&str> = stems.map(|stem| variants.document_of(stem)).collect();
    let is_of = |tool: &str| {
        let document = tool.split_once('_').map(|(document, _)| document);
        document.is_some_and(|document| names.contains(document))
    };
    let mut few = sources.clone();
    few.documents
        .retain(|source, _| names.contains(variants.document_of(source)));
    few.overlays.retain(|stem, _| names.contains(&**stem));
    few.annotations.retain(|stem, _| names.contains(&**stem));
    few.strangers.0.retain(|stem, _| names.contains(&**stem));
    for toolset in few.allowlist.toolsets.values_mut() {
        toolset.tools.retain(|tool| is_of(tool));
    }
    few.allowlist.left_out.retain(|tool, _| is_of(tool));
    few.v3
        .documents
        .retain(|_, document| names.contains(&**document));
    let has = |place: &str| {
        let path = place.split_once(' ').map_or(place, |(_, path)| path);
        let mut documents = few.documents.values();
        documents.any(|document| document["paths"].get(path).is_some())
    };
    few.v3.successors.retain(|_, before| has(before));
    few
}

/// Missing and superfluous lines of the report, and differences in the build's problems.
fn check(sources: &Sources, row: &Row) -> Vec<String> {
    let documents = edited(&sources.documents, &row.edits);
    assert_ne!(
        documents, sources.documents,
        "{}: changes nothing",
        row.name
    );
    let report = report(sources, &documents);
    let told = report.changes.iter();
    let told: Vec<String> = told
        .map(|change| format!("{}: {}", change.tool, change.to_string().trim_start()))
        .collect();
    let mut wrong = differences(&row.name, &row.tells, &told);
    wrong.extend(differences(&row.name, &row.documents, &report.documents));
    let text = report.to_string();
    for line in &told {
        let (_, line) = line.split_once(": ").expect("a line");
        assert!(text.contains(line), "{}: {line} is not printed", row.name);
    }

    let mut imported = sources.clone();
    imported.documents = documents;
    let problems = described(&imported).problems;
    assert_eq!(problems, report.to_mend, "{}", row.name);
    for problem in &problems {
        let problem = problem.to_string();
        if !row.mend.iter().any(|part| problem.contains(part)) {
            wrong.push(format!("{}: fails with {problem}", row.name));
        }
    }
    for part in &row.mend {
        if !problems.iter().any(|one| one.to_string().contains(part)) {
            wrong.push(format!("{}: does not fail with {part}", row.name));
        }
    }
    if !row.unreviewed.is_empty() {
        let generation = generate(&imported).unwrap_or_else(|errors| panic!("{errors}"));
        let operations = generation.operations.iter();
        let left_out: Vec<String> = operations
            .filter(|one| imported.allowlist.standing(one) == ListingStatus::Unreviewed)
            .map(|one| one.operation.tool.clone())
            .collect();
        wrong.extend(differences(&row.name, &row.unreviewed, &left_out));
    }
    wrong
}

fn differences(name: &str, expected: &[String], found: &[String]) -> Vec<String> {
    let missing = expected.iter().filter(|line| !found.contains(line));
    let missing = missing.map(|line| format!("{name}: lacks {line:?}"));
    let more = found.iter().filter(|line| !expected.contains(line));
    missing
        .chain(more.map(|line| format!("{name}: tells {line:?}")))
        .collect()
}

fn edited(documents: &Documents, edits: &[Edit]) -> Documents {
    let all: Map<String, Value> = documents.clone().into_iter().collect();
    let mut all = Value::Object(all);
    for edit in edits {
        let (last, holders) = edit.at.split_last().expect("a path");
        let holder = holders
            .iter()
            .fold(&mut all, |value, step| inside(value, step));
        match (holder, edit) {
            (
                Value::Object(object),
                Edit {
                    set: Some(value), ..
                },
            ) => {
                object.insert(last.clone(), value.clone());
            }
            (Value::Object(object), Edit { key: Some(key), .. }) => {
                let value = object
                    .shift_remove(last)
                    .unwrap_or_else(|| panic!("no {last}"));
                object.insert(key.clone(), value);
            }
            (Value::Object(object), Edit { remove: true, .. }) => {
                object
                    .shift_remove(last)
                    .unwrap_or_else(|| panic!("no {last}"));
            }
            (Value::Array(items), Edit { remove: true, .. }) => {
                let before = items.len();
                items.retain(|item| !is_at(item, last));
                assert_eq!(items.len() + 1, before, "{last}");
            }
            (
                holder,
                Edit {
                    add: Some(value), ..
                },
            ) => match inside(holder, last) {
                Value::Array(items) => items.push(value.clone()),
                other => panic!("{last} is {other}"),
            },
            (holder, _) => panic!("{last} of {holder}"),
        }
    }
    match all {
        Value::Object(all) => all.into_iter().collect(),
        _ => Documents::new(),
    }
}

fn inside<'a>(value: &'a mut Value, step: &str) -> &'a mut Value {
    match value {
        Value::Object(object) => object.get_mut(step),
        Value::Array(items) => items.iter_mut().find(|item| is_at(item, step)),
        _ => None,
    }
    .unwrap_or_else(|| panic!("no {step}"))
}

fn is_at(item: &Value, step: &str) -> bool {
    item == step || item["name"] == step
}
