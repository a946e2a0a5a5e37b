//! Words that CRM users say for what HighLevel calls otherwise: `openapi/glossary.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::Problem;
use crate::search::words::words;

/// What users say (one to three words), and the words that operations are described in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Glossary(pub BTreeMap<String, Vec<String>>);

impl Glossary {
    /// The entries in stems, as far as they lead to words that the index knows.
    pub fn stemmed(&self, known: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
        let mut stemmed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (said, meant) in &self.0 {
            let said = words(said).join(" ");
            let entry = stemmed.entry(said.clone()).or_default();
            for word in meant.iter().flat_map(|meant| words(meant)) {
                if word != said && known.contains(&word) && !entry.contains(&word) {
                    entry.push(word);
                }
            }
        }
        stemmed
    }

    /// Entries that lead to no word of any operation.
    pub fn problems(&self, known: &BTreeSet<String>) -> Vec<Problem> {
        let leads = |meant: &[String]| {
            let mut words = meant.iter().flat_map(|meant| words(meant));
            words.any(|word| known.contains(&word))
        };
        self.0
            .iter()
            .filter(|(_, meant)| !leads(meant))
            .map(|(said, _)| {
                Problem::new(
                    format!("openapi/glossary.toml {said}"),
                    "leads to no word of any operation",
                    "correct or remove it",
                )
            })
            .collect()
    }
}

/// Reads the file's text.
pub fn parse(text: &str) -> Result<Glossary, Problem> {
    toml::from_str(text).map_err(|error| {
        Problem::new(
            "openapi/glossary.toml",
            error.to_string().trim_end().to_owned(),
            "correct the key or value there",
        )
    })
}
