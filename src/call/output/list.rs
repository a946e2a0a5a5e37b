//! The text of a list: its rows in the form that was asked for, what stands beside them, and what is missing.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::brief::EVERY_ROW;
use super::cut::CutNote;
use super::fenced_list::fence_list;
use super::gather::GatheredRows;
use super::known::is_documented;
use super::paging::{Evidence, Following};
use super::path::{PLAIN, find_at};
use super::project::{IDS, clipped};
use super::{Format, LONGEST_NAMED_TEXT, LONGEST_TEXT, Output, USUAL_ROWS, brief, form};
use crate::call::shape::{ask_for_less, too_large};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, Tool};

/// Largest member beside a list that is shown where nobody asked for it, in bytes of JSON.
const LARGEST_COMPANION: usize = 4_096;

/// Up to so many columns, rows are a table however many of its cells are empty.
const MOST_COLUMNS: usize = 300;

/// Members of an answer that are ours; HighLevel's of these names are shown by their paths.
pub(super) const OURS: [&str; 8] = [
    EVERY_ROW,
    "matched",
    "looked_at",
    "total",
    "next",
    "incomplete",
    "_warnings",
    "_cut",
];

/// A list as text.
#[derive(Debug)]
pub struct ListText {
    pub text: String,
    /// What there is to say beside rows that are CSV, as JSON: in the same text they would be no CSV.
    pub notes: Option<String>,
}

/// How many of the rows are shown, and whether that is for want of room.
#[derive(Clone, Copy)]
struct ShownRows {
    count: usize,
    is_full: bool,
}

impl ListText {
    fn bytes(&self) -> usize {
        self.text.len() + self.notes.as_ref().map_or(0, String::len)
    }
}

impl Output {
    /// The text of as many gathered rows as `max_bytes` hold.
    pub fn list(
        &self,
        tool: &Tool,
        gathered: GatheredRows,
        max_bytes: usize,
    ) -> Result<ListText, Failure> {
        if let Some(aggregate) = gathered.aggregate() {
            return self.figures(tool, &gathered, aggregate, max_bytes);
        }
        if tool.effect == Effect::Read {
            let is_beside = |field: &str| gathered.companions.contains_key(field);
            self.check_shown(tool, &gathered.search, is_beside)?;
        }
        let all = self
            .max_items
            .unwrap_or(usize::MAX)
            .min(gathered.rows.len());
        let mut most = all;
        let (mut beside, mut left_out) = self.beside(&gathered);
        loop {
            let is_full = most < all;
            let count = if is_full {
                gathered.resumable(tool, most)
            } else {
                most
            };
            let text = |shown| self.text(tool, &gathered, shown, (&beside, &left_out));
            let list = text(ShownRows { count, is_full })?;
            let bytes = list.bytes();
            if bytes <= max_bytes {
                return Ok(list);
            }
            let frame = text(ShownRows {
                count: 0,
                is_full: true,
            })?;
            // What each row takes, as far as that can be told, of the room that is left for rows.
            let room = max_bytes.saturating_sub(frame.bytes());
            let taken = bytes.saturating_sub(frame.bytes()).max(1);
            if most > 1 && (room > 0 || beside.is_empty()) {
                most = (count.saturating_mul(room) / taken).clamp(1, most - 1);
            } else if beside.is_empty() {
                let remedy = "Name the fields that are needed in output.fields.".to_owned();
                return Err(too_large(tool, bytes, max_bytes, remedy));
            } else {
                left_out.extend(take_largest(&mut beside, max_bytes / 2));
                most = all;
            }
        }
    }

    /// What stands beside the list, without what is too large, and the names of that.
    fn beside(&self, gathered: &GatheredRows) -> (Map<String, Value>, Vec<String>) {
        let (mut beside, mut left_out) = (Map::new(), Vec::new());
        for (name, value) in &gathered.companions {
            if self.is_whole() || self.names(name) || value.to_string().len() <= LARGEST_COMPANION {
                let is_ours = OURS.contains(&name.as_str());
                if name == "total" && gathered.total.as_ref() == Some(value) {
                    continue;
                }
                let shown = if is_ours {
                    format!("answer.{name}")
                } else {
                    name.clone()
                };
                beside.insert(shown, value.clone());
            } else {
                left_out.push(name.clone());
            }
        }
        (beside, left_out)
    }

    fn text(
        &self,
        tool: &Tool,
        gathered: &GatheredRows,
        shown: ShownRows,
        (beside, left_out): (&Map<String, Value>, &[String]),
    ) -> Result<ListText, Failure> {
        let mut cut = Vec::new();
        let mut projected: Vec<Value> = gathered
            .rows
            .iter()
            .take(shown.count)
            .map(|row| self.project(tool, &row.value, &mut cut))
            .collect();
        let mut notes = Map::new();
        for (name, value) in beside {
            let value = clipped(value, self.longest_text(), name, &mut cut);
            notes.insert(name.clone(), value);
        }
        if self.fields.is_none() {
            brief::shorten_dates(&mut projected);
            let shared = match self.is_item {
                true => Map::new(),
                false => brief::in_common(&mut projected),
            };
            if !shared.is_empty() {
                notes.insert(EVERY_ROW.to_owned(), Value::Object(shared));
            }
        }
        if let Some(fences) = &gathered.fences {
            fence_list(fences, tool, self.format, (&mut projected, &mut notes));
        }
        if !self.filter.is_empty() {
            notes.insert("matched".to_owned(), json!(gathered.rows.len()));
            notes.insert("looked_at".to_owned(), json!(gathered.seen));
        }
        if let Some(total) = &gathered.total {
            notes.insert("total".to_owned(), total.clone());
        }
        let (mut note, next) = self.cut_note(tool, gathered, shown);
        notes.extend(next.map(|next| ("next".to_owned(), Value::Object(next))));
        if let Some(failure) = &gathered.failure {
            notes.insert("incomplete".to_owned(), failure.clone());
        }
        let warnings = self.warnings(tool, gathered);
        if !warnings.is_empty() {
            notes.insert("_warnings".to_owned(), json!(warnings));
        }
        note_texts(cut, self.longest_text(), &mut note);
        if !left_out.is_empty() {
            note.left_out = left_out.to_vec();
            let is_named = left_out
                .iter()
                .any(|name| self.is_whole() || self.names(name));
            note.next.push(if is_named {
                "What is left out is too large beside these rows.".to_owned()
            } else {
                "Name the fields that are left out in output.fields.".to_owned()
            });
        }
        notes.extend(note.json().map(|note| ("_cut".to_owned(), note)));
        self.formed(tool, projected, notes)
    }

    fn formed(
        &self,
        tool: &Tool,
        rows: Vec<Value>,
        notes: Map<String, Value>,
    ) -> Result<ListText, Failure> {
        if self.format == Format::Json {
            let is_plain = rows.iter().any(|row| !row.is_object());
            let list = if is_plain || self.fields.is_some() || tool.summary_fields.is_empty() {
                Value::Array(rows)
            } else {
                let columns = self.columns(tool, &rows);
                match is_sparse(&columns, &rows) {
                    true => Value::Array(rows),
                    false => form::rows(&columns, &rows),
                }
            };
            let mut answer = Map::from_iter([(list_name(tool).to_owned(), list)]);
            answer.extend(notes);
            return Ok(ListText {
                text: Value::Object(answer).to_string(),
                notes: None,
            });
        }
        let rows: Vec<Value> = rows
            .into_iter()
            .map(|row| {
                if row.is_object() {
                    row
                } else {
                    json!({PLAIN: row})
                }
            })
            .collect();
        let columns = self.columns(tool, &rows);
        if is_sparse(&columns, &rows) {
            let what = format!(
                "The rows have {} different fields: most cells of a table would be empty.",
                columns.len()
            );
            return Err(Failure::new(FailureClass::Invalid, what)
                .with_remedy("Name the fields that are needed in output.fields."));
        }
        self.tabular(&columns, &rows, notes)
    }

    /// Rows as CSV or as a table, with what there is to say beside them.
    pub(super) fn tabular(
        &self,
        columns: &[String],
        rows: &[Value],
        notes: Map<String, Value>,
    ) -> Result<ListText, Failure> {
        let notes = (!notes.is_empty()).then(|| Value::Object(notes).to_string());
        if self.format == Format::Csv {
            let text = form::csv(columns, rows, self.spreadsheet_safe)?;
            return Ok(ListText { text, notes });
        }
        let mut text = form::table(columns, rows);
        if let Some(notes) = notes {
            text += &format!("# {notes}\n");
        }
        Ok(ListText { text, notes: None })
    }

    /// Why these are not all rows, and what leads to the others.
    fn cut_note(
        &self,
        tool: &Tool,
        gathered: &GatheredRows,
        shown: ShownRows,
    ) -> (CutNote, Option<Map<String, Value>>) {
        let count = shown.count;
        let is_part = count < gathered.rows.len();
        if !is_part && gathered.ends_here() {
            return (CutNote::default(), None);
        }
        let next = gathered.resume(tool, count);
        let mut how = next.as_ref().map(|_| "Call again with next.".to_owned());
        let why = if shown.is_full {
            how = how.or_else(|| {
                let less = ask_for_less(tool, Some(count));
                Some(format!("{less} Or name fewer fields in output.fields."))
            });
            "The answer is full.".to_owned()
        } else if let Some(most) = self.max_items.filter(|most| is_part || *most <= count) {
            let raise = || "Raise maxItems.";
            how = how.or_else(|| is_part.then(|| raise().to_owned()));
            format!("maxItems is {most}.")
        } else {
            let (why, way) = self.why_ended(tool, gathered);
            if let (Some(way), Some(_)) = (way, &next) {
                how = Some(format!("Call again with next, or {way}."));
            } else if let (Following::Lost(_), Some(narrow)) =
                (&gathered.following, tool.paging.narrow)
            {
                how = Some(format!("Ask for {narrow}."));
            }
            why
        };
        let mut why = vec![why];
        if let (false, Following::Page { evidence, .. }) = (is_part, &gathered.following)
            && *evidence != Evidence::Certain
        {
            why.push("There may be more.".to_owned());
        }
        let ends = gathered.following == Following::End;
        let note = CutNote {
            shown: Some(count),
            of: match gathered.total_count {
                Some(total) if self.filter.is_empty() => {
                    let is_sound = i64::try_from(count).is_ok_and(|count| count <= total);
                    is_sound.then(|| json!(total))
                }
                _ => (ends && is_part).then(|| json!(gathered.rows.len())),
            },
            why,
            next: how.into_iter().collect(),
            ..CutNote::default()
        };
        (note, next)
    }

    /// Why no further page was read, and what reads more of them.
    pub(super) fn why_ended(
        &self,
        tool: &Tool,
        gathered: &GatheredRows,
    ) -> (String, Option<&'static str>) {
        if let Following::Lost(why) = &gathered.following {
            return (why.clone(), None);
        }
        if gathered.failure.is_some() {
            return ("A further page failed: see incomplete.".to_owned(), None);
        }
        if let Some(why) = gathered.stopped {
            return (why.to_owned(), None);
        }
        if gathered.pages() < gathered.wanted && self.is_enough(gathered) {
            let why = format!("{USUAL_ROWS} rows are read where maxItems does not say more.");
            return (why, None);
        }
        let is_read = tool.effect == tool::Effect::Read;
        match gathered.pages() {
            1 => (
                "One page was read.".to_owned(),
                is_read.then_some("set output.allPages"),
            ),
            pages => {
                let way = "give output.allPages a number of pages";
                (format!("{pages} pages were read."), Some(way))
            }
        }
    }

    /// Sentences about an answer that is not what was asked for.
    pub fn warnings(&self, tool: &Tool, gathered: &GatheredRows) -> Vec<String> {
        let mut warnings = self.absent_fields(tool, gathered);
        warnings.extend(gathered.words.warnings(&self.filter));
        warnings.extend(gathered.change_warning());
        warnings
    }

    /// Sentences about fields that no row has, though one may have them. Other missing fields fail.
    pub fn absent_fields(&self, tool: &Tool, gathered: &GatheredRows) -> Vec<String> {
        let is_missing = |field: &str| gathered.seen > 0 && !gathered.search.finds(field);
        let conditions = self.filter.iter().filter(|condition| {
            let is_settled = condition.asks_presence() && !tool.answers.is_empty();
            is_missing(&condition.field) && !is_settled
        });
        let conditions = conditions.map(|condition| condition.field.as_str());
        let fields = self.fields.iter().flatten().map(String::as_str);
        let fields = fields.filter(|field| {
            let is_shown = || {
                gathered
                    .rows
                    .iter()
                    .any(|row| find_at(&row.value, field).is_some())
            };
            let is_known = gathered.is_plain
                || *field == "*"
                || is_documented(tool, field)
                || gathered.companions.contains_key(*field);
            !gathered.rows.is_empty() && !is_known && !is_shown()
        });
        let others = self
            .named_fields()
            .filter(|(member, field)| !matches!(*member, "filter" | "fields") && is_missing(field));
        let missing = conditions
            .chain(fields)
            .chain(others.map(|(_, field)| field));
        missing
            .map(|field| format!("No row has the field {field}."))
            .collect()
    }

    /// The columns of a table: the wanted fields that any row has, or all that rows have.
    pub(super) fn columns(&self, tool: &Tool, rows: &[Value]) -> Vec<String> {
        let wanted = self.wanted(tool);
        let has_id =
            |field: &&str| IDS.contains(field) && rows.iter().any(|row| row.get(*field).is_some());
        let ids: &[&str] = match (&self.fields, wanted.iter().any(has_id)) {
            (None, false) => &IDS,
            _ => &[],
        };
        let first = ids.iter().chain(&wanted).copied();
        let first = first.filter(|field| rows.iter().any(|row| row.get(*field).is_some()));
        let keys = rows.iter().filter_map(Value::as_object).flat_map(Map::keys);
        let mut known = HashSet::new();
        let all = first.chain(keys.map(String::as_str));
        all.filter(|name| known.insert(*name))
            .map(str::to_owned)
            .collect()
    }
}

/// Whether the rows share so few of their fields that a table of them is nearly empty, and far larger than they are.
fn is_sparse(columns: &[String], rows: &[Value]) -> bool {
    let values = rows.iter().filter_map(Value::as_object).map(Map::len);
    columns.len() > MOST_COLUMNS && columns.len() * rows.len() > 4 * values.sum::<usize>()
}

/// Takes out the largest members, so that the others have no more than `room` bytes; all where they have.
fn take_largest(beside: &mut Map<String, Value>, room: usize) -> Vec<String> {
    let sizes = beside
        .iter()
        .map(|(name, value)| (value.to_string().len(), name.clone()));
    let mut sizes: Vec<(usize, String)> = sizes.collect();
    sizes.sort();
    let mut sum = 0;
    let mut kept: Vec<String> = Vec::new();
    for (size, name) in sizes {
        sum += size;
        if sum <= room {
            kept.push(name);
        }
    }
    if kept.len() == beside.len() {
        kept.clear();
    }
    let all = std::mem::take(beside);
    let (stay, go): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| kept.contains(name));
    beside.extend(stay);
    go.into_iter().map(|(name, _)| name).collect()
}

/// The member of an answer that is its list.
pub(super) fn list_name(tool: &Tool) -> &'static str {
    tool.paging.rows.last().copied().unwrap_or("rows")
}

/// Adds which texts are cut after how many characters.
pub(super) fn note_texts(mut cut: Vec<String>, longest: usize, note: &mut CutNote) {
    cut.sort();
    cut.dedup();
    if cut.is_empty() {
        return;
    }
    note.why
        .push(format!("Texts end in … after {longest} characters."));
    if longest == LONGEST_TEXT {
        note.next.push(format!(
            "Name a field in output.fields for up to {LONGEST_NAMED_TEXT} characters."
        ));
    }
    note.texts = cut;
}
