//! Has somebody agree to calls before they are made: the caller, the person at the client, or one elsewhere.

use serde_json::json;

use super::idempotency::{confirm_key, kept, known_answer, too_many_keys};
use super::{Answer, CallContext, ClientAnswer, Elicitation, Pipeline, Question, Subject};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use state::Pending;
use state::approvals::Approvals;
use state::calls::{CallBegin, CallOutcome, CallStart, OnceKey, OpenCall};

/// How calls were agreed to; one run of one request.
#[must_use]
#[derive(Default)]
pub(super) struct Consent {
    /// Mode and name of who agreed, for the audit; `None` where nobody had to.
    confirmed: Option<(Mode, String)>,
    /// A confirm token that is yet to be marked as used, before anything is sent.
    unmarked: Option<Box<OnceKey>>,
    /// The run of a confirm token for a batch.
    run: Option<Box<OpenCall>>,
    approval: Option<ApprovedRun>,
}

/// The run of an approved call. Dropped without an end, nobody knows what came of it.
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
    /// That a person gave under this handle, for one run.
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

    /// Whether what came of the call is kept for whoever repeats it.
    pub(super) fn is_once(&self) -> bool {
        self.run.is_some() || self.approval.is_some()
    }

    /// The mark of a confirm token, which a single call takes in the transaction in which it begins.
    pub(super) fn take_mark(&mut self) -> Option<OnceKey> {
        self.unmarked.take().map(|once| *once)
    }

    /// The same for one call of a batch; what came of it is kept with the batch.
    pub(super) fn for_item(&self) -> Self {
        Self {
            confirmed: self.confirmed.clone(),
            ..Self::default()
        }
    }

    pub(super) fn confirmed(&self) -> Option<&(Mode, String)> {
        self.confirmed.as_ref()
    }

    /// Whether it is as strict as `mode` asks for.
    pub(super) fn covers(&self, mode: Mode) -> bool {
        let given = self.confirmed.as_ref().map(|(mode, _)| *mode);
        given.unwrap_or(Mode::Off) >= mode
    }
}

impl Pipeline {
    /// Consent to all of `subject`, or what to answer instead.
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
            Mode::Token => self.ask_caller(subject, rule, confirm, context),
            Mode::Human => self.ask_elsewhere(subject, confirm, context).await,
            Mode::Refuse => {
                let what = format!("Nothing was sent: {} is not allowed.", subject.tool().name);
                let failure = Failure::new(FailureClass::Refused, what);
                Err(self.refuse(subject.facts(), &failure, Some(rule), context))
            }
        }
    }

    /// Stores the result for replays. It begins at once: a client that leaves now loses nothing.
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

    /// The person at the client, asked by the client itself.
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
                let asked = line.ask(question(subject), context.place.as_ref());
                match asked.await {
                    ClientAnswer::Accepted => match self.issue_token(subject) {
                        Some(token) => Ok(self.agreed_by_token(&token, subject, by)),
                        None => Err(self.refuse_random(subject, context)),
                    },
                    ClientAnswer::Declined => refuse(declined(), None),
                    ClientAnswer::Unanswered(why) => {
                        let remedy = "Repeat the call, and the user is asked again.";
                        refuse(format!("Nothing was sent: {why}."), Some(remedy))
                    }
                }
            }
            Elicitation::Supported => {
                let Some(token) = self.issue_token(subject) else {
                    return Err(self.refuse_random(subject, context));
                };
                let text = question(subject);
                let question = Some(Box::new(Question { text, token }));
                let remedy = "The client asks the user; repeat the call with the answer.";
                Err(Answer {
                    question,
                    ..preview(subject, None, None, remedy)
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

    /// Whoever calls, by repeating the call with the token of its preview.
    fn ask_caller(
        &self,
        subject: &Subject,
        rule: &str,
        confirm: Option<&str>,
        context: &CallContext,
    ) -> Result<Consent, Answer> {
        match confirm {
            None => match self.issue_token(subject) {
                Some(token) => {
                    let remedy = "If it is what the user wants, repeat the call with the same arguments and this confirm.";
                    // Of the usual confirmations the effect says enough.
                    let unusual = Some(rule).filter(|rule| rule.contains("preview_above"));
                    Err(preview(subject, Some(&token), unusual, remedy))
                }
                None => Err(self.refuse_random(subject, context)),
            },
            Some(token) if self.fits(token, subject) => {
                Ok(self.agreed_by_token(token, subject, (Mode::Token, "the caller")))
            }
            Some(_) => Err(self.refuse_stale(subject, context)),
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

    /// A token is good for one run, which begins with its mark.
    fn agreed_by_token(&self, token: &str, subject: &Subject, (mode, by): (Mode, &str)) -> Consent {
        let once = confirm_key(subject.principal(), token, &subject.digest(), self.now());
        Consent {
            confirmed: Some((mode, by.to_owned())),
            unmarked: Some(Box::new(once)),
            ..Consent::default()
        }
    }

    /// Marks a batch's confirm token as used; what came of a run before it is answered again.
    pub(super) async fn begin_run(&self, consent: &mut Consent) -> Result<(), Answer> {
        let Some(mark) = consent.take_mark() else {
            return Ok(());
        };
        let start = CallStart {
            once: vec![mark],
            ..CallStart::default()
        };
        let begun = self.controls().store.begin(start).await;
        match begun.map_err(|error| self.unwritable(&error))? {
            CallBegin::Open(run) => {
                consent.run = Some(Box::new(run));
                Ok(())
            }
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

    fn refuse_random(&self, subject: &Subject, context: &CallContext) -> Answer {
        let what = "Nothing was sent: the system gives no random numbers for a confirm token.";
        let failure = Failure::new(FailureClass::Refused, what);
        self.refuse(subject.facts(), &failure, None, context)
    }
}

/// What, where, how many.
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
        subject.requests()
    )
}

pub(super) fn preview(
    subject: &Subject,
    confirm: Option<&str>,
    rule: Option<&str>,
    remedy: &str,
) -> Answer {
    let tool = subject.tool();
    let bulk = if tool.bulk { " of many records" } else { "" };
    let what = format!(
        "Nothing was sent: {} ({}{bulk}) runs only once it is confirmed.",
        tool.name,
        tool.effect.name()
    );
    let mut asked = json!({
        "error": what,
        "class": FailureClass::NeedsConfirmation.name(),
        "does": tool.description,
        "calls": subject.calls(),
        "request": subject.requests(),
        "remedy": remedy,
    });
    if !subject.recipients().is_empty() {
        asked["firstRecipients"] = json!(subject.recipients());
    }
    if subject.left_off() > 0 {
        asked["notShown"] = json!(subject.left_off());
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
    if let Some(confirm) = confirm {
        asked["confirm"] = json!(confirm);
    }
    Answer {
        class: Some(FailureClass::NeedsConfirmation),
        did_nothing: true,
        ..Answer::error(asked.to_string())
    }
}
