//! Whether calls may be made: the rules over them, and the confirmation that their effect wants.

use jiff::Timestamp;

use super::answer::Answer;
use super::ask::Asked;
use super::once::Claim;
use super::{Dispatch, Planned};
use crate::call::CallContext;
use crate::highlevel::Failure;
use crate::highlevel::failure::Class;
use crate::policy::{Denied, EffectiveRules, Mode};
use crate::runtime::arguments::Arguments;
use crate::runtime::tool::{Effect, Tool};
use crate::tools::tenancy::Tenancy;

/// The right to make some calls; gone once they are made.
#[derive(Default)]
pub struct Permit {
    /// How it was confirmed and by whom, for the audit file.
    pub confirmed: Option<(Mode, String)>,
    claim: Option<Claim>,
    approval: Option<String>,
}

impl Permit {
    /// Confirmed by a token, whose one run this is.
    pub(super) fn claimed(confirmed: (Mode, String), claim: Claim) -> Self {
        Self {
            confirmed: Some(confirmed),
            claim: Some(claim),
            approval: None,
        }
    }

    /// Confirmed by the approval of this handle.
    pub(super) fn approved(handle: &str) -> Self {
        Self {
            confirmed: Some((Mode::Human, handle.to_owned())),
            claim: None,
            approval: Some(handle.to_owned()),
        }
    }
}

impl Dispatch {
    /// The right to make all of `calls`, which are of one tool; else what to answer instead.
    pub async fn permit(
        &self,
        calls: &mut [Planned],
        confirm: Option<&str>,
        asker: &CallContext,
    ) -> Result<Permit, Answer> {
        let tenancy = self.tenancy();
        let Some(tool) = calls.first().map(|call| call.tool) else {
            return Ok(Permit::default());
        };
        if tool.effect == Effect::Read && tenancy.policy.is_empty() {
            return Ok(Permit::default());
        }
        let now = Timestamp::now();
        let (mut mode, mut rule) = (Mode::Off, String::new());
        for call in calls.iter_mut() {
            self.sight(call, asker)?;
            let (edition, arguments) = match self.checked(call) {
                Ok(checked) => checked,
                Err(failure) => return Err(self.refused(call, &failure, None, asker)),
            };
            let over = self.rules(call, asker, &tenancy);
            if let Err(denied) = over.permits(edition, &arguments, now) {
                return Err(self.denied(call, denied, asker));
            }
            let (wanted, by) = over.confirmation(tool);
            if wanted > mode {
                (mode, rule) = (wanted, by);
            }
        }
        let Some(asked) = Asked::new(self, calls, asker) else {
            return Ok(Permit::default());
        };
        match mode {
            Mode::Off => Ok(Permit::default()),
            Mode::Elicit => asked.person(),
            Mode::Token => asked.token(confirm),
            Mode::Human => asked.human(confirm).await,
            Mode::Refuse => {
                let denied = Denied {
                    what: format!("{} is not allowed here", tool.name),
                    rule,
                    retry_after: None,
                };
                Err(self.denied(asked.first(), denied, asker))
            }
        }
    }

    /// Whether the rules let the caller see the tool at all; the first word, whatever the arguments are.
    pub fn sight(&self, call: &Planned, asker: &CallContext) -> Result<(), Answer> {
        let tenancy = self.tenancy();
        let shown = self.rules(call, asker, &tenancy).shows(call.tool);
        shown.map_err(|denied| self.denied(call, denied, asker))
    }

    /// Keeps what came of the calls, for whoever repeats them. It begins before anything that could be cancelled.
    pub async fn settle(&self, permit: Permit, answer: &Answer) {
        if let Some(claim) = permit.claim {
            claim.settle(answer);
        }
        let (Some(handle), Some(approvals)) = (permit.approval, self.approvals()) else {
            return;
        };
        let kept = match answer.was_never_sent {
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

    /// The rules over a call whose location is known.
    pub(super) fn rules<'a>(
        &self,
        call: &Planned,
        asker: &CallContext,
        tenancy: &'a Tenancy,
    ) -> EffectiveRules<'a> {
        let alias = call.caller.place.as_ref().map(|place| place.alias.as_str());
        let key = asker.principal.key.as_ref();
        let policy = key.and_then(|key| key.policy.as_deref());
        tenancy.policy.over(alias, policy)
    }

    /// The arguments as they would be sent; the call's place becomes that of the location they name.
    fn checked(&self, call: &mut Planned) -> Result<(&'static Tool, Arguments), Failure> {
        let examined = self.examined(call)?;
        if let Some(location) = examined.location {
            let tenancy = self.tenancy();
            let known = tenancy.accounts.of_location(location.as_str());
            call.caller.place = known.map(|account| account.place.clone());
            call.location = Some(location);
        }
        Ok((examined.edition, examined.arguments))
    }

    pub(super) fn denied(&self, call: &Planned, denied: Denied, asker: &CallContext) -> Answer {
        let what = format!("Nothing was sent: {}.", denied.what.trim_end_matches('.'));
        let mut failure = Failure::new(Class::Refused, what).with_remedy(format!(
            "The rule is {}; only the server's operator can change it.",
            denied.rule
        ));
        if let Some(wait) = denied.retry_after {
            failure = failure.with_retry_after(wait);
        }
        self.refused(call, &failure, Some(&denied.rule), asker)
    }

    /// What a call was refused with, written down.
    pub(super) fn refused(
        &self,
        call: &Planned,
        failure: &Failure,
        rule: Option<&str>,
        asker: &CallContext,
    ) -> Answer {
        self.write_refusal(call, asker, failure.class.name(), rule);
        Answer {
            was_never_sent: true,
            ..Answer::failed(failure)
        }
    }
}
