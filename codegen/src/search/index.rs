//! Makes the index: BM25F over the fields of each operation, with the weights of every word worked out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::operation::Operation;
use crate::search::glossary::Glossary;
use ::search::cut;
use tool::Effect;

/// Toolsets of what people need most, and the priors of their tools.
const PREFERRED: [(&str, u32); 2] = [("official", 120), ("official-36", 110)];

/// How fast further occurrences of a word lose worth, and how much a long field does.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.6;

/// Weights are whole numbers in the file: this many stand for 1.
const SCALE: f64 = 1000.0;

/// The index as it is written, in the order of `operations`.
#[derive(Serialize)]
pub struct IndexText {
    words: BTreeMap<String, Vec<u32>>,
    synonyms: BTreeMap<String, Vec<String>>,
    priors: Vec<u32>,
    reads: Vec<bool>,
    titles: BTreeMap<String, Vec<u32>>,
}

impl IndexText {
    /// Every word of any operation.
    pub fn known(&self) -> BTreeSet<String> {
        self.words.keys().cloned().collect()
    }

    /// As JSON.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The words of `text` that tell operations apart.
fn words(text: &str) -> Vec<String> {
    let words = cut(text).into_iter().filter(|word| !word.silent);
    words.map(|word| word.stem).collect()
}

/// What is searched of an operation, and what a word in it is worth.
fn fields(operation: &Operation) -> [(f64, Vec<String>); 6] {
    let id = operation.tool.split_once('_').map_or("", |(_, id)| id);
    let arguments: Vec<&str> = operation
        .arguments
        .iter()
        .filter(|argument| argument.constant.is_none())
        .map(|argument| argument.name.as_str())
        .collect();
    [
        (3.0, words(id)),
        (3.0, words(&operation.title)),
        (2.5, words(&operation.phrases.join(" "))),
        (1.2, words(&operation.description)),
        (1.5, words(&operation.document)),
        (0.3, words(&arguments.join(" "))),
    ]
}

/// The index over `operations`, which the caller has sorted by tool name.
pub(crate) fn index(operations: &[&Operation], glossary: &Glossary) -> IndexText {
    let all: Vec<_> = operations
        .iter()
        .map(|operation| fields(operation))
        .collect();
    let count = all.len().max(1) as f64;
    let mut averages = [0.0; 6];
    for fields in &all {
        for (average, (_, words)) in averages.iter_mut().zip(fields) {
            *average += words.len() as f64 / count;
        }
    }
    let mut frequencies: Vec<BTreeMap<&str, f64>> = Vec::new();
    let mut holders: BTreeMap<&str, f64> = BTreeMap::new();
    for fields in &all {
        let mut of_operation: BTreeMap<&str, f64> = BTreeMap::new();
        for ((weight, words), average) in fields.iter().zip(averages) {
            let length = 1.0 - LENGTH + LENGTH * words.len() as f64 / f64::max(average, 1.0);
            for word in words {
                *of_operation.entry(word).or_default() += weight / length;
            }
        }
        for word in of_operation.keys() {
            *holders.entry(word).or_default() += 1.0;
        }
        frequencies.push(of_operation);
    }
    let mut postings: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, of_operation) in (0..).zip(&frequencies) {
        for (word, frequency) in of_operation {
            let held = holders.get(word).copied().unwrap_or_default();
            let rarity = ((count - held + 0.5) / (held + 0.5) + 1.0).ln();
            let weight = rarity * frequency * (SATURATION + 1.0) / (frequency + SATURATION);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below 7 * 2.2 * SCALE"
            )]
            let weight = (weight * SCALE).round() as u32;
            postings
                .entry((*word).to_owned())
                .or_default()
                .extend([number, weight]);
        }
    }
    let titles = titles(operations, |word| {
        (1.0 + count / holders.get(word).copied().unwrap_or(1.0)).ln()
    });
    IndexText {
        synonyms: glossary.stemmed(&postings.keys().cloned().collect::<BTreeSet<_>>()),
        words: postings,
        priors: operations
            .iter()
            .map(|operation| prior(operation))
            .collect(),
        reads: operations
            .iter()
            .map(|operation| operation.effect == Effect::Read)
            .collect(),
        titles,
    }
}

/// For each word of titles, the operations that have it and its share in the title by rarity.
fn titles(operations: &[&Operation], rarity: impl Fn(&str) -> f64) -> BTreeMap<String, Vec<u32>> {
    let mut titles: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, operation) in (0..).zip(operations) {
        let words: BTreeSet<String> = words(&operation.title).into_iter().collect();
        let whole: f64 = words.iter().map(|word| rarity(word)).sum();
        for word in words {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share, at most SCALE"
            )]
            let share = (rarity(&word) / whole * SCALE).round() as u32;
            titles.entry(word).or_default().extend([number, share]);
        }
    }
    titles
}

/// In percent.
fn prior(operation: &Operation) -> u32 {
    let is_in = |name| operation.toolsets.iter().any(|toolset| toolset == name);
    let prior = PREFERRED
        .into_iter()
        .find_map(|(name, prior)| is_in(name).then_some(prior));
    match prior {
        // HighLevel deprecates it, but its own server still offers it.
        Some(prior) if operation.deprecated => prior - 20,
        None if operation.deprecated => 60,
        prior => prior.unwrap_or(100),
    }
}
