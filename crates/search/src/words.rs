//! Splits text into words: lower case, stemmed, with stop words marked.

use rust_stemmers::{Algorithm, Stemmer};

/// Words of any request, which distinguish no operations.
const SILENT: &[&str] = &[
    "a",
    "an",
    "the",
    "of",
    "for",
    "to",
    "in",
    "on",
    "at",
    "by",
    "with",
    "from",
    "and",
    "or",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "it",
    "its",
    "this",
    "that",
    "these",
    "those",
    "i",
    "me",
    "my",
    "we",
    "us",
    "our",
    "you",
    "your",
    "he",
    "she",
    "him",
    "her",
    "his",
    "they",
    "them",
    "their",
    "do",
    "does",
    "did",
    "have",
    "has",
    "had",
    "can",
    "could",
    "should",
    "would",
    "will",
    "please",
    "what",
    "which",
    "who",
    "how",
    "there",
    "so",
    "as",
    "into",
    "about",
    "up",
    "s",
    "t",
    "re",
    "now",
    "am",
    "if",
    "then",
    "than",
    "but",
    "just",
    "also",
    "too",
    "some",
    "any",
    "got",
    "im",
    "ive",
    "ill",
    "whats",
    "whos",
    "lets",
    "dont",
    "didnt",
    "doesnt",
    "isnt",
    "arent",
    "wasnt",
    "hasnt",
    "havent",
    "cant",
    "cannot",
    "couldnt",
    "wont",
    "wouldnt",
    "hey",
    "hi",
    "hello",
    "thanks",
    "ok",
    "okay",
    "want",
    "need",
    "needs",
    "really",
    "yet",
    "still",
    "each",
    "every",
    "everyone",
    "everything",
    "anyone",
    "anything",
    "again",
    "last",
    "next",
    "today",
    "tomorrow",
    "yesterday",
    "week",
    "quick",
];

/// Names that are one word despite an inner capital.
const JOINED: &[&str] = &[
    "whatsapp", "linkedin", "tiktok", "youtube", "imessage", "paypal",
];

/// Words after which `'s` means `is`, with or without the apostrophe.
const ASKED: &[&str] = &["who", "what", "where", "when", "how"];

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As written, in lower case.
    pub written: String,
    pub stem: String,
    /// It does not distinguish operations.
    pub silent: bool,
    /// Its first letter is a capital, and the others are not.
    pub capital: bool,
    /// It is somebody's name; `cut` does not set this.
    pub is_name: bool,
    /// It says what is made of rows, and not of which: `average deal size`. `cut` does not set this.
    pub is_figure: bool,
}

/// Words that say when, beside clock times such as `3pm`.
const TIMES: &[&str] = &[
    "noon",
    "tomorrow",
    "tonight",
    "oclock",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Periods, in stems. With `per` and `each` they are figures, and alone the time of anything.
const PERIODS: &[&str] = &[
    "hour", "day", "daili", "week", "weekly", "month", "monthli", "quarter", "year", "yearli",
];

/// Words for the form of rows, which say nothing of what the rows are: `csv of customers`.
const FORMS: &[&str] = &["csv", "spreadsheet", "excel", "xlsx", "export"];

impl Word {
    /// It is the form of rows.
    pub(crate) fn is_form(&self) -> bool {
        FORMS.contains(&self.written.as_str())
    }

    /// It is a period, or says when: the time of any request.
    pub(crate) fn is_period(&self) -> bool {
        self.is_time() || PERIODS.contains(&self.stem.as_str())
    }

    /// It is a time of day, a weekday or the next day.
    pub(crate) fn is_time(&self) -> bool {
        let written = self.written.as_str();
        let hour = ["am", "pm"]
            .iter()
            .find_map(|half| written.strip_suffix(half));
        let is_clock = hour.is_some_and(|hour| {
            (1..=4).contains(&hour.len()) && hour.chars().all(|digit| digit.is_ascii_digit())
        });
        is_clock || TIMES.contains(&written)
    }
}

/// The words of `text` in order.
pub fn cut(text: &str) -> Vec<Word> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut words = Vec::new();
    let is_mark = |letter: char| letter == '\'' || letter == '’';
    for run in text.split(|letter: char| !letter.is_alphanumeric() && !is_mark(letter)) {
        let mut pieces = run.split(is_mark).filter(|piece| !piece.is_empty());
        let mut head = pieces.next().unwrap_or_default();
        let mut tail: Vec<&str> = pieces.collect();
        let mut is = None;
        let bare = head.strip_suffix('s').unwrap_or(head);
        if ASKED.contains(&bare.to_lowercase().as_str()) && (tail == ["s"] || bare != head) {
            head = bare;
            tail = Vec::new();
            is = Some("is");
        }
        if tail == ["t"] {
            let written = format!("{}t", head.to_lowercase());
            words.push(Word {
                stem: written.clone(),
                written,
                silent: true,
                capital: false,
                is_name: false,
                is_figure: false,
            });
            continue;
        }
        for part in std::iter::once(head).chain(tail).chain(is).flat_map(humps) {
            let lower = part.to_lowercase();
            if lower.is_empty() {
                continue;
            }
            let mut letters = part.chars();
            words.push(Word {
                silent: SILENT.contains(&lower.as_str())
                    || lower.chars().all(|letter| letter.is_ascii_digit()),
                capital: letters.next().is_some_and(char::is_uppercase)
                    && letters.any(char::is_lowercase),
                is_name: false,
                is_figure: false,
                stem: stemmer.stem(&lower).into_owned(),
                written: lower,
            });
        }
    }
    words
}

/// `getCallLog` as `get`, `Call`, `Log`; runs of capitals stay together.
fn humps(run: &str) -> Vec<&str> {
    if JOINED.contains(&run.to_lowercase().as_str()) {
        return vec![run];
    }
    let letters: Vec<(usize, char)> = run.char_indices().collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for pair in letters.windows(2) {
        if let [(_, before), (at, letter)] = pair
            && before.is_lowercase()
            && letter.is_uppercase()
        {
            parts.push(&run[start..*at]);
            start = *at;
        }
    }
    parts.push(&run[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_stemmed() {
        fn check(text: &str, expected: &[&str]) {
            let words = cut(text).into_iter().filter(|word| !word.silent);
            let stems: Vec<String> = words.map(|word| word.stem).collect();
            assert_eq!(stems, expected, "{text}");
        }
        check("List the contacts", &["list", "contact"]);
        check("getCallLog voice-ai", &["get", "call", "log", "voic", "ai"]);
        check("SMS messages, sent!", &["sms", "messag", "sent"]);
        check("WhatsApp Sarah’s mum", &["whatsapp", "sarah", "mum"]);
        check("don't send 24 of 'em", &["send", "em"]);
        check("who's in, whats on", &[]);
        check("", &[]);
    }

    #[test]
    fn times_are_seen() {
        fn check(text: &str, expected: &[&str]) {
            let words = cut(text).into_iter().filter(Word::is_time);
            let times: Vec<String> = words.map(|word| word.written).collect();
            assert_eq!(times, expected, "{text}");
        }
        check("Ann at 3pm on Friday", &["3pm", "friday"]);
        check("between 1030am and noon", &["1030am", "noon"]);
        check("spam, am, 3 of them, fridays", &[]);
    }

    #[test]
    fn capitals_are_seen() {
        fn check(text: &str, expected: &[bool]) {
            let capitals: Vec<bool> = cut(text).into_iter().map(|word| word.capital).collect();
            assert_eq!(capitals, expected, "{text}");
        }
        check("text Maria an SMS", &[false, true, false, false]);
        check("Maria's iPhone", &[true, false, false, true]);
    }
}
