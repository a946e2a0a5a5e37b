//! Calls that need the approval of a person elsewhere: they are requested, waited for, and run once by the
//! first that finds the approval.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use super::approval_runs::StoredRequest;
use super::consent::preview;
use super::{
    Answer, CallContext, ClientAnswer, ClientQuestion, Consent, Elicitation, Pipeline, Question,
    Subject,
};
use crate::upstream::Failure;
use crate::upstream::failure::FailureClass;
use state::StoreError;
use state::approvals::{ApprovalState, Approvals, Claim, NewApproval};

/// The wait before an agent may repeat a call that waits for a person.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// How long a client waits for a call that another process runs.
const LONGEST_RUN: Duration = Duration::from_secs(30);

/// Most waiting calls of one caller: each holds a connection.
const MOST_WAITING: usize = 10;

/// The interval at which a decision is looked up.
const LOOK: Duration = Duration::from_millis(250);

impl Pipeline {
    /// Asks another person, at the server, who decides at any time.
    pub(super) async fn ask_elsewhere(
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
        // A client that opened the page for its user repeats the call with the call's token.
        let opened = match &context.pages {
            Elicitation::Accepted(handle) => Some(handle.as_str()),
            _ => None,
        };
        let asked = match confirm.or(opened) {
            None => self.request_approval(approvals, subject, context).await,
            Some(handle) => {
                self.claim_approval(approvals, handle, subject, context)
                    .await
            }
        };
        asked.unwrap_or_else(|error| {
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
            // The approver relies on the alias: it is shown only if HighLevel proved the location
            // to the token.
            alias: facts
                .disclosed_location()
                .map(|configured| configured.alias.clone()),
            locations: subject.location_counts(),
            who,
            preview: subject.shown(),
            holder_decides: subject.holder_decides(),
            lasts: self.controls().approvals_last,
            request: StoredRequest::new(subject, context).and_then(|request| request.bytes()),
        };
        let (approval, is_new) = approvals.request(new).await?;
        if is_new && !self.controls().webhooks.is_empty() {
            let (pipeline, approval) = (self.clone(), approval.clone());
            tokio::spawn(async move { pipeline.announce(&approval).await });
        }
        let lasts = SignedDuration::try_from(self.controls().approvals_last).unwrap_or_default();
        let kept = self.keep_prepared(subject, &approval.handle, lasts).await;
        if !kept && subject.chosen().is_some() {
            return Ok(Err(self.refuse_unkept(subject, context)));
        }
        let handle = &approval.handle;
        let sign_in = self.controls().sign_in.as_ref();
        let page = sign_in.map(|sign_in| sign_in.approval(handle));
        let repeat = match kept && facts.confirm_alone {
            true => "call again with this confirm alone",
            false => "repeat the call with the same arguments and this confirm",
        };
        let remedy = match page {
            Some(_) => format!(
                "A person decides at approveAt, not this conversation: show the user that address, and {repeat} to see what was said."
            ),
            None => format!(
                "The server's operator decides, not this conversation; {repeat} to see what they said."
            ),
        };
        let mut answer = preview(subject, Some(handle), (None, page.as_deref()), &remedy);
        let waits = match (&context.pages, page) {
            (Elicitation::Supported, Some(page)) => {
                answer.question = Some(Box::new(Question {
                    text: page_question(subject),
                    token: handle.clone(),
                    page: Some(page),
                }));
                false
            }
            (Elicitation::Reachable(line), Some(page)) => {
                let question = ClientQuestion {
                    text: page_question(subject),
                    page: Some(page),
                };
                let opened = line.ask(question, context.place.as_ref()).await;
                opened == ClientAnswer::Accepted
            }
            (Elicitation::Declined, _) => false,
            _ => true,
        };
        let longest = self.controls().approvals_wait;
        if waits
            && self
                .wait_while_open(approvals, handle, longest, context)
                .await?
        {
            return self
                .claim_approval(approvals, handle, subject, context)
                .await;
        }
        Ok(Err(answer))
    }

    async fn claim_approval(
        &self,
        approvals: &Approvals,
        handle: &str,
        subject: &Subject,
        context: &CallContext,
    ) -> Result<Result<Consent, Answer>, StoreError> {
        let who = self.who(subject.facts(), context);
        let digest = approval_digest(subject, &who);
        let mut claimed = approvals.claim(handle, &digest).await?;
        let longest = match claimed {
            Claim::Pending => self.controls().approvals_wait,
            Claim::Running => LONGEST_RUN,
            _ => Duration::ZERO,
        };
        if self
            .wait_while_open(approvals, handle, longest, context)
            .await?
        {
            claimed = approvals.claim(handle, &digest).await?;
        }
        let refused = |what: &str, remedy: &str| {
            Failure::new(FailureClass::Refused, format!("Nothing was sent: {what}."))
                .with_remedy(remedy)
        };
        let failure = match claimed {
            Claim::Run => {
                return Ok(Ok(Consent::by_approval(approvals, handle)));
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
                let sign_in = self.controls().sign_in.as_ref();
                let remedy = match sign_in.map(|sign_in| sign_in.approval(handle)) {
                    Some(page) => format!(
                        "Tell the user that it is decided at {page}; call again with this confirm, as before, when it is."
                    ),
                    None => "Tell the user that somebody else has to decide; call again with this confirm, as before, when they have."
                        .to_owned(),
                };
                let failure =
                    Failure::new(FailureClass::NeedsConfirmation, what).with_remedy(remedy);
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
            Claim::Missing => Failure::new(
                FailureClass::Refused,
                "There is no such approval, or no longer. It is not known whether its call was made.",
            )
            .with_remedy("Read the record first; call again without confirm to ask for one."),
            Claim::Unknown => Failure::new(
                FailureClass::UnknownOutcome,
                "The approved call was cut off: it may or may not have happened.",
            )
            .with_remedy("Read the record first; call again without confirm to ask anew."),
        };
        Ok(Err(self.refuse(subject.facts(), &failure, None, context)))
    }

    /// Waits until a person has decided, and, if another process runs the call, until that ends. Returns whether this
    /// came in time. The call holds no place meanwhile.
    async fn wait_while_open(
        &self,
        approvals: &Approvals,
        handle: &str,
        longest: Duration,
        context: &CallContext,
    ) -> Result<bool, StoreError> {
        let principal = self.principal_digest(&context.principal);
        let waiter = (!longest.is_zero()).then(|| self.controls().waiters.enter(principal));
        let Some(_waiter) = waiter.flatten() else {
            return Ok(false);
        };
        let deadline = Instant::now() + longest;
        let mut waits = false;
        let decided = loop {
            let state = approvals.state(handle).await?;
            let is_open = matches!(state, Some(ApprovalState::Pending | ApprovalState::Running));
            if !is_open || Instant::now() >= deadline {
                break !is_open;
            }
            if !std::mem::replace(&mut waits, true)
                && let Some(place) = &context.place
            {
                place.suspend();
            }
            sleep(LOOK).await;
        };
        if waits && let Some(place) = &context.place {
            place.resume().await;
        }
        Ok(decided)
    }
}

/// The text that a client shows its user before it opens the page.
fn page_question(subject: &Subject) -> String {
    let tool = subject.tool();
    let many = match subject.calls() {
        1 => String::new(),
        many => format!(", {many} times"),
    };
    format!(
        "{}: {} {}{many}. It waits for a person's approval: open the page to look at it and decide.",
        tool.name,
        tool.description,
        subject.describe_locations()
    )
}

/// Calls whose clients wait for a person's decision: a few of each caller.
#[derive(Clone, Default)]
pub struct Waiters(Arc<Mutex<HashMap<[u8; 32], usize>>>);

/// One waiting call. It is counted until dropped.
struct Waiter {
    waiters: Waiters,
    principal: [u8; 32],
}

impl Waiters {
    /// `None` if too many already wait; this call is then answered at once.
    fn enter(&self, principal: [u8; 32]) -> Option<Waiter> {
        let mut waiting = self.lock();
        let count = waiting.entry(principal).or_default();
        if *count >= MOST_WAITING {
            return None;
        }
        *count += 1;
        Some(Waiter {
            waiters: self.clone(),
            principal,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        if let Some(count) = waiting.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.principal);
            }
        }
    }
}

/// An approval also binds the caller, by the name in the audit, which survives restarts.
fn approval_digest(subject: &Subject, who: &str) -> String {
    state::sha256(&format!("{} {who}", subject.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_keeps_few_connections_by_waiting() {
        let waiters = Waiters::default();
        let enter = |principal, count: usize| {
            let entered = (0..count).map(|_| waiters.enter([principal; 32]));
            entered.collect::<Vec<_>>()
        };
        let one = enter(1, 12);
        assert_eq!(one.iter().flatten().count(), MOST_WAITING);
        assert_eq!(enter(2, 3).iter().flatten().count(), 3);
        drop(one);
        assert!(waiters.lock().is_empty());
    }
}
