//! Counts of what was done to the documents, for reports.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Counts by name of what was done to the documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts(pub BTreeMap<&'static str, usize>);

impl Counts {
    pub fn add(&mut self, name: &'static str, count: usize) {
        *self.0.entry(name).or_default() += count;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(f, "{count:>6}  {name}")?;
        }
        Ok(())
    }
}
