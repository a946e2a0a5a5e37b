//! Checks a call's arguments and builds its request, once.

use serde_json::{Map, Value, json};

use super::message_target::lifts_refusal;
use super::{Answer, CallContext, Facts, Located, Pipeline};
use crate::call::arguments::{LocalZone, Rejection, TenantNeed, location_on_the_wire};
use crate::catalog::body;
use crate::catalog::masking::MASK;
use crate::catalog::prepare::PrepareError;
use crate::catalog::prepare::prepare;
use crate::upstream::failure::FailureClass;
use crate::upstream::{Failure, Outgoing, Sender, Target};
use state::calls::OnceKey;
use tool::Arguments;

/// A call whose arguments passed every check, with its request.
pub(super) struct Validated {
    facts: Facts,
    arguments: Arguments,
    outgoing: Box<Outgoing>,
}

/// The reason that there is no request.
enum Unbuilt {
    /// A time without an offset needs the location's zone first.
    NeedsZone,
    Refused(Failure),
}

impl Pipeline {
    /// Checks the arguments and builds the request. Every problem is reported and recorded at once.
    pub(super) async fn validate(
        &self,
        located: Located,
        context: &CallContext,
    ) -> Result<Validated, Answer> {
        let mut facts = located.into_facts();
        let (given, caller) = (&facts.arguments, &facts.caller);
        let need = self.checker().tenant_need(facts.variant, given, caller);
        if need != TenantNeed::default() {
            // Boxed: few calls need more than their connection gives.
            Box::pin(self.find_tenants(&mut facts, need, context)).await;
        }
        match self.validate_now(facts, context) {
            Ok(validated) => validated,
            // Boxed: few calls have a time without an offset.
            Err(facts) => Box::pin(self.validate_in_zone(facts, context)).await,
        }
    }

    /// Gives the facts back if the zone of the location is needed first.
    fn validate_now(
        &self,
        mut facts: Facts,
        context: &CallContext,
    ) -> Result<Result<Validated, Answer>, Box<Facts>> {
        match self.build(&mut facts, context) {
            Ok((arguments, outgoing)) => Ok(Ok(Validated {
                facts,
                arguments,
                outgoing,
            })),
            Err(Unbuilt::NeedsZone) if matches!(facts.zone, LocalZone::Unasked) => {
                Err(Box::new(facts))
            }
            Err(unbuilt) => Ok(Err(self.refuse(&facts, &unbuilt.into(), None, context))),
        }
    }

    async fn validate_in_zone(
        &self,
        mut facts: Box<Facts>,
        context: &CallContext,
    ) -> Result<Validated, Answer> {
        self.set_zone(&mut facts, context).await?;
        let validated = self.validate_now(*facts, context);
        validated.unwrap_or_else(|facts| {
            Err(self.refuse(&facts, &Unbuilt::NeedsZone.into(), None, context))
        })
    }

    fn build(
        &self,
        facts: &mut Facts,
        context: &CallContext,
    ) -> Result<(Arguments, Box<Outgoing>), Unbuilt> {
        let variant = facts.variant;
        // The arguments of a read are not needed again.
        let checker = self.checker();
        let given = match facts.is_read() && !checker.takes_dates(variant) {
            true => std::mem::take(&mut facts.arguments),
            false => facts.arguments.clone(),
        };
        let checked = checker.check(
            variant,
            given,
            &facts.caller,
            facts.as_highlevel,
            &facts.zone,
        );
        let checked = checked.map_err(|rejection| Unbuilt::new(rejection, facts))?;
        let arguments = checked.arguments;
        facts.warn(checked.warnings);
        let mut request = prepare(variant, self.transport().upstream(), &arguments)
            .map_err(|error| Unbuilt::Refused(error.into()))?;
        body::write(variant, &arguments, &mut request)
            .map_err(|error| Unbuilt::Refused(error.into()))?;
        refuse_masked(&request).map_err(Unbuilt::Refused)?;
        let named = location_on_the_wire(variant, &arguments);
        facts.names_location = named.is_some();
        if named.is_some() && named != facts.location {
            let known = named
                .as_ref()
                .and_then(|location| facts.snapshot.locations.of_location(location.as_str()));
            facts.caller.configured = known.map(|account| account.configured.clone());
            facts.location = named;
            let location = facts.location.as_ref();
            facts.may_disclose = self.may_hear_of(&context.principal, &facts.caller, location);
        }
        let target = Target {
            tool: variant,
            version: facts.version,
            location: facts.location.clone(),
            names_location: facts.names_location,
        };
        let sender = Sender {
            caller: facts.caller.clone(),
            known: context.principal.kind.is_known(),
            agency: facts.agency,
            address: context.principal.address,
            budget: context.budget(),
        };
        if facts.is_read() {
            facts.arguments = Map::new();
        }
        let outgoing = self.transport().outgoing(target, sender, request);
        let outgoing = outgoing.map_err(Unbuilt::Refused)?;
        Ok((arguments, outgoing))
    }
}

/// A mask from an earlier answer must not be written back: it would replace the secret at HighLevel.
fn refuse_masked(request: &reqwest::Request) -> Result<(), Failure> {
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let is_masked = body.is_some_and(|body| memchr::memmem::find(body, MASK.as_bytes()).is_some());
    if !is_masked {
        return Ok(());
    }
    let what = format!(
        "Nothing was sent: the arguments hold {MASK:?}, which answers show in place of a secret."
    );
    Err(Failure::new(FailureClass::Invalid, what)
        .with_remedy("Leave that field out to keep the secret, or give the secret itself."))
}

impl Validated {
    /// HighLevel let the caller into the location.
    pub(super) fn disclose(&mut self) {
        self.facts.may_disclose = true;
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The arguments as they will be sent.
    pub(super) fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Whether a person decides about the call unless the rules name who does.
    pub(super) fn asks_person(&self) -> bool {
        let tool = self.facts.tool;
        tool.asks_person || lifts_refusal(tool, &self.arguments)
    }

    pub(super) fn into_parts(self) -> (Facts, Box<Outgoing>) {
        (self.facts, self.outgoing)
    }

    /// The request as it would be sent, without the credential and the host, which is the same for all.
    pub(super) fn preview(&self) -> Value {
        let url = self.outgoing.url();
        let query = url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        let sent = self.outgoing.body();
        let body = body::preview(self.facts.variant, &self.arguments, sent);
        json!({
            "method": self.outgoing.method().as_str(),
            "url": format!("{}{query}", url.path()),
            "version": self.facts.version,
            "body": body,
        })
    }

    /// Sets the idempotency key.
    pub(super) fn set_once(&mut self, once: OnceKey, key: &str) {
        self.facts.once = Some(once);
        self.facts.idempotency_key = Some(key.to_owned());
    }

    /// Marks the call as made for a row of a confirmed request.
    pub(super) fn set_item(&mut self, once: OnceKey) {
        self.facts.once = Some(once);
    }

    /// The request's content without white space or order of keys: equal texts are equal calls. A location that the server
    /// filled in is left out, because the next attempt may come before or after the server learnt it.
    pub(super) fn fingerprint(&self) -> String {
        let Arguments {
            path,
            query,
            header,
            body,
        } = &self.arguments;
        let named = self.facts.named.as_ref();
        let mut parts = json!([path.0, query.0, header.0, body]);
        let locations = self.facts.variant.arguments.iter();
        for filled in locations.filter(|argument| named.is_none() && argument.names_location()) {
            for part in parts.as_array_mut().into_iter().flatten() {
                part.as_object_mut()
                    .map(|part| part.shift_remove(filled.wire_name));
            }
        }
        let named = named.map(|id| id.as_str());
        json!([self.facts.tool.name, parts, named]).to_string()
    }
}

impl Unbuilt {
    fn new(rejection: Rejection, facts: &Facts) -> Self {
        if rejection.needs_zone {
            return Self::NeedsZone;
        }
        let mut failure = Failure::from(rejection);
        failure.remedy = facts.tenant_remedy.clone();
        Self::Refused(failure)
    }
}

impl From<Unbuilt> for Failure {
    fn from(unbuilt: Unbuilt) -> Self {
        match unbuilt {
            Unbuilt::Refused(failure) => failure,
            Unbuilt::NeedsZone => {
                let what = "Nothing was sent: a time has no offset, and the location's time zone is not known.";
                Self::new(FailureClass::Invalid, what).with_remedy("Give the time an offset.")
            }
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let class = match rejection.is_foreign_tenant() {
            true => FailureClass::Location,
            false => FailureClass::Invalid,
        };
        Self::new(class, rejection.sentence())
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        Self::new(FailureClass::Refused, error.to_string())
    }
}
