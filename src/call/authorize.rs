//! Decides whether a call may be sent: the rules over exactly what will be sent, the emergency stop, and the consent
//! that its effect needs. Only this module makes what the transport sends.

use std::time::Duration;

use super::stop::Stoppable;
use super::token_check::RequestBudget;
use super::{AccessRef, Answer, CallContext, Consent, Facts, Pipeline, Subject, Validated};
use crate::upstream::caller::Credential;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Failure, SendPermit, agency_refusal, unusable};
use policy::{Denial, Mode};
use tool::TokenClass;

/// A call that may be sent once.
pub(super) struct Authorized {
    facts: Facts,
    permit: SendPermit,
    consent: Consent,
}

/// The source of a call's consent.
pub(super) enum ConsentSource<'a> {
    /// The caller, for this call; the token or handle of an earlier answer.
    Caller(Option<&'a str>),
    /// All calls of a batch were confirmed together, at least as strictly as this.
    Batch(&'a Consent),
    /// The server itself tries a token by a read of its own, to which no rule applies.
    ServerProbe,
    /// The server tries a token that a person pasted, with a limited number of requests.
    TokenCheck(&'a RequestBudget),
}

impl Pipeline {
    /// Judges one call at this moment. If somebody has to agree first, the answer says so.
    pub(super) async fn authorize(
        &self,
        mut validated: Validated,
        asking: ConsentSource<'_>,
        context: &CallContext,
    ) -> Result<Authorized, Answer> {
        let (mode, rule) = match asking {
            ConsentSource::ServerProbe | ConsentSource::TokenCheck(_) => (Mode::Off, String::new()),
            _ => {
                self.ensure_may_hear(&mut validated, context).await?;
                let before = self.strangers_read_before(validated.facts(), context);
                self.judge(&validated, before.await, context)?
            }
        };
        let consent = match asking {
            ConsentSource::Caller(confirm) if mode != Mode::Off => {
                let mut subject = Subject::new(self, context, validated.facts());
                subject.add(&validated);
                if self.asks_now(mode, confirm, context) {
                    Box::pin(self.name_records(&mut subject, context)).await;
                }
                Box::pin(self.ask(&subject, (mode, &rule), confirm, context)).await?
            }
            ConsentSource::Caller(_)
            | ConsentSource::ServerProbe
            | ConsentSource::TokenCheck(_) => Consent::default(),
            ConsentSource::Batch(consent) if consent.covers(mode) => consent.for_item(),
            ConsentSource::Batch(_) => {
                let what =
                    "Nothing was sent: the rules changed, and this needs a confirmation now.";
                let failure = Failure::new(FailureClass::Refused, what)
                    .with_remedy("Call again without confirm for a new preview.");
                return Err(self.refuse(validated.facts(), &failure, Some(&rule), context));
            }
        };
        let (facts, outgoing) = validated.into_parts();
        let mut recheck = self.recheck(&facts, context);
        if let ConsentSource::TokenCheck(budget) = asking {
            recheck = budget.limit(recheck);
        }
        let permit = self.authority().allow(outgoing, recheck);
        Ok(Authorized {
            facts,
            permit,
            consent,
        })
    }

    /// The verdict of rules and emergency stop on a call now: the confirmation that it needs, and the rule that asks
    /// for it, if any. `strangers_read`: the time since its caller read other people's words.
    pub(super) fn judge(
        &self,
        validated: &Validated,
        strangers_read: Option<Duration>,
        context: &CallContext,
    ) -> Result<(Mode, String), Answer> {
        let facts = validated.facts();
        if let Some((failure, rule)) = self.stopped(&Stoppable::new(facts, context)) {
            return Err(self.refuse(facts, &failure, rule, context));
        }
        let is_doubled = |location| facts.snapshot.locations.is_doubled(location);
        if matches!(facts.caller.credential, Credential::Unusable(_))
            || facts.location.as_ref().is_some_and(is_doubled)
        {
            let configured = facts.caller.configured.as_ref();
            let alias = configured.filter(|_| facts.may_disclose);
            let alias = alias.map_or("this location", |configured| &configured.alias);
            return Err(self.refuse(facts, &unusable(alias), None, context));
        }
        // Nobody is asked to confirm a call that would be refused.
        if facts.tool.token == TokenClass::Agency && !facts.agency {
            let is_known = context.principal.kind.is_known() || facts.caller.is_servers_own();
            let failure = agency_refusal(facts.tool, is_known);
            return Err(self.refuse(facts, &failure, None, context));
        }
        let rules = facts.rules(context);
        // The arguments may have led to another location than the connection's.
        let allowed = rules
            .shows(facts.tool)
            .and_then(|()| rules.permits(facts.variant, validated.arguments(), || self.now()));
        if let Err(denied) = allowed {
            return Err(self.deny(facts, denied, context));
        }
        let can_ask = context.elicitation.can_ask();
        let asks_person = validated.asks_person();
        let asked = match rules.asks_nobody(facts.tool) && !asks_person {
            true => (Mode::Off, String::new()),
            false => rules.confirmation_of_call(facts.tool, asks_person, can_ask),
        };
        let (mode, rule) = match strangers_read {
            Some(before) => rules.after_strangers(asked, before, can_ask),
            None => asked,
        };
        if mode == Mode::Refuse {
            let denied = Denial {
                what: format!("{} is not allowed here", facts.tool.name),
                rule,
                retry_after: None,
                is_callers: false,
            };
            return Err(self.deny(facts, denied, context));
        }
        Ok((mode, rule))
    }

    /// Makes HighLevel let a token into a location before it hears that the rules or a pause there refuse a call. Fails
    /// as a call there would: with HighLevel's own refusal.
    pub(super) async fn ensure_may_hear(
        &self,
        validated: &mut Validated,
        context: &CallContext,
    ) -> Result<(), Answer> {
        let facts = validated.facts();
        let Some(location) = facts.location.clone() else {
            return Ok(());
        };
        if facts.may_disclose || facts.configured().is_none() {
            return Ok(());
        }
        let rules = facts.rules(context);
        let is_stopped = || self.stopped(&Stoppable::new(facts, context)).is_some();
        let permits = || rules.permits(facts.variant, validated.arguments(), || self.now());
        if rules.shows(facts.tool).and_then(|()| permits()).is_err() || is_stopped() {
            Box::pin(self.ensure_proven(&facts.caller, &location, context)).await?;
            validated.disclose();
        }
        Ok(())
    }

    /// The refusal by a rule, in words that reveal only what the caller may know.
    pub(super) fn deny(&self, facts: &Facts, denied: Denial, context: &CallContext) -> Answer {
        let access = context.principal.access.as_ref();
        if denied.is_callers
            && let Some(grant) = access.and_then(AccessRef::grant)
        {
            grant.note_refusal();
        }
        let sign_in = self.controls().sign_in.as_ref();
        let (what, remedy) = match facts.may_disclose {
            // At the console the person chose these rules.
            true if denied.is_callers && matches!(access, Some(AccessRef::Console(_))) => (
                denied.what.clone(),
                "Choose rules that allow it, or ask the server's operator to check the rules that apply to you."
                    .to_owned(),
            ),
            true if denied.is_callers => (
                denied.what.clone(),
                match sign_in {
                    Some(sign_in) => format!(
                        "The person who connected this client can allow it more, by connecting it again or at {}.",
                        sign_in.connections()
                    ),
                    None => "The person who connected this client can allow it more.".to_owned(),
                },
            ),
            true => (
                denied.what.clone(),
                format!(
                    "The rule is {}. Only the server's operator can change it.",
                    denied.rule
                ),
            ),
            false => (
                denied.anonymous(),
                "Only the server's operator can change that.".to_owned(),
            ),
        };
        let what = format!("Nothing was sent: {}.", what.trim_end_matches('.'));
        let failure = Failure::new(FailureClass::Refused, what)
            .with_remedy(remedy)
            .with_retry_after(denied.retry_after);
        self.refuse(facts, &failure, Some(&denied.rule), context)
    }

    /// Records the refusal of a call before it was sent.
    pub(super) fn refuse(
        &self,
        facts: &Facts,
        failure: &Failure,
        rule: Option<&str>,
        context: &CallContext,
    ) -> Answer {
        self.write_refusal(facts, context, failure.class.name(), rule);
        Answer {
            configured: facts.disclosed_location().cloned(),
            ..Answer::never_sent(failure)
        }
    }
}

impl Authorized {
    pub(super) fn into_parts(self) -> (Facts, SendPermit, Consent) {
        (self.facts, self.permit, self.consent)
    }
}
