//! Reasons to end a call on its way: the emergency stop, a revoked key, changed rules.

use std::sync::Arc;

use super::{AccessRef, CallContext, Facts, Pipeline};
use crate::upstream::failure::FailureClass;
use crate::upstream::{ConfiguredLocation, Failure, Recheck};

/// What of a call an operator can stop it by.
pub(super) struct Stoppable {
    is_read: bool,
    may_disclose: bool,
    access: Option<AccessRef>,
    configured: Option<Arc<ConfiguredLocation>>,
}

/// Why a call is stopped, and by which rule.
pub(super) type StopReason = (Failure, Option<&'static str>);

impl Pipeline {
    /// Why the call may not go any more, if somebody stopped it.
    pub(super) fn stopped(&self, call: &Stoppable) -> Option<StopReason> {
        if let Some(failure) = self.ended(call.access.as_ref(), call.configured.as_deref()) {
            return Some((failure, None));
        }
        if call.is_read {
            return None;
        }
        let alias = call.configured.as_ref();
        let paused = self.paused(alias.map(|configured| configured.alias.as_str()))?;
        let what = match call.may_disclose {
            true => format!("Nothing was sent. {}", paused.sentence()),
            false => "Nothing was sent: everything but reading is paused here.".to_owned(),
        };
        let failure = Failure::new(FailureClass::Refused, what)
            .with_remedy("Only read until the server's operator resumes it.");
        Some((failure, Some("pause")))
    }

    /// What the transport asks before each attempt: between the judgement and the wire a call may wait half a minute
    /// for the limit, for a token, for a retry.
    pub(super) fn recheck(&self, facts: &Facts, context: &CallContext) -> Recheck {
        let (pipeline, call) = (self.clone(), Stoppable::new(facts, context));
        let judged_by = Arc::clone(&facts.snapshot);
        Box::new(move || match pipeline.stopped(&call) {
            Some((failure, _)) => Err(failure),
            None => {
                let alias = call.configured.as_ref();
                let alias = alias.map(|configured| configured.alias.as_str());
                match pipeline.snapshot().is_same_for(&judged_by, alias) {
                    true => Ok(()),
                    false => Err(changed()),
                }
            }
        })
    }
}

fn changed() -> Failure {
    let what = "Nothing was sent: the server's locations or rules changed while the call waited.";
    Failure::new(FailureClass::Refused, what).with_remedy("Repeat the call.")
}

impl Stoppable {
    pub(super) fn new(facts: &Facts, context: &CallContext) -> Self {
        Self {
            access: context.principal.access.clone(),
            configured: facts.configured().cloned(),
            is_read: facts.is_read(),
            may_disclose: facts.may_disclose,
        }
    }
}
