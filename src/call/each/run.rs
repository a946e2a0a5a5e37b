//! Runs confirmed rows. A row that ran is not run again, even if its client left or its process died.

use std::time::Duration;

use tokio::time::Instant;

use super::super::batch::{LONGEST, waited_to_repeat};
use super::super::idempotency::{item_key, known_answer};
use super::super::meter::{LEAST_WAIT, is_written};
use super::super::prepared_request::{
    PreparedRequest, SelectedRow, StoredMode, StoredRows, StoredWork,
};
use super::super::respond::broken_off;
use super::super::usage::SendPurpose;
use super::super::{
    Answer, Consent, ConsentSource, Elicitation, OnError, Options, Pipeline, Request, Subject,
};
use super::short_digest;
use super::tally::RowTally;
use crate::telemetry::CallWatch;
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use state::calls::{OnceKey, OnceKind};

/// Rows whose keys are looked up in one query.
const AT_ONCE: usize = 100;

/// After this many consecutive rows are refused unsent, the rest would be too.
const MOST_REFUSED: usize = 3;

/// The rows of one confirm during a run.
pub(in super::super) struct RowRun {
    pub rows: StoredRows,
    /// Id of the stored request.
    pub id: [u8; 32],
    /// How they were confirmed, if an earlier run began.
    pub confirmed: Option<(Mode, String)>,
    /// The consent of a person for this run.
    pub consent: Option<Consent>,
    pub longest: Duration,
}

impl Pipeline {
    /// Runs the rows that a call of the same surface and operation prepared.
    pub(super) async fn run_prepared_as(
        &self,
        prepared: PreparedRequest,
        consent: Option<Consent>,
        asked: &Request<'_>,
    ) -> Result<Answer, Answer> {
        let stored = prepared.stored;
        let rows = match stored.work {
            StoredWork::Rows(rows) if prepared.tool.name == asked.tool.name => rows,
            _ => return Err(other_request()),
        };
        let request = Request {
            tool: prepared.tool,
            arguments: stored.arguments,
            options: Options {
                location: stored.location,
                confirm: Some(prepared.confirm),
                on_error: OnError::new(stored.goes_on),
                ..Options::default()
            },
            context: asked.context,
            progress: asked.progress,
        };
        let run = RowRun {
            rows,
            id: prepared.id,
            confirmed: prepared.confirmed,
            consent,
            longest: LONGEST,
        };
        Ok(self.run_rows(&request, run).await)
    }

    /// Continues the rows of a confirm from the first unsent one.
    pub(in super::super) async fn run_rows(&self, request: &Request<'_>, run: RowRun) -> Answer {
        let (rows, id, longest) = (run.rows, run.id, run.longest);
        let consent = match self
            .confirm_rows(request, &rows, (id, run.confirmed, run.consent))
            .await
        {
            Ok(consent) => consent,
            Err(answer) => return self.log_unsent(request, answer),
        };
        let keys = self.item_keys(request, &rows, id);
        let confirm = request.options.confirm.as_deref().unwrap_or_default();
        let mut tally =
            RowTally::new(&rows.rows, confirm).with_incomplete(rows.incomplete.as_deref());
        if let Err(answer) = self.recall(&keys, &mut tally).await {
            return self.log_unsent(request, answer);
        }
        let until = Instant::now() + longest;
        self.send_rows(request, (&rows.rows, &keys), &consent, until, &mut tally)
            .await;
        let mut answer = self.fit_tally(&tally);
        let until = until.max(Instant::now() + LEAST_WAIT);
        let is_settled = is_written(self.settle(consent, &answer), until).await;
        answer.is_unrecorded = tally.is_unrecorded() || !is_settled;
        answer
    }

    /// Records the consent to the rows before any is sent.
    async fn confirm_rows(
        &self,
        request: &Request<'_>,
        rows: &StoredRows,
        (id, confirmed, given): ([u8; 32], Option<(Mode, String)>, Option<Consent>),
    ) -> Result<Consent, Answer> {
        let context = request.context;
        self.ensure_let_in(context).await?;
        self.ensure_accepted(context).await?;
        if let Some((mode, by)) = confirmed {
            return Ok(given.unwrap_or_else(|| Consent::given(mode, &by)));
        }
        let confirm = request.options.confirm.as_deref();
        let consent = match (given, rows.mode) {
            (Some(consent), _) => consent,
            (None, StoredMode::Token) => Consent::given(Mode::Token, "the caller"),
            (None, StoredMode::Elicit) => match &context.elicitation {
                Elicitation::Accepted(token) if Some(token.as_str()) == confirm => {
                    Consent::given(Mode::Elicit, "the person at the client")
                }
                _ => {
                    let what = "Nothing was sent: the user of the client has to agree first.";
                    let failure = Failure::new(FailureClass::Refused, what)
                        .with_remedy("Repeat the call with each; the client asks its user.");
                    return Err(Answer::never_sent(&failure));
                }
            },
            (None, StoredMode::Human) => {
                let subject = self.subject_again(request, rows).await?;
                self.ask_elsewhere(&subject, confirm, context).await?
            }
        };
        let agreed = consent.confirmed().cloned();
        let (mode, by) = agreed.unwrap_or((Mode::Off, String::new()));
        let written = self.controls().store.confirm_prepared(id, mode.name(), &by);
        written.await.map_err(|error| self.unwritable(&error))?;
        Ok(consent)
    }

    /// The subject that a person was asked about, with its stored digest.
    async fn subject_again(
        &self,
        request: &Request<'_>,
        rows: &StoredRows,
    ) -> Result<Subject, Answer> {
        let first = rows.rows.first().ok_or_else(other_request)?;
        let located = self.locate_item(request, &first.item, &self.snapshot())?;
        let validated = self.validate(located, request.context).await?;
        let mut subject = Subject::new(self, request.context, validated.facts());
        subject.set_digest(rows.digest.clone());
        Ok(subject)
    }

    fn item_keys(&self, request: &Request<'_>, rows: &StoredRows, id: [u8; 32]) -> Vec<OnceKey> {
        let principal = self.principal_digest(&request.context.principal);
        let now = self.now();
        let rows = rows.rows.iter().enumerate();
        rows.map(|(index, row)| item_key(principal, (id, index), &row.digest, now))
            .collect()
    }

    /// Loads the results of rows from earlier runs.
    async fn recall(&self, keys: &[OnceKey], tally: &mut RowTally<'_>) -> Result<(), Answer> {
        let mut index = 0;
        for part in keys.chunks(AT_ONCE) {
            let known = self.controls().store.known_calls(part.to_vec()).await;
            for known in known.map_err(|error| self.unwritable(&error))? {
                if let Some(known) = known.filter(|known| !known.is_under_way()) {
                    tally.set(index, &known_answer(OnceKind::Item, known));
                }
                index += 1;
            }
        }
        Ok(())
    }

    async fn send_rows(
        &self,
        request: &Request<'_>,
        (rows, keys): (&[SelectedRow], &[OnceKey]),
        consent: &Consent,
        until: Instant,
        tally: &mut RowTally<'_>,
    ) {
        let mut refused = 0;
        for (index, (row, key)) in rows.iter().zip(keys).enumerate() {
            if tally.is_known(index) {
                continue;
            }
            if Instant::now() > until {
                tally.stop("The time of one call is used up");
                return;
            }
            let answer = self.run_row(request, (row, key), consent, until).await;
            if answer.did_nothing && answer.class == Some(FailureClass::RateLimited) {
                tally.stop("The rate limit is used up");
                return;
            }
            tally.set(index, &answer);
            (request.progress)(tally.known(), rows.len());
            if answer.is_unrecorded {
                tally.stop("The result of the last row could not be recorded");
                return;
            }
            refused = match answer.did_nothing && answer.is_error {
                true => refused + 1,
                false => 0,
            };
            if answer.class == Some(FailureClass::Auth)
                || !self.is_accepted(&request.context.principal)
            {
                tally.stop("The caller no longer has access");
                return;
            }
            if answer.is_error && request.options.on_error == OnError::Stop {
                tally.stop("A row failed");
                return;
            }
            if refused == MOST_REFUSED {
                tally.stop("Rows are refused one after the other");
                return;
            }
        }
    }

    /// One row. If the limit held it back, it is repeated when it may be sent: such a refusal did nothing. It holds
    /// no place while it waits.
    async fn run_row(
        &self,
        request: &Request<'_>,
        (row, key): (&SelectedRow, &OnceKey),
        consent: &Consent,
        until: Instant,
    ) -> Answer {
        loop {
            let watch = self.watch(request.tool, request.context);
            let sent = self.send_row(request, (row, key), (consent, until), &watch);
            let sent = sent.await;
            let answer = sent.unwrap_or_else(|answer| answer);
            self.log(watch, &answer);
            if !waited_to_repeat(&answer, request.context, until).await {
                return answer;
            }
        }
    }

    /// Locates, checks and judges the row by the present state, and sends it only if it is as
    /// shown.
    async fn send_row(
        &self,
        request: &Request<'_>,
        (row, key): (&SelectedRow, &OnceKey),
        (consent, until): (&Consent, Instant),
        watch: &CallWatch,
    ) -> Result<Answer, Answer> {
        let context = request.context;
        let located = self.locate_item(request, &row.item, &self.snapshot())?;
        located.show_in(watch);
        let located = located.with_answer_by(until);
        let mut validated = self.validate(located, context).await?;
        if short_digest(&validated.fingerprint()) != row.digest {
            let what = "Nothing was sent: the preview was for another connection, or for other locations of this server.";
            let failure = Failure::new(FailureClass::Refused, what).with_remedy(
                "Confirm on the connection that got the preview, or call again with each.",
            );
            return Err(self.refuse(validated.facts(), &failure, None, context));
        }
        validated.set_item(key.clone());
        let asking = ConsentSource::Batch(consent);
        let authorized = self.authorize(validated, asking, context).await?;
        let metered = self.meter(authorized, context).await?;
        let sent = self.send(metered, SendPurpose::Call, context).await;
        let response = sent.ok_or_else(broken_off)?;
        Ok(self.respond(response, None, context).await)
    }

    fn fit_tally(&self, tally: &RowTally<'_>) -> Answer {
        Answer {
            is_error: tally.has_failed(),
            did_nothing: tally.did_nothing(),
            ..self.fit(tally.text())
        }
    }
}

fn other_request() -> Answer {
    let what = "Nothing was sent: this confirm is for another request.";
    let failure = Failure::new(FailureClass::Refused, what)
        .with_remedy("Call again without confirm for a new preview.");
    Answer::never_sent(&failure)
}
