//! Cuts text into the words that are searched: lower case, stemmed, without those that say nothing.

use rust_stemmers::{Algorithm, Stemmer};

/// Words that stand in any request and tell no operation from another.
const SILENT: [&str; 68] = [
    "a", "an", "the", "of", "for", "to", "in", "on", "at", "by", "with", "from", "and", "or", "is",
    "are", "was", "were", "be", "been", "it", "its", "this", "that", "these", "those", "i", "me",
    "my", "we", "us", "our", "you", "your", "he", "she", "him", "her", "his", "they", "them",
    "their", "do", "does", "did", "have", "has", "had", "can", "could", "should", "would", "will",
    "please", "what", "which", "who", "how", "there", "so", "as", "into", "about", "up", "s", "t",
    "re", "now",
];

/// The words of `text` in order, each stemmed.
pub fn words(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut words = Vec::new();
    for run in text.split(|letter: char| !letter.is_alphanumeric()) {
        for part in humps(run) {
            let lower = part.to_lowercase();
            if !lower.is_empty() && !SILENT.contains(&lower.as_str()) {
                words.push(stemmer.stem(&lower).into_owned());
            }
        }
    }
    words
}

/// `getCallLog` as `get`, `Call`, `Log`; runs of capitals stay together.
fn humps(run: &str) -> Vec<&str> {
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
            assert_eq!(words(text), expected, "{text}");
        }
        check("List the contacts", &["list", "contact"]);
        check("getCallLog voice-ai", &["get", "call", "log", "voic", "ai"]);
        check("SMS messages, sent!", &["sms", "messag", "sent"]);
        check("", &[]);
    }
}
