//! Makes the answer of what HighLevel said: without secrets, within the size budget, in the form that was asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::meter::{CallRecord, is_written};
use super::strangers;
use super::usage::SendPurpose;
use super::{Answer, CallContext, Consent, ConsentSource, Facts, Located, Pipeline, Response};
use crate::budget::Charge;
use crate::call::arguments::LocalZone;
use crate::call::output::{Format, GatheredRows, Output, added_page_size, change};
use crate::call::read_back::SentValues;
use crate::call::shape::{check_file, encoded_bytes, fitting_text, shape};
use crate::catalog::decoding::from_json;
use crate::catalog::masking::mask_secrets;
use crate::upstream::{Failure, Reply, UpstreamFile};
use tool::Effect;

/// A page of text is so many times as large once it is a tree of values (measured on lists of contacts: 2.8 to 3.6).
const TREE_FACTOR: usize = 3;

/// Least bytes of a parsed value, however short its text is.
const VALUE_BYTES: usize = 64;

/// The memory that a text of JSON takes once it is parsed: lists of nothing take far more than their text.
pub(super) fn tree_bytes(text: &str) -> usize {
    let values = memchr::memchr3_iter(b',', b'[', b'{', text.as_bytes()).count();
    (TREE_FACTOR * text.len()).max(VALUE_BYTES * values)
}

/// No further page is asked for after this long: clients give up on a tool after a minute.
pub(super) const LONGEST_READING: Duration = Duration::from_secs(45);

const NO_ROOM: &str = "The server has no room for more pages now.";

/// What is to be shown of an answer, and the arguments that the next page starts from.
pub(super) struct PageLoop<'a> {
    output: &'a Output,
    /// Most pages that are read.
    pages: usize,
    arguments: Map<String, Value>,
    /// The page size that was added to the caller's arguments.
    added_size: Option<&'static str>,
}

impl PageLoop<'_> {
    /// Whether the answer is shown as `output` says. What a write answers is shown by what it changed, where the caller
    /// does not ask for something else.
    fn applies(&self, facts: &Facts, reply: &Reply) -> bool {
        let Output {
            fields,
            filter,
            format,
            ..
        } = self.output;
        let is_usual = fields.is_none() && filter.is_empty() && *format == Format::Json;
        reply.file.is_none() && (facts.is_read() || !is_usual)
    }
}

impl Pipeline {
    /// Prepares a call whose answer is shown as `output` says: where all pages are wanted, in large pages.
    pub(super) fn plan_pages<'a>(
        &self,
        located: Located,
        output: Option<&'a Output>,
    ) -> (Located, Option<PageLoop<'a>>) {
        let Some(output) = output else {
            return (located, None);
        };
        let mut facts = located.into_facts();
        let tool = facts.tool;
        // A page is another call: what writes happens once, whatever its answer holds.
        let pages = match tool.effect {
            Effect::Read => output.pages(self.transport().calls_per_interval() / 2),
            _ => 1,
        };
        let mut arguments = self
            .checker()
            .canonical_names(tool, std::mem::take(&mut facts.arguments));
        let largest = added_page_size(tool, output, &arguments).filter(|_| pages > 1);
        if let Some((size, rows)) = largest {
            arguments.insert(size.to_owned(), json!(rows));
        }
        facts.arguments = arguments.clone();
        let paging = PageLoop {
            output,
            pages,
            arguments,
            added_size: largest.map(|(size, _)| size),
        };
        (Located::from_facts(facts), Some(paging))
    }

    /// The answer to a call, its further pages read where they are wanted.
    pub(super) async fn respond(
        &self,
        response: Response,
        paging: Option<PageLoop<'_>>,
        context: &CallContext,
    ) -> Answer {
        let (facts, consent, replied, record) = response.into_parts();
        let is_short = paging.is_some();
        let shown = match replied {
            Ok(reply) => match paging.filter(|paging| paging.applies(&facts, &reply)) {
                None if is_short => self
                    .show(&facts, reply)
                    .map(|answer| shorten(&facts, answer)),
                None => self.show(&facts, reply),
                Some(paging) => Box::pin(self.show_pages(&facts, reply, paging, context)).await,
            },
            Err(failure) => Err(Box::pin(self.explain_refusal(&facts, failure, context)).await),
        };
        let answer = self.conclude(&facts, (consent, record), shown).await;
        self.remember_strangers(&facts, &answer, context).await;
        answer
    }

    /// The answer to a call whose client has left is kept for when it comes again.
    pub(super) async fn respond_to_nobody(&self, response: Response) {
        let (facts, consent, replied, record) = response.into_parts();
        let shown = replied.and_then(|reply| self.show(&facts, reply));
        self.conclude(&facts, (consent, record), shown).await;
    }

    async fn conclude(
        &self,
        facts: &Facts,
        (consent, record): (Consent, CallRecord),
        shown: Result<Answer, Failure>,
    ) -> Answer {
        let mut answer = shown.unwrap_or_else(Answer::from);
        answer.location = facts.location.as_ref().map(|id| id.as_str().into());
        answer.configured = facts.disclosed_location().cloned();
        answer.add_warnings(facts.warnings());
        if !facts.is_read() {
            answer.complete_write();
        }
        let until = record.answer_by();
        let (ended, settled) = (record.end(Some(&answer)), self.settle(consent, &answer));
        let is_ended = is_written(ended, until).await;
        answer.is_unrecorded = !is_written(settled, until).await || !is_ended;
        answer
    }

    /// The answer as HighLevel sent it.
    fn show(&self, facts: &Facts, mut reply: Reply) -> Result<Answer, Failure> {
        if let Some(file) = reply.file.take() {
            return self.show_file(facts, reply, file);
        }
        let mut answer = Answer::from(&reply);
        answer.text = match &facts.fences {
            None => shape(facts.tool, reply.body, self.settings().max_answer_bytes)?,
            Some(fences) => self.fence_text(facts.tool, reply.body, fences)?,
        };
        answer.held = Some(Arc::new((reply.charge, None)));
        // Few calls send what may be dropped; only their answers are read.
        if let Some(sent) = SentValues::in_arguments(facts.tool, &facts.arguments)
            && let Ok(read) = serde_json::from_str(&answer.text)
        {
            answer.add_warnings(&sent.warnings(&read));
        }
        Ok(answer)
    }

    /// A text as it is; what else there is beside the words that say what it is.
    fn show_file(
        &self,
        facts: &Facts,
        mut reply: Reply,
        file: UpstreamFile,
    ) -> Result<Answer, Failure> {
        let answer = Answer::from(&reply);
        if file.is_text() {
            let text = String::from_utf8_lossy(&file.bytes);
            let text = match &facts.fences {
                None => text,
                Some(fences) => fences.enclose_file(&text).into(),
            };
            let text = fitting_text(facts.tool, &text, self.settings().max_answer_bytes)?;
            return Ok(Answer {
                text,
                held: Some(Arc::new((reply.charge, None))),
                ..answer
            });
        }
        check_file(facts.tool, file.bytes.len(), self.settings().max_file_bytes)?;
        let room = reply.charge.grow(encoded_bytes(file.bytes.len()));
        room.map_err(|_| no_room())?;
        Ok(Answer {
            text: reply.body,
            held: Some(Arc::new((reply.charge, Some(file)))),
            ..answer
        })
    }

    /// Follows the pages that `output` wants, each judged, counted and sent like the first. What was read before a
    /// page failed is answered, with the reason why it is not all.
    async fn show_pages(
        &self,
        facts: &Facts,
        first: Reply,
        paging: PageLoop<'_>,
        context: &CallContext,
    ) -> Result<Answer, Failure> {
        let (tool, most) = (facts.tool, self.settings().max_answer_bytes);
        let PageLoop {
            output,
            pages,
            mut arguments,
            added_size,
        } = paging;
        let started = Instant::now();
        let fences = facts.fences.as_deref();
        let most = match fences {
            Some(_) => most.saturating_sub(strangers::NOTE_BYTES),
            None => most,
        };
        let mut gathered = GatheredRows::for_call(arguments.clone(), added_size, pages);
        gathered.fences.clone_from(&facts.fences);
        let mut warnings = Vec::new();
        if output.needs_zone() {
            let (zone, warning) = self.zone_of_days(facts, context).await;
            gathered.set_zone(zone);
            warnings.extend(warning);
        }
        let mut held: Vec<Charge> = Vec::new();
        let mut reply = first;
        let mut answer = Answer::from(&reply);
        loop {
            let mut charge = reply.charge;
            let body = mask_secrets(reply.body);
            let room = charge.grow(tree_bytes(&body));
            if room.is_err() && gathered.pages() > 0 {
                gathered.stop(NO_ROOM);
                break;
            }
            room.map_err(|_| no_room())?;
            let Ok(page) = from_json::<Value>(body.as_bytes()) else {
                answer.text = shape(tool, body, most)?;
                return Ok(answer);
            };
            drop(body);
            if !output.gather(tool, &page, &mut gathered)? {
                let (text, told) = output.record(tool, &page, fences)?;
                answer.text = shape(tool, text, most)?;
                answer.add_warnings(&told);
                if let Some(sent) = SentValues::in_arguments(tool, &facts.arguments) {
                    answer.add_warnings(&sent.warnings(&page));
                }
                return Ok(answer);
            }
            drop(page);
            // Of a page that is added up nothing is kept but its groups.
            if let Some(aggregate) = gathered.aggregate() {
                charge.shrink(charge.bytes());
                let bytes = aggregate.bytes().saturating_sub(charged(&held));
                if charge.grow(bytes).is_err() {
                    gathered.stop(NO_ROOM);
                    break;
                }
            }
            held.push(charge);
            let ends = output.is_enough(&gathered) || gathered.pages() >= pages;
            match gathered.next_arguments(&arguments) {
                Some(next) if !ends => arguments = next,
                _ => break,
            }
            if started.elapsed() > LONGEST_READING {
                gathered.stop("The time of one call is used up.");
                break;
            }
            match Box::pin(self.read_page(facts, arguments.clone(), context)).await {
                Ok(next) => {
                    reply = next;
                    answer = Answer::from(&reply);
                }
                Err(stopped) => {
                    gathered.fail(&stopped.text);
                    break;
                }
            }
        }
        let list = output.list(tool, gathered, most)?;
        (answer.text, answer.notes) = (list.text, list.notes.map(Into::into));
        answer.add_warnings(&warnings);
        Ok(answer)
    }

    /// The zone that days in `output` are those of, and what is to be said where it is not the location's.
    pub(super) async fn zone_of_days(
        &self,
        facts: &Facts,
        context: &CallContext,
    ) -> (TimeZone, Option<String>) {
        let zone = match &facts.zone {
            LocalZone::Unasked => self.find_zone(facts, context).await,
            known => known.clone(),
        };
        match zone {
            LocalZone::Known(zone) => (zone, None),
            LocalZone::Unknown(why) => {
                let what = format!(
                    "Days in output are those of UTC: the location's time zone is not known ({why})."
                );
                (TimeZone::UTC, Some(what))
            }
            LocalZone::Unasked | LocalZone::Utc => (TimeZone::UTC, None),
        }
    }

    /// One more page, judged by the rules of this moment.
    async fn read_page(
        &self,
        facts: &Facts,
        arguments: Map<String, Value>,
        context: &CallContext,
    ) -> Result<Reply, Answer> {
        let mut facts = facts.with_arguments(arguments);
        facts.snapshot = self.snapshot();
        self.read(facts, ConsentSource::Caller(None), context).await
    }

    /// A read beside the call that the caller asked for, on the same way.
    pub(super) async fn read(
        &self,
        facts: Facts,
        asking: ConsentSource<'_>,
        context: &CallContext,
    ) -> Result<Reply, Answer> {
        let validated = self.validate(Located::from_facts(facts), context).await?;
        let authorized = self.authorize(validated, asking, context).await?;
        let metered = self.meter(authorized, context).await?;
        let sent = self.send(metered, SendPurpose::Beside, context).await;
        let response = sent.ok_or_else(broken_off)?;
        let (_, _, replied, record) = response.into_parts();
        let until = record.answer_by();
        is_written(record.end(None), until).await;
        replied.map_err(Answer::from)
    }
}

/// Bytes that are charged for what is held.
fn charged(held: &[Charge]) -> usize {
    held.iter().map(Charge::bytes).sum()
}

/// What a write comes to, where a surface shows no more of it.
fn shorten(facts: &Facts, mut answer: Answer) -> Answer {
    let text = change(facts.tool, &facts.arguments, &answer.text);
    answer.text = text.unwrap_or(answer.text);
    answer
}

/// The task that made a call is gone: the server stops.
pub(super) fn broken_off() -> Answer {
    use crate::upstream::failure::FailureClass;
    let what = "The call broke off: it may or may not have happened.";
    Failure::new(FailureClass::UnknownOutcome, what)
        .with_remedy("Read the record first.")
        .into()
}

fn no_room() -> Failure {
    use crate::upstream::failure::FailureClass;
    Failure::new(
        FailureClass::RateLimited,
        "The server has no room for this answer now.",
    )
    .with_remedy("Repeat the call after retryAfterMs milliseconds.")
    .with_retry_after(std::time::Duration::from_secs(1))
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        Self {
            status: Some(reply.status),
            trace_id: reply.trace_id.as_deref().map(Into::into),
            retries: reply.retries,
            ..Self::default()
        }
    }
}
