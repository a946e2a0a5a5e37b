//! The text of what rows come to: groups with their figures, what they are of, and what is missing.

use serde_json::{Map, Value, json};

use super::aggregate::{Aggregate, SortedGroups};
use super::cut::CutNote;
use super::fenced_list::fence_list;
use super::gather::GatheredRows;
use super::group::Group;
use super::paging::Following;
use super::{Format, ListText, MOST_SHOWN_GROUPS, Output, form};
use crate::call::shape::too_large;
use crate::upstream::Failure;
use tool::Tool;

const COUNT: &str = "count";

/// Ids of a group's rows, where duplicates are looked for.
const IDS: &str = "ids";

impl Output {
    /// The text of as many groups as `max_bytes` hold; the others are added up.
    pub(super) fn figures(
        &self,
        tool: &Tool,
        gathered: &GatheredRows,
        aggregate: &Aggregate,
        max_bytes: usize,
    ) -> Result<ListText, Failure> {
        let mut sorted = aggregate.sorted();
        if let Some(least) = self.min_count {
            // What has no value shares none.
            let has_value = |group: &Group| group.labels.iter().any(|label| !label.shown.is_null());
            let counts = |group: &Group| group.rows >= least && (least < 2 || has_value(group));
            sorted.groups.retain(counts);
        }
        let most = self.max_items.unwrap_or(MOST_SHOWN_GROUPS);
        let mut shown = most.min(MOST_SHOWN_GROUPS).min(sorted.groups.len());
        loop {
            let list = self.figures_text(tool, (gathered, aggregate), &sorted, shown)?;
            let bytes = list.text.len() + list.notes.as_ref().map_or(0, String::len);
            if bytes <= max_bytes {
                return Ok(list);
            }
            if shown == 0 {
                let remedy = "Group by fewer fields.".to_owned();
                return Err(too_large(tool, bytes, max_bytes, remedy));
            }
            shown = (shown * max_bytes / bytes).min(shown - 1);
        }
    }

    fn figures_text(
        &self,
        tool: &Tool,
        (gathered, aggregate): (&GatheredRows, &Aggregate),
        sorted: &SortedGroups,
        shown: usize,
    ) -> Result<ListText, Failure> {
        let labels = aggregate.label_names(sorted.has_currency);
        let names = aggregate.measures().iter().map(|one| one.name.clone());
        let mut columns: Vec<String> = labels.iter().cloned().chain([COUNT.to_owned()]).collect();
        columns.extend(names);
        let keeps_ids = self.min_count.is_some_and(|least| least > 1);
        columns.extend(keeps_ids.then(|| IDS.to_owned()));
        let row = |group: &Group| {
            let mut row = figures_of_group(aggregate, group);
            if keeps_ids {
                row.insert(IDS.to_owned(), json!(group.ids));
            }
            let named = labels.iter().zip(&group.labels);
            row.extend(named.map(|(name, label)| (name.clone(), label.shown.clone())));
            Value::Object(row)
        };
        let mut rows: Vec<Value> = sorted.groups.iter().take(shown).map(row).collect();
        let is_whole = labels.is_empty();
        if is_whole {
            // Of no rows there are figures, too.
            let known = sorted.groups.first().cloned();
            let mut all = known.unwrap_or_else(|| aggregate.no_rows());
            all.rows = self.known_count(gathered).unwrap_or(all.rows);
            rows = vec![row(&all)];
        }
        let mut notes = Map::new();
        notes.extend(others(aggregate, sorted, shown));
        // A count of HighLevel's is of more rows than were read to learn it.
        let is_known = self.known_count(gathered).is_some();
        if !is_known || gathered.ends_here() {
            notes.insert("looked_at".to_owned(), json!(gathered.seen));
            notes.insert("matched".to_owned(), json!(gathered.matched));
        }
        let total = gathered.total.clone();
        notes.extend(total.map(|total| ("total".to_owned(), total)));
        if let Some(fences) = &gathered.fences {
            fence_list(fences, tool, self.format, (&mut rows, &mut notes));
        }
        let (note, next) = self.figures_cut(tool, gathered, sorted, shown);
        notes.extend(next.map(|next| ("next".to_owned(), Value::Object(next))));
        let failure = gathered.failure.clone();
        notes.extend(failure.map(|failure| ("incomplete".to_owned(), failure)));
        let mut warnings = self.warnings(tool, gathered);
        warnings.extend(aggregate.warnings());
        if !warnings.is_empty() {
            notes.insert("_warnings".to_owned(), json!(warnings));
        }
        notes.extend(note.json().map(|note| ("_cut".to_owned(), note)));
        match self.format {
            Format::Json => {
                let mut answer = match rows.pop() {
                    Some(Value::Object(all)) if is_whole => all,
                    last => {
                        rows.extend(last);
                        let groups = form::rows(&columns, &rows);
                        Map::from_iter([("groups".to_owned(), groups)])
                    }
                };
                answer.extend(notes);
                Ok(ListText {
                    text: Value::Object(answer).to_string(),
                    notes: None,
                })
            }
            _ => self.tabular(&columns, &rows, notes),
        }
    }

    /// Why the figures are those of a part, and what leads to the rest.
    fn figures_cut(
        &self,
        tool: &Tool,
        gathered: &GatheredRows,
        sorted: &SortedGroups,
        shown: usize,
    ) -> (CutNote, Option<Map<String, Value>>) {
        let mut note = CutNote::default();
        let is_known = self.known_count(gathered).is_some();
        let mut next = None;
        if !is_known && !gathered.ends_here() {
            next = gathered.resume(tool, gathered.matched);
            let (why, _) = self.why_ended(tool, gathered);
            note.shown = Some(gathered.seen);
            note.of = gathered.total_count.map(|total| json!(total));
            note.why = vec!["The figures are of a part of the rows.".to_owned(), why];
            let narrow = match (&gathered.following, tool.paging.narrow) {
                (Following::Lost(_), Some(narrow)) => format!("Ask for {narrow}."),
                _ => match gathered.larger_pages(tool, self) {
                    Some((size, most)) => {
                        format!("Set {size} to {most}, which reads more rows a page.")
                    }
                    None => "Ask for fewer rows by the operation's own arguments.".to_owned(),
                },
            };
            note.next.push(match &next {
                Some(_) => format!("Call again with next and add those figures to these. {narrow}"),
                None => narrow,
            });
        }
        let all = sorted.groups.len();
        if shown < all && !sorted.groups.iter().all(|group| group.labels.is_empty()) {
            if note.shown.is_none() {
                (note.shown, note.of) = (Some(shown), Some(json!(all)));
            }
            note.why.push(format!("{shown} of {all} groups are shown."));
            note.next
                .push("Filter, or give minCount for the large groups only.".to_owned());
        }
        if sorted.rest.is_some() {
            note.why
                .push("There are more groups than are kept apart.".to_owned());
            note.next
                .push("Group by a field with fewer values, or filter.".to_owned());
        }
        (note, next)
    }

    /// How many rows there are, where nothing but that is asked for and HighLevel says it.
    pub(super) fn known_count(&self, gathered: &GatheredRows) -> Option<u64> {
        if !self.counts_all() {
            return None;
        }
        let total = u64::try_from(gathered.total_count?).ok()?;
        let seen = u64::try_from(gathered.seen).unwrap_or(u64::MAX);
        (total >= seen).then_some(total)
    }
}

/// The count and the figures of one group.
fn figures_of_group(aggregate: &Aggregate, group: &Group) -> Map<String, Value> {
    let mut row = Map::from_iter([(COUNT.to_owned(), json!(group.rows))]);
    for measure in aggregate.measures() {
        let figure = group.figures.get(measure.field);
        let shown = figure.map(|figure| figure.json(measure.kind));
        row.insert(measure.name.clone(), shown.unwrap_or_default());
    }
    row
}

/// What the groups come to that are not shown. Amounts of several currencies come to nothing.
fn others(aggregate: &Aggregate, sorted: &SortedGroups, shown: usize) -> Option<(String, Value)> {
    let hidden = sorted.groups.get(shown..).unwrap_or_default();
    if aggregate.label_names(sorted.has_currency).is_empty() {
        return None;
    }
    let mut all = sorted
        .rest
        .clone()
        .or_else(|| hidden.first().map(|_| aggregate.no_rows()))?;
    hidden.iter().for_each(|group| all.merge(group));
    let mut others = Map::from_iter([("groups".to_owned(), json!(hidden.len()))]);
    let mut figures = figures_of_group(aggregate, &all);
    figures.retain(|name, _| name == COUNT || !sorted.has_currency);
    others.extend(figures);
    Some(("others".to_owned(), Value::Object(others)))
}
