//! Numbers of HighLevel's documents for tests. They change with an import, and are in one file.

use serde_json::Value;

use crate::document::load::Sources;
use crate::generation::Generation;
use crate::v3::{SourceOperation, every_operation};

/// The path of the file, from the root of the repository.
pub const FILE: &str = "tests/snapshots/counts.toml";

/// Numbers by name, in the order of the file.
pub type DocumentCounts = Vec<(&'static str, usize)>;

/// The numbers of `sources` and of the tools made from them.
pub fn count(sources: &Sources, generation: &Generation) -> DocumentCounts {
    let catalogue = sources.v3.catalogue(&sources.documents, &mut Vec::new());
    let all = || every_operation(&sources.documents);
    let older: Vec<_> = all().filter(|one| !one.is_v3()).collect();
    let own: Vec<_> = all()
        .filter(|one| one.is_v3() && !catalogue.has_older(&one.key()))
        .collect();
    let silent = |operations: &[SourceOperation<'_>]| {
        let silent = operations.iter().filter(|one| !has_schema(one.operation));
        silent.count()
    };
    let tools = generation.operations.iter();
    let tools = tools.filter(|one| !one.operation.toolsets.is_empty());
    let empty = older.iter().chain(&own);
    vec![
        ("tools", tools.count()),
        ("operations", older.len()),
        ("operations_of_v3_alone", own.len()),
        ("undocumented_answers", silent(&older)),
        ("undocumented_answers_of_v3_alone", silent(&own)),
        (
            "answers_without_content",
            empty.filter(|one| !has_content(one.operation)).count(),
        ),
    ]
}

/// The text of the file.
pub fn text(counts: &DocumentCounts) -> String {
    let lines = counts
        .iter()
        .map(|(name, count)| format!("{name} = {count}\n"));
    let lines: String = lines.collect();
    format!(
        "# Numbers of HighLevel's documents that tests hold. Written by `codegen refresh`; review what changes.\n{lines}"
    )
}

fn successes(operation: &Value) -> impl Iterator<Item = &Value> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let successes = responses.filter(|(status, _)| status.starts_with('2'));
    successes.map(|(_, answer)| &answer["content"])
}

fn has_schema(operation: &Value) -> bool {
    successes(operation).any(|content| {
        let media = content.as_object().and_then(|media| media.values().next());
        media.is_some_and(|media| !media["schema"].is_null())
    })
}

fn has_content(operation: &Value) -> bool {
    let first = successes(operation).next();
    let content = first.and_then(Value::as_object);
    content.is_some_and(|content| !content.is_empty())
}
