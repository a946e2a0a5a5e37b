//! Compares two signatures of one operation.

use std::collections::BTreeMap;

use super::Mark;
use super::fields;
use super::signature::OperationSignature;
use crate::model::answer::Documentation;
use tool::Media;

/// Reports every change from `old` to `new`.
pub(super) fn compare(
    old: &OperationSignature,
    new: &OperationSignature,
    mut tell: impl FnMut(Mark, String),
) {
    identity(old, new, &mut tell);
    facts(old, new, &mut tell);
    fields::compare(&old.arguments, &new.arguments, &mut tell);
    texts(old, new, &mut tell);
    answer(old, new, &mut tell);
}

/// A text stays under the old name of its argument. If v3 still has that name, nothing else reports this.
fn texts(old: &OperationSignature, new: &OperationSignature, tell: &mut impl FnMut(Mark, String)) {
    if old.is_v3_variant {
        return;
    }
    for (before, now) in fields::new_names(&old.arguments, &new.arguments) {
        if old.texts.contains(before) && !new.texts.contains(now) {
            let file = file(&new.document);
            let what = format!("argument {now} has no text: move the text of {before} in {file}");
            tell(Mark::Tells, what);
        }
    }
}

fn identity(
    old: &OperationSignature,
    new: &OperationSignature,
    tell: &mut impl FnMut(Mark, String),
) {
    match (old.is_v3(), new.is_v3()) {
        (false, true) => tell(Mark::Tells, "only v3 has it now: sent as v3".to_owned()),
        (true, false) => tell(
            Mark::Tells,
            "the older documents have it now: sent in the older form unless v3 is preferred"
                .to_owned(),
        ),
        _ => {}
    }
    // Users never see the id of a variant: the tool has the older one's name.
    if old.operation_id != new.operation_id && !old.is_v3_variant {
        let ids = format!(
            "operationId {} is {} now",
            old.operation_id, new.operation_id
        );
        if old.tool == new.tool {
            tell(Mark::Tells, format!("{ids}; the tool keeps its name"));
        } else {
            tell(Mark::Breaks, format!("renamed to {}: {ids}", new.tool));
        }
    } else if old.tool != new.tool && !old.is_v3_variant {
        let documents = format!("document {} is {} now", old.document, new.document);
        tell(
            Mark::Breaks,
            format!("renamed to {}: {documents}", new.tool),
        );
    }
    if old.key == new.key {
        return;
    }
    if old.method != new.method {
        let what = format!("method changed from {} to {}", old.method, new.method);
        tell(Mark::Tells, what);
    }
    if old.key.split_once(' ').map(|(_, path)| path)
        != new.key.split_once(' ').map(|(_, path)| path)
    {
        let what = format!("path moved from {} to {}", old.path, new.path);
        tell(Mark::Tells, what);
    }
    if old.known && !old.is_v3_variant {
        tell(
            Mark::Review,
            format!(
                "effect unreviewed: its table in {} was reviewed for {}",
                file(&old.document),
                old.place()
            ),
        );
    }
}

/// The annotations file of a document.
pub(super) fn file(document: &str) -> String {
    format!("openapi/tools/{document}.toml")
}

fn facts(old: &OperationSignature, new: &OperationSignature, tell: &mut impl FnMut(Mark, String)) {
    if old.version != new.version {
        let what = format!("Version changed from {} to {}", old.version, new.version);
        tell(Mark::Tells, what);
    }
    if old.scopes != new.scopes {
        // A token with the old scopes may lack a new one, but does not need a removed one.
        let more = new.scopes.iter().any(|scope| !old.scopes.contains(scope));
        let (old, new) = (scopes(&old.scopes), scopes(&new.scopes));
        let mark = if more { Mark::Breaks } else { Mark::Tells };
        tell(mark, format!("scopes changed from {old} to {new}"));
    }
    if old.token != new.token {
        let (old, new) = (words(old.token), words(new.token));
        let mark = if new == "either" || new == "unknown" {
            Mark::Tells
        } else {
            Mark::Breaks
        };
        tell(mark, format!("token changed from {old} to {new}"));
    }
    match (old.media, new.media) {
        (Some(_), None) => tell(
            Mark::Breaks,
            "its body is of a media type that is not encoded".to_owned(),
        ),
        (old, new) if old != new => {
            let what = format!("media type changed from {} to {}", media(old), media(new));
            tell(Mark::Tells, what);
        }
        _ => {}
    }
    match (old.deprecated, new.deprecated) {
        (false, true) => tell(Mark::Tells, "deprecated now".to_owned()),
        (true, false) => tell(Mark::Tells, "no longer deprecated".to_owned()),
        _ => {}
    }
}

fn scopes(scopes: &[String]) -> String {
    if scopes.is_empty() {
        "none".to_owned()
    } else {
        scopes.join(", ")
    }
}

fn words(token: tool::TokenClass) -> String {
    format!("{token:?}").to_lowercase()
}

fn media(media: Option<Media>) -> &'static str {
    match media {
        Some(Media::Json) => "JSON",
        Some(Media::Form) => "a form",
        Some(Media::Multipart) => "multipart",
        None => "one that is not encoded",
    }
}

fn answer(old: &OperationSignature, new: &OperationSignature, tell: &mut impl FnMut(Mark, String)) {
    let is_lost = |place: &(&'static str, String)| {
        let before = old.named.get(place);
        before.is_some_and(|before| *before != Documentation::No)
            && new.named.get(place) == Some(&Documentation::No)
    };
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, path) in new.named.keys().filter(|place| is_lost(place)) {
        told.entry(path).or_default().push(key);
    }
    for (path, keys) in &told {
        let keys = keys.join(", ");
        let what = format!("answer no longer has {path:?}, which its table names ({keys})");
        tell(Mark::Breaks, what);
    }
    let rows_went = told.values().flatten().any(|key| *key == "paging.rows");
    if rows_went {
        return;
    }
    for name in new.row.difference(&old.row) {
        tell(Mark::Tells, format!("answer also has {name}"));
    }
    let gone = old.row.difference(&new.row);
    for name in gone.filter(|name| !told.contains_key(name.as_str())) {
        tell(Mark::Tells, format!("answer no longer has {name}"));
    }
}
