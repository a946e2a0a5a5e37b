//! The requested view of an answer: fields, rows and form; and the way from one page to the next.

mod aggregate;
mod brief;
mod change;
mod check;
mod companions;
mod cut;
mod decimal;
mod fenced_list;
mod figures;
mod filter;
mod form;
mod gather;
mod group;
mod items;
mod known;
mod list;
mod paging;
mod path;
mod period;
mod phone;
mod project;
mod words;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::call::Fences;
use crate::upstream::Failure;
pub use aggregate::Aggregate;
pub use change::change;
pub(super) use cut::CutNote;
pub(super) use filter::Comparison;
use filter::Condition;
pub(super) use form::harmless;
pub use gather::GatheredRows;
use group::MeasureKind;
pub use list::ListText;
pub(in crate::call) use paging::is_empty;
pub use paging::{added_page_size, most_rows_a_page};
pub(super) use path::field_at;
pub use path::value_at;
pub(super) use project::IDS;
use project::clipped;
use tool::Tool;

/// Texts inside rows are cut here, in characters, unless their field was asked for by name.
const LONGEST_TEXT: usize = 300;

/// And here where it was.
const LONGEST_NAMED_TEXT: usize = 20_000;

/// Pages that `allPages: true` follows, and rows that it gathers.
const USUAL_PAGES: usize = 5;
const USUAL_ROWS: usize = 500;

/// Pages that are read where rows are added up, and groups that are shown of them.
const MOST_PAGES: usize = 50;
const MOST_SHOWN_GROUPS: usize = 200;

/// The `output` argument.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Output {
    /// Dotted paths; `*` is the whole row.
    pub fields: Option<Vec<String>>,
    #[serde(deserialize_with = "filter::one_or_many")]
    pub filter: Vec<Condition>,
    pub format: Format,
    pub max_items: Option<usize>,
    pub all_pages: AllPages,
    /// In CSV an apostrophe stands before what a spreadsheet would take for a formula.
    pub spreadsheet_safe: bool,
    /// Rows are not shown but added up by these: fields, or dates as `field:day`, `:week` or `:month`.
    #[serde(deserialize_with = "filter::one_or_many")]
    pub group_by: Vec<String>,
    /// Rows are only counted.
    pub count: bool,
    #[serde(deserialize_with = "filter::one_or_many")]
    pub sum: Vec<String>,
    #[serde(deserialize_with = "filter::one_or_many")]
    pub avg: Vec<String>,
    #[serde(deserialize_with = "filter::one_or_many")]
    pub min: Vec<String>,
    #[serde(deserialize_with = "filter::one_or_many")]
    pub max: Vec<String>,
    /// Groups of fewer rows are left out.
    pub min_count: Option<u64>,
    /// The rows are some of a table's: each says all of itself.
    #[serde(skip)]
    pub is_item: bool,
    /// Aliases or ids of locations to read, one after the other; `*` is all of them.
    pub locations: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Json,
    Table,
    Csv,
}

/// `true`, or how many pages.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum AllPages {
    Whether(bool),
    Pages(usize),
}

impl Default for AllPages {
    fn default() -> Self {
        Self::Whether(false)
    }
}

impl Output {
    /// Most pages to follow, given that no more than `window` calls may be made.
    pub fn pages(&self, window: usize) -> usize {
        let wanted = match self.all_pages {
            AllPages::Whether(_) if self.aggregates() => MOST_PAGES,
            AllPages::Whether(false) => 1,
            AllPages::Whether(true) => USUAL_PAGES,
            AllPages::Pages(pages) => pages,
        };
        wanted.clamp(1, window.max(1))
    }

    /// Whether there are rows enough.
    pub fn is_enough(&self, gathered: &GatheredRows) -> bool {
        match self.aggregates() {
            true => self.known_count(gathered).is_some(),
            false => gathered.rows.len() >= self.max_items.unwrap_or(USUAL_ROWS),
        }
    }

    /// Whether rows are not shown but counted or added up.
    pub fn aggregates(&self) -> bool {
        let has_measures = self
            .measures()
            .iter()
            .any(|(_, _, fields)| !fields.is_empty());
        self.count || !self.group_by.is_empty() || self.min_count.is_some() || has_measures
    }

    /// Adds the rows of `answer` that pass the filter; `false` where it holds no list. Fails where what is asked of its rows
    /// fits none of them.
    pub fn gather(
        &self,
        tool: &Tool,
        answer: &Value,
        gathered: &mut GatheredRows,
    ) -> Result<bool, Failure> {
        gathered.add(self, tool, answer)
    }

    /// The text of an answer without a list, and what is to be said of it.
    pub fn record(
        &self,
        tool: &Tool,
        answer: &Value,
        fences: Option<&Fences>,
    ) -> Result<(String, Vec<String>), Failure> {
        self.check_for_record(tool)?;
        let mut warnings = known::check_record(self, tool, answer)?;
        let holds = |condition: &Condition| condition.holds(answer, &TimeZone::UTC);
        if !self.filter.iter().all(holds) {
            let name = tool.name;
            warnings.push(format!(
                "output.filter was not applied: the answer of {name} is no list of rows."
            ));
        }
        let mut cut = Vec::new();
        let fields = self.fields.as_deref().filter(|fields| !fields.is_empty());
        let mut shown = match fields {
            Some(_) => self.project_record(tool, answer, &mut cut),
            None => clipped(answer, LONGEST_NAMED_TEXT, "", &mut cut),
        };
        if let Some(fences) = fences {
            fences.enclose(&[], &mut shown);
        }
        let mut note = CutNote::default();
        list::note_texts(cut, LONGEST_NAMED_TEXT, &mut note);
        if let (Some(object), Some(note)) = (shown.as_object_mut(), note.json()) {
            object.insert("_cut".to_owned(), note);
        }
        Ok((shown.to_string(), warnings))
    }

    /// What is asked for of the rows but their number, with the name of each and its fields.
    fn measures(&self) -> [(MeasureKind, &'static str, &[String]); 4] {
        [
            (MeasureKind::Sum, "sum", &self.sum),
            (MeasureKind::Average, "avg", &self.avg),
            (MeasureKind::Least, "min", &self.min),
            (MeasureKind::Most, "max", &self.max),
        ]
    }

    /// Whether nothing is asked for but how many rows there are.
    fn counts_all(&self) -> bool {
        let has_measures = self
            .measures()
            .iter()
            .any(|(_, _, fields)| !fields.is_empty());
        let is_part = has_measures || !self.filter.is_empty() || !self.group_by.is_empty();
        self.aggregates() && !is_part
    }
}

/// The rows of an answer: at the operation's path, or the answer itself where it is a list.
pub fn rows<'a>(tool: &Tool, answer: &'a Value) -> Option<&'a Vec<Value>> {
    match tool.paging.rows {
        [] => answer.as_array(),
        path => value_at(answer, path)?.as_array(),
    }
}

#[cfg(test)]
mod tests;
