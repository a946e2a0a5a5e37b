//! CRM users' words for HighLevel's terms: `openapi/glossary.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::Problem;
use ::search::cut;

/// Users' words (one to three), each with the words in which operations are described.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Glossary(pub BTreeMap<String, Vec<String>>);

impl Glossary {
    /// The described words in stems, as far as the index knows them, by the users' words in stems; by the exact
    /// spelling as well if that differs and several entries share the stems.
    pub fn stemmed(&self, known: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
        let mut by_stems: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
        for (said, meant) in &self.0 {
            let words = cut(said);
            let written: Vec<&str> = words.iter().map(|word| word.written.as_str()).collect();
            let mut ways: Vec<String> = Vec::new();
            for way in meant {
                let mut way = stems(way);
                way.retain(|stem| known.contains(stem));
                let way = way.join(" ");
                if !way.is_empty() && !ways.contains(&way) {
                    ways.push(way);
                }
            }
            let entries = by_stems.entry(stems(said).join(" ")).or_default();
            entries.push((written.join(" "), ways));
        }
        let mut stemmed = BTreeMap::new();
        for (said, mut entries) in by_stems {
            entries.sort_by_key(|(written, _)| written.len());
            let several = entries.len() > 1;
            for (at, (written, ways)) in entries.into_iter().enumerate() {
                if several && written != said {
                    stemmed.insert(written, ways.clone());
                }
                if at == 0 {
                    stemmed.insert(said.clone(), ways);
                }
            }
        }
        stemmed
    }

    /// Entries that lead to no word of any operation.
    pub fn problems(&self, known: &BTreeSet<String>) -> Vec<Problem> {
        let leads = |meant: &[String]| {
            let mut stems = meant.iter().flat_map(|meant| stems(meant));
            stems.any(|stem| known.contains(&stem))
        };
        self.0
            .iter()
            .filter(|(_, meant)| !leads(meant))
            .map(|(said, _)| {
                Problem::new(
                    format!("openapi/glossary.toml {said}"),
                    "does not lead to a word of any operation",
                    "correct or remove it",
                )
            })
            .collect()
    }
}

fn stems(text: &str) -> Vec<String> {
    cut(text).into_iter().map(|word| word.stem).collect()
}

/// Parses the file's text.
pub(crate) fn parse(text: &str) -> Result<Glossary, Problem> {
    toml::from_str(text).map_err(|error| Problem::in_toml("openapi/glossary.toml", &error))
}
