//! Makes the index: BM25F over the fields of each operation, with the precomputed weights of every word.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::operation::Operation;
use crate::search::glossary::Glossary;
use crate::search::lacking::{LackingTable, LackingTables};
use ::search::{Lacking, PHRASE_SCALE, cut};
use tool::Effect;

/// Toolsets of the most needed tools, with the priors of these tools.
const PREFERRED: [(&str, u32); 2] = [("official", 120), ("official-36", 110)];

/// How fast repeated words lose weight, and how much long fields do.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.6;

/// Weights are integers in the file: this value is 1.
const SCALE: f64 = 1000.0;

/// The index as written, in the order of `operations`, for `search::Index` to read.
#[derive(Serialize)]
pub struct IndexText {
    words: BTreeMap<String, Vec<u32>>,
    titles: BTreeMap<String, Vec<u32>>,
    phrases: BTreeMap<String, Vec<u32>>,
    phrase_owners: Vec<u32>,
    synonyms: BTreeMap<String, Vec<String>>,
    priors: Vec<u32>,
    reads: Vec<bool>,
    successors: BTreeMap<usize, usize>,
    lacking: Vec<Lacking>,
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

/// The words of `text` that distinguish operations.
fn words(text: &str) -> Vec<String> {
    let words = cut(text).into_iter().filter(|word| !word.silent);
    words.map(|word| word.stem).collect()
}

/// The searched fields, with the weight of a word in each.
type SearchedFields = [(f64, Vec<String>); 6];

fn fields(operation: &Operation) -> SearchedFields {
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

/// The fields of a lacking subject, as if it were an operation.
fn lacking_fields(table: &LackingTable) -> SearchedFields {
    [
        (3.0, words(&table.what)),
        (3.0, words(&table.what)),
        (2.5, words(&table.sayings().collect::<Vec<_>>().join(" "))),
        (1.2, Vec::new()),
        (1.5, Vec::new()),
        (0.3, Vec::new()),
    ]
}

impl LackingTable {
    fn sayings(&self) -> impl Iterator<Item = &str> {
        let phrases = self.phrases.iter().map(String::as_str);
        phrases.chain([self.what.as_str()])
    }
}

/// The index over `operations`, which the caller has sorted by tool name.
pub(crate) fn index(
    operations: &[&Operation],
    glossary: &Glossary,
    lacking: &LackingTables,
) -> IndexText {
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
    let lacking_fields: Vec<SearchedFields> = lacking.lacking.iter().map(lacking_fields).collect();
    for (number, fields) in all.iter().chain(&lacking_fields).enumerate() {
        let mut of_operation: BTreeMap<&str, f64> = BTreeMap::new();
        for ((weight, words), average) in fields.iter().zip(averages) {
            let length = 1.0 - LENGTH + LENGTH * words.len() as f64 / f64::max(average, 1.0);
            for word in words {
                *of_operation.entry(word).or_default() += weight / length;
            }
        }
        // Lacking subjects do not make an operation's word more frequent.
        if number < all.len() {
            for word in of_operation.keys() {
                *holders.entry(word).or_default() += 1.0;
            }
        }
        frequencies.push(of_operation);
    }
    let mut postings: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, of_operation) in (0..).zip(&frequencies) {
        for (word, frequency) in of_operation {
            let held = holders.get(word).copied().unwrap_or(1.0);
            let rarity = ((count - held + 0.5) / (held + 0.5) + 1.0).ln();
            let weight = rarity * frequency * (SATURATION + 1.0) / (frequency + SATURATION);
            postings
                .entry((*word).to_owned())
                .or_default()
                .extend([number, whole(weight * SCALE)]);
        }
    }
    let rarity = |word: &str| (1.0 + count / holders.get(word).copied().unwrap_or(1.0)).ln();
    let titles = operations.iter().map(|operation| operation.title.as_str());
    let (phrase_owners, phrases): (Vec<u32>, Vec<&str>) = phrases(operations, lacking).unzip();
    IndexText {
        titles: shares(titles, rarity, SCALE),
        phrases: shares(phrases.into_iter(), rarity, f64::from(PHRASE_SCALE)),
        phrase_owners,
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
        successors: successors(operations),
        lacking: lacking
            .lacking
            .iter()
            .map(|table| entry(table, operations))
            .collect(),
    }
}

/// The phrases of operations and of lacking subjects, each with its owner's number.
fn phrases<'a>(
    operations: &'a [&Operation],
    lacking: &'a LackingTables,
) -> impl Iterator<Item = (u32, &'a str)> {
    let sayings = operations.iter().map(|operation| {
        let phrases = operation.phrases.iter().map(String::as_str);
        phrases.collect::<Vec<_>>()
    });
    let lacking = lacking
        .lacking
        .iter()
        .map(|table| table.sayings().collect());
    (0..)
        .zip(sayings.chain(lacking))
        .flat_map(|(owner, phrases)| phrases.into_iter().map(move |phrase| (owner, phrase)))
}

/// For each word of `texts`, the texts with it and its share in them by rarity.
fn shares<'a>(
    texts: impl Iterator<Item = &'a str>,
    rarity: impl Fn(&str) -> f64,
    scale: f64,
) -> BTreeMap<String, Vec<u32>> {
    let mut shares: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, text) in (0..).zip(texts) {
        let words: BTreeSet<String> = words(text).into_iter().collect();
        let sum: f64 = words.iter().map(|word| rarity(word)).sum();
        for word in words {
            let share = whole(rarity(&word) / sum * scale);
            shares.entry(word).or_default().extend([number, share]);
        }
    }
    shares
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a weight below 7 * 2.2 * SCALE, or a share"
)]
fn whole(weight: f64) -> u32 {
    weight.round() as u32
}

/// Operations that HighLevel retires, each with its replacement.
fn successors(operations: &[&Operation]) -> BTreeMap<usize, usize> {
    let place = |name: &str| operations.iter().position(|other| other.tool == name);
    let retired = operations.iter().enumerate();
    retired
        .filter_map(|(number, operation)| Some((number, place(operation.replaced_by.as_deref()?)?)))
        .collect()
}

fn entry(table: &LackingTable, operations: &[&Operation]) -> Lacking {
    let place = |name: &String| operations.iter().position(|one| one.tool == *name);
    Lacking {
        what: table.what.clone(),
        reads: table.reads,
        nearest: table.nearest.iter().filter_map(place).collect(),
    }
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
