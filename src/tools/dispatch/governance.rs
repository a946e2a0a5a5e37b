//! What the server keeps of calls and holds them to: its locations and rules, caps, the audit file, approvals.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Map, Value};

use super::webhook::Webhook;
use super::{Answer, Dispatch, Permit, Planned};
use crate::call::CallContext;
use crate::config::{AuditedArguments, Config};
use crate::highlevel::caller::Credential;
use crate::highlevel::failure::Class;
use crate::highlevel::{Failure, Transport};
use crate::policy::{Counts, Taken};
use crate::runtime::tool::{Effect, Tool};
use crate::store::StoreError;
use crate::store::approvals::{Approval, Approvals};
use crate::store::audit::{Audit, Confirmed, Entry, Open};
use crate::store::clock::SteadyClock;
use crate::store::identity::Identity;
use crate::store::keys::Keys;
use crate::store::pause::Pauses;
use crate::tools::tenancy::Tenancy;

/// Everything that calls are held to. The default has no locations, no rules, and keeps nothing.
#[derive(Default)]
pub struct Governance {
    pub tenancy: RwLock<Arc<Tenancy>>,
    pub audit: Option<Audit>,
    pub approvals: Option<Approvals>,
    pub approvals_last: Duration,
    pub webhook: Option<Webhook>,
    pub identity: Identity,
    pub counts: Counts,
    pub pauses: Pauses,
    pub keys: Option<Keys>,
}

impl Governance {
    /// What the settings want. Fails with a sentence where a file of theirs is not usable.
    pub fn of(config: &Config, transport: &Transport) -> Result<Self, String> {
        let mut governance = Self {
            tenancy: RwLock::new(Tenancy::read(config, &transport.oauth())?),
            ..Self::default()
        };
        let folder = match config.state.folder() {
            Ok(folder) => folder,
            Err(_) if !config.audit.enabled => return Ok(governance),
            Err(error) => {
                return Err(format!(
                    "{error}; or set audit.enabled to false, and nothing is written down"
                ));
            }
        };
        let said = |error: StoreError| error.to_string();
        if config.audit.enabled {
            let full = config.audit.arguments == AuditedArguments::Full;
            let audit = Audit::open(&folder, config.audit.keep_days, full);
            governance.audit = Some(audit.map_err(said)?);
        }
        if !config.approvals.webhook.is_empty() {
            let webhook =
                Webhook::new(&config.approvals.webhook, transport.upstream().http.clone())?;
            governance.webhook = Some(webhook);
        }
        let most = config.approvals.max_pending_per_caller;
        let approvals = Approvals::open(&folder).map_err(said)?;
        governance.approvals = Some(approvals.with_most_pending(most));
        let minutes = u64::from(config.approvals.expire_minutes);
        governance.approvals_last = Duration::from_secs(minutes * 60);
        governance.identity = Identity::open(&folder).map_err(said)?;
        governance.pauses = Pauses::open(&folder).map_err(said)?;
        governance.keys = Some(Keys::open(&folder).map_err(said)?);
        Ok(governance)
    }
}

/// A call under way: its place in the caps and its line in the audit file.
pub struct Governed {
    open: Option<Open>,
    taken: Option<Taken>,
}

impl Dispatch {
    /// The locations and rules of this moment.
    pub fn tenancy(&self) -> Arc<Tenancy> {
        let tenancy = &self.0.governance.tenancy;
        Arc::clone(&tenancy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on calls see `tenancy`; those under way go on with what they saw.
    pub fn replace_tenancy(&self, tenancy: Arc<Tenancy>) {
        let place = &self.0.governance.tenancy;
        *place.write().unwrap_or_else(PoisonError::into_inner) = tenancy;
    }

    /// What the operator has paused.
    pub fn pauses(&self) -> &Pauses {
        &self.0.governance.pauses
    }

    pub(super) fn approvals(&self) -> Option<&Approvals> {
        self.0.governance.approvals.as_ref()
    }

    /// How long a call waits for a person.
    pub(super) fn approvals_last(&self) -> Duration {
        self.0.governance.approvals_last
    }

    /// Tells whoever wants to know of a call that waits for a person.
    pub(super) fn tell_of(&self, approval: &Approval) {
        if let Some(webhook) = &self.0.governance.webhook {
            webhook.tell(approval);
        }
    }

    /// Who calls, as the audit file has it: the same over restarts, and nothing that opens anything.
    pub(super) fn who(&self, call: &Planned, asker: &CallContext) -> String {
        match &asker.principal.key {
            Some(key) => format!("key:{}", key.id),
            None => self.who_is(&call.caller.credential),
        }
    }

    fn who_is(&self, credential: &Credential) -> String {
        let identity = &self.0.governance.identity;
        format!("credential:{}", identity.of(&credential.identity()))
    }

    pub(super) fn write_refusal(
        &self,
        call: &Planned,
        asker: &CallContext,
        class: &str,
        rule: Option<&str>,
    ) {
        if let Some(audit) = &self.0.governance.audit {
            let who = self.who(call, asker);
            drop(audit.refused(&entry(call, asker, None, &who), class, rule));
        }
    }

    /// What was refused before it was known whose call it is.
    pub(super) fn write_unplanned(
        &self,
        tool: &Tool,
        arguments: &Map<String, Value>,
        asker: &CallContext,
        failure: &Failure,
    ) {
        let Some(audit) = &self.0.governance.audit else {
            return;
        };
        let principal = &asker.principal;
        let who = match (&principal.key, &principal.account) {
            (Some(key), _) => format!("key:{}", key.id),
            (None, Some(account)) => self.who_is(&account.credential),
            (None, None) => "operator".to_owned(),
        };
        let entry = Entry {
            who: &who,
            client: asker.client.as_deref(),
            surface: &asker.surface,
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

    /// Takes the call's place in the caps and writes it down, or says why it may not be made.
    pub(super) async fn begin(
        &self,
        call: &Planned,
        asker: &CallContext,
        permit: &Permit,
    ) -> Result<Governed, Answer> {
        let mut governed = Governed {
            open: None,
            taken: None,
        };
        if call.tool.effect == Effect::Read {
            return Ok(governed);
        }
        let place = call.caller.place.as_ref();
        if let Some(paused) = self
            .pauses()
            .paused(place.map(|place| place.alias.as_str()))
        {
            let failure = Failure::new(
                Class::Refused,
                format!("Nothing was sent. {}", paused.sentence()),
            );
            return Err(self.refused(call, &failure, Some("pause"), asker));
        }
        let tenancy = self.tenancy();
        let caps = self.rules(call, asker, &tenancy).caps(call.tool);
        if !caps.is_empty() {
            let under = match &call.location {
                Some(id) => format!("location:{}", id.as_str()),
                None => format!("token:{}", self.who_is(&call.caller.credential)),
            };
            let counts = &self.0.governance.counts;
            let taken = counts.take(&caps, &under, SteadyClock::now());
            governed.taken = Some(taken.map_err(|denied| self.denied(call, denied, asker))?);
        }
        if let Some(audit) = &self.0.governance.audit {
            let who = self.who(call, asker);
            match audit.begin(&entry(call, asker, Some(permit), &who)).await {
                Ok(open) => governed.open = Some(open),
                Err(error) => {
                    tracing::error!(%error, "a call was refused that cannot be written down");
                    governed.give_back();
                    let what = "Nothing was sent: the server cannot write its audit file, and makes no call that it cannot write down.";
                    let failure = Failure::new(Class::Refused, what)
                        .with_remedy("Tell the server's operator; its log says what is wrong.");
                    return Err(Answer {
                        was_never_sent: true,
                        ..Answer::failed(&failure)
                    });
                }
            }
        }
        Ok(governed)
    }
}

impl Governed {
    /// Writes down what came of it. What was never sent leaves its place in the caps.
    pub async fn end(mut self, answer: &Answer) {
        if answer.was_never_sent {
            self.give_back();
        }
        if let Some(open) = self.open.take() {
            let outcome = answer.class.map_or("ok", Class::name);
            let end = open.end(outcome, answer.status, answer.trace_id.as_deref());
            end.await;
        }
    }

    fn give_back(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.give_back();
        }
    }
}

fn entry<'a>(
    call: &'a Planned,
    asker: &'a CallContext,
    permit: Option<&'a Permit>,
    who: &'a str,
) -> Entry<'a> {
    let place = call.caller.place.as_ref();
    let bound = call.caller.location.as_ref();
    let location = call
        .location
        .as_ref()
        .or(bound.map(|bound| bound.location()));
    let confirmed = permit.and_then(|permit| permit.confirmed.as_ref());
    Entry {
        who,
        client: asker.client.as_deref(),
        surface: &asker.surface,
        tool: call.tool.name,
        effect: call.tool.effect.name(),
        bulk: call.tool.bulk,
        location: location.map(|id| id.as_str()),
        alias: place.map(|place| place.alias.as_str()),
        arguments: &call.arguments,
        confirmation: confirmed.map(|(mode, by)| Confirmed {
            mode: mode.name(),
            by: Some(by),
        }),
        idempotency_key: call.keyed,
    }
}
