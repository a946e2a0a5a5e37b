//! A write for each row of a read. The rows are chosen and shown first, and a confirm runs exactly those.

mod binding;
mod rows;
mod run;
mod strangers;
mod tally;

use serde_json::{Value, json};

use super::prepared_request::{SelectedRow, StoredMode, StoredPreparation, StoredRows, StoredWork};
use super::{Answer, Each, Elicitation, Pipeline, Request, Subject};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use binding::Binding;
use policy::Mode;
use ring::digest::{SHA256, digest};
use rows::{Candidate, ChosenRows};
pub(super) use run::RowRun;
use state::prepared::MOST_PREPARED_BYTES;
pub(super) use strangers::StrangersInRows;
use tool::Effect;

/// If this many rows fail before any passed, the rest is not checked.
const FIRST_FAILURES: usize = 5;

/// Rows that are checked before other tasks get a turn.
const AT_ONCE: usize = 50;

/// Longest value that names a row, in bytes.
const LONGEST_ID: usize = 64;

/// Characters of a digest in hexadecimal: enough that nobody finds another text for it.
const DIGEST_LENGTH: usize = 32;

/// The rows that passed every check, and the question about them.
struct InspectedRows {
    subject: Subject,
    mode: Mode,
    rule: String,
    rows: Vec<SelectedRow>,
}

impl Pipeline {
    /// Chooses the rows, shows them, and stores them until they are confirmed. Nothing is written before that,
    /// whatever the rules require.
    pub(super) async fn prepare_each(&self, request: &Request<'_>, each: &Each) -> Answer {
        match self.try_prepare_each(request, each).await {
            Ok(answer) => answer,
            Err(answer) => self.log_unsent(request, answer),
        }
    }

    async fn try_prepare_each(&self, request: &Request<'_>, each: &Each) -> Result<Answer, Answer> {
        let context = request.context;
        if each.tool.effect != Effect::Read || request.tool.effect == Effect::Read {
            let what = "Nothing was sent: each takes an operation that reads, for one that writes.";
            return Err(Failure::new(FailureClass::Invalid, what).into());
        }
        self.ensure_accepted(context).await?;
        if let Elicitation::Accepted(handle) = &context.pages {
            let prepared = self.find_prepared(handle, context).await?;
            return self.run_prepared_as(prepared, None, request).await;
        }
        match &context.elicitation {
            // The user agreed to the rows as shown, whatever they are by now.
            Elicitation::Accepted(token) => {
                let prepared = self.find_prepared(token, context).await?;
                return self.run_prepared_as(prepared, None, request).await;
            }
            Elicitation::Declined => {
                let what = format!(
                    "Nothing was sent: the user said no to {}.",
                    request.tool.name
                );
                return Err(Answer::never_sent(&Failure::new(
                    FailureClass::Refused,
                    what,
                )));
            }
            Elicitation::Unsupported | Elicitation::Supported | Elicitation::Reachable(_) => {}
        }
        let binding = Binding::new(request.tool, each, &request.arguments)?;
        let mut chosen = self.choose_rows(request, each, &binding).await?;
        let candidates = std::mem::take(&mut chosen.candidates);
        let inspected = self.inspect_rows(request, candidates, &mut chosen).await?;
        let InspectedRows {
            mut subject,
            mode,
            rule,
            rows,
        } = inspected;
        let records = rows.iter().take(super::record_names::MOST_NAMED);
        let mut records: Vec<Value> = records.map(|row| row.shown()).collect();
        self.name_deleted(&mut records, &mut subject, context).await;
        subject.set_chosen(chosen.notes(each), records);
        let fences = self.fences(each.tool);
        let strangers =
            fences.and_then(|fences| StrangersInRows::find(fences, each, &binding, &rows));
        if let Some(strangers) = strangers {
            self.note_strangers_read(context).await;
            subject.set_strangers(strangers);
        }
        if request.options.dry_run {
            let mut shown = subject.shown();
            shown["dryRun"] = json!(true);
            subject.fence(&mut shown);
            let mut answer = self.fit(shown.to_string());
            subject.explain_fences(&mut answer);
            return Err(answer);
        }
        let work = StoredWork::Rows(StoredRows {
            rows,
            mode: StoredMode::new(mode),
            digest: subject.digest(),
            incomplete: chosen.incomplete(),
        });
        let preparation = StoredPreparation::new(request, work).bytes();
        subject.set_preparation(preparation.ok_or_else(too_long)?);
        let mode = if mode == Mode::Off { Mode::Token } else { mode };
        let consent = self.ask(&subject, (mode, &rule), None, context).await?;
        // A person decided while the client waited.
        let handle = consent.kept_under().unwrap_or_default().to_owned();
        let prepared = self.find_prepared(&handle, context).await?;
        self.run_prepared_as(prepared, Some(consent), request).await
    }

    /// Checks and judges the write of each row. Rows that would be refused are left out and counted; if the first ones
    /// are all refused, the whole request is.
    async fn inspect_rows(
        &self,
        request: &Request<'_>,
        candidates: Vec<Candidate>,
        chosen: &mut ChosenRows,
    ) -> Result<InspectedRows, Answer> {
        let context = request.context;
        let snapshot = self.snapshot();
        let mut inspected: Option<InspectedRows> = None;
        let mut first_failure: Option<Answer> = None;
        // The confirmation that a request of several needs.
        let mut many: Option<(Mode, String)> = None;
        let can_ask = context.elicitation.can_ask();
        for (index, candidate) in candidates.into_iter().enumerate() {
            if index % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let checked = async {
                let located = self.locate_item(request, &candidate.item, &snapshot)?;
                let mut validated = self.validate(located, context).await?;
                self.ensure_may_hear(&mut validated, context).await?;
                let before = self.strangers_read_before(validated.facts(), context);
                let judged = self.judge(&validated, before.await, context)?;
                Ok((validated, judged))
            };
            let (validated, (mode, rule)) = match checked.await {
                Ok(passed) => passed,
                Err(answer) => {
                    chosen.skip_refused(&answer);
                    let failure = first_failure.get_or_insert(answer);
                    if inspected.is_none() && chosen.refused() >= FIRST_FAILURES {
                        return Err(failure.clone());
                    }
                    continue;
                }
            };
            let rules = validated.facts().rules(context);
            let asked = rules.confirmation_of_many(request.tool, 2, can_ask);
            many = many.into_iter().chain(asked).max_by_key(|(mode, _)| *mode);
            let row = SelectedRow {
                item: candidate.item,
                name: candidate.name,
                digest: short_digest(&validated.fingerprint()),
            };
            let inspected = inspected.get_or_insert_with(|| InspectedRows {
                subject: Subject::new(self, context, validated.facts()),
                mode: Mode::Off,
                rule: String::new(),
                rows: Vec::new(),
            });
            inspected.subject.add(&validated);
            inspected.rows.push(row);
            if mode > inspected.mode {
                (inspected.mode, inspected.rule) = (mode, rule);
            }
        }
        match (inspected, first_failure) {
            (Some(mut inspected), _) => {
                let is_many = inspected.rows.len() > 1;
                let many = many.filter(|(mode, _)| is_many && *mode > inspected.mode);
                if let Some((mode, rule)) = many {
                    (inspected.mode, inspected.rule) = (mode, rule);
                }
                Ok(inspected)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(chosen.nothing()),
        }
    }
}

impl SelectedRow {
    /// What the confirming person sees: the row's own values, and its name.
    fn shown(&self) -> Value {
        let mut shown = self.item.clone();
        shown.extend(
            self.name
                .iter()
                .map(|name| ("name".to_owned(), json!(name))),
        );
        Value::Object(shown)
    }

    /// The row's name and first own value, for a sentence.
    fn label(&self) -> String {
        // An id, not what somebody wrote.
        let mut values = self.item.values().map(|value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        });
        let value =
            values.find(|text| !text.contains(char::is_whitespace) && text.len() <= LONGEST_ID);
        match (&self.name, value) {
            (Some(name), Some(value)) => format!("{name} ({value})"),
            (Some(name), None) => name.clone(),
            (None, value) => value.unwrap_or_default(),
        }
    }
}

fn short_digest(text: &str) -> String {
    let whole = state::hex(digest(&SHA256, text.as_bytes()).as_ref());
    whole.chars().take(DIGEST_LENGTH).collect()
}

fn too_long() -> Answer {
    let what = format!(
        "Nothing was sent: the rows and arguments take more than the {MOST_PREPARED_BYTES} bytes that are kept of a preview."
    );
    Failure::new(FailureClass::Invalid, what)
        .with_remedy("Take fewer rows by each.maxItems, or shorter arguments.")
        .into()
}
