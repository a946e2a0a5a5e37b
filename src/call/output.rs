//! What a caller wants to see of an answer: which fields, rows and form; and how one page leads on.

mod brief;
mod filter;
mod form;
mod paging;
mod path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::shape::too_large;
use crate::upstream::Failure;
use filter::Condition;
pub use paging::{most_rows_a_page, next_page};
pub use path::value_at;
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

/// Rows gathered so far, over one page or several.
#[derive(Debug, Default)]
pub struct GatheredRows {
    /// What passed the filter.
    pub rows: Vec<Value>,
    /// How many there were before it.
    pub seen: usize,
    pub pages: usize,
    /// Arguments of the next page, where there may be one.
    pub next: Option<Map<String, Value>>,
    pub total: Option<Value>,
    /// Why the pages after these were not read.
    pub stopped: Option<String>,
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
        let Some(rows) = rows(tool, answer) else {
            return false;
        };
        gathered.pages += 1;
        gathered.seen += rows.len();
        let kept = rows
            .iter()
            .filter(|row| self.filter.iter().all(|one| one.holds(row)));
        gathered.rows.extend(kept.cloned());
        if !tool.paging.total.is_empty() {
            gathered.total = value_at(answer, tool.paging.total).cloned();
        }
        true
    }

    /// The text of as many gathered rows as `max_bytes` hold.
    pub fn list(
        &self,
        tool: &Tool,
        gathered: GatheredRows,
        max_bytes: usize,
    ) -> Result<String, Failure> {
        let mut most = self
            .max_items
            .unwrap_or(usize::MAX)
            .min(gathered.rows.len());
        loop {
            let text = self.text(tool, &gathered, most);
            if text.len() <= max_bytes {
                return Ok(text);
            }
            if most <= 1 {
                let remedy = "Name the fields that are needed in output.fields.".to_owned();
                return Err(too_large(tool, text.len(), max_bytes, remedy));
            }
            most = (most * max_bytes / text.len()).clamp(1, most - 1);
        }
    }

    fn text(&self, tool: &Tool, gathered: &GatheredRows, most: usize) -> String {
        let more = gathered.rows.len().saturating_sub(most);
        let mut cut = Vec::new();
        let mut projected: Vec<Value> = gathered
            .rows
            .iter()
            .take(most)
            .map(|row| self.project(tool, row, &mut cut))
            .collect();
        let mut notes = Map::new();
        if self.fields.is_none() {
            brief::shorten_dates(&mut projected);
            let shared = brief::in_common(&mut projected);
            if !shared.is_empty() {
                notes.insert("every_row".to_owned(), Value::Object(shared));
            }
        }
        if !self.filter.is_empty() {
            notes.insert("matched".to_owned(), json!(projected.len() + more));
            notes.insert("looked_at".to_owned(), json!(gathered.seen));
        }
        if more > 0 {
            notes.insert("left_off".to_owned(), json!(more));
        }
        if let Some(total) = &gathered.total {
            notes.insert("total".to_owned(), total.clone());
        }
        if let Some(next) = &gathered.next {
            notes.insert("next".to_owned(), Value::Object(next.clone()));
        }
        if let Some(stopped) = &gathered.stopped {
            notes.insert("incomplete".to_owned(), json!(stopped));
        }
        note_cuts(cut, &mut notes);
        let name = tool.paging.rows.last().copied().unwrap_or("rows");
        match self.format {
            Format::Json => {
                let list = if self.fields.is_some() || tool.summary_fields.is_empty() {
                    Value::Array(projected)
                } else {
                    form::rows(&self.columns(tool, &projected), &projected)
                };
                let mut answer = Map::from_iter([(name.to_owned(), list)]);
                answer.extend(notes);
                Value::Object(answer).to_string()
            }
            Format::Table => form::table(&self.columns(tool, &projected), &projected, &notes),
            Format::Csv => form::csv(&self.columns(tool, &projected), &projected, &notes),
        }
    }

    /// The text of an answer without a list.
    pub fn record(&self, tool: &Tool, answer: &Value) -> String {
        let mut cut = Vec::new();
        let fields = self.fields.as_deref().filter(|fields| !fields.is_empty());
        let shown = match fields {
            Some(_) => self.project(tool, answer, &mut cut),
            None => clipped(answer, LONGEST_NAMED_TEXT, "", &mut cut),
        };
        let mut shown = shown;
        if let Some(object) = shown.as_object_mut() {
            note_cuts(cut, object);
        }
        shown.to_string()
    }

    /// The wanted fields of one row; the whole row where it has none of them, for HighLevel's
    /// answers drift from its documents.
    fn project(&self, tool: &Tool, row: &Value, cut: &mut Vec<String>) -> Value {
        let named: Option<Vec<&str>> = self
            .fields
            .as_ref()
            .map(|fields| fields.iter().map(String::as_str).collect());
        let longest = if named.is_some() {
            LONGEST_NAMED_TEXT
        } else {
            LONGEST_TEXT
        };
        let fields = named.unwrap_or_else(|| tool.summary_fields.to_vec());
        let whole = |cut: &mut Vec<String>| clipped(row, longest, "", cut);
        if fields.is_empty() || fields.contains(&"*") {
            return whole(cut);
        }
        let mut projected = Map::new();
        for field in fields {
            let steps: Vec<&str> = field.split('.').collect();
            if let Some(value) = value_at(row, &steps).filter(|value| !value.is_null()) {
                projected.insert(field.to_owned(), clipped(value, longest, field, cut));
            }
        }
        if projected.is_empty() {
            whole(cut)
        } else {
            Value::Object(projected)
        }
    }

    /// The columns of a table: the wanted fields that any row has, or all that rows have.
    fn columns(&self, tool: &Tool, rows: &[Value]) -> Vec<String> {
        let wanted: Vec<String> = match &self.fields {
            Some(fields) => fields.clone(),
            None => tool
                .summary_fields
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        let mut columns: Vec<String> = wanted
            .into_iter()
            .filter(|field| rows.iter().any(|row| row.get(field).is_some()))
            .collect();
        for name in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        columns
    }
}

/// The rows of an answer: at the operation's path, or the answer itself where it is a list.
pub fn rows<'a>(tool: &Tool, answer: &'a Value) -> Option<&'a Vec<Value>> {
    match tool.paging.rows {
        [] => answer.as_array(),
        path => value_at(answer, path)?.as_array(),
    }
}

fn note_cuts(mut cut: Vec<String>, notes: &mut Map<String, Value>) {
    cut.sort();
    cut.dedup();
    if !cut.is_empty() {
        let what = format!(
            "Long texts are cut at …; name the field in output.fields for up to {LONGEST_NAMED_TEXT} characters: {}",
            cut.join(", ")
        );
        notes.insert("_cut".to_owned(), json!(what));
    }
}

/// `value` with its long texts cut; their paths go into `cut`.
fn clipped(value: &Value, longest: usize, path: &str, cut: &mut Vec<String>) -> Value {
    let inside = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::String(text) => match text.char_indices().nth(longest) {
            Some((end, _)) => {
                cut.push(path.to_owned());
                json!(format!(
                    "{}… ({} characters)",
                    &text[..end],
                    text.chars().count()
                ))
            }
            None => value.clone(),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| clipped(item, longest, path, cut))
            .collect(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| (name.clone(), clipped(value, longest, &inside(name), cut)))
            .collect::<Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests;
