//! One operation for many argument objects. Each item is located, checked and judged again just before it is sent, so
//! that a changed rule, a pause or a revoked key acts on the remaining items.

mod run;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::subject::BatchRequest;
use super::{
    AccessRef, Answer, CallContext, Consent, ConsentSource, OnError, Pipeline, Request, Snapshot,
    Subject,
};
use crate::call::output::Output;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use run::BatchRun;
pub(super) use run::{members, without_values};
use tool::Effect;

/// Most calls in one batch.
const MOST: usize = 100;

/// Longest time of a batch: clients give up on a tool after a minute.
pub(super) const LONGEST: Duration = Duration::from_secs(50);

/// Most bytes that the shared arguments may take once they are merged into every call.
const MOST_BYTES: usize = 16 << 20;

/// The needs of all calls of a batch.
struct BatchInspection {
    subject: Option<Subject>,
    mode: Mode,
    rule: String,
}

/// Waits until a call that the limit held back may be repeated, but not beyond `until`. Such a call did nothing.
/// Meanwhile its request holds no place.
pub(super) async fn waited_to_repeat(
    answer: &Answer,
    context: &CallContext,
    until: Instant,
) -> bool {
    let wait = answer
        .retry_after
        .filter(|wait| answer.did_nothing && Instant::now() + *wait < until);
    let Some(wait) = wait else {
        return false;
    };
    if let Some(place) = &context.place {
        place.suspend();
    }
    sleep(wait).await;
    if let Some(place) = &context.place {
        place.resume().await;
    }
    true
}

impl Pipeline {
    /// Runs the items of a request. All are checked, and confirmed if needed, before the first is sent.
    pub(super) async fn run_batch(
        &self,
        request: &Request<'_>,
        items: &[Map<String, Value>],
    ) -> Answer {
        let agreed = match self.inspect(request, items).await {
            Err(answer) => Err(answer),
            Ok(mut inspected) if inspected.mode == Mode::Off => {
                inspected.subject = None;
                self.agree(inspected, request).await
            }
            Ok(mut inspected) => {
                // A caller that may have invented its token must not make a person confirm
                // anything, reads included.
                if let Err(answer) = self.ensure_accepted(request.context).await {
                    return self.log_unsent(request, answer);
                }
                if let Some(subject) = &mut inspected.subject {
                    let confirm = request.options.confirm.as_deref();
                    if self.asks_now(inspected.mode, confirm, request.context) {
                        self.name_records(subject, request.context).await;
                    }
                    if request.options.confirm.is_none() {
                        subject.set_batch(BatchRequest {
                            arguments: request.arguments.clone(),
                            items: items.to_vec(),
                            location: request.options.location.clone(),
                            on_error: request.options.on_error,
                            idempotency_key: request.options.idempotency_key.clone(),
                            as_highlevel: request.options.as_highlevel,
                        });
                    }
                }
                self.agree(inspected, request).await
            }
        };
        let consent = match agreed {
            Ok(consent) => consent,
            Err(answer) => return self.log_unsent(request, answer),
        };
        let mut run = BatchRun::new(self, request, items.len(), consent);
        self.stream(request, items, &mut run).await;
        run.end().await
    }

    /// The requests that a batch would send, as many as fit into one answer.
    pub(super) async fn preview_batch(
        &self,
        request: &Request<'_>,
        items: &[Map<String, Value>],
    ) -> Result<Answer, Answer> {
        let inspected = self.inspect(request, items).await?;
        let shown = inspected.subject.map(|subject| {
            let mut shown = json!({"dryRun": true, "request": subject.requests()});
            if subject.left_off() > 0 {
                shown["notShown"] = json!(subject.left_off());
            }
            if !subject.warnings().is_empty() {
                shown["_warnings"] = json!(subject.warnings());
            }
            shown
        });
        Ok(Answer::text(shown.unwrap_or_default().to_string()))
    }

    /// Checks and judges every item, one at a time: a hundred copies of large arguments are never held at once.
    async fn inspect(
        &self,
        request: &Request<'_>,
        items: &[Map<String, Value>],
    ) -> Result<BatchInspection, Answer> {
        if items.is_empty() || items.len() > MOST {
            let what = format!(
                "items must hold 1 to {MOST} argument objects, not {}.",
                items.len()
            );
            return Err(Failure::new(FailureClass::Invalid, what).into());
        }
        let common = serde_json::to_string(&request.arguments).map_or(0, |text| text.len());
        if common.saturating_mul(items.len()) > MOST_BYTES {
            let what = format!(
                "Nothing was sent: arguments has {common} bytes, which every one of {} items repeats.",
                items.len()
            );
            return Err(Failure::new(FailureClass::Invalid, what)
                .with_remedy("Send fewer items at a time, or smaller arguments.")
                .into());
        }
        let snapshot = self.snapshot();
        let mut inspected = BatchInspection {
            subject: None,
            mode: Mode::Off,
            rule: String::new(),
        };
        let mut most_unseen: Option<usize> = None;
        for item in items {
            let located = self.locate_item(request, item, &snapshot)?;
            let mut validated = self.validate(located, request.context).await?;
            self.ensure_may_hear(&mut validated, request.context)
                .await?;
            let before = self.strangers_read_before(validated.facts(), request.context);
            let (mode, rule) = self.judge(&validated, before.await, request.context)?;
            if mode > inspected.mode {
                (inspected.mode, inspected.rule) = (mode, rule);
            }
            let facts = validated.facts();
            let can_ask = request.context.elicitation.can_ask();
            let rules = facts.rules(request.context);
            let many = rules.confirmation_of_many(facts.tool, items.len(), can_ask);
            if let Some((mode, rule)) = many.filter(|(mode, _)| *mode > inspected.mode) {
                (inspected.mode, inspected.rule) = (mode, rule);
            }
            let above = self.preview_above(facts, request.context);
            most_unseen = [most_unseen, above].into_iter().flatten().min();
            let subject = inspected
                .subject
                .get_or_insert_with(|| Subject::new(self, request.context, facts));
            subject.add(&validated);
        }
        // Many messages at once are shown before they are sent, whatever their class requires.
        let many = most_unseen.is_some_and(|most| items.len() > most);
        if request.tool.effect == Effect::Send && many && inspected.mode == Mode::Off {
            inspected.mode = Mode::Token;
            inspected.rule = format!("preview_above = {}", most_unseen.unwrap_or_default());
        }
        Ok(inspected)
    }

    async fn agree(
        &self,
        inspected: BatchInspection,
        request: &Request<'_>,
    ) -> Result<Consent, Answer> {
        let Some(subject) = inspected.subject else {
            return Ok(Consent::default());
        };
        let (mode, rule) = (inspected.mode, inspected.rule.as_str());
        let confirm = request.options.confirm.as_deref();
        let consent = self.ask(&subject, (mode, rule), confirm, request.context);
        let mut consent = consent.await?;
        self.begin_run(&mut consent, request.context).await?;
        Ok(consent)
    }

    /// Sends one item after the other. A read that does not fit into the answer is left for the next batch. A write
    /// that does not fit is reported without HighLevel's answer.
    async fn stream(
        &self,
        request: &Request<'_>,
        items: &[Map<String, Value>],
        run: &mut BatchRun<'_>,
    ) {
        let room = self.settings().max_answer_bytes;
        for (index, item) in items.iter().enumerate() {
            let answer = self.run_item(request, item, index, run).await;
            let mut outcome = run.outcome(index, item, &answer);
            let fits = answer.is_error || index == 0 || run.taken + outcome.len() <= room;
            if !fits && request.tool.effect == Effect::Read {
                run.stopped = Some("The answer is full (output.fields makes it smaller)");
                return;
            }
            (request.progress)(index + 1, items.len());
            if !fits {
                let bytes = answer.text.len();
                let note = format!("HighLevel's answer of {bytes} bytes has no room here.");
                outcome = json!({"item": index, "ok": true, "withheld": note}).to_string();
            }
            run.add(outcome, &answer);
            run.stopped = self.stop_after(request, &answer, run.until);
            if run.stopped.is_some() {
                return;
            }
        }
    }

    /// The reason that no further item is sent.
    fn stop_after(
        &self,
        request: &Request<'_>,
        answer: &Answer,
        until: Instant,
    ) -> Option<&'static str> {
        if answer.is_unrecorded {
            return Some("The result of the last item could not be recorded");
        }
        let principal = &request.context.principal;
        if answer.class == Some(FailureClass::Auth) {
            return Some(match &principal.access {
                Some(access) if self.ended(Some(access), None).is_some() => match access {
                    AccessRef::Key(_) => "The access key is no longer valid",
                    AccessRef::Grant(_) => "The connection was ended",
                    AccessRef::Console(_) => "The person no longer has access to this server",
                },
                _ => "HighLevel does not accept the token",
            });
        }
        // An invented token is tried once, not once per item.
        if !self.is_accepted(principal) {
            return Some("HighLevel has not accepted the token yet");
        }
        if answer.is_error && request.options.on_error == OnError::Stop {
            return Some("An item failed");
        }
        (Instant::now() > until).then_some("The time of one call is used up")
    }

    /// One item. If the limit held it back, it is repeated when it may be sent: such a refusal did nothing. It holds
    /// no place while it waits.
    async fn run_item(
        &self,
        request: &Request<'_>,
        item: &Map<String, Value>,
        index: usize,
        run: &BatchRun<'_>,
    ) -> Answer {
        let key = request.options.idempotency_key.as_ref();
        let key = key.map(|key| format!("{key}#{index}"));
        let output = request.options.output.as_ref().map(Output::for_item);
        loop {
            let watch = self.watch(request.tool, request.context);
            let snapshot = self.snapshot();
            let answer = match self.locate_item(request, item, &snapshot) {
                Err(answer) => answer,
                Ok(located) => {
                    located.show_in(&watch);
                    let located = located.with_answer_by(run.until);
                    run.is_sending.store(true, Relaxed);
                    let asking = ConsentSource::Batch(&run.consent);
                    let answer = self.run_located(
                        located,
                        asking,
                        output.as_ref(),
                        key.as_deref(),
                        request.context,
                    );
                    let answer = answer.await;
                    run.is_sending.store(false, Relaxed);
                    answer
                }
            };
            self.log(watch, &answer);
            if !waited_to_repeat(&answer, request.context, run.until).await {
                return answer;
            }
        }
    }

    pub(super) fn locate_item(
        &self,
        request: &Request<'_>,
        item: &Map<String, Value>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<super::Located, Answer> {
        let mut arguments = request.arguments.clone();
        arguments.extend(item.clone());
        let options = &request.options;
        let location = options.location.as_deref();
        let located = self.locate(request.tool, arguments, location, request.context, snapshot)?;
        Ok(located.with_options(options))
    }
}
