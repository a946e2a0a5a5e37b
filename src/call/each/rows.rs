//! Reads the rows page by page, as the caller of the write and under its rules. Keeps of each what the write needs.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::message_target::MessageTarget;
use super::super::record_names::name_in;
use super::super::respond::{LONGEST_READING, tree_bytes};
use super::super::{Answer, ConsentSource, Each, Pipeline, Request};
use super::Binding;
use crate::call::output::{AllPages, GatheredRows, Output, most_rows_a_page};
use crate::catalog::decoding::from_json;
use crate::catalog::masking::mask_secrets;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use tool::{Tool, is_blank};

/// Most rows of one confirm.
const MOST_ROWS: usize = 1_000;

/// Pages that are read if nobody gives a number.
const USUAL_PAGES: usize = 50;

/// The most different reasons for leaving out rows that are reported.
const MOST_REASONS: usize = 5;

/// A row with everything that the write needs.
pub(super) struct Candidate {
    pub item: Map<String, Value>,
    pub name: Option<String>,
}

/// The rows of a list that are written for, and the counts of the others.
#[derive(Default)]
pub(super) struct ChosenRows {
    pub candidates: Vec<Candidate>,
    known: HashSet<String>,
    matched: usize,
    looked_at: usize,
    /// There are further rows that may match.
    is_part: bool,
    most: usize,
    /// An argument that a row had no value for, with the fields that were searched.
    without: Option<(String, String)>,
    no_value: usize,
    duplicates: usize,
    do_not_disturb: usize,
    /// Contacts that have no address of the message's channel.
    no_address: usize,
    /// The message's channel, where the rows do not show who asked not to be disturbed by it alone.
    unseen: Option<String>,
    /// Rows that would be refused, by reason.
    refusals: BTreeMap<String, usize>,
}

impl Pipeline {
    /// The rows of the read that pass its filter and that the write can use.
    pub(super) async fn choose_rows(
        &self,
        request: &Request<'_>,
        each: &Each,
        binding: &Binding,
    ) -> Result<ChosenRows, Answer> {
        let context = request.context;
        let (tool, output) = (each.tool, &each.output);
        output.check(tool, false)?;
        let location = request.options.location.as_deref();
        let located = self.locate(
            tool,
            each.arguments.clone(),
            location,
            context,
            &self.snapshot(),
        )?;
        let mut facts = located.into_facts();
        let given = std::mem::take(&mut facts.arguments);
        let mut arguments = self.checker().canonical_names(tool, given);
        let size = tool.paging.page_size;
        let pages = match output.all_pages {
            // A caller that asks for a page of five means five: missing rows can be requested again, sent messages
            // cannot be taken back.
            AllPages::Whether(false) if size.is_some_and(|size| arguments.contains_key(size)) => 1,
            _ => pages(output, self.transport().calls_per_interval() / 2),
        };
        let largest = most_rows_a_page(tool, output)
            .filter(|(size, _)| pages > 1 && !arguments.contains_key(*size));
        if let Some((size, rows)) = largest {
            arguments.insert(size.to_owned(), json!(rows));
        }
        let added = largest.map(|(size, _)| size);
        let mut gathered = GatheredRows::for_call(arguments.clone(), added, pages);
        let started = Instant::now();
        if output.needs_zone() {
            let (zone, unknown) = self.zone_of_days(&facts, context).await;
            // Rows for a write are not chosen by a guess.
            if let Some(unknown) = unknown {
                let failure = Failure::new(
                    FailureClass::Invalid,
                    format!("Nothing was sent: {unknown}"),
                );
                return Err(failure
                    .with_remedy("Give times of each.filter with their offsets.")
                    .into());
            }
            gathered.set_zone(zone);
        }
        let mut chosen = ChosenRows {
            most: output.max_items.unwrap_or(MOST_ROWS).min(MOST_ROWS),
            ..ChosenRows::default()
        };
        loop {
            let mut page = facts.with_arguments(arguments.clone());
            page.snapshot = self.snapshot();
            let asking = ConsentSource::Caller(None);
            let mut reply = Box::pin(self.read(page, asking, context)).await?;
            let room = reply.charge.grow(tree_bytes(&reply.body));
            room.map_err(|_| no_room())?;
            let body = mask_secrets(reply.body);
            let answer: Value = from_json(body.as_bytes()).unwrap_or_default();
            if !output.gather(tool, &answer, &mut gathered)? {
                return Err(no_list(tool));
            }
            let rows = gathered.take_rows();
            let is_full = !chosen.add(request, binding, rows);
            let next = gathered.next_arguments(&arguments);
            match next {
                Some(next)
                    if !is_full
                        && gathered.pages() < pages
                        && started.elapsed() < LONGEST_READING =>
                {
                    arguments = next;
                }
                _ => {
                    let has_changed = gathered.change_warning().is_some();
                    chosen.is_part = is_full || has_changed || !gathered.ends_here();
                    break;
                }
            }
        }
        chosen.looked_at = gathered.seen();
        // A condition on a field that no row has is true of none, or of all.
        match output.absent_fields(tool, &gathered).first() {
            None => Ok(chosen),
            Some(warning) => Err(Failure::new(
                FailureClass::Invalid,
                format!("Nothing was sent: each.filter is not about these rows. {warning}"),
            )
            .into()),
        }
    }
}

impl ChosenRows {
    /// Adds rows, and returns whether there is room for more.
    fn add(&mut self, request: &Request<'_>, binding: &Binding, rows: Vec<Value>) -> bool {
        let message = MessageTarget::new(request.tool, &request.arguments);
        let address = message.as_ref().and_then(MessageTarget::address);
        let address = address.filter(|field| rows.iter().any(|row| !is_blank(&row[*field])));
        for row in rows {
            if self.matched == self.most {
                return false;
            }
            self.matched += 1;
            let item = match binding.item(&row) {
                Ok(item) => item,
                Err(argument) => {
                    let fields = binding.fields(argument);
                    self.without
                        .get_or_insert_with(|| (argument.to_owned(), fields));
                    self.no_value += 1;
                    continue;
                }
            };
            if let Some(message) = &message
                && row.get("dndSettings").is_none()
            {
                self.unseen.clone_from(&message.channel);
            }
            if message
                .as_ref()
                .is_some_and(|message| message.is_refused_by(&row))
            {
                self.do_not_disturb += 1;
            } else if address.is_some_and(|field| is_blank(&row[field])) {
                self.no_address += 1;
            } else if self.known.insert(Value::Object(item.clone()).to_string()) {
                let name = name_in(&row);
                self.candidates.push(Candidate { item, name });
            } else {
                self.duplicates += 1;
            }
        }
        true
    }

    /// Counts a row whose write would be refused.
    pub(super) fn skip_refused(&mut self, answer: &Answer) {
        let reason = answer.sentence();
        if self.refusals.len() < MOST_REASONS || self.refusals.contains_key(&reason) {
            *self.refusals.entry(reason).or_default() += 1;
        } else {
            *self.refusals.entry("other reasons".to_owned()).or_default() += 1;
        }
    }

    pub(super) fn refused(&self) -> usize {
        self.refusals.values().sum()
    }

    /// Notes on the rows for the person who confirms.
    pub(super) fn notes(&self, each: &Each) -> Map<String, Value> {
        let mut skipped = self.skipped();
        if !self.refusals.is_empty() {
            skipped.insert("refused".to_owned(), json!(self.refusals));
        }
        let read = json!({
            "operation": each.tool.name, "lookedAt": self.looked_at, "matched": self.matched,
        });
        let mut notes = Map::from_iter([("each".to_owned(), read)]);
        if !skipped.is_empty() {
            notes.insert("skipped".to_owned(), Value::Object(skipped));
        }
        if let Some(channel) = &self.unseen {
            let what = format!(
                "These rows do not show who refuses {channel} alone; HighLevel refuses those."
            );
            notes.insert("unseen".to_owned(), json!(what));
        }
        let incomplete = self.incomplete();
        notes.extend(incomplete.map(|what| ("incomplete".to_owned(), json!(what))));
        notes
    }

    /// How many rows are left out, by reason.
    fn skipped(&self) -> Map<String, Value> {
        let counts = [
            ("noValue", self.no_value),
            ("duplicates", self.duplicates),
            ("doNotDisturb", self.do_not_disturb),
            ("noAddress", self.no_address),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        counts
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect()
    }

    /// There may be further rows: a sentence for this call, and how to go on after it.
    pub(super) fn incomplete(&self) -> Option<String> {
        let what = match self.matched == self.most {
            true => format!("These are the first {} rows; more may match.", self.most),
            false => "Not all pages were read; more rows may match.".to_owned(),
        };
        let how = "For those, call again once these are done, with an each.filter or each.arguments that leave these out.";
        self.is_part.then(|| format!("{what} {how}"))
    }

    /// The answer if no row is left.
    pub(super) fn nothing(&self) -> Answer {
        let looked_at = self.looked_at;
        if let (Some((argument, fields)), true) = (&self.without, self.matched == self.no_value) {
            let what = format!(
                "Nothing was sent: none of {} rows has {fields}, for {argument}.",
                self.matched
            );
            let remedy =
                format!("Say in each.bind which field it is, such as {{{argument:?}: \"id\"}}.");
            let failure = Failure::new(FailureClass::Invalid, what).with_remedy(remedy);
            return Answer::never_sent(&failure);
        }
        let what = match self.matched {
            0 => format!("Nothing to do: none of {looked_at} rows matches."),
            matched => format!("Nothing to do: all of {matched} rows are left out."),
        };
        let mut shown = json!({"done": 0, "of": 0, "what": what});
        let skipped = self.skipped();
        if !skipped.is_empty() {
            shown["skipped"] = Value::Object(skipped);
        }
        Answer {
            did_nothing: true,
            ..Answer::text(shown.to_string())
        }
    }
}

/// All pages, unless the caller gives a number.
fn pages(output: &Output, window: usize) -> usize {
    let wanted = match output.all_pages {
        AllPages::Whether(_) => USUAL_PAGES,
        AllPages::Pages(pages) => pages,
    };
    wanted.clamp(1, USUAL_PAGES.min(window.max(1)))
}

fn no_list(tool: &Tool) -> Answer {
    let what = format!("Nothing was sent: {} answers no list.", tool.name);
    Failure::new(FailureClass::Invalid, what)
        .with_remedy("Take a read whose answer has rows.")
        .into()
}

fn no_room() -> Answer {
    let what = "Nothing was sent: the server has no room for these rows now.";
    Failure::new(FailureClass::RateLimited, what)
        .with_remedy("Repeat the call after retryAfterMs milliseconds, or read fewer rows a page.")
        .with_retry_after(Duration::from_secs(1))
        .into()
}
