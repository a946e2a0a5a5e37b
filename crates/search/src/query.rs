//! Parses a request in people's words: its clauses, whether each is a question or a command, its subject, and names.

use crate::words::{Word, cut};

/// The mood of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// A question.
    Ask,
    /// A command.
    Bid,
}

/// One intent of a request, or the whole.
#[derive(Debug)]
pub(crate) struct Clause {
    pub words: Vec<Word>,
    /// `None` if unclear.
    pub mood: Option<Mood>,
    /// The number of words of the subject; the words after it narrow it.
    pub head: usize,
    /// It is about several of a kind: `contacts with a tag`.
    pub is_plural: bool,
}

/// The knowledge of words that parsing a clause needs.
pub(crate) trait Vocabulary {
    /// The mood of the verb with which `words` begin.
    fn verb(&self, words: &[Word]) -> Option<Mood>;

    /// Whether `word` is a word of operations, or means one.
    fn is_known(&self, word: &Word) -> bool;
}

/// Words that begin a question, in stems.
const ASKING: &[&str] = &[
    "what", "who", "whose", "when", "where", "which", "whi", "how", "has", "have", "havent",
    "hasnt", "did", "didnt", "doe", "doesnt", "is", "isnt", "are", "was", "were", "am", "ani",
];

/// Words that separate two clauses if a verb follows, in stems.
const JOINTS: &[&str] = &["and", "then", "also", "plus"];

/// Words that begin the narrowing part of a request: `contacts with a tag`.
const NARROWING: &[&str] = &[
    "with", "without", "where", "whose", "that", "who", "which", "having", "missing", "sorted",
    "above", "over", "under", "below", "since",
];

/// Words of sentences, which a mere subject does not have: `the deal is lost`, not `lost deals`.
const TELLING: &[&str] = &[
    "is", "are", "was", "were", "am", "be", "been", "has", "have", "had", "do", "does", "did",
    "can", "could", "should", "would", "will", "wont", "cant", "dont", "didnt", "doesnt", "isnt",
    "arent", "wasnt", "hasnt", "havent", "couldnt", "wants", "want", "needs", "need", "wanted",
    "needed", "says", "said", "asked", "gets", "got", "i", "we", "he", "she", "they", "it", "you",
    "im", "ive", "ill",
];

/// Names that are nobody's, as agents write them with a capital: `get rid of that LinkedIn post`.
const BRANDS: &[&str] = &[
    "bluesky",
    "facebook",
    "gmail",
    "google",
    "instagram",
    "linkedin",
    "mailgun",
    "meta",
    "outlook",
    "paypal",
    "pinterest",
    "quickbooks",
    "saas",
    "shopify",
    "stripe",
    "threads",
    "tiktok",
    "twilio",
    "twitter",
    "whatsapp",
    "youtube",
    "zoom",
];

/// Verbs that are adjectives before a plural: `open deals`, `new leads`. So are those that end in `ed`.
const ADJECTIVES: &[&str] = &["new", "open", "active"];

/// Words for what is made of rows. They say nothing of what the rows are: `average deal size`.
const FIGURES: &[&str] = &[
    "average",
    "averages",
    "avg",
    "median",
    "percentage",
    "ratio",
    "per",
];

/// Words after which `mean` is an average: `mean invoice amount`, and not `what does it mean`.
const BEFORE_MEAN: &[&str] = &["the", "a", "our", "my", "by", "show", "get", "and"];

/// How far behind `number of` its plural stands: `number of brand new leads`.
const COUNTED: usize = 4;

/// Words of a subject that is looked for, as its last word: `contact export`.
const LISTED: &[&str] = &["list", "export", "overview", "count", "search"];

/// Plurals without an s.
const PLURALS: &[&str] = &["people", "men", "women", "children"];

/// Words before a verb that mean many: `bulk add`.
const MANY: &[&str] = &["bulk", "mass", "batch"];

/// A request as one clause, and its separate clauses if there are several.
pub(crate) fn clauses(text: &str, vocabulary: &impl Vocabulary) -> (Clause, Vec<Clause>) {
    let mut parts: Vec<Vec<Word>> = vec![Vec::new()];
    for piece in sentences(text).flat_map(|one| one.split_inclusive([',', ';', '?', '!', '\n'])) {
        let mut is_joint = true;
        let words = cut(piece);
        for (at, word) in words.iter().enumerate() {
            let rest = words.get(at..).unwrap_or_default();
            if is_joint && rest.len() > 1 && mood_of_verb(rest, vocabulary).is_some() {
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
    let clause = |words| clause(words, is_titled, vocabulary);
    (clause(whole), parts.into_iter().map(clause).collect())
}

/// Sentences end with a full stop before a space: `acme.com` is not an end.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ")
}

/// `is_titled`: most words of the request are capitalised, so a capital means nothing.
fn clause(mut words: Vec<Word>, is_titled: bool, vocabulary: &impl Vocabulary) -> Clause {
    for word in words.iter_mut().skip(1) {
        word.is_name = word.capital && !is_titled && !BRANDS.contains(&word.written.as_str());
    }
    for at in 0..words.len() {
        let is_figure = is_figure(&words, at, vocabulary);
        if let Some(word) = words.get_mut(at) {
            word.is_figure = is_figure;
        }
    }
    let head = head(&words, vocabulary);
    let about = words.get(..head).unwrap_or_default();
    let tells = |word: &Word| TELLING.contains(&word.written.as_str());
    // A figure is made of many, and so is a list.
    let is_listed =
        matches!(words.as_slice(), [_, .., last] if LISTED.contains(&last.stem.as_str()));
    let has_plural = is_listed
        || words.iter().any(|word| word.is_figure)
        || about.iter().any(|word| is_plural(word, vocabulary));
    let mood = match words.as_slice() {
        [first, ..] if ASKING.contains(&first.stem.as_str()) => Some(Mood::Ask),
        // `close rate` is a figure.
        [_, rate] if rate.is_figure => Some(Mood::Ask),
        _ => mood_of_verb(&words, vocabulary)
            .or_else(|| (has_plural && !about.iter().any(tells)).then_some(Mood::Ask)),
    };
    Clause {
        mood,
        head,
        is_plural: has_plural,
        words,
    }
}

/// Whether the word at `at` says what is made of rows: an average, a number of them, a rate.
fn is_figure(words: &[Word], at: usize, vocabulary: &impl Vocabulary) -> bool {
    let (before, rest) = words.split_at_checked(at).unwrap_or_default();
    let Some((word, after)) = rest.split_first() else {
        return false;
    };
    match word.written.as_str() {
        "mean" => {
            let last = before.last();
            last.is_none_or(|last| BEFORE_MEAN.contains(&last.written.as_str()))
        }
        "number" => match after.split_first() {
            Some((of, counted)) => {
                let is_counted = |word: &Word| is_plural(word, vocabulary);
                of.written == "of" && counted.iter().take(COUNTED).any(is_counted)
            }
            None => false,
        },
        "rate" | "rates" => {
            let ends = after.first().is_none_or(|next| next.written == "of");
            ends && before.iter().any(|word| !word.silent)
        }
        _ if before.last().is_some_and(|last| last.written == "per") => word.is_period(),
        written => FIGURES.contains(&written) || word.is_form(),
    }
}

/// The number of words before the narrowing ones: `contacts with a tag`, `leads assigned to me`.
fn head(words: &[Word], vocabulary: &impl Vocabulary) -> usize {
    let mut has_plural = false;
    for (at, word) in words.iter().enumerate() {
        let narrows = NARROWING.contains(&word.written.as_str())
            || has_plural && word.written.ends_with("ed");
        if at > 0 && narrows {
            return at;
        }
        has_plural = has_plural || is_plural(word, vocabulary);
    }
    words.len()
}

/// The mood of the verb with which `words` begin, unless it is an adjective there.
fn mood_of_verb(words: &[Word], vocabulary: &impl Vocabulary) -> Option<Mood> {
    if let Some((first, rest)) = words.split_first()
        && !rest.is_empty()
        && MANY.contains(&first.written.as_str())
    {
        return mood_of_verb(rest, vocabulary);
    }
    let mood = vocabulary.verb(words)?;
    let is_adjective = mood == Mood::Bid
        && words.split_first().is_some_and(|(first, rest)| {
            let named = rest.iter().take(2).take_while(|word| !word.silent);
            (ADJECTIVES.contains(&first.written.as_str()) || first.written.ends_with("ed"))
                && named.into_iter().any(|word| is_plural(word, vocabulary))
        });
    (!is_adjective).then_some(mood)
}

/// Whether a word is the plural of a subject of operations.
fn is_plural(word: &Word, vocabulary: &impl Vocabulary) -> bool {
    let written = word.written.as_str();
    PLURALS.contains(&written)
        || written.len() > 3
            && written.ends_with('s')
            && !word.stem.ends_with('s')
            && vocabulary.is_known(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Few;

    impl Vocabulary for Few {
        fn verb(&self, words: &[Word]) -> Option<Mood> {
            match words.first()?.written.as_str() {
                "find" => Some(Mood::Ask),
                "add" | "email" | "move" | "moved" | "open" => Some(Mood::Bid),
                _ => None,
            }
        }

        fn is_known(&self, word: &Word) -> bool {
            ["deal", "contact"].contains(&word.stem.as_str())
        }
    }

    #[test]
    fn a_request_falls_into_its_clauses() {
        fn check(request: &str, expected: &[&str]) {
            let (_, parts) = clauses(request, &Few);
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
        check("find Bo. What else", &["find bo", "what else"]);
        check("find the name and number of Bo", &[]);
        check("find acme.com", &[]);
        check("find Bo. Thanks!", &[]);
        check("", &[]);
    }

    #[test]
    fn a_clause_asks_or_bids() {
        fn check(request: &str, mood: Option<Mood>) {
            assert_eq!(clauses(request, &Few).0.mood, mood, "{request}");
        }
        check("who is coming", Some(Mood::Ask));
        check("find Ann", Some(Mood::Ask));
        check("add Ann", Some(Mood::Bid));
        check("bulk add contacts", Some(Mood::Bid));
        check("opening hours", None);
        check("the deal of Ann", None);
        // A mere subject is looked for.
        check("contacts with a tag", Some(Mood::Ask));
        check("open deals", Some(Mood::Ask));
        check("moved deals", Some(Mood::Ask));
        check("open a deal", Some(Mood::Bid));
        // Figures and lists are looked for.
        check("average deal", Some(Mood::Ask));
        check("contact list", Some(Mood::Ask));
        check("email rate", Some(Mood::Ask));
        check("list", None);
        check("the deals are lost", None);
        check("Ann with contacts", None);
    }

    #[test]
    fn the_head_of_a_request_ends_before_its_conditions() {
        fn check(request: &str, head: usize) {
            assert_eq!(clauses(request, &Few).0.head, head, "{request}");
        }
        check("contacts with a tag", 1);
        check("add a contact with tags", 3);
        check("contacts moved to Ann", 1);
        check("moved contacts", 2);
        check("who is coming", 3);
        check("with whom", 2);
    }

    #[test]
    fn figures_are_seen() {
        fn check(request: &str, figures: &[&str]) {
            let (whole, _) = clauses(request, &Few);
            let seen = whole.words.iter().filter(|word| word.is_figure);
            let seen: Vec<&str> = seen.map(|word| &*word.written).collect();
            assert_eq!(seen, figures, "{request}");
        }
        check(
            "average size of deals per month",
            &["average", "per", "month"],
        );
        check("mean amount", &["mean"]);
        check("what does it mean", &[]);
        check("number of new deals", &["number"]);
        check("number of Ann", &[]);
        check("phone number", &[]);
        check("deal rate", &["rate"]);
        check("rate a deal", &[]);
        check("csv of contacts", &["csv"]);
        check("deals of the month", &[]);
    }

    #[test]
    fn names_are_seen() {
        fn check(request: &str, names: &[&str]) {
            let (whole, _) = clauses(request, &Few);
            let named = whole.words.iter().filter(|word| word.is_name);
            let named: Vec<&str> = named.map(|word| &*word.written).collect();
            assert_eq!(named, names, "{request}");
        }
        check("Add Ann to the list", &["ann"]);
        check("Send SMS Message To Contact", &[]);
        check("find that deal", &[]);
        check("show Ann the LinkedIn post", &["ann"]);
    }
}
