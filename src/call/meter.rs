//! Takes a call's place in the caps and begins its line in the audit file, before it is sent.

use serde_json::{Map, Value};

use super::{Answer, Authorized, CallContext, Consent, Facts, Pipeline};
use crate::upstream::caller::Credential;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Failure, Reply, SendPermit};
use policy::Taken;
use state::audit::{AuditEntry, ConfirmationRecord, OpenRecord};
use tool::Tool;

/// A call that may be sent now, counted and written down. Dropped unsent, the caps keep its place and the audit file
/// says that it was cut off.
pub struct Metered {
    facts: Facts,
    permit: SendPermit,
    consent: Consent,
    record: CallRecord,
}

/// What is open until a call's outcome is known.
pub(super) struct CallRecord {
    open: Option<OpenRecord>,
    taken: Option<Taken>,
}

impl Pipeline {
    /// Counts the call under what HighLevel proved of its caller, and writes it down; or says why it may not be made.
    pub(super) async fn meter(
        &self,
        authorized: Authorized,
        context: &CallContext,
    ) -> Result<Metered, Answer> {
        let (facts, permit, consent) = authorized.into_parts();
        match self.begin_record(&facts, &consent, context).await {
            Ok(record) => Ok(Metered {
                facts,
                permit,
                consent,
                record,
            }),
            Err(answer) => {
                // Nothing was sent: who agreed need not be asked again.
                Box::pin(self.settle(consent, &answer)).await;
                Err(answer)
            }
        }
    }

    async fn begin_record(
        &self,
        facts: &Facts,
        consent: &Consent,
        context: &CallContext,
    ) -> Result<CallRecord, Answer> {
        let mut record = CallRecord {
            open: None,
            taken: None,
        };
        let caps = facts.rules(context).caps(facts.tool);
        if !caps.is_empty() {
            let under = self.counted_under(facts);
            let taken = self.controls().counts.take(&caps, &under, self.now());
            record.taken = Some(taken.map_err(|denied| self.deny(facts, denied, context))?);
        }
        if let Some(audit) = self.controls().audit.as_ref().filter(|_| !facts.is_read()) {
            let who = self.who(facts, context);
            let entry = entry(facts, context, Some(consent), &who);
            match audit.begin(&entry).await {
                Ok(open) => record.open = Some(open),
                Err(error) => {
                    tracing::error!(%error, "a call was refused that cannot be written down");
                    record.give_back();
                    let what = "Nothing was sent: the server cannot write its audit file, and makes no call that it cannot write down.";
                    let failure = Failure::new(FailureClass::Refused, what)
                        .with_remedy("Tell the server's operator; its log says what is wrong.");
                    return Err(Answer::never_sent(&failure));
                }
            }
        }
        Ok(record)
    }

    /// Who calls, as the audit file has it: the same over restarts, and nothing that opens anything.
    pub(super) fn who(&self, facts: &Facts, context: &CallContext) -> String {
        match &context.principal.key {
            Some(key) => format!("key:{}", key.id),
            None => self.credential_name(&facts.caller.credential),
        }
    }

    fn credential_name(&self, credential: &Credential) -> String {
        let identity = &self.controls().identity;
        format!("credential:{}", identity.name(&credential.identity()))
    }

    /// Nothing is written for a token that HighLevel has not accepted: anybody can make one up, and fill the disk.
    pub(super) fn write_refusal(
        &self,
        facts: &Facts,
        context: &CallContext,
        class: &str,
        rule: Option<&str>,
    ) {
        let audit = self.controls().audit.as_ref();
        if let Some(audit) = audit.filter(|_| self.is_accepted(&context.principal)) {
            let who = self.who(facts, context);
            drop(audit.refused(&entry(facts, context, None, &who), class, rule));
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
        let audit = self.controls().audit.as_ref();
        let Some(audit) = audit.filter(|_| self.is_accepted(principal)) else {
            return;
        };
        let who = match (&principal.key, &principal.account) {
            (Some(key), _) => format!("key:{}", key.id),
            (None, Some(account)) => self.credential_name(&account.credential),
            (None, None) => "operator".to_owned(),
        };
        let entry = AuditEntry {
            who: &who,
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
    /// Writes down what came of it. What provably did not happen leaves its place in the caps.
    pub(super) async fn end(mut self, replied: &Result<Reply, Failure>) {
        let (outcome, status, trace_id) = match replied {
            Ok(reply) => ("ok", Some(reply.status), &reply.trace_id),
            Err(failure) => (failure.class.name(), failure.status, &failure.trace_id),
        };
        if replied.as_ref().is_err_and(Failure::not_executed) {
            self.give_back();
        }
        if let Some(open) = self.open.take() {
            open.end(outcome, status, trace_id.as_deref()).await;
        }
    }

    fn give_back(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.give_back();
        }
    }
}

fn entry<'a>(
    facts: &'a Facts,
    context: &'a CallContext,
    consent: Option<&'a Consent>,
    who: &'a str,
) -> AuditEntry<'a> {
    AuditEntry {
        who,
        client: context.client.as_deref(),
        surface: &context.surface,
        tool: facts.tool.name,
        effect: facts.tool.effect.name(),
        bulk: facts.tool.bulk,
        location: facts.location.as_ref().map(|id| id.as_str()),
        alias: facts.place().map(|place| place.alias.as_str()),
        arguments: &facts.arguments,
        confirmation: consent
            .and_then(Consent::confirmed)
            .map(|(mode, by)| ConfirmationRecord {
                mode: mode.name(),
                by: Some(by),
            }),
        idempotency_key: facts.keyed,
    }
}
