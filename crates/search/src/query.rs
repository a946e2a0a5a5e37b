//! Reads a request as people write it: its clauses, whether each asks or bids, and whom it names.

use crate::words::{Word, cut};

/// What a clause wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// To know something.
    Ask,
    /// Something done.
    Bid,
    Unclear,
}

/// What a word does at the head of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Looks,
    Acts,
}

/// One intent of a request, or the whole.
#[derive(Debug)]
pub(crate) struct Clause {
    pub words: Vec<Word>,
    pub mood: Mood,
    /// Where its first word stands that says what is wanted.
    pub head: usize,
    /// Where something begins that is only told along.
    pub asides: Vec<usize>,
    /// It speaks of a weekday or of a time of day.
    pub has_time: bool,
}

/// Begin a question, in stems.
const ASKING: &[&str] = &[
    "what", "who", "whose", "when", "where", "which", "whi", "how", "has", "have", "havent",
    "hasnt", "did", "didnt", "doe", "doesnt", "is", "isnt", "are", "was", "were", "am", "ani",
];

/// Begin a question after `do`, in stems.
const ASKERS: &[&str] = &["we", "i", "you", "they"];

/// Stand before what a request wants.
const PREFACE: &[&str] = &[
    "please", "hey", "hi", "hello", "ok", "okay", "so", "and", "then", "also", "just", "can",
    "could", "would", "will", "you", "u", "i", "we", "want", "need", "to", "id", "lets", "now",
];

/// Part two clauses where a verb or a question follows, in stems.
const JOINTS: &[&str] = &["and", "then", "also", "plus"];

/// Follow a verb that bids, and part it from a noun of the same spelling, in stems.
const OBJECTS: &[&str] = &[
    "a",
    "an",
    "the",
    "that",
    "this",
    "these",
    "those",
    "it",
    "him",
    "her",
    "them",
    "his",
    "their",
    "my",
    "our",
    "your",
    "me",
    "us",
    "everyon",
    "everybodi",
    "all",
    "ani",
    "someon",
    "anoth",
    "to",
    "down",
    "up",
    "off",
    "in",
    "out",
    "back",
    "what",
    "who",
    "whether",
];

/// Stand as the subject of what follows `that`, in stems.
const SUBJECTS: &[&str] = &[
    "i", "he", "she", "it", "we", "they", "you", "the", "our", "his", "her", "their", "my",
    "there", "a",
];

/// Say that somebody is named by the word that follows.
const TITLES: &[&str] = &["mr", "mrs", "ms", "miss", "dr"];

/// Begin with a capital and name nobody, in stems.
const NOBODY: &[&str] = &[
    "facebook",
    "googl",
    "instagram",
    "insta",
    "linkedin",
    "tiktok",
    "twitter",
    "whatsapp",
    "youtub",
    "pinterest",
    "stripe",
    "meta",
    "messeng",
    "zoom",
    "i",
    "english",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "januari",
    "februari",
    "april",
    "june",
    "juli",
    "septemb",
    "octob",
    "novemb",
    "decemb",
];

/// Weekdays and times of day, in stems.
const TIMES: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "tues",
    "wed",
    "thu",
    "thur",
    "fri",
    "sat",
    "noon",
    "midday",
    "morn",
    "afternoon",
    "oclock",
    "clock",
    "lunchtim",
];

/// A request as one clause, and the clauses it falls into where there are several. `verb` says what
/// the beginning of some words does at the head of a clause.
pub(crate) fn clauses(text: &str, verb: impl Fn(&[Word]) -> Option<Verb>) -> (Clause, Vec<Clause>) {
    let mut parts: Vec<Vec<Word>> = vec![Vec::new()];
    for piece in text.split_inclusive([',', ';', '.', '?', '!', '\n']) {
        let mut before: Option<Word> = None;
        let words = cut(piece);
        for (at, word) in words.iter().enumerate() {
            let is_joint = before.is_none_or(|word| JOINTS.contains(&word.stem.as_str()));
            if is_joint && opens(words.get(at..).unwrap_or_default(), &verb) {
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                part.push(word.clone());
            }
            before = Some(word.clone());
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

/// Whether a clause begins with `rest`: it asks, or a verb stands before its object.
fn opens(rest: &[Word], verb: &impl Fn(&[Word]) -> Option<Verb>) -> bool {
    let [first, second, ..] = rest else {
        return false;
    };
    let asks = ASKING.contains(&first.stem.as_str()) && first.stem != "ani";
    let is_object = second.capital || OBJECTS.contains(&second.stem.as_str());
    asks || is_object && verb(rest).is_some()
}

/// `is_titled`: most words of the request begin with a capital, which then says nothing.
fn clause(
    mut words: Vec<Word>,
    is_titled: bool,
    verb: &impl Fn(&[Word]) -> Option<Verb>,
) -> Clause {
    let mut before = String::new();
    let mut asides = Vec::new();
    for (at, word) in words.iter_mut().enumerate() {
        let is_titled = is_titled || before.is_empty();
        word.is_name = word.owns && !word.silent
            || TITLES.contains(&before.as_str())
            || !is_titled && word.capital && !NOBODY.contains(&word.stem.as_str());
        let is_aside = match before.as_str() {
            "that" => SUBJECTS.contains(&word.stem.as_str()),
            "say" | "becaus" | "know" => at > 1,
            _ => false,
        };
        if is_aside {
            asides.push(at);
        }
        before.clone_from(&word.stem);
    }
    let stands_before = |word: &Word| PREFACE.contains(&word.written.as_str());
    let head = words.iter().take_while(|word| stands_before(word)).count();
    Clause {
        mood: mood(words.get(head..).unwrap_or_default(), verb),
        has_time: words.iter().any(is_time),
        words,
        head,
        asides,
    }
}

/// A weekday, or such as `4pm`.
fn is_time(word: &Word) -> bool {
    let hour = word.written.strip_suffix("am");
    let hour = hour.or_else(|| word.written.strip_suffix("pm"));
    let is_hour = |hour: &str| hour.parse::<u8>().is_ok();
    TIMES.contains(&word.stem.as_str()) || hour.is_some_and(is_hour)
}

fn mood(words: &[Word], verb: &impl Fn(&[Word]) -> Option<Verb>) -> Mood {
    let is_one_of = |at: usize, all: &[&str]| {
        let word = words.get(at);
        word.is_some_and(|word| all.contains(&word.stem.as_str()))
    };
    if is_one_of(0, ASKING) || is_one_of(0, &["do"]) && is_one_of(1, ASKERS) {
        return Mood::Ask;
    }
    match verb(words) {
        Some(Verb::Looks) => Mood::Ask,
        Some(Verb::Acts) => Mood::Bid,
        None => Mood::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(words: &[Word]) -> Option<Verb> {
        match words.first()?.written.as_str() {
            "find" => Some(Verb::Looks),
            "add" | "email" | "move" => Some(Verb::Acts),
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
        // Nouns that could be verbs part nothing.
        check("find the name and email of Bo", &[]);
        check("find Bo. Thanks!", &[]);
        check("", &[]);
    }

    #[test]
    fn a_clause_asks_or_bids() {
        fn check(request: &str, mood: Mood) {
            assert_eq!(clauses(request, verb).0.mood, mood, "{request}");
        }
        check("who is coming", Mood::Ask);
        check("do we know Ann", Mood::Ask);
        check("do a flyer", Mood::Unclear);
        check("could you please find Ann", Mood::Ask);
        check("please add Ann", Mood::Bid);
        check("opening hours", Mood::Unclear);
    }

    #[test]
    fn names_and_what_is_told_along_are_seen() {
        fn check(request: &str, names: &[&str], asides: &[usize]) {
            let (whole, _) = clauses(request, verb);
            let named = whole.words.iter().filter(|word| word.is_name);
            let named: Vec<&str> = named.map(|word| &*word.written).collect();
            assert_eq!((named.as_slice(), whole.asides.as_slice()), (names, asides));
        }
        check("add Ann to Facebook", &["ann"], &[]);
        check("Send SMS Message To Contact", &[], &[]);
        check("move mr kent", &["kent"], &[]);
        check("find gill's number", &["gill"], &[]);
        check("tell Bo that we are late", &["bo"], &[3]);
        check("find that deal", &[], &[]);
    }

    #[test]
    fn times_are_seen() {
        fn check(request: &str, has_time: bool) {
            assert_eq!(clauses(request, verb).0.has_time, has_time, "{request}");
        }
        check("move it to Fridays", true);
        check("who comes at 4pm", true);
        check("am I on the team", false);
    }
}
