//! What ends a call on its way: the emergency stop, a revoked key, rules that are others now.

use std::sync::Arc;

use super::{CallContext, Facts, Pipeline, Snapshot};
use crate::upstream::failure::FailureClass;
use crate::upstream::{Failure, Recheck};

/// What of a call an operator can stop it by.
pub(super) struct Stoppable {
    alias: Option<String>,
    is_read: bool,
    may_disclose: bool,
    /// The access key's id.
    key: Option<String>,
}

/// Why a call is stopped, and by which rule.
pub(super) type StopReason = (Failure, Option<&'static str>);

impl Pipeline {
    /// Why the call may not go any more, if somebody stopped it.
    pub(super) fn stopped(&self, call: &Stoppable) -> Option<StopReason> {
        let key = call.key.as_ref();
        if key.is_some_and(|key| !self.is_key_valid(key)) {
            let what = "Nothing was sent: the access key was revoked or has expired.";
            let failure = Failure::new(FailureClass::Auth, what)
                .with_remedy("Have the server's operator make another.");
            return Some((failure, None));
        }
        if call.is_read {
            return None;
        }
        let paused = self.paused(call.alias.as_deref())?;
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
            None => pipeline.check_snapshot(&judged_by),
        })
    }

    fn check_snapshot(&self, judged_by: &Arc<Snapshot>) -> Result<(), Failure> {
        if Arc::ptr_eq(judged_by, &self.snapshot()) {
            return Ok(());
        }
        let what =
            "Nothing was sent: the server's locations or rules changed while the call waited.";
        Err(Failure::new(FailureClass::Refused, what).with_remedy("Repeat the call."))
    }
}

impl Stoppable {
    pub(super) fn new(facts: &Facts, context: &CallContext) -> Self {
        let key = context.principal.key.as_ref();
        Self {
            alias: facts.configured().map(|place| place.alias.clone()),
            is_read: facts.is_read(),
            may_disclose: facts.may_disclose,
            key: key.map(|key| key.id.clone()),
        }
    }
}
