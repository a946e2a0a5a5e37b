//! Missing or faulty annotations of one operation that search, paging and projection need.

use std::collections::BTreeSet;

use crate::annotations::OperationAnnotations;
use crate::model::answer::{Documentation, DocumentedAnswer};
use crate::model::operation::Operation;
use tool::PagingStyle;

/// The allowed number of search phrases of an operation.
const PHRASES: std::ops::RangeInclusive<usize> = 5..=30;

/// Most fields of a projected row.
const MOST_FIELDS: usize = 10;

/// Everything that is missing: the key, the fault, the remedy.
pub(super) fn missing(
    operation: &Operation,
    known: &OperationAnnotations,
    answer: &DocumentedAnswer,
) -> Vec<(String, String, &'static str)> {
    let mut gaps = Vec::new();
    let mut gap = |key: &str, what: String, remedy| gaps.push((key.to_owned(), what, remedy));
    if !PHRASES.contains(&known.phrases.len()) {
        let what = format!("are {}, not 5 to 30", known.phrases.len());
        gap("phrases", what, "write them");
    }
    let mut seen = BTreeSet::from([words_only(&known.title)]);
    for phrase in &known.phrases {
        if !seen.insert(words_only(phrase)) {
            let what = format!("repeat {phrase:?}, which is the title or another phrase");
            gap("phrases", what, "write it in other words");
        }
    }
    match &known.summary_fields {
        None => gap(
            "summary_fields",
            "are not given".to_owned(),
            "name the few that matter most, or []",
        ),
        Some(fields) if fields.len() > MOST_FIELDS => {
            gap(
                "summary_fields",
                format!("are {}, over 10", fields.len()),
                "keep those that matter most",
            );
        }
        Some(fields) => {
            for field in fields {
                if answer.row_holds(field) == Documentation::No {
                    let what = format!("name {field}, which the documented answer does not have");
                    gap(
                        "summary_fields",
                        what,
                        "correct it, or repair the document in openapi/repairs",
                    );
                }
            }
        }
    }
    let paging = &operation.paging;
    let deep = paging.deep.iter();
    let arguments = paging.position.iter().chain(paging.next.keys());
    let arguments = arguments.chain(deep.clone().map(|deep| &deep.argument));
    for argument in arguments.chain(&paging.page_size) {
        if !operation.arguments.iter().any(|one| one.name == *argument) {
            gap(
                "paging",
                format!("names {argument}, which is not an argument"),
                "correct it",
            );
        }
    }
    let paths = paging.rows.iter().chain(paging.next.values());
    for path in paths.chain(&paging.more).chain(&paging.total) {
        if answer.holds(path) == Documentation::No {
            let what = format!("names {path}, which the documented answer does not have");
            gap(
                "paging",
                what,
                "correct it, or repair the document in openapi/repairs",
            );
        }
    }
    for (key, names) in [
        ("at_least_one", &known.at_least_one),
        ("at_most_one", &known.at_most_one),
        ("first", &known.first),
    ] {
        for name in names {
            if !operation.arguments.iter().any(|one| one.name == *name) {
                gap(
                    key,
                    format!("names {name}, which is not an argument"),
                    "correct it",
                );
            }
        }
    }
    for member in deep.flat_map(|deep| &deep.members) {
        if answer.row_holds(member) == Documentation::No {
            let what = format!("names {member}, which the documented row does not have");
            gap(
                "paging",
                what,
                "correct it, or repair the document in openapi/repairs",
            );
        }
    }
    if let Some(back) = &known.read_back {
        let has = |name: &String| operation.arguments.iter().any(|one| one.name == *name);
        let sent = has(&back.sent) && back.texts.iter().all(has);
        if !sent || answer.holds(&back.found) == Documentation::No {
            let what = "names no argument, or what the documented answer does not have".to_owned();
            gap("read_back", what, "correct it");
        }
    }
    let complete = match paging.style {
        PagingStyle::None | PagingStyle::Window => true,
        PagingStyle::Page | PagingStyle::Offset => paging.position.is_some(),
        PagingStyle::Cursor | PagingStyle::LastId => !paging.next.is_empty(),
    };
    if !complete {
        let what = "does not say which argument leads to the next page".to_owned();
        gap(
            "paging",
            what,
            "give position (page, offset) or next (cursor, last-id)",
        );
    }
    gaps
}

/// Letters and digits of a text, in lower case.
fn words_only(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
