//! The changes for a person: by tool, in a stable order, with counts in the last line.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::Problem;

/// The changes of an import.
pub struct DiffReport {
    /// Added or removed documents.
    pub documents: Vec<String>,
    /// By tool.
    pub changes: Vec<Change>,
    /// Problems that the build will report until somebody repairs them.
    pub to_mend: Vec<Problem>,
}

/// One change of one tool.
#[derive(Clone, Debug)]
pub struct Change {
    /// The tool's name before the import; the new one for a new tool.
    pub tool: String,
    /// Method and path.
    pub place: String,
    /// It is in the allowlist.
    pub listed: bool,
    /// It affects only those who prefer v3 for operations of the older documents.
    pub under_v3: bool,
    pub mark: Mark,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Callers may notice, but nothing breaks.
    Tells,
    /// A call that worked before may fail, or its answer be misread.
    Breaks,
    /// Nobody has reviewed the effect.
    Review,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Tells => "      ",
            Mark::Breaks => "BREAKS",
            Mark::Review => "REVIEW",
        };
        let variant = if self.under_v3 { "under v3: " } else { "" };
        write!(f, "{mark} {variant}{}", self.what)
    }
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.documents.is_empty() {
            writeln!(f, "documents")?;
        }
        for document in &self.documents {
            writeln!(f, "         {document}")?;
        }
        let mut last = "";
        for change in &self.changes {
            if change.tool != last {
                let listed = if change.listed { "" } else { ", no tool" };
                writeln!(f, "{} ({}{listed})", change.tool, change.place)?;
                last = &change.tool;
            }
            writeln!(f, "  {change}")?;
        }
        if !self.to_mend.is_empty() {
            writeln!(f, "the build will fail until these are corrected:")?;
        }
        for problem in &self.to_mend {
            writeln!(f, "  {problem}")?;
        }
        let marked = |mark| self.changes.iter().filter(move |one| one.mark == mark);
        let tools = |changes: &mut dyn Iterator<Item = &Change>| {
            let tools: BTreeSet<&str> = changes.map(|one| one.tool.as_str()).collect();
            tools.len()
        };
        writeln!(
            f,
            "{} changes to {} operations: {} break callers of {}, {} effects unreviewed, {} to correct",
            self.changes.len(),
            tools(&mut self.changes.iter()),
            marked(Mark::Breaks).count(),
            tools(&mut marked(Mark::Breaks)),
            marked(Mark::Review).count(),
            self.to_mend.len(),
        )
    }
}
