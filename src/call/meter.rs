//! Records what a call needs before it is sent: its place in the caps, its mark that it happens once, its line in the
//! audit.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::access_ref::connection_ended;
use super::controls::Auditing;
use super::idempotency::{kept, kept_of_item, known_answer, too_many_keys};
use super::{AccessRef, Answer, Authorized, CallContext, Consent, Facts, Pipeline};
use crate::upstream::caller::Credential;
use crate::upstream::failure::FailureClass;
use crate::upstream::{CountedUnder, Failure, Reply, SendPermit};
use policy::Cap;
use state::audit::{AuditEntry, AuditedCall, ConfirmationRecord};
use state::calls::{CallBegin, CallOutcome, CallStart, CapPlace, OnceKey, OpenCall};
use state::identity::Identity;
use state::{Pending, StoreError};
use tool::Tool;

/// A call that may be sent now, counted and written down. Dropped unsent, the caps keep its place and the audit
/// says that it was cut off.
pub(super) struct Metered {
    facts: Facts,
    permit: SendPermit,
    consent: Consent,
    record: CallRecord,
}

/// However late HighLevel answered, an answer waits so long for its end to be written.
pub(super) const LEAST_WAIT: Duration = Duration::from_secs(2);

/// The store's record of a call whose outcome is not written yet. Most reads have none.
pub(super) struct CallRecord {
    open: Option<Box<OpenRecord>>,
    /// Then its client is answered, whether its end is written or not.
    answer_by: Instant,
}

/// Dropped, it writes down what is known: a client may leave while its answer is still being made.
struct OpenRecord {
    /// `None`: it has ended.
    call: Option<OpenCall>,
    outcome: CallOutcome,
}

impl Pipeline {
    /// Counts the call under what HighLevel proved of its caller, and writes it down; or says why it may not be made.
    pub(super) async fn meter(
        &self,
        authorized: Authorized,
        context: &CallContext,
    ) -> Result<Metered, Answer> {
        let (facts, permit, mut consent) = authorized.into_parts();
        match self.begin_record(&facts, &mut consent, context).await {
            Ok(record) => Ok(Metered {
                facts,
                permit,
                consent,
                record,
            }),
            Err(answer) => {
                // Nothing was sent: who agreed need not be asked again.
                let until = Instant::now() + LEAST_WAIT;
                is_written(self.settle(consent, &answer), until).await;
                Err(answer)
            }
        }
    }

    async fn begin_record(
        &self,
        facts: &Facts,
        consent: &mut Consent,
        context: &CallContext,
    ) -> Result<CallRecord, Answer> {
        let caps = facts.rules(context).caps(facts.tool);
        let audit = match &self.controls().audit {
            _ if facts.is_read() => None,
            Auditing::Off => None,
            Auditing::On(audit) => {
                let who = self.who(facts, context);
                let call = audit.call(&entry(facts, context, Some(consent), &who));
                Some(call.map_err(|error| self.unwritable(&error))?)
            }
            Auditing::Impossible => {
                let what = "Nothing was sent: this server keeps no state, and makes no call that it cannot record.";
                let remedy = "The server's operator can give it a state folder, or set audit.enabled to false.";
                let failure = Failure::new(FailureClass::Refused, what).with_remedy(remedy);
                return Err(Answer::never_sent(&failure));
            }
        };
        let confirmed = consent.take_mark();
        let leaves_no_row =
            caps.is_empty() && audit.is_none() && facts.once.is_none() && confirmed.is_none();
        // An instance that cannot reach the database does not hear who was stopped meanwhile: it changes nothing.
        let must_reach = !facts.is_read() && self.controls().store.database().is_some();
        let longest = Instant::now() + self.settings().longest_record_wait;
        let answer_by = facts.answer_by.map_or(longest, |by| by.min(longest));
        if leaves_no_row && !must_reach {
            let open = None;
            return Ok(CallRecord { open, answer_by });
        }
        // Boxed: a read pays nothing for it.
        let once = confirmed.into_iter().chain(facts.once.clone()).collect();
        let call = Box::pin(self.begin_in_store(facts, (once, caps, audit), context)).await?;
        let open = OpenRecord {
            call: Some(call),
            outcome: CallOutcome::cut_off(),
        };
        Ok(CallRecord {
            open: Some(Box::new(open)),
            answer_by,
        })
    }

    async fn begin_in_store(
        &self,
        facts: &Facts,
        (once, caps, audit): (Vec<OnceKey>, Vec<Cap>, Option<AuditedCall>),
        context: &CallContext,
    ) -> Result<OpenCall, Answer> {
        let places: Vec<(Cap, String)> = caps
            .into_iter()
            .flat_map(|cap| {
                let under = self.capped_under(&cap, facts, context).into_iter();
                under.map(move |under| (cap.clone(), under))
            })
            .collect();
        let now = self.now();
        let caps = places.iter().map(|(cap, under)| place(cap, under, now));
        let start = CallStart {
            once,
            caps: caps.collect(),
            audit,
            grant: context.grant_id(),
        };
        let begun = self.controls().store.begin(start).await;
        match begun.map_err(|error| self.unwritable(&error))? {
            CallBegin::Open(open) => Ok(open),
            CallBegin::GrantEnded => {
                let failure = connection_ended();
                Err(self.refuse(facts, &failure, None, context))
            }
            CallBegin::Known(kind, known) => Err(known_answer(kind, known)),
            CallBegin::TooManyKeys => Err(too_many_keys()),
            CallBegin::NoPlace(index, wait) => match places.get(index) {
                Some((cap, under)) => Err(self.deny(facts, cap.used_up(under, wait), context)),
                None => Err(too_many_keys()),
            },
        }
    }

    /// Whose calls the cap counts: the caller's, or those of what HighLevel counts the call under, as far as it proved
    /// that. A token of one location is counted by itself, too: nothing was known of it before its first calls.
    fn capped_under(&self, cap: &Cap, facts: &Facts, context: &CallContext) -> Vec<String> {
        if cap.is_callers {
            let principal = self.principal_digest(&context.principal);
            return vec![format!("caller:{}", state::hex(&principal))];
        }
        let named = facts.location.as_ref().filter(|_| facts.names_location);
        // The same over restarts, which the digests of the transport are not.
        let token = || format!("token:{}", self.credential_name(&facts.caller.credential));
        match self.transport().counted_under(&facts.caller, named) {
            CountedUnder::Location(id) => {
                let is_only = self.transport().only_location(&facts.caller).as_ref() == Some(&id);
                let location = format!("location:{}", id.as_str());
                std::iter::once(location)
                    .chain(is_only.then(token))
                    .collect()
            }
            CountedUnder::Credential(_) => vec![token()],
        }
    }

    /// What is answered where the store takes nothing.
    pub(super) fn unwritable(&self, error: &StoreError) -> Answer {
        tracing::error!(%error, "a call was refused that cannot be written down");
        let what = "Nothing was sent: the server cannot write its store, and makes no call that it cannot record.";
        let failure = Failure::new(FailureClass::Refused, what)
            .with_remedy("Tell the server's operator; its log says what is wrong.");
        Answer::never_sent(&failure)
    }

    /// Who calls, as the audit has it: the same over restarts, and nothing that opens anything.
    pub(super) fn who(&self, facts: &Facts, context: &CallContext) -> String {
        match &context.principal.access {
            Some(access) => access.who(),
            None => self.credential_name(&facts.caller.credential),
        }
    }

    pub(super) fn credential_name(&self, credential: &Credential) -> String {
        let digest = self.transport().credential_digest(credential);
        format!("credential:{}", Identity::shown(&digest))
    }

    /// Nothing is written for a token that HighLevel has not accepted: anybody can make one up, and fill the disk.
    pub(super) fn write_refusal(
        &self,
        facts: &Facts,
        context: &CallContext,
        class: &str,
        rule: Option<&str>,
    ) {
        if let Auditing::On(audit) = &self.controls().audit
            && self.is_accepted(&context.principal)
        {
            let who = self.who(facts, context);
            if self.may_write_refusal(&who) {
                drop(audit.refused(&entry(facts, context, None, &who), class, rule));
            }
        }
    }

    /// What was refused before it was known whose call it is.
    pub(super) fn write_unlocated(
        &self,
        tool: &Tool,
        arguments: &Map<String, Value>,
        context: &CallContext,
        failure: &Failure,
    ) {
        let principal = &context.principal;
        let Auditing::On(audit) = &self.controls().audit else {
            return;
        };
        if !self.is_accepted(principal) {
            return;
        }
        let who = match (&principal.access, &principal.account) {
            (Some(access), _) => access.who(),
            (None, Some(account)) => self.credential_name(&account.credential),
            (None, None) => "operator".to_owned(),
        };
        if !self.may_write_refusal(&who) {
            return;
        }
        let entry = AuditEntry {
            who: &who,
            grant: principal.access.as_ref().and_then(AccessRef::audit_entry),
            client: context.client.as_deref(),
            surface: &context.surface,
            tool: tool.name,
            effect: tool.effect.name(),
            bulk: tool.bulk,
            location: None,
            alias: None,
            arguments,
            confirmation: None,
            idempotency_key: false,
        };
        drop(audit.refused(&entry, failure.class.name(), None));
    }
}

impl Metered {
    pub(super) fn into_parts(self) -> (Facts, SendPermit, Consent, CallRecord) {
        (self.facts, self.permit, self.consent, self.record)
    }
}

impl CallRecord {
    /// Whether its outcome is kept for repeats.
    pub(super) fn is_once(&self) -> bool {
        let call = self.open.as_ref().and_then(|open| open.call.as_ref());
        call.is_some_and(OpenCall::is_once)
    }

    /// How long its answer waits for its end to be written.
    pub(super) fn answer_by(&self) -> Instant {
        self.answer_by.max(Instant::now() + LEAST_WAIT)
    }

    /// Notes the outcome of the request.
    pub(super) fn replied(&mut self, replied: &Result<Reply, Failure>) {
        let Some(open) = &mut self.open else {
            return;
        };
        let (outcome, status, trace_id) = match replied {
            Ok(reply) => ("ok", Some(reply.status), &reply.trace_id),
            Err(failure) => (failure.class.name(), failure.status, &failure.trace_id),
        };
        open.outcome = CallOutcome {
            outcome: outcome.to_owned(),
            status,
            trace_id: trace_id.clone(),
            // What provably did not happen leaves its place in the caps.
            did_nothing: replied.as_ref().is_err_and(Failure::not_executed),
            kept: None,
        };
    }

    /// Writes the outcome, with the answer that its client gets. It begins at once: a client that leaves now loses
    /// nothing. `None` if the answer need not wait for it.
    pub(super) fn end(self, answer: Option<&Answer>) -> Option<Pending<()>> {
        let mut open = self.open?;
        let call = open.call.take()?;
        let (is_once, has_record) = (call.is_once(), call.has_record());
        let copy = if call.is_item() { kept_of_item } else { kept };
        let kept = answer.filter(|_| is_once).map(copy);
        let ended = call.end(CallOutcome {
            kept,
            ..open.outcome.clone()
        });
        has_record.then_some(ended)
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            drop(call.end(self.outcome.clone()));
        }
    }
}

/// Whether the outcome of a call is written by then, if there is one to write. Otherwise it is written before the next
/// call begins, unless the process ends first: a client that is answered before that must be told.
pub(super) async fn is_written(pending: Option<Pending<()>>, until: Instant) -> bool {
    let Some(pending) = pending else {
        return true;
    };
    match timeout_at(until, pending).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the outcome of a call was not written");
            false
        }
        Err(_) => {
            tracing::error!("the outcome of a call is not written yet, and its client is told so");
            false
        }
    }
}

/// What stands for the cap in rows.
pub(super) fn place(cap: &Cap, under: &str, now: Timestamp) -> CapPlace {
    CapPlace {
        bucket: cap.bucket(under),
        now: now.as_second(),
        moment: cap.window.moment(now),
        window: cap.window.seconds(),
        most: i64::from(cap.most),
    }
}

fn entry<'a>(
    facts: &'a Facts,
    context: &'a CallContext,
    consent: Option<&'a Consent>,
    who: &'a str,
) -> AuditEntry<'a> {
    let access = context.principal.access.as_ref();
    AuditEntry {
        who,
        grant: access.and_then(AccessRef::audit_entry),
        client: context.client.as_deref(),
        surface: &context.surface,
        tool: facts.tool.name,
        effect: facts.tool.effect.name(),
        bulk: facts.tool.bulk,
        location: facts.location.as_ref().map(|id| id.as_str()),
        alias: facts
            .configured()
            .map(|configured| configured.alias.as_str()),
        arguments: &facts.arguments,
        confirmation: consent
            .and_then(Consent::confirmed)
            .map(|(mode, by)| ConfirmationRecord {
                mode: mode.name(),
                by: Some(by),
            }),
        idempotency_key: facts.idempotency_key.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use state::Store;
    use state::calls::OnceKind;

    use super::*;

    /// A client may leave while the reason of a refusal is looked up: the next attempt must not find an unknown outcome.
    #[tokio::test]
    async fn a_known_outcome_is_written_although_the_client_leaves() {
        let store = Store::in_memory().expect("a store");
        let refused = Failure::new(FailureClass::RateLimited, "No.");
        let cut_off = Failure::new(FailureClass::UnknownOutcome, "Cut off.");
        let rows = [
            (1, Some(refused), false),
            (2, Some(cut_off), true),
            (3, None, true),
        ];
        for (id, failure, is_known) in rows {
            let key = OnceKey {
                kind: OnceKind::Key,
                id: [id; 32],
                principal: [0; 32],
                call: [0; 32],
                expires_at: Timestamp::MAX,
            };
            let start = CallStart {
                once: vec![key.clone()],
                ..CallStart::default()
            };
            let Ok(CallBegin::Open(call)) = store.begin(start).await else {
                panic!("it does not begin");
            };
            let mut record = CallRecord {
                open: Some(Box::new(OpenRecord {
                    call: Some(call),
                    outcome: CallOutcome::cut_off(),
                })),
                answer_by: Instant::now(),
            };
            if let Some(failure) = failure {
                record.replied(&Err(failure));
            }
            drop(record);
            let known = store.known_call(&key).await.expect("read");
            assert_eq!(known.is_some(), is_known, "{known:?}");
        }
    }
}
