//! What a caller wants to see of an answer: which fields, rows and form; and how one page leads on.

mod brief;
mod companions;
mod cut;
mod filter;
mod form;
mod gather;
mod list;
mod paging;
mod path;
mod project;

use serde::Deserialize;
use serde_json::Value;

pub(super) use cut::CutNote;
use filter::Condition;
pub use gather::GatheredRows;
pub use list::ListText;
pub use paging::most_rows_a_page;
pub use path::value_at;
use project::clipped;
use tool::Tool;

/// Texts inside rows are cut here, in characters, unless their field was asked for by name.
const LONGEST_TEXT: usize = 300;

/// And here where it was.
const LONGEST_NAMED_TEXT: usize = 20_000;

/// Pages that `allPages: true` follows, and rows that it gathers.
const USUAL_PAGES: usize = 5;
const USUAL_ROWS: usize = 500;

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
            AllPages::Whether(false) => 1,
            AllPages::Whether(true) => USUAL_PAGES,
            AllPages::Pages(pages) => pages,
        };
        wanted.clamp(1, window.max(1))
    }

    /// Whether there are rows enough.
    pub fn is_enough(&self, gathered: &GatheredRows) -> bool {
        gathered.rows.len() >= self.max_items.unwrap_or(USUAL_ROWS)
    }

    /// Adds the rows of `answer` that pass the filter; `false` where it holds no list.
    pub fn gather(&self, tool: &Tool, answer: &Value, gathered: &mut GatheredRows) -> bool {
        gathered.add(self, tool, answer)
    }

    /// The text of an answer without a list.
    pub fn record(&self, tool: &Tool, answer: &Value) -> String {
        let mut cut = Vec::new();
        let fields = self.fields.as_deref().filter(|fields| !fields.is_empty());
        let mut shown = match fields {
            Some(_) => self.project(tool, answer, &mut cut),
            None => clipped(answer, LONGEST_NAMED_TEXT, "", &mut cut),
        };
        let mut note = CutNote::default();
        list::note_texts(cut, LONGEST_NAMED_TEXT, &mut note);
        if let (Some(object), Some(note)) = (shown.as_object_mut(), note.json()) {
            object.insert("_cut".to_owned(), note);
        }
        shown.to_string()
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
