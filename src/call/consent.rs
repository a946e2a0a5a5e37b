//! Has somebody agree to calls before they are made: the caller, the person at the client, or one elsewhere.

use serde_json::json;

use super::idempotency::{IdempotencyGuard, ReplayScope};
use super::{Answer, CallContext, Elicitation, Pipeline, Question, Subject};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use policy::Mode;
use state::StoreError;
use state::approvals::{Approvals, Claim, NewApproval};

/// When an agent may ask again after a call that waits for a person.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(15);

/// How calls were agreed to; one run of one request.
#[must_use]
pub struct Consent {
    /// Mode and name of who agreed, for the audit file; `None` where nobody had to.
    confirmed: Option<(Mode, String)>,
    guard: Option<IdempotencyGuard>,
    approval: Option<String>,
}

impl Consent {
    pub(super) fn not_needed() -> Self {
        Self {
            confirmed: None,
            guard: None,
            approval: None,
        }
    }

    /// The same for one call of a batch; what came of it is kept with the batch.
    pub(super) fn for_item(&self) -> Self {
        Self {
            confirmed: self.confirmed.clone(),
            guard: None,
            approval: None,
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
            Mode::Off => Ok(Consent::not_needed()),
            Mode::Elicit => self.ask_client(subject, context),
            Mode::Token => self.ask_caller(subject, rule, confirm, context),
            Mode::Human => self.ask_elsewhere(subject, confirm, context).await,
            Mode::Refuse => {
                let what = format!("Nothing was sent: {} is not allowed.", subject.tool().name);
                let failure = Failure::new(FailureClass::Refused, what);
                Err(self.refuse(subject.facts(), &failure, Some(rule), context))
            }
        }
    }

    /// Stores the result for replays, even if the client disconnects.
    pub(super) async fn settle(&self, consent: Consent, answer: &Answer) {
        if let Some(guard) = consent.guard {
            guard.settle(answer);
        }
        let Some((handle, approvals)) = consent.approval.zip(self.controls().approvals.as_ref())
        else {
            return;
        };
        // Both begin at once: a client that leaves now loses nothing.
        let kept = match answer.did_nothing {
            true => approvals.release(&handle).await,
            false => {
                let kept = approvals.finish(&handle, &answer.text, answer.is_error);
                kept.await
            }
        };
        if let Err(error) = kept {
            tracing::error!(%error, handle, "the outcome of an approved call was not kept");
        }
    }

    /// The person at the client, asked by the client itself.
    fn ask_client(&self, subject: &Subject, context: &CallContext) -> Result<Consent, Answer> {
        let (tool, facts) = (subject.tool(), subject.facts());
        let refuse = |what: String, remedy: Option<&str>| {
            let mut failure = Failure::new(FailureClass::Refused, what);
            if let Some(remedy) = remedy {
                failure = failure.with_remedy(remedy);
            }
            Err(self.refuse(facts, &failure, None, context))
        };
        match &context.elicitation {
            Elicitation::Accepted(token) if self.fits(token, subject) => {
                self.use_token(token, subject, (Mode::Elicit, "the person at the client"))
            }
            Elicitation::Accepted(_) => Err(self.refuse_stale(subject, context)),
            Elicitation::Declined => refuse(
                format!("Nothing was sent: the user said no to {}.", tool.name),
                None,
            ),
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
                    "Use a client that supports elicitation, or have the operator set confirm to token or human.",
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
                self.use_token(token, subject, (Mode::Token, "the caller"))
            }
            Some(_) => Err(self.refuse_stale(subject, context)),
        }
    }

    /// Somebody else, at the server, in their own time.
    async fn ask_elsewhere(
        &self,
        subject: &Subject,
        confirm: Option<&str>,
        context: &CallContext,
    ) -> Result<Consent, Answer> {
        let refuse = |what: String| {
            let failure = Failure::new(FailureClass::Refused, what);
            Err(self.refuse(subject.facts(), &failure, None, context))
        };
        let Some(approvals) = &self.controls().approvals else {
            return refuse(format!(
                "Nothing was sent: {} waits for a person, and this server keeps no approvals.",
                subject.tool().name
            ));
        };
        let kept = match confirm {
            None => self.request_approval(approvals, subject, context).await,
            Some(handle) => {
                self.claim_approval(approvals, handle, subject, context)
                    .await
            }
        };
        kept.unwrap_or_else(|error| {
            refuse(format!(
                "Nothing was sent: the approval cannot be kept: {error}."
            ))
        })
    }

    async fn request_approval(
        &self,
        approvals: &Approvals,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Result<Consent, Answer>, StoreError> {
        let (facts, tool) = (subject.facts(), subject.tool());
        let who = self.who(facts, context);
        let new = NewApproval {
            digest: approval_digest(subject, &who),
            tool: tool.name.to_owned(),
            effect: tool.effect.name().to_owned(),
            location: facts.location.as_ref().map(|id| id.as_str().to_owned()),
            // Whoever approves goes by the name: it stands only where HighLevel let the token in.
            alias: facts.disclosed_location().map(|place| place.alias.clone()),
            locations: subject.location_counts(),
            who,
            preview: subject.requests(),
            lasts: self.controls().approvals_last,
        };
        let (approval, is_new) = approvals.request(new).await?;
        if let Some(webhook) = self.controls().webhook.as_ref().filter(|_| is_new) {
            webhook.tell(&approval);
        }
        let remedy = "A person decides; repeat the call with the same arguments and this confirm to see what they said.";
        Ok(Err(preview(subject, Some(&approval.handle), None, remedy)))
    }

    async fn claim_approval(
        &self,
        approvals: &Approvals,
        handle: &str,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Result<Consent, Answer>, StoreError> {
        let who = self.who(subject.facts(), context);
        let claimed = approvals
            .claim(handle, &approval_digest(subject, &who))
            .await?;
        let refused = |what: &str, remedy: &str| {
            Failure::new(FailureClass::Refused, format!("Nothing was sent: {what}."))
                .with_remedy(remedy)
        };
        let failure = match claimed {
            Claim::Run => {
                return Ok(Ok(Consent {
                    confirmed: Some((Mode::Human, handle.to_owned())),
                    guard: None,
                    approval: Some(handle.to_owned()),
                }));
            }
            Claim::Done { outcome, is_error } => {
                return Ok(Err(Answer {
                    is_error,
                    ..Answer::text(outcome)
                }));
            }
            Claim::Pending | Claim::Running => {
                let what = match claimed {
                    Claim::Running => "The approved call is still under way.",
                    _ => "Nothing was sent: nobody has decided yet.",
                };
                let failure = Failure::new(FailureClass::NeedsConfirmation, what)
                    .with_remedy("Ask again later with the same arguments and confirm.");
                return Ok(Err(Answer::never_sent(
                    &failure.with_retry_after(ASK_AGAIN),
                )));
            }
            Claim::Denied { note } => {
                let note = note.map_or_else(String::new, |note| format!(": {note}"));
                Failure::new(
                    FailureClass::Refused,
                    format!("Nothing was sent: a person said no{note}."),
                )
            }
            Claim::Expired => refused(
                "nobody decided in time",
                "Call again without confirm to ask anew.",
            ),
            Claim::Other => refused(
                "this confirm is for another call",
                "Call again without confirm to ask for this one.",
            ),
            Claim::Missing => refused(
                "there is no such approval",
                "Call again without confirm to ask for one.",
            ),
            Claim::Unknown => Failure::new(
                FailureClass::UnknownOutcome,
                "The approved call was cut off: it may or may not have happened.",
            )
            .with_remedy("Read the record first; call again without confirm to ask anew."),
        };
        Ok(Err(self.refuse(subject.facts(), &failure, None, context)))
    }

    fn issue_token(&self, subject: &Subject) -> Option<String> {
        let tokens = self.confirm_tokens();
        tokens.issue(&subject.digest(), subject.caller_id(), self.now())
    }

    fn fits(&self, token: &str, subject: &Subject) -> bool {
        let tokens = self.confirm_tokens();
        tokens.fits(token, &subject.digest(), subject.caller_id(), self.now())
    }

    /// A token is good for one run; what came of it is answered again.
    fn use_token(
        &self,
        token: &str,
        subject: &Subject,
        (mode, by): (Mode, &str),
    ) -> Result<Consent, Answer> {
        let scope = ReplayScope::Confirm(token);
        let store = self.idempotency();
        let guard = store.claim(subject.caller_id(), scope, &subject.digest())?;
        Ok(Consent {
            confirmed: Some((mode, by.to_owned())),
            guard: Some(guard),
            approval: None,
        })
    }

    fn refuse_stale(&self, subject: &Subject, context: &CallContext) -> Answer {
        let what = "Nothing was sent: this confirm token does not match the operation and its arguments, is older than 30 minutes, or was issued before the server was started.";
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

/// An approval binds the caller too: by the name that the audit file has, which is the same over restarts.
fn approval_digest(subject: &Subject, who: &str) -> String {
    state::sha256(&format!("{} {who}", subject.digest()))
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

fn preview(subject: &Subject, confirm: Option<&str>, rule: Option<&str>, remedy: &str) -> Answer {
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
