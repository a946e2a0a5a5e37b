//! Faults between a document and its tools, described for the person who must repair them.

use std::fmt;

/// One fault: its place, a description, and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stem of the document, such as `contacts`; `None` if no document is at fault.
    pub document: Option<String>,
    /// File, JSON pointer, operation or key.
    pub place: String,
    pub what: String,
    pub remedy: String,
}

impl Problem {
    pub fn new(
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            document: None,
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub fn in_document(
        document: impl Into<String>,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            document: Some(document.into()),
            ..Self::new(place, what, remedy)
        }
    }

    /// The file at `place` cannot be parsed as its type.
    pub(crate) fn in_toml(place: impl Into<String>, error: &toml::de::Error) -> Self {
        let what = error.to_string().trim_end().to_owned();
        Self::new(place, what, "correct the key or value there")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(document) = &self.document {
            write!(f, "{document}: ")?;
        }
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Every fault found in one run, one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl From<Problem> for Errors {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
