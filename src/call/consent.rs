//! Gets the consent that calls need before they are made: from the caller, the person at the client, or a
//! person elsewhere.

use serde_json::json;

use super::access_ref::connection_ended;
use super::idempotency::{confirm_key, kept, known_answer, too_many_keys};
use super::prepared_request::lasts_as_token;
use super::{
    Answer, CallContext, ClientAnswer, ClientQuestion, Elicitation, Pipeline, Question, Subject,
};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use state::Pending;
use state::approvals::Approvals;
use state::calls::{CallBegin, CallOutcome, CallStart, OnceKey, OpenCall};

/// The caller's next step, if a confirm alone is enough and if it is not.
const ALONE: &str = "If it is what the user wants, call again with this confirm alone.";
const WITH_ARGUMENTS: &str =
    "If it is what the user wants, repeat the call with the same arguments and this confirm.";

/// The consent to one run of one request.
#[must_use]
#[derive(Default)]
pub(super) struct Consent {
    /// Mode and name of the person who agreed, for the audit; `None` if nobody had to.
    confirmed: Option<(Mode, String)>,
    /// A confirm token that must be marked as used before anything is sent.
    unmarked: Option<Box<OnceKey>>,
    /// The run of a confirm token for a batch.
    run: Option<Box<OpenCall>>,
    approval: Option<ApprovedRun>,
    /// The token that the rows are stored under to which the person at the client agreed while the call
    /// waited.
    kept_under: Option<String>,
}

/// The run of an approved call. If it is dropped without an end, its outcome is unknown.
struct ApprovedRun {
    approvals: Approvals,
    handle: String,
}

impl Drop for ApprovedRun {
    fn drop(&mut self) {
        self.approvals.leave(&self.handle);
    }
}

impl Consent {
    /// An approval by a person, under this handle, for one run.
    pub(super) fn by_approval(approvals: &Approvals, handle: &str) -> Self {
        Self {
            confirmed: Some((Mode::Human, handle.to_owned())),
            approval: Some(ApprovedRun {
                approvals: approvals.clone(),
                handle: handle.to_owned(),
            }),
            ..Self::default()
        }
    }

    /// A consent that was recorded earlier.
    pub(super) fn given(mode: Mode, by: &str) -> Self {
        Self {
            confirmed: Some((mode, by.to_owned())),
            ..Self::default()
        }
    }

    /// The handle or token under which the confirmed request is stored.
    pub(super) fn kept_under(&self) -> Option<&str> {
        let approval = self.approval.as_ref().map(|run| &run.handle);
        approval.or(self.kept_under.as_ref()).map(String::as_str)
    }

    /// Whether the result is stored for a repeat.
    pub(super) fn is_once(&self) -> bool {
        self.run.is_some() || self.approval.is_some()
    }

    /// Takes the mark of a confirm token: a single call sets it in the transaction in which it
    /// begins.
    pub(super) fn take_mark(&mut self) -> Option<OnceKey> {
        self.unmarked.take().map(|once| *once)
    }

    /// The same consent for one call of a batch. Results are stored with the batch.
    pub(super) fn for_item(&self) -> Self {
        Self {
            confirmed: self.confirmed.clone(),
            ..Self::default()
        }
    }

    pub(super) fn confirmed(&self) -> Option<&(Mode, String)> {
        self.confirmed.as_ref()
    }

    /// Whether it is at least as strict as `mode`.
    pub(super) fn covers(&self, mode: Mode) -> bool {
        let given = self.confirmed.as_ref().map(|(mode, _)| *mode);
        given.unwrap_or(Mode::Off) >= mode
    }
}

impl Pipeline {
    /// Whether this call asks somebody for consent: it brings none yet, and somebody can be asked.
    pub(super) fn asks_now(
        &self,
        mode: Mode,
        confirm: Option<&str>,
        context: &CallContext,
    ) -> bool {
        match mode {
            Mode::Off | Mode::Refuse => false,
            Mode::Elicit => matches!(
                context.elicitation,
                Elicitation::Supported | Elicitation::Reachable(_)
            ),
            Mode::Token => confirm.is_none(),
            Mode::Human => confirm.is_none() && !matches!(context.pages, Elicitation::Accepted(_)),
        }
    }

    /// Consent to all of `subject`, or the answer to return instead.
    pub(super) async fn ask(
        &self,
        subject: &Subject,
        (mode, rule): (Mode, &str),
        confirm: Option<&str>,
        context: &CallContext,
    ) -> Result<Consent, Answer> {
        match mode {
            Mode::Off => Ok(Consent::default()),
            Mode::Elicit => self.ask_client(subject, context).await,
            Mode::Token => self.ask_caller(subject, rule, confirm, context).await,
            Mode::Human => self.ask_elsewhere(subject, confirm, context).await,
            Mode::Refuse => {
                let what = format!("Nothing was sent: {} is not allowed.", subject.tool().name);
                let failure = Failure::new(FailureClass::Refused, what);
                Err(self.refuse(subject.facts(), &failure, Some(rule), context))
            }
        }
    }

    /// Stores the result for replays. Storing begins at once, so that a client that leaves now
    /// loses nothing.
    pub(super) fn settle(&self, consent: Consent, answer: &Answer) -> Option<Pending<()>> {
        if let Some(run) = consent.run {
            return Some(run.end(CallOutcome {
                outcome: answer.outcome().to_owned(),
                status: answer.status,
                trace_id: None,
                did_nothing: answer.did_nothing,
                kept: Some(kept(answer)),
            }));
        }
        let run = consent.approval?;
        Some(match answer.did_nothing {
            true => run.approvals.release(&run.handle),
            false => {
                let (text, is_error) = (&answer.text, answer.is_error);
                run.approvals.finish(&run.handle, text, is_error)
            }
        })
    }

    /// Asks the person at the client, through the client itself.
    async fn ask_client(
        &self,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Consent, Answer> {
        let (tool, facts) = (subject.tool(), subject.facts());
        let refuse = |what: String, remedy: Option<&str>| {
            let mut failure = Failure::new(FailureClass::Refused, what);
            if let Some(remedy) = remedy {
                failure = failure.with_remedy(remedy);
            }
            Err(self.refuse(facts, &failure, None, context))
        };
        let by = (Mode::Elicit, "the person at the client");
        let declined = || format!("Nothing was sent: the user said no to {}.", tool.name);
        match &context.elicitation {
            Elicitation::Accepted(token) if self.fits(token, subject) => {
                Ok(self.agreed_by_token(token, subject, by))
            }
            Elicitation::Accepted(_) => Err(self.refuse_stale(subject, context)),
            Elicitation::Declined => refuse(declined(), None),
            Elicitation::Reachable(line) => {
                let token = self.issue_kept(subject, context).await?;
                let question = ClientQuestion {
                    text: question(subject),
                    page: None,
                };
                let asked = line.ask(question, context.place.as_ref());
                match asked.await {
                    ClientAnswer::Accepted => {
                        let consent = self.agreed_by_token(&token, subject, by);
                        let kept_under = subject.chosen().map(|_| token);
                        Ok(Consent {
                            kept_under,
                            ..consent
                        })
                    }
                    ClientAnswer::Declined => refuse(declined(), None),
                    ClientAnswer::Unanswered(why) => {
                        let remedy = "Repeat the call, and the user is asked again.";
                        refuse(format!("Nothing was sent: {why}."), Some(remedy))
                    }
                }
            }
            Elicitation::Supported => {
                let token = self.issue_kept(subject, context).await?;
                let text = question(subject);
                let question = Some(Box::new(Question {
                    text,
                    token,
                    page: None,
                }));
                let remedy = "The client asks the user; repeat the call with the answer.";
                Err(Answer {
                    question,
                    ..preview(subject, None, (None, None), remedy)
                })
            }
            Elicitation::Unsupported => refuse(
                format!(
                    "Nothing was sent: {} runs only once the user has agreed, and this client cannot ask.",
                    tool.name
                ),
                Some(
                    "Use a client that supports elicitation, or have the operator set confirm to \"elicit or token\" or \"elicit or human\".",
                ),
            ),
        }
    }

    /// Asks the caller, who repeats the call with the token of its preview.
    async fn ask_caller(
        &self,
        subject: &Subject,
        rule: &str,
        confirm: Option<&str>,
        context: &CallContext,
    ) -> Result<Consent, Answer> {
        match confirm {
            None => match self.issue_token(subject) {
                Some(token) => {
                    let kept = self.keep_prepared(subject, &token, lasts_as_token()).await;
                    if !kept && subject.chosen().is_some() {
                        return Err(self.refuse_unkept(subject, context));
                    }
                    let remedy = match kept && subject.facts().confirm_alone {
                        true => ALONE,
                        false => WITH_ARGUMENTS,
                    };
                    // For the usual confirmations the effect is reason enough.
                    let unusual = ["preview_above", "lockdown"];
                    let unusual =
                        Some(rule).filter(|rule| unusual.iter().any(|one| rule.contains(one)));
                    Err(preview(subject, Some(&token), (unusual, None), remedy))
                }
                None => Err(self.refuse_random(subject, context)),
            },
            Some(token) if self.fits(token, subject) => {
                Ok(self.agreed_by_token(token, subject, (Mode::Token, "the caller")))
            }
            Some(_) => Err(self.refuse_stale(subject, context)),
        }
    }

    /// A token for the subject. Rows that a read chose are stored under it.
    async fn issue_kept(&self, subject: &Subject, context: &CallContext) -> Result<String, Answer> {
        let token = self.issue_token(subject);
        let token = token.ok_or_else(|| self.refuse_random(subject, context))?;
        let is_kept = subject.chosen().is_none()
            || self.keep_prepared(subject, &token, lasts_as_token()).await;
        match is_kept {
            true => Ok(token),
            false => Err(self.refuse_unkept(subject, context)),
        }
    }

    fn issue_token(&self, subject: &Subject) -> Option<String> {
        let tokens = self.confirm_tokens();
        tokens.issue(&subject.digest(), subject.principal(), self.now())
    }

    fn fits(&self, token: &str, subject: &Subject) -> bool {
        let tokens = self.confirm_tokens();
        tokens.fits(token, &subject.digest(), subject.principal(), self.now())
    }

    /// A token is valid for one run, which begins with its mark.
    fn agreed_by_token(&self, token: &str, subject: &Subject, (mode, by): (Mode, &str)) -> Consent {
        let once = confirm_key(subject.principal(), token, &subject.digest(), self.now());
        Consent {
            confirmed: Some((mode, by.to_owned())),
            unmarked: Some(Box::new(once)),
            ..Consent::default()
        }
    }

    /// Marks a batch's confirm token as used. If a run came before, returns its result.
    pub(super) async fn begin_run(
        &self,
        consent: &mut Consent,
        context: &CallContext,
    ) -> Result<(), Answer> {
        let Some(mark) = consent.take_mark() else {
            return Ok(());
        };
        let start = CallStart {
            once: vec![mark],
            grant: context.grant_id(),
            ..CallStart::default()
        };
        let begun = self.controls().store.begin(start).await;
        match begun.map_err(|error| self.unwritable(&error))? {
            CallBegin::Open(run) => {
                consent.run = Some(Box::new(run));
                Ok(())
            }
            CallBegin::GrantEnded => Err(Answer::never_sent(&connection_ended())),
            CallBegin::Known(kind, known) => Err(known_answer(kind, known)),
            CallBegin::TooManyKeys | CallBegin::NoPlace(..) => Err(too_many_keys()),
        }
    }

    fn refuse_stale(&self, subject: &Subject, context: &CallContext) -> Answer {
        let what = "Nothing was sent: this confirm token does not match the operation and its arguments, or is older than 30 minutes.";
        let failure = Failure::new(FailureClass::Refused, what)
            .with_remedy("Call again without confirm for a new preview.");
        self.refuse(subject.facts(), &failure, None, context)
    }

    pub(super) fn refuse_unkept(&self, subject: &Subject, context: &CallContext) -> Answer {
        let what =
            "Nothing was sent: as many previews are kept as may be, and these rows need another.";
        let failure = Failure::new(FailureClass::Refused, what).with_remedy(
            "Confirm earlier previews or let them expire: a preview lasts 30 minutes.",
        );
        self.refuse(subject.facts(), &failure, None, context)
    }

    fn refuse_random(&self, subject: &Subject, context: &CallContext) -> Answer {
        let what = "Nothing was sent: the system gives no random numbers for a confirm token.";
        let failure = Failure::new(FailureClass::Refused, what);
        self.refuse(subject.facts(), &failure, None, context)
    }
}

/// The question: action, location, number, and caller.
fn question(subject: &Subject) -> String {
    let tool = subject.tool();
    let many = match subject.calls() {
        1 => String::new(),
        many => format!(", {many} times"),
    };
    format!(
        "{}: {} {}{many}. {} Run it?",
        tool.name,
        tool.description,
        subject.describe_locations(),
        subject.shown()
    )
}

/// Not an error: asking is what the call is for. To clients of HighLevel's own servers it is an error: they do not know
/// such an answer, and take everything that is not an error for done.
pub(super) fn preview(
    subject: &Subject,
    confirm: Option<&str>,
    (rule, page): (Option<&str>, Option<&str>),
    remedy: &str,
) -> Answer {
    let tool = subject.tool();
    let bulk = if tool.bulk { " of many records" } else { "" };
    let what = format!(
        "Nothing was sent: {} ({}{bulk}) runs only once it is confirmed.",
        tool.name,
        tool.effect.name()
    );
    let as_highlevel = subject.facts().as_highlevel;
    let (status, told) = match as_highlevel {
        true => ("class", "error"),
        false => ("status", "preview"),
    };
    let mut asked = json!({
        status: FailureClass::NeedsConfirmation.name(),
        told: what,
        "does": tool.description,
        "calls": subject.calls(),
        "remedy": remedy,
    });
    if !subject.records().is_empty() {
        asked["records"] = json!(subject.records());
    }
    match subject.chosen() {
        Some(chosen) => {
            for (name, value) in chosen {
                asked[name] = value.clone();
            }
            asked["firstRequest"] = subject.requests();
        }
        None => {
            asked["request"] = subject.requests();
            if subject.left_off() > 0 {
                asked["notShown"] = json!(subject.left_off());
            }
        }
    }
    match subject.locations().as_slice() {
        [] => {}
        [one] => asked["location"] = one.clone(),
        several => asked["locations"] = json!(several),
    }
    if !subject.warnings().is_empty() {
        asked["_warnings"] = json!(subject.warnings());
    }
    if let Some(rule) = rule.filter(|_| subject.facts().may_disclose) {
        asked["rule"] = json!(rule);
    }
    if let Some(page) = page {
        asked["approveAt"] = json!(page);
    }
    if let Some(confirm) = confirm {
        asked["confirm"] = json!(confirm);
    }
    subject.fence(&mut asked);
    let mut answer = Answer {
        class: Some(FailureClass::NeedsConfirmation),
        did_nothing: true,
        is_error: as_highlevel,
        ..Answer::text(asked.to_string())
    };
    subject.explain_fences(&mut answer);
    answer
}
