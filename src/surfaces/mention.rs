//! Tools that texts mention: by name if an endpoint has them, otherwise by title.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value;

use super::Endpoint;
use super::toolset::Toolset;
use crate::catalog::TOOLS;
use tool::Tool;

/// For each tool, the tools that its texts mention.
static MENTIONS: LazyLock<Vec<Vec<&'static Tool>>> = LazyLock::new(|| {
    let texts = TOOLS.iter().map(|tool| {
        let mut named: Vec<&Tool> = Vec::new();
        for text in [tool.description, tool.advertised_schema] {
            for other in words(text).filter_map(Toolset::find) {
                let is_known = named.iter().any(|known| known.name == other.name);
                if other.name != tool.name && !is_known {
                    named.push(other);
                }
            }
        }
        named.extend(tool.replaced_by.and_then(Toolset::find));
        named
    });
    texts.collect()
});

/// The tools mentioned in the texts of `tool` that `endpoint` neither lists nor runs.
pub fn unserved(endpoint: &Endpoint, tool: &Tool) -> Vec<&'static Tool> {
    let place = TOOLS.binary_search_by(|one| one.name.cmp(tool.name)).ok();
    let named = place.and_then(|place| MENTIONS.get(place));
    let named = named.into_iter().flatten().copied();
    named.filter(|named| !endpoint.has(named)).collect()
}

/// The text of a failed answer, without names of tools that `endpoint` lacks.
pub fn remedied(endpoint: &Endpoint, text: String) -> String {
    let named = words(&text).filter_map(Toolset::find);
    let unserved: Vec<&Tool> = named.filter(|tool| !endpoint.has(tool)).collect();
    if unserved.is_empty() {
        return text;
    }
    let Ok(mut answer) = serde_json::from_str(&text) else {
        return text;
    };
    match change_remedies(&mut answer, &unserved) {
        true => answer.to_string(),
        false => text,
    }
}

/// Changes the remedies of all failures in an answer: a batch has several, and an envelope one inside.
fn change_remedies(answer: &mut Value, unserved: &[&Tool]) -> bool {
    let mut has_changed = false;
    if let (Some(_), Some(remedy)) = (answer.get("class"), answer.get("remedy")) {
        let changed = with_titles(remedy.as_str().unwrap_or_default(), unserved);
        if let Cow::Owned(changed) = changed {
            answer["remedy"] = changed.into();
            has_changed = true;
        }
    }
    let inside: Vec<&mut Value> = match answer {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for inner in inside {
        has_changed |= change_remedies(inner, unserved);
    }
    has_changed
}

/// `text` with the titles of `unserved` instead of their names.
pub fn with_titles<'t>(text: &'t str, unserved: &[&Tool]) -> Cow<'t, str> {
    let mut changed = Cow::Borrowed(text);
    // One name may be the beginning of another, so only whole words are compared, the longest first.
    for word in words(text) {
        if let Some(tool) = unserved.iter().find(|tool| tool.is_called(word)) {
            changed = Cow::Owned(replace_word(&changed, word, &format!("\"{}\"", tool.title)));
        }
    }
    changed
}

/// The words of `text` that may be names of tools.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !is_of_name(letter));
    words.filter(|word| word.contains('_'))
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn replace_word(text: &str, word: &str, with: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(word) {
        let (before, found) = rest.split_at(start);
        let after = found.strip_prefix(word).unwrap_or_default();
        let is_whole = !before.ends_with(is_of_name) && !after.starts_with(is_of_name);
        out.push_str(before);
        out.push_str(if is_whole { with } else { word });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_replace_only_whole_names() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let stranger = Toolset::find("contacts_get-contact").expect("a tool");
            assert_eq!(with_titles(text, &[stranger]), expected);
        }
        check("Use contacts_get-contact.", "Use \"Get contact\".");
        check(
            "contacts_get-contacts, contacts_get-contact",
            "contacts_get-contacts, \"Get contact\"",
        );
        check("nothing of it", "nothing of it");
    }
}
