//! The effects of new documents on users of the tools, tool by tool.

mod compare;
mod fields;
mod pairs;
mod report;
mod signature;

use std::collections::BTreeSet;

use crate::document::load::Sources;
use crate::pipeline::{Documents, described};
use compare::{compare, file};
use pairs::{OperationPair, pairs};
pub use report::{Change, DiffReport, Mark};
use signature::{OperationSignature, faces};

/// Compares the documents of `sources` with `new` ones, under the same annotations.
pub fn report(sources: &Sources, new: &Documents) -> DiffReport {
    let old = faces(sources, &described(sources));
    let mut after = sources.clone();
    after.documents.clone_from(new);
    let described_after = described(&after);
    let mut new = faces(&after, &described_after);
    // Renamed operations are compared under their present table, as if that were renamed already.
    if carry_tables(&mut after, &pairs(&old, &new)) {
        new = faces(&after, &described(&after));
    }
    let mut report = DiffReport {
        documents: documents(&sources.documents, &after.documents),
        changes: Vec::new(),
        to_mend: described_after.problems,
    };
    let pairs = pairs(&old, &new);
    let gone: BTreeSet<&str> = pairs
        .iter()
        .filter_map(|pair| match pair {
            (Some(old), None) if !old.is_v3_variant => Some(old.tool.as_str()),
            _ => None,
        })
        .collect();
    for pair in &pairs {
        tell(pair, &pairs, &gone, &mut report.changes);
    }
    // A stable sort keeps the order of one tool's changes.
    report
        .changes
        .sort_by(|one, other| (&one.tool, one.under_v3).cmp(&(&other.tool, other.under_v3)));
    report
}

/// Gives operations of a new id or document their earlier table. Returns whether there were any.
fn carry_tables(after: &mut Sources, pairs: &[OperationPair<'_>]) -> bool {
    let mut carried = false;
    for pair in pairs {
        let (Some(old), Some(new)) = *pair else {
            continue;
        };
        if old.is_v3_variant || new.is_v3_variant || !old.known || new.known {
            continue;
        }
        let tables = after.annotations.get(&old.document);
        let table = tables.and_then(|tables| tables.get(&old.operation_id));
        if let Some(table) = table.cloned() {
            let tables = after.annotations.entry(new.document.clone()).or_default();
            tables.insert(new.operation_id.clone(), table);
            carried = true;
        }
    }
    carried
}

fn documents(old: &Documents, new: &Documents) -> Vec<String> {
    let stems: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let told = |stem: &&String| match (old.get(*stem), new.get(*stem)) {
        (Some(_), None) => Some(format!("{stem} is gone")),
        (None, Some(_)) => Some(format!("{stem} is new")),
        _ => None,
    };
    stems.iter().filter_map(told).collect()
}

fn tell(
    pair: &OperationPair<'_>,
    pairs: &[OperationPair<'_>],
    gone: &BTreeSet<&str>,
    changes: &mut Vec<Change>,
) {
    let mut add = |face: &OperationSignature, under_v3: bool, mark: Mark, what: String| {
        changes.push(Change {
            tool: face.tool.clone(),
            place: face.place(),
            listed: face.listed,
            under_v3,
            mark,
            what,
        });
    };
    let is_elsewhere = |face: &OperationSignature| {
        let holds =
            |one: Option<&OperationSignature>| one.is_some_and(|one| std::ptr::eq(one, face));
        let times = pairs.iter().filter(|(old, new)| holds(*old) || holds(*new));
        times.count() > 1
    };
    match *pair {
        (Some(old), Some(new)) if old.is_v3_variant == new.is_v3_variant => {
            compare(old, new, |mark, what| {
                add(old, old.is_v3_variant, mark, what)
            });
        }
        // Its tool is reported as a whole already.
        (Some(old), Some(new)) if is_elsewhere(old) || is_elsewhere(new) => {}
        (Some(old), Some(new)) if old.is_v3_variant => {
            let what = format!(
                "no longer a variant: {} of {} is at a path without an older operation; if it is the same, add it to \
                 [successors] of openapi/v3.toml",
                new.place(),
                new.source
            );
            add(old, true, Mark::Tells, what);
        }
        (Some(old), Some(new)) => {
            let what = format!("renamed to {}: it is its v3 variant now", new.tool);
            add(old, false, Mark::Breaks, what);
        }
        (Some(old), None) if old.is_v3_variant => {
            if !gone.contains(old.tool.as_str()) {
                let what = "gone: the older operation is sent".to_owned();
                add(old, true, Mark::Tells, what);
            }
        }
        (Some(old), None) => {
            let mark = if old.listed {
                Mark::Breaks
            } else {
                Mark::Tells
            };
            add(old, false, mark, "gone".to_owned());
        }
        (None, Some(new)) if new.is_v3_variant => {
            let what = format!("new variant: {} of {}", new.place(), new.source);
            add(new, true, Mark::Tells, what);
        }
        (None, Some(new)) => {
            come(new, &mut add);
            let mut before = pairs.iter().filter_map(|(old, _)| *old);
            if new.known && before.any(|old| old.tool == new.tool && !old.is_v3_variant) {
                let what = format!(
                    "effect unreviewed: its table in {} is that of another operation",
                    file(&new.document)
                );
                add(new, false, Mark::Review, what);
            }
        }
        (None, None) => {}
    }
}

fn come(new: &OperationSignature, add: &mut impl FnMut(&OperationSignature, bool, Mark, String)) {
    add(new, false, Mark::Tells, format!("new: {}", new.place()));
    if !new.known {
        let id = &new.operation_id;
        let what = format!(
            "effect unreviewed: {} has no table [{id}]; left out until there is one",
            file(&new.document)
        );
        add(new, false, Mark::Review, what);
    }
}

#[cfg(test)]
mod tests;
