//! The index as the generator writes it: words, titles and phrases of operations, and what HighLevel's API lacks.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Shares of words in phrases are whole numbers: this many stand for 1.
pub const PHRASE_SCALE: u8 = 100;

/// Operations are numbered in the order of their tool names, and what the API lacks goes on after
/// them. Postings alternate: a number, and a weight.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// For each word, the operations that have it and its weight in them, in thousandths.
    pub words: HashMap<String, Vec<u32>>,
    /// For each word of titles, the operations that have it and its share in the title, in thousandths.
    pub titles: HashMap<String, Vec<u32>>,
    /// For each word of phrases, the phrases that have it and its share in the phrase.
    pub phrases: HashMap<String, Vec<u32>>,
    /// For each phrase, the operation it belongs to.
    pub phrase_owners: Vec<u32>,
    /// What an expression means: alternatives of one or more stems.
    pub synonyms: HashMap<String, Vec<String>>,
    /// For each operation, what its score is multiplied by, in percent.
    pub priors: Vec<u32>,
    /// For each operation, whether it only reads.
    pub reads: Vec<bool>,
    /// Operations that HighLevel retires, each with the one that takes its place.
    pub successors: HashMap<usize, usize>,
    pub lacking: Vec<Lacking>,
}

/// What people ask for and no operation does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lacking {
    /// Goes on from `to`.
    pub what: String,
    pub reads: bool,
    /// Operations that come nearest.
    pub nearest: Vec<usize>,
}

impl Index {
    /// How many operations there are, and how many with what is lacking.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let operations = self.priors.len();
        (operations, operations + self.lacking.len())
    }
}
