//! The index as the generator writes it: words, titles and phrases of operations, and subjects that HighLevel's API
//! lacks.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Shares of words in phrases are integers: this value is 1.
pub const PHRASE_SCALE: u8 = 100;

/// Operations are numbered in the order of their tool names, followed by the lacking subjects. Postings alternate
/// between a number and a weight.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// For each word, the operations with it and its weight in them, in thousandths.
    pub words: HashMap<String, Vec<u32>>,
    /// For each word of titles, the operations with it and its share in the title, in thousandths.
    pub titles: HashMap<String, Vec<u32>>,
    /// For each word of phrases, the phrases with it and its share in the phrase.
    pub phrases: HashMap<String, Vec<u32>>,
    /// For each phrase, its operation.
    pub phrase_owners: Vec<u32>,
    /// For each expression its meaning: alternatives of one or more stems.
    pub synonyms: HashMap<String, Vec<String>>,
    /// For each operation, the factor of its score, in percent.
    pub priors: Vec<u32>,
    /// For each operation, whether it only reads.
    pub reads: Vec<bool>,
    /// Operations that HighLevel retires, each with its replacement.
    pub successors: HashMap<usize, usize>,
    pub lacking: Vec<Lacking>,
}

/// A subject that people ask for and no operation serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lacking {
    /// Continues the sentence after `to`.
    pub what: String,
    pub reads: bool,
    /// The operations that come closest.
    pub nearest: Vec<usize>,
}

impl Index {
    /// The number of operations, and the number including lacking subjects.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let operations = self.priors.len();
        (operations, operations + self.lacking.len())
    }
}
