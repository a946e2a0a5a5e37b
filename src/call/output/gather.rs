//! Rows of one page or several, and where a list is gone on with behind any of them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::aggregate::Aggregate;
use super::companions::companions;
use super::known::FieldSearch;
use super::paging::{
    Evidence, Following, after_row, changed, following, most_rows_a_page, page_size, rows_before,
    total,
};
use super::project::IDS;
use super::words::ConditionWords;
use super::{Output, rows, value_at};
use crate::call::Fences;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Effect, PagingStyle, Tool};

/// Rows gathered so far.
#[derive(Debug, Default)]
pub struct GatheredRows {
    /// What passed the filter, unless it is added up.
    pub(super) rows: Vec<GatheredRow>,
    /// How many passed it.
    pub(super) matched: usize,
    /// What they come to, where that is asked for.
    pub(super) aggregate: Option<Aggregate>,
    /// The zone of days and of times without an offset; UTC where none is known.
    zone: Option<TimeZone>,
    /// How many there were before it.
    pub(super) seen: usize,
    pages: Vec<PageEnd>,
    /// Pages that are wanted.
    pub(super) wanted: usize,
    /// Arguments of the first page.
    arguments: Map<String, Value>,
    /// The page size that the call was given beside its own arguments.
    added_size: Option<&'static str>,
    /// Rows of the list before the first page.
    before: Option<i64>,
    known_rows: HashSet<u64>,
    /// Rows of earlier pages that a later one had again. They count once.
    repeated: usize,
    /// HighLevel's total changed from page to page: the first and the last.
    totals: Option<(i64, i64)>,
    /// The words that rows have in the fields of conditions.
    pub(super) words: ConditionWords,
    known_cursors: HashSet<String>,
    pub(super) following: Following,
    /// What stands beside the lists; of two pages what the later one has.
    pub(super) companions: Map<String, Value>,
    /// As HighLevel tells it, and as a number.
    pub(super) total: Option<Value>,
    pub(super) total_count: Option<i64>,
    /// Why a later page could not be read.
    pub(super) failure: Option<Value>,
    /// Why no further page was asked for.
    pub(super) stopped: Option<&'static str>,
    /// A row is not an object.
    pub(super) is_plain: bool,
    /// Which of the fields that are named any row had.
    pub(super) search: FieldSearch,
    /// Stand around what other people wrote, once the rows are made a text.
    pub fences: Option<Arc<Fences>>,
}

/// A row that passed the filter, and its place among all that were seen.
#[derive(Debug)]
pub(super) struct GatheredRow {
    pub value: Value,
    place: usize,
}

/// Where a page ends, and what to change in the arguments for the one behind it.
#[derive(Debug)]
struct PageEnd {
    end: usize,
    change: Option<Map<String, Value>>,
}

impl GatheredRows {
    /// For a call with these arguments that reads so many pages. `added_size` names the page size that was added to them.
    pub fn for_call(
        arguments: Map<String, Value>,
        added_size: Option<&'static str>,
        wanted: usize,
    ) -> Self {
        Self {
            arguments,
            added_size,
            wanted,
            ..Self::default()
        }
    }

    /// The rows that passed the filter since this was asked last.
    pub fn take_rows(&mut self) -> Vec<Value> {
        let rows = std::mem::take(&mut self.rows);
        rows.into_iter().map(|row| row.value).collect()
    }

    /// Rows that were looked at.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Days are those of this zone.
    pub fn set_zone(&mut self, zone: TimeZone) {
        self.zone = Some(zone);
    }

    /// What the rows come to, where that is what was asked for.
    pub fn aggregate(&self) -> Option<&Aggregate> {
        self.aggregate.as_ref()
    }

    /// A sentence if the list changed between its pages.
    pub fn change_warning(&self) -> Option<String> {
        let counted = match self.repeated {
            0 => "",
            _ => " Rows that came twice count once.",
        };
        let what = match (self.totals, self.repeated) {
            (Some((before, now)), _) => format!("HighLevel's total went from {before} to {now}"),
            (None, 0) => return None,
            (None, _) => "some rows came twice".to_owned(),
        };
        Some(format!(
            "The list changed while it was read ({what}), so rows may be missing.{counted}"
        ))
    }

    /// Pages that were read.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// The arguments of the page behind those that were read, where there may be one.
    pub fn next_arguments(&self, arguments: &Map<String, Value>) -> Option<Map<String, Value>> {
        let Following::Page { change, .. } = &self.following else {
            return None;
        };
        let mut next = arguments.clone();
        changed(&mut next, change);
        Some(next)
    }

    /// No further page was read, for this reason.
    pub fn fail(&mut self, answer: &str) {
        const TOLD: [&str; 7] = [
            "error",
            "class",
            "status",
            "message",
            "traceId",
            "remedy",
            "retryAfterMs",
        ];
        let parsed = serde_json::from_str::<Map<String, Value>>(answer);
        let mut failure =
            parsed.unwrap_or_else(|_| Map::from_iter([("error".to_owned(), json!(answer))]));
        failure.retain(|name, _| TOLD.contains(&name.as_str()));
        self.failure = Some(Value::Object(failure));
    }

    /// No further page was asked for, for this reason.
    pub fn stop(&mut self, why: &'static str) {
        self.stopped = Some(why);
    }

    /// Adds the rows of `answer`, and finds out what follows them. Fails where what is asked of them fits none.
    pub(super) fn add(
        &mut self,
        output: &Output,
        tool: &Tool,
        answer: &Value,
    ) -> Result<bool, Failure> {
        let Some(rows) = rows(tool, answer) else {
            return Ok(false);
        };
        if self.pages.is_empty() {
            self.before = rows_before(tool, &self.arguments);
            let cursor = tool.paging.next.iter().filter_map(|step| {
                let value = self.arguments.get(step.argument)?;
                Some((step.argument.to_owned(), value.clone()))
            });
            self.known_cursors.insert(key(&cursor.collect()));
        }
        if !tool.paging.total.is_empty() {
            self.total = value_at(answer, tool.paging.total).cloned();
            let before = std::mem::replace(&mut self.total_count, total(tool, answer));
            if let (Some(before), Some(now)) = (before, self.total_count)
                && before != now
            {
                let first = self.totals.map_or(before, |(first, _)| first);
                self.totals = Some((first, now));
            }
        }
        self.companions
            .extend(companions(tool, answer, output.is_whole()));
        let is_later = !self.pages.is_empty() && !rows.is_empty();
        let identities: Vec<RowIdentity> = rows.iter().map(RowIdentity::new).collect();
        let is_known = |one: &RowIdentity| self.known_rows.contains(&one.digest);
        if is_later && identities.iter().all(is_known) {
            let why = "HighLevel gave rows of earlier pages again, so that reading ended there.";
            self.following = Following::Lost(why.to_owned());
            return Ok(true);
        }
        // Rows that were added or removed meanwhile move the others from page to page. Without ids equal rows may be two.
        let repeated = identities
            .iter()
            .map(|one| is_later && one.has_id && is_known(one));
        let repeated: Vec<bool> = repeated.collect();
        self.known_rows
            .extend(identities.iter().map(|one| one.digest));
        let earlier = self.seen;
        self.keep(output, tool, rows, &repeated)?;
        let seen = i64::try_from(earlier).unwrap_or(i64::MAX);
        let before = self.before.map(|before| before.saturating_add(seen));
        let following = following(
            tool,
            &self.page_arguments(),
            answer,
            rows,
            (before, earlier),
        );
        self.following = self.checked(tool, following);
        let change = match &self.following {
            Following::Page { change, .. } => Some(change.clone()),
            _ => None,
        };
        self.pages.push(PageEnd {
            end: self.seen,
            change,
        });
        Ok(true)
    }

    /// Keeps the rows that pass the filter, or what they come to. Of what a write answers nothing fails: it is done.
    fn keep(
        &mut self,
        output: &Output,
        tool: &Tool,
        rows: &[Value],
        repeated: &[bool],
    ) -> Result<(), Failure> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let is_first = self.seen == 0;
        self.search.look(output, rows);
        if is_first && tool.effect == Effect::Read {
            output.check_fields(tool, &self.search)?;
            let mut misfits = output.filter.iter();
            if let Some(misfit) = misfits.find_map(|condition| condition.misfit(rows, &zone)) {
                let what = format!("output.filter: {misfit}.");
                return Err(Failure::new(FailureClass::Invalid, what));
            }
        }
        if is_first && self.aggregate.is_none() {
            self.aggregate = Aggregate::new(output)?;
        }
        for (row, is_repeated) in rows.iter().zip(repeated) {
            if *is_repeated {
                self.repeated += 1;
                self.seen += 1;
                continue;
            }
            self.words.note(&output.filter, row);
            let mut conditions = output.filter.iter();
            if conditions.all(|condition| condition.holds(row, &zone)) {
                self.matched += 1;
                match &mut self.aggregate {
                    Some(aggregate) => aggregate.add(row, &zone),
                    None => self.rows.push(GatheredRow {
                        value: row.clone(),
                        place: self.seen,
                    }),
                }
            }
            self.is_plain |= !row.is_object();
            self.seen += 1;
        }
        self.aggregate.as_ref().map_or(Ok(()), Aggregate::check)
    }

    /// The arguments of the page that is being added.
    fn page_arguments(&self) -> Map<String, Value> {
        let mut arguments = self.arguments.clone();
        for page in &self.pages {
            page.change
                .iter()
                .for_each(|change| changed(&mut arguments, change));
        }
        arguments
    }

    /// What follows, unless its cursor led to an earlier page; with the page size that a number of pages is counted in.
    fn checked(&mut self, tool: &Tool, following: Following) -> Following {
        let Following::Page {
            mut change,
            evidence,
        } = following
        else {
            return following;
        };
        if matches!(tool.paging.style, PagingStyle::Cursor | PagingStyle::LastId)
            && !self.known_cursors.insert(key(&change))
        {
            let why =
                "HighLevel gave the cursor of an earlier page again, so that reading ended there.";
            return Following::Lost(why.to_owned());
        }
        if let (PagingStyle::Page, Some(size)) = (tool.paging.style, self.added_size)
            && let Some(value) = self.arguments.get(size)
        {
            change.insert(size.to_owned(), value.clone());
        }
        Following::Page { change, evidence }
    }

    /// The argument of the page size and the most it takes, where smaller pages were asked for.
    pub(super) fn larger_pages(&self, tool: &Tool, output: &Output) -> Option<(&'static str, i64)> {
        let (size, most) = most_rows_a_page(tool, output)?;
        let given = page_size(tool, &self.arguments)?;
        (given < most).then_some((size, most))
    }

    /// Whether the list is taken to end with the one page that was asked for.
    pub fn ends_here(&self) -> bool {
        match self.following {
            Following::End => true,
            Following::Page { evidence, .. } => {
                evidence == Evidence::Slight && self.wanted <= 1 && self.failure.is_none()
            }
            Following::Lost(_) => false,
        }
    }

    /// What to change in the arguments of the first page for what stands behind the first `shown` rows; `None` where
    /// nothing does, or HighLevel has no way to that place.
    pub(super) fn resume(&self, tool: &Tool, shown: usize) -> Option<Map<String, Value>> {
        let change_after = |pages: usize| {
            let mut all = Map::new();
            for page in self.pages.iter().take(pages) {
                all.extend(page.change.clone()?);
            }
            Some(all)
        };
        let Some(following) = self.rows.get(shown) else {
            return match self.following {
                Following::Page { .. } => change_after(self.pages.len()),
                _ => None,
            };
        };
        let last = self.rows.get(shown.checked_sub(1)?)?;
        if let Some(pages) = self.pages.iter().position(|page| last.place < page.end)
            && self
                .pages
                .get(pages)
                .is_some_and(|page| page.end <= following.place)
        {
            return change_after(pages + 1);
        }
        match tool.paging.style {
            PagingStyle::Offset => {
                let position = tool.paging.position?;
                let place = i64::try_from(last.place).ok()?;
                let next = self.before?.checked_add(place)?.checked_add(1)?;
                Some(Map::from_iter([(position.to_owned(), json!(next))]))
            }
            PagingStyle::Page | PagingStyle::Cursor | PagingStyle::LastId => {
                after_row(tool, &self.arguments, &last.value)
            }
            PagingStyle::None | PagingStyle::Window => None,
        }
    }

    /// The most rows, of `most` at most, behind which the list can be gone on with; `most` where there are none.
    pub(super) fn resumable(&self, tool: &Tool, most: usize) -> usize {
        let mut counts = (1..=most).rev();
        let found = counts.find(|shown| self.resume(tool, *shown).is_some());
        found.unwrap_or(most)
    }
}

fn key(cursor: &Map<String, Value>) -> String {
    Value::Object(cursor.clone()).to_string()
}

/// What a row is known by: its id, or all of it.
struct RowIdentity {
    digest: u64,
    has_id: bool,
}

impl RowIdentity {
    fn new(row: &Value) -> Self {
        let id = IDS.iter().find_map(|name| row.get(name));
        let id = id.filter(|id| id.is_string() || id.is_number());
        let mut hasher = DefaultHasher::new();
        id.unwrap_or(row).to_string().hash(&mut hasher);
        Self {
            digest: hasher.finish(),
            has_id: id.is_some(),
        }
    }
}
