//! Reads a request as people write it: its clauses, whether each asks or bids, and whom it names.

use crate::words::{Word, cut};

/// What a clause wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// To know something.
    Ask,
    /// Something done.
    Bid,
}

/// One intent of a request, or the whole.
#[derive(Debug)]
pub(crate) struct Clause {
    pub words: Vec<Word>,
    /// `None` where it is unclear.
    pub mood: Option<Mood>,
}

/// Begin a question, in stems.
const ASKING: &[&str] = &[
    "what", "who", "whose", "when", "where", "which", "whi", "how", "has", "have", "havent",
    "hasnt", "did", "didnt", "doe", "doesnt", "is", "isnt", "are", "was", "were", "am", "ani",
];

/// Part two clauses where a verb follows, in stems.
const JOINTS: &[&str] = &["and", "then", "also", "plus"];

/// A request as one clause, and the clauses it falls into where there are several. `verb` says what
/// the verb wants that some words begin with.
pub(crate) fn clauses(text: &str, verb: impl Fn(&[Word]) -> Option<Mood>) -> (Clause, Vec<Clause>) {
    let mut parts: Vec<Vec<Word>> = vec![Vec::new()];
    for piece in text.split_inclusive([',', ';', '.', '?', '!', '\n']) {
        let mut is_joint = true;
        let words = cut(piece);
        for (at, word) in words.iter().enumerate() {
            let rest = words.get(at..).unwrap_or_default();
            if is_joint && rest.len() > 1 && verb(rest).is_some() {
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                part.push(word.clone());
            }
            is_joint = JOINTS.contains(&word.stem.as_str());
        }
        if !piece.ends_with(',') {
            parts.push(Vec::new());
        }
    }
    parts.retain(|part| part.iter().any(|word| !word.silent));
    if parts.len() < 2 {
        parts.clear();
    }
    let whole = cut(text);
    let is_titled = whole.iter().filter(|word| word.capital).count() * 2 > whole.len();
    let clause = |words| clause(words, is_titled, &verb);
    (clause(whole), parts.into_iter().map(clause).collect())
}

/// `is_titled`: most words of the request begin with a capital, which then says nothing.
fn clause(
    mut words: Vec<Word>,
    is_titled: bool,
    verb: &impl Fn(&[Word]) -> Option<Mood>,
) -> Clause {
    for word in words.iter_mut().skip(1) {
        word.is_name = word.capital && !is_titled;
    }
    let first = words.first();
    let mood = if first.is_some_and(|word| ASKING.contains(&word.stem.as_str())) {
        Some(Mood::Ask)
    } else {
        verb(&words)
    };
    Clause { words, mood }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(words: &[Word]) -> Option<Mood> {
        match words.first()?.written.as_str() {
            "find" => Some(Mood::Ask),
            "add" | "email" | "move" => Some(Mood::Bid),
            _ => None,
        }
    }

    #[test]
    fn a_request_falls_into_its_clauses() {
        fn check(request: &str, expected: &[&str]) {
            let (_, parts) = clauses(request, verb);
            let texts: Vec<String> = parts
                .iter()
                .map(|part| {
                    let words: Vec<&str> = part.words.iter().map(|word| &*word.written).collect();
                    words.join(" ")
                })
                .collect();
            assert_eq!(texts, expected, "{request}");
        }
        check("add Ann and email her", &["add ann and", "email her"]);
        check("find Bo, then move him", &["find bo then", "move him"]);
        check("find Bo; what else", &["find bo", "what else"]);
        check("find the name and number of Bo", &[]);
        check("find Bo. Thanks!", &[]);
        check("", &[]);
    }

    #[test]
    fn a_clause_asks_or_bids() {
        fn check(request: &str, mood: Option<Mood>) {
            assert_eq!(clauses(request, verb).0.mood, mood, "{request}");
        }
        check("who is coming", Some(Mood::Ask));
        check("find Ann", Some(Mood::Ask));
        check("add Ann", Some(Mood::Bid));
        check("opening hours", None);
    }

    #[test]
    fn names_are_seen() {
        fn check(request: &str, names: &[&str]) {
            let (whole, _) = clauses(request, verb);
            let named = whole.words.iter().filter(|word| word.is_name);
            let named: Vec<&str> = named.map(|word| &*word.written).collect();
            assert_eq!(named, names, "{request}");
        }
        check("Add Ann to the list", &["ann"]);
        check("Send SMS Message To Contact", &[]);
        check("find that deal", &[]);
    }
}
