//! Ranks operations for a query by an index whose weights were computed at build time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What a match of a word's synonym is worth beside one of the word itself.
const SYNONYM: f32 = 0.7;

/// Longest expression in the glossary, in words.
const LONGEST: usize = 3;

/// Operations are numbered in the order of their tool names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// For each word, the operations that have it and its weight in them, alternating.
    pub words: HashMap<String, Vec<u32>>,
    /// Words that mean the same as an expression, both stemmed; expressions are joined by a space.
    pub synonyms: HashMap<String, Vec<String>>,
    /// For each operation, what its score is multiplied by, in percent.
    pub priors: Vec<u32>,
}

impl Index {
    /// Operations that match any word of the query (cut by `words`), best first, with their scores.
    pub fn rank(&self, query: &[String], is_wanted: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
        let mut scores = vec![0.0_f32; self.priors.len()];
        let mut best = vec![0.0_f32; self.priors.len()];
        for (at, word) in query.iter().enumerate() {
            if query[..at].contains(word) {
                continue;
            }
            best.fill(0.0);
            self.match_word(word, 1.0, &mut best);
            for length in 1..=LONGEST {
                // An expression counts once, at its first word.
                let Some(expression) = query.get(at..at + length) else {
                    break;
                };
                for synonym in self
                    .synonyms
                    .get(&expression.join(" "))
                    .into_iter()
                    .flatten()
                {
                    self.match_word(synonym, SYNONYM, &mut best);
                }
            }
            for (score, best) in scores.iter_mut().zip(&best) {
                *score += best;
            }
        }
        let mut ranked: Vec<(usize, f32)> = scores
            .into_iter()
            .zip(&self.priors)
            .map(|(score, prior)| score * f32::from(u16::try_from(*prior).unwrap_or(100)) / 100.0)
            .enumerate()
            .filter(|(operation, score)| *score > 0.0 && is_wanted(*operation))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    }

    fn match_word(&self, word: &str, worth: f32, best: &mut [f32]) {
        let Some(postings) = self.words.get(word) else {
            return;
        };
        for posting in postings.chunks_exact(2) {
            let &[operation, weight] = posting else {
                continue;
            };
            if let Some(best) = best.get_mut(operation as usize) {
                *best = best.max(f32::from(u16::try_from(weight).unwrap_or(u16::MAX)) * worth);
            }
        }
    }
}
